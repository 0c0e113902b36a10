"""Ports 8080 and 8443: requests of information systems (PR-MESS, PR-REST, X-Road ClientProxy.java).

`/r1/` is REST, `/restapi` its older dialect; `/verificationconf`, `/asic` and `/signature` give evidence,
`/listClients`, `/listSecurityServerClients` and `/wsdl` tell what there is; any other path is SOAP.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from gateway.consumer.catalogue import Catalogue
from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.evidence import Evidence
from gateway.consumer.rest import exchange_rest, rest_fault
from gateway.consumer.soap import exchange_soap, soap_fault
from gateway.consumer.uxp import exchange_uxp, uxp_fault
from gateway.exchange.faults import FaultStyle, Origin, RenderedFault, render_fault
from gateway.exchange.http_response import http_response
from gateway.exchange.outcome import let_go, observe
from gateway.exchange.refused import RefusedCall, address_of, record_refusal
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.messagelog.model import Side
from gateway.runtime.http.model import Response
from gateway.runtime.http.server import Request
from gateway.runtime.texts import choose_language
from gateway.xroad.rest.claims import Claims, claims_of
from gateway.xroad.rest.target import PREFIX
from gateway.xroad.rest.uxp import is_uxp


class Dialect(NamedTuple):
    """One way to speak to information systems: how a request is carried, and how a fault is told."""

    carry: Callable[[InboundRequest, ConsumerDeps, Timeline], Awaitable[OutboundResponse]]
    fault: Callable[[RenderedFault, InboundRequest, str], OutboundResponse]


SOAP: Final = Dialect(exchange_soap, soap_fault)
REST: Final = Dialect(exchange_rest, rest_fault)
UXP: Final = Dialect(exchange_uxp, uxp_fault)
_SCHEMES: Final = ("http", "https")


class ConsumerApp:
    """The handler of both ports of the consumer proxy."""

    def __init__(self, deps: ConsumerDeps, evidence: Evidence, catalogue: Catalogue) -> None:
        self._deps = deps
        self._evidence = evidence
        self._catalogue = catalogue

    async def __call__(self, request: Request) -> Response:
        """Answer one request; whatever goes wrong becomes a fault in the caller's form and language."""
        target = origin_form(request.target)
        inbound = InboundRequest(
            request.method,
            target,
            tuple(request.headers),
            request.body,
            request.peer_certificate,
            request.scheme == "https",
            str(uuid.uuid4()),
        )
        path = target.partition("?")[0]
        if path in self._evidence.paths:
            answer = await self._evidence.answer(path, inbound)
        elif self._catalogue.takes(request.method, path):
            answer = await self._catalogue.answer(path, inbound)
        else:
            answer = await self._exchange(inbound, _dialect_of(path), request)
        return http_response(answer)

    async def _exchange(self, inbound: InboundRequest, dialect: Dialect, request: Request) -> OutboundResponse:
        timeline = Timeline(self._deps.clock.now_ms())
        error: Exception | None = None
        try:
            response = await dialect.carry(inbound, self._deps, timeline)
        except Exception as failure:  # the edge: every failure is answered
            error = failure
            response = await self._refuse(failure, inbound, dialect, timeline, request)
        timeline.response_out_ms = self._deps.clock.now_ms()
        observe(Origin.CONSUMER, inbound.id, timeline, error)
        let_go(error)
        return response

    async def _refuse(
        self, failure: Exception, inbound: InboundRequest, dialect: Dialect, timeline: Timeline, request: Request
    ) -> OutboundResponse:
        language = choose_language(inbound.header("accept-language"), self._deps.style.language)
        style = FaultStyle(self._deps.style.spelling, language)
        fault = render_fault(failure, Origin.CONSUMER, style, inbound.id)
        host = None if request.peer_address is None else request.peer_address[0]
        claims = Claims() if dialect is SOAP else claims_of(inbound.target, inbound.headers)
        address = address_of(host, request.peer_certificate)
        call = RefusedCall(Side.CONSUMER, inbound.id, timeline, self._deps.clock.now_ms(), address, claims)
        await record_refusal(self._deps.message_log, fault, call)
        return dialect.fault(fault, inbound, language)


def origin_form(target: str) -> str:
    """Return the path and query of a request target, which may be written with scheme and host (RFC 9112 3.2.2).

    Programs that take a security server for their HTTP proxy, as clients of Trembita do, write it so.
    """
    if target.startswith("/"):
        return target
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        return target
    end = next((index for index, character in enumerate(rest) if character in "/?"), len(rest))
    return rest[end:] if rest[end : end + 1] == "/" else f"/{rest[end:]}"


def _dialect_of(path: str) -> Dialect:
    if path.startswith(f"/{PREFIX}/"):
        return REST
    return UXP if is_uxp(path) else SOAP

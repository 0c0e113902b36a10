"""Ports 8080 and 8443: requests of information systems (PR-MESS, PR-REST, X-Road ClientProxy.java).

`/r1/` is REST; `/verificationconf`, `/asic` and `/signature` give evidence; any other path is SOAP.
"""

from __future__ import annotations

import uuid

from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.evidence import Evidence
from gateway.consumer.rest import exchange_rest
from gateway.consumer.soap import exchange_soap
from gateway.exchange.faults import FaultStyle, Origin, render_fault
from gateway.exchange.http_response import http_response
from gateway.exchange.outcome import observe
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.runtime.http.model import Response
from gateway.runtime.http.server import Request
from gateway.runtime.texts import choose_language
from gateway.xroad.rest.faults import build_rest_fault
from gateway.xroad.rest.target import PREFIX
from gateway.xroad.soap.faults import FAULT_CONTENT_TYPE, build_soap_fault


class ConsumerApp:
    """The handler of both ports of the consumer proxy."""

    def __init__(self, deps: ConsumerDeps, evidence: Evidence) -> None:
        self._deps = deps
        self._evidence = evidence

    async def __call__(self, request: Request) -> Response:
        """Answer one request; whatever goes wrong becomes a fault in the caller's form and language."""
        inbound = InboundRequest(
            request.method,
            request.target,
            tuple(request.headers),
            request.body,
            request.peer_certificate,
            request.scheme == "https",
            str(uuid.uuid4()),
        )
        path = request.target.partition("?")[0]
        if path in self._evidence.paths:
            answer = await self._evidence.answer(path, inbound)
        else:
            answer = await self._exchange(inbound, is_rest=path.startswith(f"/{PREFIX}/"))
        return http_response(answer)

    async def _exchange(self, inbound: InboundRequest, *, is_rest: bool) -> OutboundResponse:
        timeline = Timeline(self._now_ms())
        error: Exception | None = None
        try:
            carry = exchange_rest if is_rest else exchange_soap
            response = await carry(inbound, self._deps, timeline)
        except Exception as failure:  # the edge: every failure is answered
            error = failure
            response = self._fault(failure, inbound, is_rest=is_rest)
        timeline.response_out_ms = self._now_ms()
        observe(Origin.CONSUMER, inbound.id, timeline, error)
        return response

    def _fault(self, failure: Exception, inbound: InboundRequest, *, is_rest: bool) -> OutboundResponse:
        language = choose_language(inbound.header("accept-language"), self._deps.style.language)
        style = FaultStyle(self._deps.style.spelling, language)
        fault = render_fault(failure, Origin.CONSUMER, style, inbound.id)
        if is_rest:
            rest = build_rest_fault(fault.code, fault.text, fault.detail, inbound.header("accept"))
            return OutboundResponse(rest.status, rest.headers, rest.body, len(rest.body))
        raw = (
            fault.remote.raw if fault.remote is not None else build_soap_fault(fault.code, fault.text, "", fault.detail)
        )
        return OutboundResponse(200, (("Content-Type", FAULT_CONTENT_TYPE), ("SOAPAction", "")), raw, len(raw))

    def _now_ms(self) -> int:
        return int(self._deps.clock.now().timestamp() * 1000)

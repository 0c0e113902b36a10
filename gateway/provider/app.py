"""Port 5500: transport messages of other security servers in, signed answers or faults out (PR-MESSTRANSP 3.3)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable

from gateway.exchange.faults import Origin, RenderedFault, render_fault
from gateway.exchange.http_response import http_response
from gateway.exchange.outcome import let_go, observe
from gateway.exchange.refused import RefusedCall, address_of, record_refusal
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.messagelog.model import Side
from gateway.provider.deps import ProviderDeps
from gateway.provider.rest import serve_rest
from gateway.provider.soap import serve_soap
from gateway.runtime.http.model import Response, header_of
from gateway.runtime.http.server import Request
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.faults import FAULT_CONTENT_TYPE, build_soap_fault
from gateway.xroad.transport.headers import MESSAGE_TYPE, REQUEST_ID, REST_MESSAGE

Serve = Callable[[InboundRequest, ProviderDeps, Timeline], Awaitable[OutboundResponse]]


class ProviderApp:
    """The handler of port 5500."""

    def __init__(self, deps: ProviderDeps, *, keep_connections: bool = True) -> None:
        self._deps = deps
        self._close = not keep_connections

    async def __call__(self, request: Request) -> Response:
        """Serve one exchange; whatever goes wrong becomes a SOAP fault, which is what peers read."""
        inbound = self._inbound(request)
        timeline = Timeline(self._deps.clock.now_ms())
        error: Exception | None = None
        try:
            if request.method != "POST":
                raise MalformedMessage(
                    "invalid_http_method", "soap.must_post", method=request.method, target=request.target
                )
            response = await self._serve(inbound)(inbound, self._deps, timeline)
        except Exception as failure:  # the edge: every failure is answered
            error = failure
            fault = render_fault(failure, Origin.PROVIDER, self._deps.style, inbound.id)
            await self._record(fault, inbound.id, timeline, request)
            response = soap_fault(fault)
        timeline.response_out_ms = self._deps.clock.now_ms()
        observe(Origin.PROVIDER, inbound.id, timeline, error)
        let_go(error)
        return http_response(response, close=self._close)

    async def _record(self, fault: RenderedFault, request_id: str, timeline: Timeline, request: Request) -> None:
        host = None if request.peer_address is None else request.peer_address[0]
        address = address_of(host, request.peer_certificate)
        call = RefusedCall(Side.PROVIDER, request_id, timeline, self._deps.clock.now_ms(), address)
        await record_refusal(self._deps.message_log, fault, call)

    def _serve(self, inbound: InboundRequest) -> Serve:
        return serve_rest if inbound.header(MESSAGE_TYPE) == REST_MESSAGE else serve_soap

    def _inbound(self, request: Request) -> InboundRequest:
        request_id = header_of(request.headers, REQUEST_ID) or str(uuid.uuid4())
        return InboundRequest(
            request.method,
            request.target,
            tuple(request.headers),
            request.body,
            request.peer_certificate,
            True,
            request_id,
        )


def soap_fault(fault: RenderedFault) -> OutboundResponse:
    """Return the whole-body SOAP fault of PR-MESSTRANSP 3.1, status 200."""
    raw = fault.remote.raw if fault.remote is not None else build_soap_fault(fault.code, fault.text, "", fault.detail)
    return OutboundResponse(200, (("content-type", FAULT_CONTENT_TYPE),), raw, len(raw))

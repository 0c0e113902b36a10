"""Serve one REST request of another security server (PR-REST 4, PR-MESSTRANSP 3.3)."""

from __future__ import annotations

from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.exchange.signing import sign_message
from gateway.messagelog.model import Side
from gateway.provider.access import BuiltInRequest
from gateway.provider.answer import signed_answer
from gateway.provider.deps import ProviderDeps
from gateway.provider.receive import receive
from gateway.xroad.rest.message import RestRequest, build_rest_response
from gateway.xroad.transport.decoder import Protocol


async def serve_rest(request: InboundRequest, deps: ProviderDeps, timeline: Timeline) -> OutboundResponse:
    """Prove and allow a request, call the service, and sign its answer, whatever its status.

    Raises XRoadFault; the edge answers with it.
    """
    globalconf = deps.configuration.current()
    authorised = await receive(request, Protocol.REST, globalconf, deps, timeline)
    message = authorised.verified.signed.message
    assert isinstance(message, RestRequest)

    if isinstance(authorised, BuiltInRequest):
        response = await deps.metaservices.answer_rest(message, globalconf)
    else:
        answer = await deps.services.call_rest(
            authorised.service, message, deps.spool, deps.limits.rest_body_bytes, timeline
        )
        response = build_rest_response(message, answer.status, answer.reason, answer.headers, answer.body)
    signed = await sign_message(response, response.service.provider.member, deps.signer, deps.clock.now())
    await deps.message_log.record(signed, Side.PROVIDER, request.id)
    return signed_answer(signed)

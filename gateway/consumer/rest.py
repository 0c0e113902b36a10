"""Mediate one REST request of a local information system (PR-REST 4, PR-MESSTRANSP 3.2)."""

from __future__ import annotations

from gateway.consumer.clients import authenticate
from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.dispatch import send
from gateway.consumer.routing import routes_to
from gateway.exchange.bodies import spool_body
from gateway.exchange.faults import RenderedFault
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.exchange.signing import sign_message
from gateway.exchange.verification import verify_message
from gateway.messagelog.model import Side
from gateway.xroad.rest.faults import build_rest_fault
from gateway.xroad.rest.message import RestRequest, RestResponse, build_rest_request, check_rest_consistency


async def exchange_rest(request: InboundRequest, deps: ConsumerDeps, timeline: Timeline) -> OutboundResponse:
    """Carry one REST request to the provider's security server and its answer back.

    Raises XRoadFault or RemoteFault; the edge answers with it.
    """
    globalconf = deps.configuration.current()
    message = timeline.message = await read_request(request, deps, globalconf.instance)
    timeline.note(client=message.client, service=message.service, message_id=message.id)
    authenticate(message.client, request, deps.registrations.current(), deps.internal_certificate)
    routes = routes_to(message.service.provider, message.security_server, globalconf)

    signed = await sign_message(message, message.client.member, deps.signer, deps.clock.now())
    await deps.message_log.record(signed, Side.CONSUMER, request.id)

    reply = await send(signed, message.service.provider, routes, request, globalconf, deps, timeline)
    verified = verify_message(reply, message.service.provider, globalconf, deps.clock.now())
    response = verified.signed.message
    assert isinstance(response, RestResponse)
    check_rest_consistency(message, response)
    await deps.message_log.record(verified.signed, Side.CONSUMER, request.id)
    return rest_response(response)


async def read_request(request: InboundRequest, deps: ConsumerDeps, instance: str) -> RestRequest:
    """Read the target, the headers and the whole body; a request without an id gets one."""
    body = await spool_body(request.body, deps.spool, deps.limits.rest_body_bytes)
    return build_rest_request(
        request.method,
        request.target,
        request.headers,
        request_id=request.id,
        new_id=f"{instance}-{request.id}",
        body=body,
    )


def rest_response(response: RestResponse) -> OutboundResponse:
    """Give the information system the answer of the service: status, headers and body as they were signed."""
    if response.body is None:
        return OutboundResponse(response.status, response.headers, b"", 0, response.reason)
    return OutboundResponse(
        response.status, response.headers, response.body.chunks(), response.body.size, response.reason
    )


def rest_fault(fault: RenderedFault, request: InboundRequest, _language: str) -> OutboundResponse:
    """Answer with a fault in the form that the caller accepts."""
    rest = build_rest_fault(fault.code, fault.text, fault.detail, accept_of(request))
    return OutboundResponse(rest.status, rest.headers, rest.body, len(rest.body))


def accept_of(request: InboundRequest) -> str:
    """Return all Accept headers as one; an empty text when there is none."""
    return ",".join(value for name, value in request.headers if name.lower() == "accept")

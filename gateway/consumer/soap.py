"""Mediate one SOAP request of a local information system (PR-MESSTRANSP 3.2)."""

from __future__ import annotations

from gateway.consumer.clients import authenticate
from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.dispatch import send
from gateway.consumer.routing import routes_to
from gateway.exchange.bodies import read_bounded
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.exchange.signing import sign_message
from gateway.exchange.verification import verify_message
from gateway.messagelog.model import Side
from gateway.xroad.faults import MalformedMessage, Party, blame
from gateway.xroad.mime import parse_content_type
from gateway.xroad.soap.action import check_soap_action
from gateway.xroad.soap.faults import FAULT_CONTENT_TYPE
from gateway.xroad.soap.message import SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.request_hash import check_request_hash


async def exchange_soap(request: InboundRequest, deps: ConsumerDeps, timeline: Timeline) -> OutboundResponse:
    """Carry one SOAP request to the provider's security server and its answer back.

    Raises XRoadFault or RemoteFault; the edge answers with it.
    """
    globalconf = deps.configuration.current()
    with blame(Party.CLIENT):
        message = await read_request(request, deps)
    headers = message.headers
    timeline.note(client=headers.client, service=headers.service, message_id=headers.id)
    authenticate(headers.client, request, deps.registrations.current(), deps.internal_certificate)
    routes = routes_to(headers.service.provider, headers.security_server, globalconf)

    signed = await sign_message(message, headers.client.member, deps.signer, deps.clock.now())
    await deps.message_log.record(signed, Side.CONSUMER, request.id)

    reply = await send(signed, headers.service.provider, routes, request, globalconf, deps, timeline)
    verified = verify_message(reply, headers.service.provider, globalconf, deps.clock.now())
    response = verified.signed.message
    assert isinstance(response, SoapMessage)
    with blame(Party.SERVICE):
        check_consistency(message, response)
    check_request_hash(response, message)
    await deps.message_log.record(verified.signed, Side.CONSUMER, request.id)
    return OutboundResponse(200, (("Content-Type", FAULT_CONTENT_TYPE),), response.raw, len(response.raw))


async def read_request(request: InboundRequest, deps: ConsumerDeps) -> SoapMessage:
    """Read what the information system sent: POST, SOAP 1.1, one part (PR-MESS 2)."""
    if request.method != "POST":
        raise MalformedMessage("invalid_http_method", "soap.must_post", method=request.method, target=request.target)
    content_type = (request.header("content-type") or "").strip()
    if not content_type:
        raise MalformedMessage("invalid_request", "soap.content_type_missing")
    if parse_content_type(content_type).media_type != "text/xml":
        raise MalformedMessage("invalid_content_type", "soap.content_type", value=content_type[:200])
    soap_action = request.header("soapaction")
    check_soap_action(soap_action)
    raw = await read_bounded(request.body, deps.limits.soap_bytes)
    message = parse_soap(raw, content_type, soap_action=soap_action)
    if isinstance(message, SoapFault):
        raise MalformedMessage("invalid_message", "soap.fault_as_request", code=message.code)
    return message

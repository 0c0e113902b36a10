"""Mediate one SOAP request of a local information system (PR-MESSTRANSP 3.2)."""

from __future__ import annotations

from gateway.consumer.clients import authenticate
from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.dispatch import send
from gateway.consumer.routing import routes_to
from gateway.exchange.bodies import read_bounded, read_package
from gateway.exchange.faults import RenderedFault
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.exchange.signing import sign_message
from gateway.exchange.verification import verify_message
from gateway.messagelog.model import Side
from gateway.serverconf.model import LocalClient
from gateway.xroad.faults import AccessRefused, MalformedMessage, Party, RemoteFault, ServiceFailed, blame
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.mime import parse_content_type
from gateway.xroad.signature.signed_message import SignedMessage
from gateway.xroad.soap.action import check_soap_action
from gateway.xroad.soap.faults import (
    FAULT12_CONTENT_TYPE,
    FAULT_CONTENT_TYPE,
    build_soap12_fault,
    build_soap_fault,
    refuses_soap12,
    speaks_soap12,
)
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import TEXT_XML, SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.package import answer_content_type, is_package, package_size, write_package
from gateway.xroad.soap.request_hash import check_request_hash


async def exchange_soap(request: InboundRequest, deps: ConsumerDeps, timeline: Timeline) -> OutboundResponse:
    """Carry one SOAP request to the provider's security server and its answer back.

    Raises XRoadFault or RemoteFault; the edge answers with it.
    """
    globalconf = deps.configuration.current()
    with blame(Party.CLIENT):
        message = timeline.message = await read_request(request, deps)
    headers = message.headers
    timeline.note(client=headers.client, service=headers.service, message_id=headers.id)
    client_of(headers, request, globalconf, deps)
    routes = routes_to(headers.service.provider, headers.security_server, globalconf)

    signed = await sign_message(message, headers.client.member, deps.signer, deps.clock.now())
    await deps.message_log.record(signed, Side.CONSUMER, request.id)

    try:
        reply = await send(signed, headers.service.provider, routes, request, globalconf, deps, timeline)
    except RemoteFault as fault:
        raise _understood(fault, message) from None
    response = answer_in(reply, message, globalconf, deps)
    await deps.message_log.record(reply, Side.CONSUMER, request.id)
    return soap_response(response)


async def read_request(request: InboundRequest, deps: ConsumerDeps) -> SoapMessage:
    """Read what the information system sent: POST, SOAP by itself or in a package (PR-MESS 2)."""
    if request.method != "POST":
        raise MalformedMessage("invalid_http_method", "soap.must_post", method=request.method, target=request.target)
    content_type = (request.header("content-type") or "").strip()
    if not content_type:
        raise MalformedMessage("invalid_request", "soap.content_type_missing")
    soap_action = request.header("soapaction")
    check_soap_action(soap_action)
    if parse_content_type(content_type).media_type == TEXT_XML:
        raw = await read_bounded(request.body, deps.limits.soap_bytes)
        message = parse_soap(raw, content_type, soap_action=soap_action)
    else:
        reader = await read_package(request.body, content_type, deps.spool, deps.limits)
        message = reader.finish(soap_action=soap_action)
    if isinstance(message, SoapFault):
        raise MalformedMessage("invalid_message", "soap.fault_as_request", code=message.code)
    return message


def client_of(headers: SoapHeaders, request: InboundRequest, globalconf: GlobalConf, deps: ConsumerDeps) -> LocalClient:
    """Return the client when this information system may speak for it.

    Raises AccessRefused. An unknown client is told what it most likely is: a request for another security
    server, or one whose client and service stand in each other's place.
    """
    conf, client, provider = deps.registrations.current(), headers.client, headers.service.provider
    if conf.find_client(client) is None:
        elsewhere = ", ".join(str(server.id) for server in globalconf.servers_of(client))
        if elsewhere:
            text_id = "soap.other_server" if conf.find_client(provider) is None else "soap.swapped"
            raise AccessRefused(
                "unknown_member", text_id, client=client, server=conf.server, known=elsewhere, provider=provider
            )
    return authenticate(client, request, conf, deps.internal_certificate)


def answer_in(reply: SignedMessage, request: SoapMessage, globalconf: GlobalConf, deps: ConsumerDeps) -> SoapMessage:
    """Return the proven answer to `request`, and to nothing else.

    Raises SignatureRefused or MalformedMessage.
    """
    verified = verify_message(reply, request.headers.service.provider, globalconf, deps.clock.now())
    response = verified.signed.message
    assert isinstance(response, SoapMessage)
    with blame(Party.SERVICE):
        check_consistency(request, response)
    check_request_hash(response, request)
    return response


def soap_response(response: SoapMessage) -> OutboundResponse:
    """Give the information system the answer of the service, byte for byte; a package as a stream."""
    headers = (("Content-Type", answer_content_type(response)),)
    if is_package(response):
        return OutboundResponse(200, headers, write_package(response), package_size(response))
    return OutboundResponse(200, headers, response.raw, len(response.raw))


def soap_fault(fault: RenderedFault, request: InboundRequest, language: str) -> OutboundResponse:
    """Answer with a fault in the caller's version of SOAP; a peer's own goes on byte for byte where it can be read."""
    remote = fault.remote
    if speaks_soap12(request.header("content-type")):
        content_type = FAULT12_CONTENT_TYPE
        if remote is not None and remote.content_type == FAULT12_CONTENT_TYPE:
            raw = remote.raw
        else:
            raw = build_soap12_fault(fault.code, fault.text, fault.detail or None, language=language)
    else:
        content_type = FAULT_CONTENT_TYPE
        raw = build_soap_fault(fault.code, fault.text, "", fault.detail) if remote is None else remote.raw
    return OutboundResponse(200, (("Content-Type", content_type), ("SOAPAction", "")), raw, len(raw))


def _understood(fault: RemoteFault, request: SoapMessage) -> RemoteFault | ServiceFailed:
    """Return the peer's fault, or ours in its place when the peer does not know SOAP 1.2."""
    if not (request.is_soap12 and refuses_soap12(fault)):
        return fault
    return ServiceFailed(
        "service_failed.invalid_content_type", "soap.peer_without_soap12", code=fault.code, text=fault.text
    )

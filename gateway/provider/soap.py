"""Serve one SOAP request of another security server (PR-MESSTRANSP 3.3)."""

from __future__ import annotations

from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.exchange.signing import sign_message
from gateway.messagelog.model import Side
from gateway.provider.access import BuiltInRequest
from gateway.provider.answer import signed_answer
from gateway.provider.deps import ProviderDeps
from gateway.provider.forward import SoapAnswer
from gateway.provider.receive import receive
from gateway.xroad.faults import Party, blame
from gateway.xroad.soap.action import check_soap_action
from gateway.xroad.soap.faults import remote_fault_of
from gateway.xroad.soap.message import SoapFault, SoapMessage, check_consistency, check_version
from gateway.xroad.soap.request_hash import answer_to
from gateway.xroad.transport.decoder import Protocol
from gateway.xroad.transport.headers import ORIGINAL_SOAP_ACTION


async def serve_soap(request: InboundRequest, deps: ProviderDeps, timeline: Timeline) -> OutboundResponse:
    """Prove and allow a request, call the service, and sign its answer.

    Raises XRoadFault, or RemoteFault with the service's own fault; the edge answers with it.
    """
    globalconf = deps.configuration.current()
    check_soap_action(request.header(ORIGINAL_SOAP_ACTION))
    authorised = await receive(request, Protocol.SOAP, globalconf, deps, timeline)
    message = authorised.verified.signed.message
    assert isinstance(message, SoapMessage)

    if isinstance(authorised, BuiltInRequest):
        response = await deps.metaservices.answer_soap(message, globalconf)
    else:
        with blame(Party.SERVICE):
            answer = await deps.services.call_soap(authorised.service, message, deps.spool, deps.limits, timeline)
            response = read_response(answer, message)
    signed = await sign_message(response, response.headers.service.provider.member, deps.signer, deps.clock.now())
    await deps.message_log.record(signed, Side.PROVIDER, request.id)
    return signed_answer(signed)


def read_response(answer: SoapAnswer, request: SoapMessage) -> SoapMessage:
    """Return the service's answer with the request hash in it, ready to be signed.

    A fault of the service is raised as RemoteFault and travels on as it is. Raises MalformedMessage
    for anything that is no answer to `request`.
    """
    response = answer_to(
        request,
        answer.raw,
        answer.content_type,
        complete=True,
        attachments=answer.attachments,
        part_headers=answer.part_headers,
        package_type=answer.package_type,
    )
    if isinstance(response, SoapFault):
        check_version(request, response, answer.content_type)
        raise remote_fault_of(response)
    check_consistency(request, response)
    return response

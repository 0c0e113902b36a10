"""The first half of both provider exchanges: read a transport message, know the peer, prove the message.

The order is PR-MESSTRANSP 3.3's with one change: the signature is verified before access is asked.
"""

from __future__ import annotations

from gateway.exchange.peers import identify, known_verdict, path_of
from gateway.exchange.requests import InboundRequest, Timeline
from gateway.exchange.verification import verify_message
from gateway.messagelog.model import Side
from gateway.provider.access import (
    AuthorisedRequest,
    BuiltInRequest,
    authorise,
    check_provider_is_here,
    client_and_service,
)
from gateway.provider.deps import ProviderDeps
from gateway.xroad.faults import AccessRefused, Party, blame
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, SecurityServerId
from gateway.xroad.rest.message import RestRequest
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.transport.decoder import DecodedMessage, Protocol, TransportDecoder
from gateway.xroad.transport.decoder import Side as TransportSide
from gateway.xroad.transport.headers import (
    HASH_ALGORITHM,
    ORIGINAL_CONTENT_TYPE,
    ORIGINAL_SOAP_ACTION,
    PROXY_VERSION,
    check_hash_algorithm,
    check_proxy_version,
)


async def receive(
    request: InboundRequest, protocol: Protocol, globalconf: GlobalConf, deps: ProviderDeps, timeline: Timeline
) -> AuthorisedRequest | BuiltInRequest:
    """Return the proven, allowed and recorded request.

    1. the consumer's security server is new enough, and says that it hashes with SHA-512
    2. the parts decode: a message of the announced kind, and a signature
    3. provider and target server are ours, and the peer's certificate may speak for the client
    4. the signature is the client's member's
    5. the client may call the service, or it is one that this server answers itself
    6. the request is in the message log before anybody acts on it

    Raises XRoadFault.
    """
    if deps.min_client_version is not None:
        check_proxy_version(request.header(PROXY_VERSION), deps.min_client_version)  # (1)
    check_hash_algorithm(request.header(HASH_ALGORITHM))
    with blame(Party.SERVICE):
        decoded = await decode(request, protocol, deps, timeline)  # (2)
        assert decoded.signed is not None
        message = decoded.signed.message
        assert isinstance(message, SoapMessage | RestRequest)
        client, service, target = client_and_service(message)
        message_id = message.headers.id if isinstance(message, SoapMessage) else message.id
        timeline.note(client=client, service=service, message_id=message_id)
        check_provider_is_here(service, target, deps.registrations.current())  # (3)
        check_peer(request.peer_certificate, decoded.ocsp_responses, client, globalconf, deps)
    verified = verify_message(decoded.signed, client, globalconf, deps.clock.now())  # (4)
    authorised = authorise(verified, deps.registrations.current(), globalconf)  # (5)
    await deps.message_log.record(decoded.signed, Side.PROVIDER, request.id)  # (6)
    return authorised


async def decode(request: InboundRequest, protocol: Protocol, deps: ProviderDeps, timeline: Timeline) -> DecodedMessage:
    """Feed the body to the decoder as it arrives; bodies go to the spool.

    What was read of the message is noted, also when something after it cannot be.
    """
    decoder = TransportDecoder(
        request.header("content-type") or "",
        side=TransportSide.REQUEST,
        protocol=protocol,
        x_original_content_type=request.header(ORIGINAL_CONTENT_TYPE),
        soap_action=request.header(ORIGINAL_SOAP_ACTION),
        open_sink=deps.spool.open_sink,
        limits=deps.limits.transport,
    )
    try:
        async for chunk in request.body:
            decoder.feed(chunk)
        return decoder.finish()
    finally:
        timeline.message = decoder.message


def check_peer(
    certificate_der: bytes | None,
    ocsp_responses: tuple[bytes, ...],
    client: ClientId,
    globalconf: GlobalConf,
    deps: ProviderDeps,
) -> SecurityServerId:
    """Return the security server at the other end, when it may speak for `client` (X-Road ServerMessageProcessor.java).

    Raises AccessRefused (ssl_authentication_failed).
    """
    if certificate_der is None:
        raise AccessRefused("ssl_authentication_failed", "peers.no_certificate", client=client)
    if not ocsp_responses:
        raise AccessRefused("ssl_authentication_failed", "peers.no_status_part", client=client)
    now = deps.clock.now()
    known = known_verdict(certificate_der, client, globalconf, now)
    if known is not None:
        return known
    path = path_of(certificate_der, globalconf, client.member.xroad_instance, now)
    return identify(path, certificate_der, ocsp_responses, client, globalconf, now)

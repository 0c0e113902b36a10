"""Send a transport message to a provider's server: check the peer before the first byte, read the reply.

Of several candidates the first to connect is taken, the next one only when no byte of the message
had left (X-Road FastestConnectionSelectingSSLSocketFactory.java). The peer's certificate is judged on
every exchange, also on a connection that was open before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from gateway.consumer.deps import ConsumerDeps, PeerCaller
from gateway.consumer.routing import Route
from gateway.exchange.boundaries import new_boundary
from gateway.exchange.network import network_faults
from gateway.exchange.peers import identify, known_verdict, path_of
from gateway.exchange.requests import InboundRequest, Timeline
from gateway.runtime.http.client import ClientResponse
from gateway.runtime.http.model import ConnectionFacts
from gateway.xroad.faults import AccessRefused, MalformedMessage, Party, ServiceFailed, blame
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, SecurityServerId
from gateway.xroad.mime import parse_content_type
from gateway.xroad.pki.certificates import der_of
from gateway.xroad.rest.message import RestRequest
from gateway.xroad.signature.signed_message import SignedMessage, bodies_of
from gateway.xroad.soap.faults import remote_fault_of
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.transport.decoder import DecodedMessage, Protocol, Side, TransportDecoder
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.transport.headers import build_request_headers, check_hash_algorithm

# PR-MESSTRANSP 3.2, X-Road AbstractHttpSender.java: a peer answers 200, or 500 with a fault.
ACCEPTED_STATUSES: Final = (200, 500)
# Peers may refuse releases older than a minimum of theirs (X-Road ClientProxyVersionVerifier.java).
PROXY_VERSION: Final = "7.8.0"


async def send(
    signed: SignedMessage,
    provider: ClientId,
    routes: Sequence[Route],
    request: InboundRequest,
    globalconf: GlobalConf,
    deps: ConsumerDeps,
    timeline: Timeline,
) -> SignedMessage:
    """Return the signed reply of one of `routes`, decoded but not proven.

    Raises RemoteFault for a fault of the peer, AccessRefused for a peer that may not answer for
    `provider`, ServiceFailed when nobody can be reached, MalformedMessage for an unreadable reply.
    """
    assert isinstance(signed.message, SoapMessage | RestRequest)
    encoder = TransportEncoder(ocsp_responses=deps.signer.authentication_ocsp(), boundary=new_boundary())
    headers = build_request_headers(
        signed.message,
        encoder.content_type,
        original_content_type=request.header("content-type"),
        request_id=request.id,
        proxy_version=PROXY_VERSION,
    )
    chunks = encoder.encode(signed)
    body = chunks if bodies_of(signed.message) else b"".join(chunks)
    peers = deps.peers

    async def check(facts: ConnectionFacts) -> None:
        address = facts.address[0] if facts.address is not None else ""
        timeline.note(peer=await check_provider(facts.peer_certificate, provider, address, globalconf, peers))
        timeline.request_out_ms = peers.clock.now_ms()

    where = ", ".join(map(str, routes))
    with network_faults(where):
        response = await peers.http.request_any(
            "POST",
            [(route.address, peers.port) for route in routes],
            headers=headers,
            body=body,
            ssl=peers.tls(),
            on_connected=check,
            close=not peers.reuse_connections,
        )
    protocol = Protocol.SOAP if isinstance(signed.message, SoapMessage) else Protocol.REST
    return await _read_reply(response, where, protocol, deps)


async def check_provider(
    certificate_der: bytes | None, provider: ClientId, address: str, globalconf: GlobalConf, peers: PeerCaller
) -> SecurityServerId:
    """Return the server at the other end, which may answer for `provider`; asked before any byte is sent.

    Raises AccessRefused (ssl_authentication_failed).
    """
    if certificate_der is None:
        raise AccessRefused("ssl_authentication_failed", "peers.no_certificate", client=provider)
    now = peers.clock.now()
    known = known_verdict(certificate_der, provider, globalconf, now)
    if known is not None:
        return known
    path = path_of(certificate_der, globalconf, provider.member.xroad_instance, now)
    below_ca = tuple(der_of(certificate) for certificate in path[:-1])
    kept = peers.ocsp.kept(below_ca)
    if kept is not None:
        # A stale answer, or one about a server that is not this provider's, is no reason yet: a fresh one decides.
        with contextlib.suppress(AccessRefused):
            return identify(path, certificate_der, kept, provider, globalconf, now)
    responses = await peers.ocsp.responses_of(below_ca, address)
    return identify(path, certificate_der, responses, provider, globalconf, peers.clock.now())


async def _read_reply(response: ClientResponse, where: str, protocol: Protocol, deps: ConsumerDeps) -> SignedMessage:
    if response.status not in ACCEPTED_STATUSES:
        response.close()
        raise ServiceFailed("http_error", "exchange.http_status", status=response.status, reason=response.reason)
    content_type = response.header("content-type")
    if content_type is None:
        response.close()
        raise MalformedMessage("invalid_content_type", "exchange.no_content_type")
    with blame(Party.SERVICE):
        decoded = await _decode(response, content_type, where, protocol, deps)
    if decoded.parsed_fault is not None:
        raise remote_fault_of(decoded.parsed_fault)
    assert decoded.signed is not None
    return decoded.signed


async def _decode(
    response: ClientResponse, content_type: str, where: str, protocol: Protocol, deps: ConsumerDeps
) -> DecodedMessage:
    if parse_content_type(content_type).media_type != "text/xml":
        check_hash_algorithm(response.header("x-hash-algorithm"))
    decoder = TransportDecoder(
        content_type,
        side=Side.RESPONSE,
        x_original_content_type=response.header("x-original-content-type"),
        open_sink=deps.spool.open_sink,
        protocol=protocol,
        limits=deps.limits.transport,
    )
    try:
        with network_faults(where):
            async for chunk in response.body:
                decoder.feed(chunk)
    finally:
        response.close()
    return decoder.finish()

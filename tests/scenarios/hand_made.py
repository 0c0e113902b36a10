"""A security server made by hand: registered like any other, but it says and answers what a test wants.

It holds an authentication certificate that the centre has registered and a signing certificate of its
member, both of the approved CA, so whatever is refused is refused for what it said.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.exchange.boundaries import new_boundary
from gateway.landscape.central import colons, register_client, register_server
from gateway.landscape.federation import MESSAGE_PORT, OCSP_PORT
from gateway.main import Gateway
from gateway.provider.ocsp_endpoint import OcspEndpoint
from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.server import HttpServer
from gateway.runtime.tls import TlsIdentity, peer_client_context, peer_server_context
from gateway.xroad.bodies import BytesBody, BytesSink
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId
from gateway.xroad.pki import ocsp
from gateway.xroad.pki.keys import algorithm_for, sign_digest
from gateway.xroad.pki.profiles import auth_subject, sign_subject
from gateway.xroad.rest.message import RestRequest, RestResponse, build_rest_request, build_rest_response
from gateway.xroad.signature import xades
from gateway.xroad.signature.signed_message import Message, SignedMessage, SigningIdentity, parts_of
from gateway.xroad.soap.message import SoapMessage, parse_soap
from gateway.xroad.soap.request_hash import answer_to
from gateway.xroad.transport.decoder import Protocol, Side, TransportDecoder
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.transport.headers import build_request_headers, build_response_headers
from tests.factories.pki import FIVRK, Issued
from tests.landscape import Federation
from tests.scenarios.asking import INSTANCE, SOAP_TYPE, VISITOR, VISITOR_MEMBER, assert_readable, new_id, slashes
from tests.scenarios.stand_in import soap_answer
from tests.scenarios.wire import Answer, WireRequest, WireServer, http_answer

Headers = tuple[tuple[str, str], ...]

VISITOR_SERVER: Final = SecurityServerId(VISITOR_MEMBER, "SS-VISITOR")


@dataclass(frozen=True, slots=True)
class PeerReply:
    """What a gateway answered on port 5500."""

    status: int
    headers: Headers
    content: bytes

    @property
    def code(self) -> str | None:
        """The fault code, if it is a fault."""
        found = re.search(rb"<faultcode>(.*?)</faultcode>", self.content)
        return found.group(1).decode() if found else None

    @property
    def text(self) -> str:
        """The sentence of the fault."""
        found = re.search(rb"<faultstring>(.*?)</faultstring>", self.content, re.S)
        text = found.group(1).decode() if found else ""
        assert_readable(text)
        return text


@dataclass
class HandMadeServer:
    """The security server of the visitor."""

    federation: Federation
    address: str
    auth: Issued
    signing: Issued
    root: x509.Certificate
    statuses: dict[bytes, bytes] = field(default_factory=dict)
    presented: bytes | None = None
    _port: WireServer | None = None
    _ocsp: HttpServer | None = None

    @classmethod
    async def register(cls, federation: Federation) -> HandMadeServer:
        """Get certificates, have the centre register server and client, and let both gateways know."""
        landscape = federation.landscape
        address = f"{landscape.server[0].address.rpartition('.')[0]}.4"
        auth = await issue(federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
        signing = await issue(federation, "sign", sign_subject(FIVRK, VISITOR_SERVER, VISITOR_MEMBER, "Visitor"))
        made = cls(federation, address, auth, signing, federation.trust.authorities.root.certificate)
        await made.renew()
        async with federation.central_api() as central:
            server_id = colons(INSTANCE, "GOV/10000003/SS-VISITOR")
            await register_server(central, landscape, server_id, address, base64.b64encode(auth.der).decode())
            await register_client(central, server_id, colons(INSTANCE, "GOV/10000003/VISITOR"))
        await federation.renew()
        return made

    # what it holds

    def identity(self, certificate: Issued | None = None) -> TlsIdentity:
        """What it shows in a handshake."""
        issued = certificate or self.auth
        return TlsIdentity(issued.der, issued.key)

    async def renew(self) -> None:
        """Ask the OCSP responder about both certificates."""
        for issued in (self.auth, self.signing):
            self.statuses[issued.der] = await status_of(self.federation, issued)

    def ocsp_responses_for(self, _hashes: Sequence[str]) -> tuple[bytes, ...]:
        """Give the status of its authentication certificate on port 5577, or what a test wants `presented` once."""
        presented, self.presented = self.presented, None
        return (presented or self.statuses[self.auth.der],)

    # asking

    def soap_message(self, raw: bytes) -> SoapMessage:
        """Return a SOAP message to send."""
        message = parse_soap(raw, SOAP_TYPE)
        assert isinstance(message, SoapMessage)
        return message

    def rest_message(
        self, target: str, client: ClientId = VISITOR, *, method: str = "GET", body: bytes | None = None
    ) -> RestRequest:
        """Return a REST request to send."""
        query_id = new_id()
        return build_rest_request(
            method,
            target,
            (("X-Road-Client", slashes(client)), ("X-Road-Id", query_id)),
            request_id=query_id,
            new_id=query_id,
            body=None if body is None else BytesBody(body),
        )

    def sign(
        self, message: Message, *, member: MemberId = VISITOR_MEMBER, issued: Issued | None = None
    ) -> SignedMessage:
        """Sign a message as `member`, with our signing certificate or another one."""
        by = issued or self.signing
        algorithm = algorithm_for(by.key)
        status = self.statuses.get(by.der) or self.statuses[self.signing.der]
        identity = SigningIdentity(member, by.der, (), (status,), algorithm, "key")
        unsigned = xades.prepare(parts_of(message), identity, self.federation.clock.now())
        return SignedMessage(message, xades.assemble(unsigned, sign_digest(by.key, algorithm, unsigned.digest)))

    def request(self, signed: SignedMessage, *, ocsp_responses: Sequence[bytes] | None = None) -> tuple[Headers, bytes]:
        """Return the headers and the bytes of a transport message."""
        message = signed.message
        assert isinstance(message, SoapMessage | RestRequest)
        given = (self.statuses[self.auth.der],) if ocsp_responses is None else ocsp_responses
        encoder = TransportEncoder(ocsp_responses=given, boundary=new_boundary())
        headers = build_request_headers(
            message, encoder.content_type, original_content_type=SOAP_TYPE, request_id=new_id(), proxy_version="7.8.0"
        )
        return headers, b"".join(encoder.encode(signed))

    async def send(
        self,
        headers: Headers,
        body: bytes,
        *,
        to: Gateway | None = None,
        method: str = "POST",
        certificate: Issued | None = None,
    ) -> PeerReply:
        """Send bytes to port 5500 of a gateway: the provider's unless told otherwise."""
        gateway = to or self.federation.provider
        context = peer_client_context(self.identity(certificate), [der(self.root)])
        async with HttpClient(ClientLimits(response_timeout_s=20)) as http:
            answer = await http.request(
                method,
                host=gateway.settings.address,
                port=MESSAGE_PORT,
                target="/",
                headers=headers,
                body=body,
                ssl=context,
            )
            content = b"".join([chunk async for chunk in answer.body])
            return PeerReply(answer.status, tuple(answer.headers), content)

    # answering

    async def listen(self, answer: Answer, certificate: Issued | None = None) -> None:
        """Answer on ports 5500 and 5577."""
        context = peer_server_context(self.identity(certificate), [der(self.root)])
        self._port = WireServer(self.address, MESSAGE_PORT, answer, context)
        self._ocsp = HttpServer(OcspEndpoint(self), host=self.address, port=OCSP_PORT)
        await self._port.start()
        await self._ocsp.start()

    async def close(self) -> None:
        """Stop answering."""
        if self._port is not None and self._ocsp is not None:
            await self._port.stop()
            await self._ocsp.close(0)

    @property
    def asked(self) -> list[WireRequest]:
        """What reached port 5500."""
        assert self._port is not None
        return self._port.requests

    @contextmanager
    def answering(self, answer: Answer) -> Iterator[None]:
        """Answer otherwise for a while."""
        assert self._port is not None
        before, self._port.answer = self._port.answer, answer
        try:
            yield
        finally:
            self._port.answer = before

    def read(self, request: WireRequest) -> SoapMessage | RestRequest:
        """Return the message that came."""
        decoder = TransportDecoder(
            request.header("content-type") or "",
            side=Side.REQUEST,
            open_sink=BytesSink,
            x_original_content_type=request.header("x-original-content-type"),
            protocol=Protocol.REST if request.header("x-road-message-type") else Protocol.SOAP,
        )
        decoder.feed(request.body)
        signed = decoder.finish().signed
        assert signed is not None
        assert isinstance(signed.message, SoapMessage | RestRequest)
        return signed.message

    def reply_to(
        self, message: SoapMessage | RestRequest, body: bytes = b'{"from": "visitor"}'
    ) -> SoapMessage | RestResponse:
        """Return a right answer to a message."""
        if isinstance(message, SoapMessage):
            answer = answer_to(message, soap_answer(message.raw), SOAP_TYPE)
            assert isinstance(answer, SoapMessage)
            return answer
        headers = (("Content-Type", "application/json"),)
        return build_rest_response(message, 200, "OK", headers, BytesBody(body))

    def packed(self, signed: SignedMessage) -> bytes:
        """Return the whole HTTP answer with a signed message."""
        message = signed.message
        assert isinstance(message, SoapMessage | RestResponse)
        encoder = TransportEncoder(boundary=new_boundary())
        _, *others = build_response_headers(message, encoder.content_type)
        return http_answer(b"".join(encoder.encode(signed)), encoder.content_type, headers=others)

    def truthful(self, request: WireRequest) -> bytes:
        """Answer as a well-made server does."""
        return self.packed(self.sign(self.reply_to(self.read(request))))


async def issue(federation: Federation, usage: str, subject: x509.Name) -> Issued:
    """Have the approved CA sign a certificate for a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    where = federation.landscape.trust
    async with httpx.AsyncClient(trust_env=False) as http:
        url = f"http://{where.address}:{where.ca_port}/sign?usage={usage}"
        answer = await http.post(url, content=asked.public_bytes(serialization.Encoding.PEM))
    assert answer.status_code == 200, answer.text
    return Issued(x509.load_pem_x509_certificate(answer.content), key)


async def status_of(federation: Federation, issued: Issued) -> bytes:
    """Ask the OCSP responder about a certificate."""
    where = federation.landscape.trust
    question = ocsp.build_request(issued.certificate, federation.trust.authorities.root.certificate)
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"http://{where.address}:{where.ca_port}/ocsp",
            content=question,
            headers={"Content-Type": "application/ocsp-request"},
        )
    assert answer.status_code == 200
    return answer.content


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate in DER."""
    return certificate.public_bytes(serialization.Encoding.DER)

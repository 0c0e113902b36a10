"""A message log with everything around it: signed messages, a configuration, a small truthful TSA."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.messagelog.model import MessageLogSettings
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.timestamper import Timestamper
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.digests import DigestAlgorithm, SignatureAlgorithm
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, ApprovedTsa, CaInfo, OcspResponder
from gateway.xroad.identifiers import parse_member
from gateway.xroad.pki import tsp
from gateway.xroad.signature.signed_message import Message, SignedMessage, SigningIdentity, parts_of
from gateway.xroad.signature.xades import assemble, prepare
from gateway.xroad.soap.message import SoapMessage
from tests.factories.globalconf import a_globalconf, a_shared_parameters
from tests.factories.messages import INSTANCE, a_soap_message, soap_headers
from tests.factories.pki import FIVRK, NOON, POLICY, Issued, a_hierarchy


def a_message(query_id: str = "m-1", **changes: Any) -> SoapMessage:
    """A SOAP request with this id."""
    return a_soap_message(soap_headers(id=query_id, **changes))


def sealed(message: Message | None = None) -> SignedMessage:
    """The message with a signature that holds, by its client or its provider."""
    message = message or a_message()
    identity, signer = _identity_of(_signer_of(message))
    to_be_signed = prepare(parts_of(message), identity, NOON)
    algorithm = Prehashed(identity.algorithm.digest_algorithm.primitive)
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    return SignedMessage(message, assemble(to_be_signed, signer.key.sign(to_be_signed.digest, ec.ECDSA(algorithm))))


def _signer_of(message: Message) -> str:
    facts = message.headers if isinstance(message, SoapMessage) else message
    is_response = message.is_response if isinstance(message, SoapMessage) else hasattr(message, "status")
    member = facts.service.provider.member if is_response else facts.client.member
    return "/".join(member.parts)


@lru_cache
def _identity_of(name: str) -> tuple[SigningIdentity, Issued]:
    hierarchy, member = a_hierarchy(), parse_member(name)
    signer = hierarchy.root.signer(member)
    responses = (hierarchy.status_of(signer.certificate),)
    identity = SigningIdentity(member, signer.der, (), responses, SignatureAlgorithm.ECDSA_SHA512, "key")
    return identity, signer


def a_demo_globalconf(*tsas: Issued) -> GlobalConf:
    """The configuration that lists the CA of `sealed` and these TSAs."""
    hierarchy = a_hierarchy()
    responder = OcspResponder("http://ca.test/ocsp", hierarchy.responder.der)
    ca = ApprovedCa("Test CA", CaInfo(hierarchy.root.der, (responder,)), FIVRK)
    listed = tuple(
        ApprovedTsa(f"TSA {number}", f"http://tsa{number}.test", tsa.der)
        for number, tsa in enumerate(tsas or (hierarchy.tsa,))
    )
    return a_globalconf(a_shared_parameters(INSTANCE, approved_cas=(ca,), approved_tsas=listed))


class Tsa:
    """A time-stamping service that keeps RFC 3161, unless told to fail.

    `alter` makes it answer another request than the one that came.
    """

    def __init__(self, clock: FixedClock, issued: Issued | None = None, policy: str = POLICY) -> None:
        self.issued = issued or a_hierarchy().tsa
        self.policy = policy
        self.alter: Callable[[tsp.TimestampRequest], tsp.TimestampRequest] | None = None
        self.requests: list[tsp.TimestampRequest] = []
        self.is_down = False
        self.answer: bytes | None = None
        self.url = ""
        self._clock = clock
        self._serials = itertools.count(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        body = await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
        status, answer = ("503 Down", b"") if self.is_down else ("200 OK", self._answer(body))
        lines = (f"HTTP/1.1 {status}", f"Content-Type: {tsp.RESPONSE_TYPE}", f"Content-Length: {len(answer)}")
        writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode() + answer)
        await writer.drain()
        writer.close()

    def _answer(self, body: bytes) -> bytes:
        request = tsp.parse_request(body)
        self.requests.append(request)
        if self.answer is not None:
            return self.answer
        return tsp.build_response(
            request if self.alter is None else self.alter(request),
            key=self.issued.key,
            certificate=self.issued.certificate,
            at=self._clock.now(),
            serial_number=next(self._serials),
            policy=self.policy,
        )


@asynccontextmanager
async def serving(tsa: Tsa) -> AsyncIterator[Tsa]:
    """Let a TSA listen on a free port."""
    server = await asyncio.start_server(tsa.serve, "127.0.0.1", 0)
    tsa.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield tsa
    finally:
        server.close()
        await server.wait_closed()


@dataclasses.dataclass
class Logbook:
    """A running message log, its clock and its time-stamping."""

    log: MessageLog
    clock: FixedClock
    settings: MessageLogSettings
    tsas: list[Tsa]

    @property
    def database(self) -> Database:
        return self.log.database

    async def record(self, message: Message | None = None, side: str = "consumer", request_id: str = "r-1") -> None:
        await self.log.record(sealed(message), side, request_id)

    def timestamper(self, globalconf: GlobalConf | None = None) -> Timestamper:
        conf = globalconf or a_demo_globalconf(*(tsa.issued for tsa in self.tsas))
        return Timestamper(
            self.log,
            self.settings,
            self.clock,
            globalconf=lambda: conf,
            tsa_urls=lambda: [tsa.url for tsa in self.tsas],
        )


@asynccontextmanager
async def a_logbook(
    database: Database,
    folder: Path,
    *tsas: Tsa,
    at: datetime = NOON,
    tsa_urls: Callable[[], Sequence[str]] | None = None,
    **settings: Any,
) -> AsyncIterator[Logbook]:
    """Open a message log over `database` with its bodies in `folder`; without a TSA nobody asks for one."""
    chosen = MessageLogSettings(**settings)
    clock = FixedClock(at)
    urls = (lambda: [tsa.url for tsa in tsas]) if tsas else tsa_urls
    log = MessageLog(database, folder / "bodies", chosen, clock, tsa_urls=urls)
    await log.start()
    try:
        yield Logbook(log, clock, chosen, list(tsas))
    finally:
        await log.stop()


def sha512_of(data: bytes) -> bytes:
    """The raw SHA-512 of some bytes."""
    return DigestAlgorithm.SHA512.digest(data)

"""A message log of a million records, as a busy security server writes it in a month.

SOAP of 1.5 KB, signed P-256, both halves of half a million exchanges, batch-stamped by a time-stamping service over
HTTP; a fresh certificate status every hour, one refusal to two hundred exchanges. Everything is made by
the production code except the messages themselves: their bytes are filled into a form and not parsed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import MessageLogSettings, NewRefusal, RefusalContent, Side
from gateway.messagelog.recorder import MessageLog, new_record
from gateway.messagelog.timestamper import Timestamper
from gateway.runtime.clock import FixedClock, epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.digests import SignatureAlgorithm
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import MemberId, ServiceId, SubsystemId, encode_path
from gateway.xroad.signature.signed_message import SignedMessage, SigningIdentity, parts_of
from gateway.xroad.signature.xades import assemble, prepare
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapMessage, parse_soap
from tests.factories.messagelog import Tsa, a_demo_globalconf, serving
from tests.factories.messages import INSTANCE, a_body, soap_bytes
from tests.factories.pki import NOON, Issued, a_hierarchy

MESSAGE_BYTES: Final = 1536
MEMBERS: Final = 24
SERVICES: Final = 12
CLERKS: Final = 700
DAYS: Final = 30
HOURS: Final = DAYS * 24
AT_ONCE: Final = 256
REFUSED_EVERY: Final = 200

BEGINNING: Final = NOON
_PROVIDER: Final = SubsystemId(MemberId(INSTANCE, "GOV", "20000001"), "REGISTRY")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: how many records and refusals, and how long it took."""

    records: int
    refusals: int
    seconds: float


def client(number: int) -> SubsystemId:
    """One of the clients."""
    return SubsystemId(MemberId(INSTANCE, "GOV", f"1000{number % MEMBERS:04d}"), "SNAP")


def service(number: int) -> ServiceId:
    """One of the services."""
    return ServiceId(_PROVIDER, f"getData{number % SERVICES}", "v1")


def facts_of(number: int) -> dict[str, str]:
    """What the exchange of this number can be found by."""
    return {
        "query_id": f"query-{number:08d}",
        "issue": f"case-{number // 3:08d}",
        "user_id": f"clerk-{number % CLERKS:04d}",
        "client": encode_path(client(number)),
        "service": f"{encode_path(_PROVIDER)}/{service(number).service_code}/v1",
        "x_request_id": f"request-{number:08d}",
    }


def a_configuration() -> GlobalConf:
    """The configuration that everything verifies with."""
    return a_demo_globalconf()


async def make(database: Database, bodies: Path, exchanges: int) -> Made:
    """Fill an empty log with both halves of so many exchanges."""
    began = time.monotonic()
    clock = FixedClock(BEGINNING)
    settings = MessageLogSettings(timestamp_records_limit=10_000, commit_timeout_s=120)
    async with serving(Tsa(clock)) as tsa:
        log = MessageLog(database, bodies, settings, clock, tsa_urls=lambda: [tsa.url])
        await log.start()
        stamper = Timestamper(log, settings, clock, globalconf=a_configuration, tsa_urls=lambda: [tsa.url])
        refusals = 0
        try:
            per_hour = max(1, exchanges // HOURS)
            for start in range(0, exchanges, per_hour):
                clock.set(BEGINNING + timedelta(hours=start // per_hour))
                numbers = range(start, min(start + per_hour, exchanges))
                refusals += await _write(log, numbers, clock)
                clock.advance(minutes=50)
                await stamper.stamp_waiting()
        finally:
            await stamper.stop()
            await log.stop()
    return Made(2 * exchanges, refusals, time.monotonic() - began)


async def _write(log: MessageLog, numbers: range, clock: FixedClock) -> int:
    refusals = 0
    step = timedelta(minutes=40) / len(numbers)
    hour = clock.now()
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(start, min(start + AT_ONCE, numbers.stop))
        waiting = []
        for number in some:
            at = hour + step * (number - numbers.start)
            request_id = facts_of(number)["x_request_id"]
            for signed in _exchange(number, at, hour):
                waiting.append(log.submit(new_record(signed, Side.CONSUMER, request_id, at)))
            if number % REFUSED_EVERY == 0:
                waiting.append(log.submit(_refusal(number, at)))
                refusals += 1
        await asyncio.gather(*waiting)
    return refusals


def _exchange(number: int, at: datetime, hour: datetime) -> Iterator[SignedMessage]:
    for is_response in (False, True):
        message = _message(number, is_response=is_response)
        member = _PROVIDER.member if is_response else client(number).member
        yield _signed(message, member, at, hour)


def _message(number: int, *, is_response: bool) -> SoapMessage:
    form = _form(number % MEMBERS, number % SERVICES, is_response)
    facts = facts_of(number)
    raw = form.raw
    for name in ("query_id", "issue", "user_id"):
        raw = raw.replace(_mark(name).encode(), facts[name].encode())
    headers = form.headers
    filled = SoapHeaders(
        client=headers.client,
        service=headers.service,
        id=facts["query_id"],
        user_id=facts["user_id"],
        issue=facts["issue"],
    )
    return SoapMessage(raw, form.content_type, filled, form.body_name)


@lru_cache(maxsize=4 * MEMBERS * SERVICES)
def _form(member: int, code: int, is_response: bool) -> SoapMessage:
    headers = SoapHeaders(
        client=client(member),
        service=service(code),
        id=_mark("query_id"),
        user_id=_mark("user_id"),
        issue=_mark("issue"),
    )

    def raw(filling: int) -> bytes:
        inner = f"<unzr>19900101-00017</unzr><note>{'x' * filling}</note>"
        return soap_bytes(headers, body=a_body(headers.service.service_code, response=is_response, inner=inner))

    message = parse_soap(raw(max(0, MESSAGE_BYTES - len(raw(0)))), TEXT_XML_UTF8)
    assert isinstance(message, SoapMessage)
    return message


def _mark(name: str) -> str:
    """Return what stands in a form in the place of a fact, and is as long."""
    return {"query_id": "query-########", "issue": "case-########", "user_id": "clerk-####"}[name]


def _signed(message: SoapMessage, member: MemberId, at: datetime, hour: datetime) -> SignedMessage:
    identity, signer = _identity(member, hour)
    unsigned = prepare(parts_of(message), identity, at)
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    algorithm = Prehashed(identity.algorithm.digest_algorithm.primitive)
    return SignedMessage(message, assemble(unsigned, signer.key.sign(unsigned.digest, ec.ECDSA(algorithm))))


@lru_cache(maxsize=2 * MEMBERS)
def _identity(member: MemberId, hour: datetime) -> tuple[SigningIdentity, Issued]:
    signer = _signer(member)
    status = a_hierarchy().status_of(signer.certificate, this_update=hour - timedelta(minutes=1))
    return SigningIdentity(member, signer.der, (), (status,), SignatureAlgorithm.ECDSA_SHA512, "key"), signer


@lru_cache(maxsize=2 * MEMBERS)
def _signer(member: MemberId) -> Issued:
    return a_hierarchy().root.signer(member)


def _refusal(number: int, at: datetime) -> NewRefusal:
    asked = service(number)
    content = RefusalContent(
        time_ms=epoch_ms(at),
        until_ms=epoch_ms(at),
        times=1,
        side=Side.CONSUMER,
        is_failure=False,
        fault_code="server.serverproxy.access_denied",
        text_id="access.denied",
        facts=json.dumps({"service": str(asked)}),
        address="127.0.0.1",
        x_request_id=f"refused-{number:08d}",
        query_id=f"refused-{number:08d}",
        client=encode_path(client(number)),
        provider=encode_path(_PROVIDER),
        service_code=asked.service_code,
        service_version=asked.service_version,
        message_digest=None,
    )
    return NewRefusal(content, refusal_hash(content))

"""`sign`: what a signature costs beside the raw operation: one part, three parts, batches; made and verified.

Three parts and batches go through a hash chain. Figures of a batch are for one of its messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Final

from gateway.xroad.pki.keys import sign_digest
from gateway.xroad.signature import xades
from gateway.xroad.signature.signed_message import SignedMessage, SigningIdentity, parts_of
from gateway.xroad.signature.verify import verify
from gateway.xroad.soap.message import SoapMessage
from tests.benchmarks.floor import P256, RSA_2048, Floor, cpu_us, measure
from tests.benchmarks.report import Report, Row, Section
from tests.factories.messages import a_soap_message, an_attachment, soap_headers
from tests.factories.pki import EC, NOON, RSA
from tests.factories.signatures import World, a_world

KINDS: Final = {P256: EC, RSA_2048: RSA}
BATCHES: Final = (10, 100)  # a batch of one is a message with one part
DIFFERENT: Final = 32  # messages in turn, so that nothing is fast for being the same


def run(*, tiny: bool = False) -> Report:
    """Measure both algorithms."""
    calls = 2 if tiny else 100
    rows: list[Row] = []
    for algorithm, kind in KINDS.items():
        floor, world = measure(algorithm, calls), a_world(kind)
        rows += [_one(world, floor, parts, calls) for parts in (1, 3)]
        rows += [_batch(world, floor, size, max(1, calls // size)) for size in BATCHES]
    notes = ["ratio: to one raw signature or verification of the same run"]
    return Report({"results": rows}, [Section("sign: CPU µs per message", rows, notes)])


def _messages(count: int, parts: int) -> list[SoapMessage]:
    attachments = tuple(an_attachment(b"attachment %d" % number) for number in range(1, parts))
    return [a_soap_message(soap_headers(id=f"id-{number:06d}"), attachments=attachments) for number in range(count)]


def _one(world: World, floor: Floor, parts: int, calls: int) -> Row:
    messages = _messages(DIFFERENT, parts)
    identity = world.identity(messages[0].headers.client.member)
    key = world.key_of(identity).key
    turn = cycle(messages)

    def sign() -> None:
        unsigned = xades.prepare(parts_of(next(turn)), identity, NOON)
        xades.assemble(unsigned, sign_digest(key, identity.algorithm, unsigned.digest))

    signed = [SignedMessage(message, world.sign(message, identity)) for message in messages]
    return _row(floor, parts, 1, cpu_us(sign, calls), _verify_us(world, signed, calls))


def _batch(world: World, floor: Floor, size: int, calls: int) -> Row:
    messages = _messages(size, 1)
    identity = world.identity(messages[0].headers.client.member)
    requests = [parts_of(message) for message in messages]

    def sign() -> None:
        _sign_batch(world, identity, requests)

    signatures = world.sign_batch(requests, identity)
    signed = [SignedMessage(message, signature) for message, signature in zip(messages, signatures, strict=True)]
    return _row(floor, 1, size, cpu_us(sign, calls) / size, _verify_us(world, signed, calls * size))


def _sign_batch(world: World, identity: SigningIdentity, requests: Sequence[Sequence[xades.Part]]) -> None:
    batch = xades.prepare_batch(requests, identity, NOON)
    xades.assemble_batch(batch, sign_digest(world.key_of(identity).key, identity.algorithm, batch.digest))


def _verify_us(world: World, signed: Sequence[SignedMessage], calls: int) -> float:
    turn = cycle(signed)
    message = signed[0].message
    assert isinstance(message, SoapMessage)
    client = message.headers.client
    return cpu_us(lambda: verify(next(turn), client, world.globalconf, NOON), calls)


def _row(floor: Floor, parts: int, batch: int, sign_us: float, verify_us: float) -> Row:
    return {
        "algorithm": floor.algorithm,
        "parts": parts,
        "batch": batch,
        "sign_us": round(sign_us, 1),
        "raw_sign_us": round(floor.sign_us, 1),
        "sign_ratio": round(sign_us / floor.sign_us, 2),
        "verify_us": round(verify_us, 1),
        "raw_verify_us": round(floor.verify_us, 1),
        "verify_ratio": round(verify_us / floor.verify_us, 2),
    }

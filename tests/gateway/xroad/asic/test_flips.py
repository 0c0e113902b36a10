"""One bit of one byte at a time: nothing signed can change unseen, and nothing else changes what is said.

Each entry of a container is altered and the container zipped anew. Where a signature, time-stamp,
certificate status or digest covers the byte, the container must be refused by exactly one named check.
Anywhere else it may still be accepted (namespace prefixes of an empty manifest, certificates that came
along and weren't needed), but then the verdict is the same, fact for fact.
"""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

import pytest
from cryptography.x509 import ocsp

from gateway.xroad.asic.verdict import Outcome, Verdict
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.pki.tsp import parse_token
from tests.factories.messages import a_rest_request, a_soap_message, a_soap_response
from tests.factories.pki import EC, RSA
from tests.factories.recordings import find_vectors
from tests.factories.signatures import a_world, recorded_globalconf, rezip, unzip

SEED = 20261121
STRIDE = int(os.environ.get("SURMA_FLIP_STRIDE", "31"))
VECTORS = find_vectors()

CONTAINERS: dict[str, Callable[[], bytes]] = {
    "simple, single stamp": lambda: a_world(EC).container(a_soap_message()),
    "chain, single stamp": lambda: a_world(EC).container(a_rest_request("POST", body=b'{"unzr":"19900101-00017"}')),
    "simple, batch stamp": lambda: a_world(EC).container(a_soap_response(), batch_stamp=True),
    "chain, batch stamp, RSA": lambda: a_world(RSA).container(a_rest_request("POST", body=b"x"), batch_stamp=True),
    "intermediate": lambda: a_world(EC).container(a_soap_message(), identity=a_world(EC).identity(below="issuing")),
}
RECORDED = [
    "soap-plain/consumer-request", "rest-post-json/provider-response", "batch-timestamp/consumer-0112-request",
    "soap-intermediate-ca/provider-request", "batch-signature/consumer-0117-request",
]  # fmt: skip


@lru_cache
def our_container(kind: str) -> bytes:
    return CONTAINERS[kind]()


def our_globalconf(kind: str) -> GlobalConf:
    return a_world(RSA if kind.endswith("RSA") else EC).globalconf


@pytest.mark.parametrize("kind", CONTAINERS)
def test_flipped_bits_are_refused_or_change_nothing(kind: str) -> None:
    assert_flips_are_harmless(our_container(kind), our_globalconf(kind), STRIDE)


@pytest.mark.slow
@pytest.mark.skipif("SURMA_FLIP_STRIDE" not in os.environ, reason="minutes: set SURMA_FLIP_STRIDE=1")
@pytest.mark.skipif(VECTORS is None, reason="no recorded vectors: set SURMA_VECTORS to their folder")
@pytest.mark.parametrize("case", RECORDED)
def test_flipped_bits_of_recorded_containers_are_refused_or_change_nothing(case: str) -> None:
    assert VECTORS is not None
    container = (VECTORS / "asic" / f"{case}.asice").read_bytes()
    assert_flips_are_harmless(container, recorded_globalconf(), STRIDE)


def assert_flips_are_harmless(container: bytes, globalconf: GlobalConf, stride: int) -> None:
    chance = random.Random(SEED)
    entries = unzip(container)
    original = facts(container, globalconf)
    assert original is not None
    for name, data in entries.items():
        covered = covered_bytes(name, data)
        for position in range(chance.randrange(stride) % len(data), len(data), stride):
            flipped = bytearray(data)
            flipped[position] ^= 1 << chance.randrange(8)
            altered = rezip({**entries, name: bytes(flipped)})
            examination = examine_container(altered, globalconf)
            where = f"{name}, byte {position}: {bytes(data[position - 20 : position + 20])!r}"
            if examination.verdict is None:
                failed = [check.name for check in examination.checks if check.outcome is Outcome.FAILED]
                assert len(failed) == 1, where
            else:
                assert not covered[position], f"accepted although covered: {where}"
                assert replace(examination.verdict, checks=()) == original, f"another verdict: {where}"


def facts(container: bytes, globalconf: GlobalConf) -> Verdict | None:
    verdict = examine_container(container, globalconf).verdict
    return None if verdict is None else replace(verdict, checks=())


def covered_bytes(name: str, data: bytes) -> bytearray:
    """Return one flag for each byte: must a change of it be refused?"""
    covered = bytearray(len(data))

    def cover(start: int, stop: int) -> None:
        covered[start:stop] = b"\1" * (stop - start)

    if name in ("mimetype", "message.xml") or name.startswith("attachment") or "hashchain" in name:
        cover(0, len(data))
    elif name == "META-INF/timestamp.tst":
        for start, stop in signed_in_token(data):
            cover(start, stop)
    elif name == "META-INF/signatures.xml":
        for tag in (b"ds:SignedInfo", b"xades:SignedProperties"):
            opening, closing = b"<" + tag, b"</" + tag + b">"
            cover(data.index(opening), data.index(closing) + len(closing))
        start, stop, _ = element(data, b"SignatureValue", 0)
        cover(*trimmed(data, start, stop))
        position = 0
        while (found := element(data, b"EncapsulatedOCSPValue", position))[0]:
            start, stop, position = found
            # An OCSP response about an issuer that the configuration lists itself is never needed.
            if b'Id="ocsp-response-1"' in data[start - 40 : start] or b"Id=" not in data[start - 40 : start]:
                for first, last in letters(data[start:stop], signed_in_ocsp):
                    cover(start + first, start + last)
        start, stop, _ = element(data, b"EncapsulatedTimeStamp", 0)
        for first, last in letters(data[start:stop], signed_in_token) if start else ():
            cover(start + first, start + last)
    return covered


def element(data: bytes, name: bytes, position: int) -> tuple[int, int, int]:
    """Return where the text of the next element called so starts and stops, and where to look further."""
    at = data.find(b":" + name, position)
    if at < 0:
        return 0, 0, 0
    start = data.index(b">", at) + 1
    stop = data.index(b"</", start)
    return start, stop, data.index(b">", stop)


def trimmed(data: bytes, start: int, stop: int) -> tuple[int, int]:
    text = data[start:stop]
    return start + len(text) - len(text.lstrip()), stop - len(text) + len(text.rstrip())


def letters(text: bytes, spans: Callable[[bytes], Iterator[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """Return the base64 letters that lie within the spans of the bytes they stand for."""
    for start, stop in spans(base64.b64decode(text)):
        yield -(-start * 4 // 3), stop * 4 // 3


def span(data: bytes, part: bytes) -> tuple[int, int]:
    start = data.index(part)
    return start, start + len(part)


def signed_in_ocsp(der: bytes) -> Iterator[tuple[int, int]]:
    response = ocsp.load_der_ocsp_response(der)
    yield span(der, response.tbs_response_bytes)
    yield span(der, response.signature)


def signed_in_token(der: bytes) -> Iterator[tuple[int, int]]:
    signed = parse_token(der).signed
    yield span(der, signed.content)
    yield span(der, signed.signer.signature)

"""Reading by skeleton says what parsing says, for every document."""

from __future__ import annotations

import zipfile
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import digest_of
from gateway.xroad.faults import XRoadFault
from gateway.xroad.signature import skeletons
from gateway.xroad.signature.signed_message import Part
from gateway.xroad.signature.skeletons import read_signature
from gateway.xroad.signature.xades_reader import XadesSignature, parse_signature
from tests.factories.messages import a_rest_response
from tests.factories.pki import EC, NOON, RSA
from tests.factories.recordings import find_vectors
from tests.factories.signatures import a_newer_signature, a_world

VECTORS = find_vectors()


def sign(text: bytes, *, kind: str = EC, parts: int = 1, seconds: int = 0) -> bytes:
    names = ["/message.xml", *(f"/attachment{n}" for n in range(1, parts))]
    signed = [Part(name, digest_of(text + name.encode())) for name in names]
    return IDENTITIES[kind][0].sign(signed, IDENTITIES[kind][1], at=NOON + timedelta(seconds=seconds)).xml


IDENTITIES = {kind: (a_world(kind), a_world(kind).identity(below="issuing")) for kind in (EC, RSA)}
LETTERS = digest_of(b"wrapped/message.xml").base64.encode()
WRAPPED = sign(b"wrapped").replace(LETTERS, LETTERS[:76] + b"&#13;\n" + LETTERS[76:])
DOCUMENTS = [sign(b"1"), sign(b"2", parts=3), sign(b"3", kind=RSA), WRAPPED]


def either(xml: bytes, read: object) -> XadesSignature | tuple[str, str]:
    try:
        return read(xml)  # type: ignore[operator,no-any-return]
    except XRoadFault as fault:
        return fault.code, fault.text_id


@pytest.mark.parametrize("kind", [EC, RSA])
def test_second_signature_of_a_signer_is_read_by_its_skeleton(kind: str) -> None:
    read_signature(sign(b"first", kind=kind))
    before = dict(skeletons._known)
    second = sign(b"second", kind=kind, seconds=77)

    assert read_signature(second) == parse_signature(second)
    assert skeletons._known.keys() == before.keys()


def test_form_without_known_marks_is_parsed() -> None:
    xml = a_newer_signature(a_world(), a_rest_response()).xml

    assert read_signature(xml) == parse_signature(xml)


@pytest.mark.skipif(VECTORS is None, reason="no recorded vectors: set SURMA_VECTORS to their folder")
def test_recorded_signatures_are_read_alike() -> None:
    assert VECTORS is not None
    for path in sorted(VECTORS.glob("asic/*/*.asice")):
        try:
            with zipfile.ZipFile(path) as archive:
                xml = archive.read("META-INF/signatures.xml")
        except (KeyError, zipfile.BadZipFile, EOFError):
            continue
        assert either(xml, read_signature) == either(xml, parse_signature), path.name


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "MAX_SKELETONS", 3)
    for number in range(10):
        read_signature(sign(b"x").replace(b"ocsp-response-1", b"ocsp-response-%d" % (number + 10)))

    assert len(skeletons._known) <= 3


@given(data=st.data(), base=st.sampled_from(DOCUMENTS))
def test_damaged_signatures_are_read_alike(data: st.DataObject, base: bytes) -> None:
    for document in DOCUMENTS:
        read_signature(document)
    altered = bytearray(base)
    # Where the texts lie that a skeleton leaves out, most of the time.
    places = [altered.index(mark) for mark in (b"<ds:DigestValue>", b"<ds:SignatureValue", b"<xades:SigningTime>")]
    for _ in range(data.draw(st.integers(1, 3))):
        near = data.draw(st.sampled_from(places)) + data.draw(st.integers(0, 130))
        start = data.draw(st.just(near) | st.integers(0, len(altered)))
        altered[start : start + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from(
                [b"&#13;", b"\n", b" ", b"\t", b"\r\n", b"=", b"A", b"<", b">", b"&", b"<!-- -->", b"&#65;"]
            )
        )

    assert either(bytes(altered), read_signature) == either(bytes(altered), parse_signature)

"""Certificates are read whole, or refused as what they are."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.pki.certificates import (
    MAX_CERTIFICATE_BYTES,
    key_of,
    load_certificate,
    same_name,
    sha1_of,
    sha256_of,
)
from tests.factories.pki import NOT_AFTER, NOT_BEFORE, a_hierarchy, a_member, a_name

COUNTRY = NameOID.COUNTRY_NAME
SIGNER = a_hierarchy().root.signer(a_member())


@pytest.mark.parametrize(
    "data",
    [SIGNER.der, SIGNER.pem, b"some text\n" + SIGNER.pem, base64.b64encode(SIGNER.der), base64.encodebytes(SIGNER.der)],
    ids=["DER", "PEM", "PEM with text before", "base64", "base64 in lines"],
)
def test_every_form_of_a_certificate_is_read(data):
    assert load_certificate(data) == SIGNER.certificate


def test_loading_twice_gives_the_same_object():
    assert load_certificate(SIGNER.der) is load_certificate(SIGNER.der)


def test_hashes_are_lower_case_hex_of_the_der():
    assert sha1_of(SIGNER.certificate) == hashlib.sha1(SIGNER.der).hexdigest()
    assert sha256_of(SIGNER.certificate) == hashlib.sha256(SIGNER.der).hexdigest()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", SIGNER.der[:-1], SIGNER.der + b"\x00", b"-----BEGIN CERTIFICATE-----", b"x" * 100],
    ids=["nothing", "one byte", "cut short", "too long", "PEM without end", "text"],
)
def test_bytes_that_are_no_certificate_are_refused(data):
    with pytest.raises(SignatureRefused) as refusal:
        load_certificate(data)
    assert refusal.value.code == "incorrect_certificate"


def test_very_large_input_is_refused_before_it_is_parsed():
    with pytest.raises(SignatureRefused) as refusal:
        load_certificate(b"\x30" + bytes(MAX_CERTIFICATE_BYTES))
    assert refusal.value.text_id == "pki.certificate_too_large"


def test_key_of_another_kind_is_refused_when_it_is_asked_for():
    key = ed25519.Ed25519PrivateKey.generate()
    name = a_name("Edwards")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .sign(key, None)
    )
    loaded = load_certificate(certificate.public_bytes(serialization.Encoding.DER))
    with pytest.raises(SignatureRefused) as refusal:
        key_of(loaded)
    assert refusal.value.code == "incorrect_certificate"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_a_fault(data):
    with contextlib.suppress(XRoadFault):
        load_certificate(data)


@given(st.integers(0, len(SIGNER.der) - 1), st.integers(0, 255))
def test_any_changed_byte_gives_a_certificate_or_a_fault(place, value):
    changed = SIGNER.der[:place] + bytes([value]) + SIGNER.der[place + 1 :]
    try:
        loaded = load_certificate(changed)
        loaded.fingerprint(hashes.SHA256())
        key_of(loaded)
    except XRoadFault:
        pass


def test_names_are_the_same_backwards_and_in_other_letters_and_nothing_else():
    name = a_name("Test OCSP")
    backwards = x509.Name(reversed([x509.NameAttribute(a.oid, f" {a.value.upper()} ") for a in name if a.oid != COUNTRY]
                                   + list(name.get_attributes_for_oid(COUNTRY))))  # fmt: skip
    assert same_name(name, backwards)
    assert not same_name(name, a_name("Test OCSP 2"))
    assert not same_name(name, x509.Name(list(name)[:2]))

"""Signature values of RSA and EC keys, in every form that peers send."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm, KeyKind, SignatureAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.keys import (
    algorithm_for,
    ecdsa_der_to_raw,
    ecdsa_raw_to_der,
    sign_digest,
    verify_signature,
)
from tests.factories.pki import EC, RSA, a_key

DATA = b"what was signed"


def key_for(algorithm):
    return a_key("keys", EC if algorithm.kind is KeyKind.ECDSA else RSA)


def signed(algorithm, data=DATA):
    return sign_digest(key_for(algorithm), algorithm, algorithm.digest_algorithm.digest(data))


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm))
def test_own_signature_verifies(algorithm):
    public_key = key_for(algorithm).public_key()
    verify_signature(public_key, algorithm, signed(algorithm), data=DATA)
    verify_signature(public_key, algorithm, signed(algorithm), digest=algorithm.digest_algorithm.digest(DATA))


@pytest.mark.parametrize("algorithm", list(SignatureAlgorithm))
def test_signature_over_other_data_is_refused(algorithm):
    with pytest.raises(SignatureRefused) as refusal:
        verify_signature(key_for(algorithm).public_key(), algorithm, signed(algorithm), data=DATA + b".")
    assert refusal.value.code == "invalid_signature_value"


@pytest.mark.parametrize("algorithm", [SignatureAlgorithm.RSA_SHA256, SignatureAlgorithm.PSS_SHA256])
def test_padding_of_the_other_rsa_scheme_is_refused(algorithm):
    other = {SignatureAlgorithm.RSA_SHA256: SignatureAlgorithm.PSS_SHA256}.get(algorithm, SignatureAlgorithm.RSA_SHA256)
    with pytest.raises(SignatureRefused):
        verify_signature(key_for(algorithm).public_key(), other, signed(algorithm), data=DATA)


def test_pss_salt_of_another_length_is_refused():
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 20)
    signature = a_key("keys", RSA).sign(DATA, scheme, hashes.SHA256())
    with pytest.raises(SignatureRefused):
        verify_signature(a_key("keys", RSA).public_key(), SignatureAlgorithm.PSS_SHA256, signature, data=DATA)


@pytest.mark.parametrize("algorithm", [a for a in SignatureAlgorithm if a.kind is KeyKind.ECDSA])
def test_raw_ecdsa_value_of_full_length_verifies(algorithm):
    public_key = a_key("keys").public_key()
    raw = ecdsa_der_to_raw(signed(algorithm), public_key)
    assert len(raw) == 64
    verify_signature(public_key, algorithm, raw, data=DATA)


def test_raw_ecdsa_value_padded_to_the_longer_half_only_verifies():
    algorithm = SignatureAlgorithm.ECDSA_SHA512
    public_key = a_key("keys").public_key()
    for _ in range(2000):  # one value in 128 or so is short
        r, s = decode_dss_signature(signed(algorithm))
        size = max((r.bit_length() + 7) // 8, (s.bit_length() + 7) // 8)
        if min(r.bit_length(), s.bit_length()) <= 248:
            break
    short = r.to_bytes(size, "big") + s.to_bytes(size, "big")
    verify_signature(public_key, algorithm, short, data=DATA)


def test_raw_ecdsa_value_with_zeros_before_each_half_verifies():
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    r, s = decode_dss_signature(signed(algorithm))
    long = r.to_bytes(66, "big") + s.to_bytes(66, "big")
    verify_signature(a_key("keys").public_key(), algorithm, long, data=DATA)


@pytest.mark.parametrize("signature", [b"", b"\x00", bytes(63), bytes(64), b"\x30" * 64, b"\xff" * 64, bytes(5000)])
def test_value_that_is_no_signature_is_refused(signature):
    for kind, algorithm in ((EC, SignatureAlgorithm.ECDSA_SHA512), (RSA, SignatureAlgorithm.RSA_SHA512)):
        with pytest.raises(SignatureRefused) as refusal:
            verify_signature(a_key("keys", kind).public_key(), algorithm, signature, data=DATA)
        assert refusal.value.code == "invalid_signature_value"


@pytest.mark.parametrize(
    ("kind", "algorithm"), [(EC, SignatureAlgorithm.RSA_SHA256), (RSA, SignatureAlgorithm.ECDSA_SHA256)]
)
def test_algorithm_of_another_kind_of_key_is_refused(kind, algorithm):
    with pytest.raises(SignatureRefused) as refusal:
        verify_signature(a_key("keys", kind).public_key(), algorithm, bytes(64), data=DATA)
    assert refusal.value.text_id == "pki.key_does_not_fit"


def test_algorithm_follows_from_key_and_digest():
    assert algorithm_for(a_key("keys").public_key()) is SignatureAlgorithm.ECDSA_SHA512
    assert algorithm_for(a_key("keys", RSA), DigestAlgorithm.SHA256) is SignatureAlgorithm.RSA_SHA256
    assert algorithm_for(a_key("keys", RSA), DigestAlgorithm.SHA384, pss=True) is SignatureAlgorithm.PSS_SHA384


@pytest.mark.parametrize(
    ("key", "digest"),
    [
        (ed25519.Ed25519PrivateKey.generate(), DigestAlgorithm.SHA512),
        (a_key("keys"), DigestAlgorithm.SHA1),
        (None, DigestAlgorithm.SHA512),
    ],
    ids=["Ed25519", "SHA-1", "no key"],
)
def test_key_or_digest_that_may_not_sign_has_no_algorithm(key, digest):
    with pytest.raises(SignatureRefused) as refusal:
        algorithm_for(key, digest)
    assert refusal.value.code == "unsupported_sign_algorithm"


def test_signing_with_a_key_of_another_kind_is_our_own_mistake():
    with pytest.raises(RuntimeError):
        sign_digest(a_key("keys"), SignatureAlgorithm.RSA_SHA256, bytes(32))
    with pytest.raises(RuntimeError):
        sign_digest(a_key("keys"), SignatureAlgorithm.ECDSA_SHA256, bytes(64))


def test_raw_form_of_a_larger_curve_has_its_length():
    key = ec.generate_private_key(ec.SECP521R1())
    der = sign_digest(key, SignatureAlgorithm.ECDSA_SHA512, bytes(64))
    raw = ecdsa_der_to_raw(der, key.public_key())
    assert len(raw) == 132
    assert ecdsa_raw_to_der(raw) == der


@given(st.binary(max_size=200))
def test_any_der_gives_a_raw_value_or_a_fault(data):
    with contextlib.suppress(SignatureRefused):
        assert len(ecdsa_der_to_raw(data, a_key("keys").public_key())) == 64


@given(st.integers(1, 2**256 - 1), st.integers(1, 2**256 - 1))
def test_raw_and_der_are_two_forms_of_one_value(r, s):
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert ecdsa_der_to_raw(ecdsa_raw_to_der(raw), a_key("keys").public_key()) == raw

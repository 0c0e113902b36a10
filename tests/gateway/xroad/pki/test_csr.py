"""Certificate requests: built without holding the key, proven before anybody issues."""

from __future__ import annotations

import contextlib
import shutil
import subprocess

import pytest
from cryptography import x509
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.identifiers import SecurityServerId
from gateway.xroad.pki.csr import build_csr, parse_csr, to_pem
from gateway.xroad.pki.keys import algorithm_for, sign_digest
from gateway.xroad.pki.profiles import PREFIX, sign_subject
from tests.factories.pki import EC, FIVRK, RSA, a_key, a_member

EJBCA = PREFIX + "EjbcaCertificateProfileInfoProvider"


def a_csr(kind=EC, *, profile=FIVRK, dns_names=(), signing_key=None, pss=False):
    key = a_key("csr", kind)
    algorithm = algorithm_for(key, DigestAlgorithm.SHA256, pss=pss)
    subject = sign_subject(profile, SecurityServerId(a_member(), "SS1"), a_member(), "Ministry")

    def sign(data):
        return sign_digest(signing_key or key, algorithm, DigestAlgorithm.SHA256.digest(data))

    return build_csr(subject, key.public_key(), sign, algorithm, dns_names)


@pytest.mark.parametrize(("kind", "pss"), [(EC, False), (RSA, False), (RSA, True)])
def test_built_request_is_proven(kind, pss):
    request = parse_csr(a_csr(kind, pss=pss))
    assert request.public_key() == a_key("csr", kind).public_key()
    assert "CN=1001" in request.subject.rfc4514_string()


def test_request_in_pem_is_read_too():
    der = a_csr()
    assert parse_csr(to_pem(der).encode()) == parse_csr(der)


def test_host_names_are_asked_for_as_alternative_names():
    request = parse_csr(a_csr(dns_names=["ss1.example.org", "ss1"]))
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ss1.example.org", "ss1"]


def test_instance_longer_than_a_country_is_kept_in_c():
    assert "C=TEST" in parse_csr(a_csr(profile=EJBCA)).subject.rfc4514_string()


def test_request_signed_with_another_key_is_refused():
    with pytest.raises(SignatureRefused) as refusal:
        parse_csr(a_csr(signing_key=a_key("other")))
    assert refusal.value.code == "invalid_signature_value"


@pytest.mark.parametrize("data", [b"", b"x", b"-----BEGIN CERTIFICATE REQUEST-----", a_csr()[:-1], bytes(70000)])
def test_bytes_that_are_no_request_are_refused(data):
    with pytest.raises(SignatureRefused) as refusal:
        parse_csr(data)
    assert refusal.value.code == "incorrect_certificate"


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_a_fault(data):
    with contextlib.suppress(XRoadFault):
        parse_csr(data)


DER = a_csr(dns_names=["ss1"])


@example(len(DER) - len(parse_csr(DER).signature) - 1, 1)  # the count of unused bits
@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_any_changed_byte_is_noticed(place, value):
    changed = DER[:place] + bytes([value]) + DER[place + 1 :]
    try:
        parse_csr(changed)
    except XRoadFault:
        return
    assert changed == DER


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the judge and is not installed")
@pytest.mark.parametrize("kind", [EC, RSA])
def test_openssl_accepts_our_requests(tmp_path, kind):
    (tmp_path / "csr").write_bytes(a_csr(kind, dns_names=["ss1.example.org"]))
    judged = subprocess.run(
        ["openssl", "req", "-inform", "DER", "-in", str(tmp_path / "csr"), "-verify", "-noout", "-text"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "verify OK" in judged.stdout + judged.stderr
    assert "DNS:ss1.example.org" in judged.stdout

"""SignedData with one signer: signed attributes, signer by name or key identifier, and OpenSSL's opinion."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from cryptography import x509

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import MalformedMessage, SignatureRefused
from gateway.xroad.pki import cms
from gateway.xroad.pki.asn1 import SetOf, decode, encode, oid
from gateway.xroad.pki.certificates import der_of
from tests.factories.pki import EC, NOON, RSA, a_hierarchy, a_name

CONTENT = b"enclosed content"
TYPE = "1.2.840.113549.1.7.1"
MALFORMED = MalformedMessage("internal_error", "pki.test")
PKI = a_hierarchy()


def fail(reason):
    return SignatureRefused("invalid_signature_value", "pki.test", check=reason)


def signed_by(issued, *, digest=DigestAlgorithm.SHA512, pss=False, enclosed=()):
    return cms.build_signed(
        TYPE, CONTENT, key=issued.key, certificate=issued.certificate, at=NOON, digest=digest, pss=pss,
        enclosed=enclosed,
    )  # fmt: skip


def verify(der, certificate):
    cms.verify_signed(cms.parse_signed(der, MALFORMED), certificate, fail)


def failed_check(der, certificate):
    with pytest.raises(SignatureRefused) as refusal:
        verify(der, certificate)
    return refusal.value.facts["check"]


def rewritten(der, change):
    """The same SignedData with a changed SignerInfo, not signed again."""
    info = decode(cms.ContentInfo, der, MALFORMED)
    (signer,) = info.content.signers.as_list()
    change(signer)
    info.content.signers = SetOf([signer])
    return encode(info)


@pytest.mark.parametrize(("kind", "pss"), [(EC, False), (RSA, False), (RSA, True)])
@pytest.mark.parametrize("digest", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512])
def test_signature_of_every_kind_verifies(kind, pss, digest):
    signer = a_hierarchy(kind).tsa
    verify(signed_by(signer, digest=digest, pss=pss), signer.certificate)


def test_content_comes_back_with_its_type():
    signed = cms.parse_signed(signed_by(PKI.tsa), MALFORMED)
    assert (signed.content_type, signed.content) == (TYPE, CONTENT)


def test_changed_content_is_noticed_by_its_digest():
    der = signed_by(PKI.tsa).replace(CONTENT, CONTENT[::-1])
    assert failed_check(der, PKI.tsa.certificate) == "message_digest"


def test_changed_content_type_is_noticed():
    signed = replace(cms.parse_signed(signed_by(PKI.tsa), MALFORMED), content_type="1.2.3.4")
    with pytest.raises(SignatureRefused) as refusal:
        cms.verify_signed(signed, PKI.tsa.certificate, fail)
    assert refusal.value.facts["check"] == "content_type"


def test_certificate_of_another_is_noticed_before_the_signature():
    other = PKI.root.tsa("Another TSA")
    assert failed_check(signed_by(PKI.tsa), other.certificate) == "signing_certificate"


@pytest.mark.parametrize("kind", [cms.CONTENT_TYPE, cms.MESSAGE_DIGEST])
def test_attribute_that_must_be_there_is_missed(kind):
    def drop(signer):
        signer.signed_attributes = [a for a in signer.signed_attributes if a.type != kind]

    assert failed_check(rewritten(signed_by(PKI.tsa), drop), PKI.tsa.certificate) in ("content_type", "message_digest")


def test_attribute_that_stands_twice_is_refused():
    def double(signer):
        digest = next(a for a in signer.signed_attributes if a.type == cms.MESSAGE_DIGEST)
        signer.signed_attributes = [*signer.signed_attributes, digest]

    assert failed_check(rewritten(signed_by(PKI.tsa), double), PKI.tsa.certificate) == "attributes"


def test_signature_without_signed_attributes_is_refused():
    def strip(signer):
        signer.signed_attributes = None

    assert failed_check(rewritten(signed_by(PKI.tsa), strip), PKI.tsa.certificate) == "digest"


def test_sha1_is_refused():
    def weaken(signer):
        signer.digest_algorithm.algorithm = oid(DigestAlgorithm.SHA1.oid)

    assert failed_check(rewritten(signed_by(PKI.tsa), weaken), PKI.tsa.certificate) == "digest"


def test_signature_algorithm_with_another_digest_is_refused():
    def mix(signer):
        signer.signature_algorithm.algorithm = oid("1.2.840.10045.4.3.2")  # ECDSA with SHA-256

    assert failed_check(rewritten(signed_by(PKI.tsa), mix), PKI.tsa.certificate) == "algorithm"


def test_two_signers_are_refused():
    info = decode(cms.ContentInfo, signed_by(PKI.tsa), MALFORMED)
    (one,) = info.content.signers.as_list()
    (two,) = decode(cms.ContentInfo, signed_by(PKI.responder), MALFORMED).content.signers.as_list()
    info.content.signers = SetOf([one, two])
    with pytest.raises(MalformedMessage):
        cms.parse_signed(encode(info), MALFORMED)


def test_signer_is_found_by_its_key_identifier():
    key = PKI.tsa.key
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = PKI.root.issue(a_name("With identifier"), key.public_key(), "responder", extra=[(identifier, False)])

    def rename(signer):
        signer.version, signer.sid = 3, identifier.digest

    signed = cms.parse_signed(rewritten(signed_by(PKI.tsa), rename), MALFORMED)
    assert cms.find_signer(signed, [PKI.responder.certificate, certificate]) == certificate
    assert cms.find_signer(signed, [PKI.responder.certificate]) is None


def test_added_certificates_stand_in_the_order_of_a_set():
    der = signed_by(PKI.tsa, enclosed=[PKI.tsa.certificate])
    for certificate in (PKI.root.certificate, PKI.issuing.certificate, PKI.root.certificate):
        der = cms.add_certificate(der, certificate, MALFORMED)
    enclosed = cms.parse_signed(der, MALFORMED).certificates
    assert list(enclosed) == sorted(der_of(c.certificate) for c in (PKI.tsa, PKI.root, PKI.issuing))
    verify(der, PKI.tsa.certificate)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the judge and is not installed")
@pytest.mark.parametrize(("kind", "pss"), [(EC, False), (RSA, False), (RSA, True)])
def test_openssl_verifies_what_we_sign(tmp_path, kind, pss):
    pki = a_hierarchy(kind)
    (tmp_path / "root.pem").write_bytes(pki.root.pem)
    (tmp_path / "signed").write_bytes(signed_by(pki.tsa, pss=pss, enclosed=[pki.tsa.certificate]))
    judged = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(tmp_path / "signed"), "-CAfile",
         str(tmp_path / "root.pem"), "-purpose", "any", "-attime", str(int(NOON.timestamp())), "-binary"],
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert judged.stdout == CONTENT, judged.stderr

"""Signatures from the template: what we sign is what a canonicaliser sees in the finished document."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.xroad.digests import DigestAlgorithm, KeyKind, SignatureAlgorithm, digest_of
from gateway.xroad.faults import MalformedMessage, SigningUnavailable
from gateway.xroad.pki.keys import sign_digest
from gateway.xroad.signature import xades
from gateway.xroad.signature.signed_message import Part, Signature, SigningIdentity
from gateway.xroad.signature.xades_reader import parse_signature
from gateway.xroad.xml import NS_DS, NS_XADES, canonicalise
from tests.factories.messages import a_member
from tests.factories.pki import EC, NOON, RSA, Issued, a_key
from tests.factories.signatures import a_world

MESSAGE = b"<message/>"
ONE_PART = [Part("/message.xml", digest_of(MESSAGE))]
TWO_PARTS = [*ONE_PART, Part("/attachment1", digest_of(b"attached"))]
DS, XADES = f"{{{NS_DS}}}", f"{{{NS_XADES}}}"


def identity(kind: str = EC, **options: object) -> SigningIdentity:
    return a_world(kind).identity(**options)  # type: ignore[arg-type]


def find(xml: bytes, name: str) -> etree._Element:
    element = etree.fromstring(xml).find(f".//{name}")
    assert element is not None
    return element


def an_awkward_signer() -> Issued:
    """A certificate whose issuer's name needs escaping in XML."""
    world = a_world()
    key = a_key("awkward")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'A & B <"Центр"> Ltd')])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dates = builder.not_valid_before(NOON - timedelta(days=1)).not_valid_after(NOON + timedelta(days=1))
    certificate = dates.serial_number(x509.random_serial_number()).sign(
        world.hierarchy.root.key, digest_of(b"").algorithm.primitive
    )
    return Issued(certificate, key)


@pytest.mark.parametrize("below", ["root", "issuing"])
@pytest.mark.parametrize("parts", [ONE_PART, TWO_PARTS])
@pytest.mark.parametrize("kind", [EC, RSA])
def test_template_equals_canonicalisation_of_the_finished_document(kind: str, parts: list[Part], below: str) -> None:
    signer = identity(kind, below=below)
    unsigned = xades.prepare(parts, signer, NOON)
    xml = xades.assemble(unsigned, sign_digest(a_world(kind).key_of(signer).key, signer.algorithm, unsigned.digest)).xml

    assert hashlib.sha512(canonicalise(find(xml, f"{DS}SignedInfo"))).digest() == unsigned.digest
    stated = [element.text for element in etree.fromstring(xml).iterfind(f".//{DS}Reference/{DS}DigestValue")]
    assert stated[1] == digest_of(canonicalise(find(xml, f"{XADES}SignedProperties"))).base64


def test_template_equals_canonicalisation_when_names_need_escaping() -> None:
    signer = an_awkward_signer()
    awkward = identity(signer=signer, ocsp_responses=[b"status"])
    unsigned = xades.prepare(ONE_PART, awkward, NOON)
    xml = xades.assemble(unsigned, sign_digest(signer.key, awkward.algorithm, unsigned.digest)).xml

    assert hashlib.sha512(canonicalise(find(xml, f"{DS}SignedInfo"))).digest() == unsigned.digest
    assert digest_of(canonicalise(find(xml, f"{XADES}SignedProperties"))).base64 in xml.decode()
    assert 'A & B <"Центр"> Ltd' in (find(xml, f"{DS}X509IssuerName").text or "").replace("\\", "")


@pytest.mark.skipif(shutil.which("xmlsec1") is None, reason="xmlsec1 is not installed")
@pytest.mark.parametrize("kind", [EC, RSA])
@pytest.mark.parametrize("below", ["root", "issuing"])
def test_xmlsec_accepts_what_we_sign(kind: str, below: str, tmp_path: Path) -> None:
    world = a_world(kind)
    xml = world.sign(ONE_PART, world.identity(below=below)).xml
    (tmp_path / "message").write_bytes(MESSAGE)
    # The part has an absolute name that only X-Road resolves.
    (tmp_path / "signature.xml").write_bytes(xml)
    (tmp_path / "root.pem").write_bytes(world.hierarchy.root.pem)
    (tmp_path / "issuing.pem").write_bytes(world.hierarchy.issuing.pem)
    command = [
        "xmlsec1", "--verify", "--id-attr:Id", f"{NS_XADES}:SignedProperties", "--url-map:/message.xml",
        str(tmp_path / "message"), "--trusted-pem", str(tmp_path / "root.pem"), "--untrusted-pem",
        str(tmp_path / "issuing.pem"), "--verification-gmt-time", f"{NOON:%Y-%m-%d %H:%M:%S}",
        str(tmp_path / "signature.xml"),
    ]  # fmt: skip

    judged = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stderr

    (tmp_path / "message").write_bytes(MESSAGE + b" ")
    judged = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode != 0


@pytest.mark.parametrize("algorithm", [a for a in SignatureAlgorithm if a.kind is not KeyKind.ECDSA])
def test_every_rsa_algorithm_can_be_written(algorithm: SignatureAlgorithm) -> None:
    world = a_world(RSA)
    signature = world.sign(ONE_PART, world.identity(algorithm=algorithm))

    assert parse_signature(signature.xml).algorithm is algorithm


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_ecdsa_value_has_the_full_length_of_the_field(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    certificate = a_world().hierarchy.root.issue(an_awkward_signer().certificate.subject, key.public_key())
    signer = identity(signer=Issued(certificate, key), ocsp_responses=[b"status"])

    for number in range(20):  # one value in 128 has a leading zero, and Java would shorten it
        unsigned = xades.prepare([Part("/message.xml", digest_of(b"%d" % number))], signer, NOON)
        xml = xades.assemble(unsigned, sign_digest(key, signer.algorithm, unsigned.digest)).xml
        value = base64.b64decode(find(xml, f"{DS}SignatureValue").text or "")
        assert len(value) == 2 * ((curve.key_size + 7) // 8)


def test_signing_time_is_utc_with_milliseconds() -> None:
    at = datetime(2026, 11, 21, 14, 30, 15, 7999, tzinfo=timezone(timedelta(hours=2)))
    xml = a_world().sign(ONE_PART, at=at).xml

    assert find(xml, f"{XADES}SigningTime").text == "2026-11-21T12:30:15.007Z"
    assert parse_signature(xml).signing_time == datetime(2026, 11, 21, 12, 30, 15, 7000, tzinfo=UTC)


def test_one_part_is_signed_directly_and_several_through_a_chain() -> None:
    direct, chained = a_world().sign(ONE_PART), a_world().sign(TWO_PARTS)

    assert (direct.hash_chain_result, direct.hash_chain) == (None, None)
    assert [reference.uri for reference in parse_signature(direct.xml).references] == ["/message.xml"]
    assert find(direct.xml, f"{XADES}MimeType").text == "text/xml"
    assert chained.hash_chain is not None
    assert chained.hash_chain_result is not None
    assert parse_signature(chained.xml).references[0].uri == "/sig-hashchainresult.xml"
    assert parse_signature(chained.xml).references[0].digest == digest_of(chained.hash_chain_result)
    assert find(chained.xml, f"{XADES}MimeType").text == "application/hash-chain-result"


def test_batch_shares_signature_and_result_and_each_has_its_chain() -> None:
    signatures = a_world().sign_batch([ONE_PART, TWO_PARTS, [Part("/message.xml", digest_of(b"third"))]])

    assert len({signature.xml for signature in signatures}) == 1
    assert len({signature.hash_chain_result for signature in signatures}) == 1
    assert len({signature.hash_chain for signature in signatures}) == 3


def test_batch_of_one_part_needs_no_chain() -> None:
    (signature,) = a_world().sign_batch([ONE_PART])

    assert signature.hash_chain is None


def test_intermediates_come_with_digest_value_and_status() -> None:
    xml = a_world().sign(ONE_PART, a_world().identity(below="issuing")).xml
    unsigned = parse_signature(xml).unsigned

    assert unsigned.certificates == (a_world().hierarchy.issuing.der,)
    assert len(unsigned.ocsp_responses) == 2
    assert b'<xades:Cert URI="#encapsulated-cert-1"><xades:CertDigest><ds:DigestMethod' in xml


def test_form_is_what_the_reference_looks_for() -> None:
    xml = a_world().sign(ONE_PART).xml
    root = etree.fromstring(xml)

    assert root.text is None  # schema validation takes the first child node of the root
    assert root[0].tag == f"{DS}Signature"
    ids = [element.get("Id") for element in root.iter() if element.get("Id")]
    assert ids == [
        "signature", "signature-reference-0", "signature-reference-1", "signature-value", "signed-properties",
        "ocsp-response-1",
    ]  # fmt: skip
    assert find(xml, f"{XADES}QualifyingProperties").get("Target") == "#signature"


def test_identity_without_certificate_status_cannot_sign() -> None:
    with pytest.raises(SigningUnavailable) as refusal:
        xades.prepare(ONE_PART, identity(ocsp_responses=[]), NOON)
    assert refusal.value.code == "cannot_create_signature"


def test_algorithm_that_does_not_fit_the_key_cannot_sign() -> None:
    with pytest.raises(SigningUnavailable) as refusal:
        xades.prepare(ONE_PART, identity(EC, algorithm=SignatureAlgorithm.RSA_SHA512), NOON)
    assert refusal.value.text_id == "signature.key_kind"


def test_digest_to_sign_is_that_of_the_signature_algorithm() -> None:
    unsigned = xades.prepare(ONE_PART, identity(algorithm=SignatureAlgorithm.ECDSA_SHA256), NOON)

    assert len(unsigned.digest) == DigestAlgorithm.SHA256.primitive.digest_size


# Time-stamps


def test_timestamp_becomes_the_first_unsigned_property_and_changes_nothing_else() -> None:
    xml = a_world().sign(ONE_PART).xml
    stamped = xades.add_timestamp(xml, b"token")
    inserted = (
        b"<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>dG9rZW4=</xades:EncapsulatedTimeStamp>"
        b"</xades:SignatureTimeStamp>"
    )

    assert parse_signature(stamped).unsigned.timestamp == b"token"
    assert stamped.replace(inserted, b"") == xml
    assert find(stamped, f"{XADES}UnsignedSignatureProperties")[0].tag == f"{XADES}SignatureTimeStamp"


def test_timestamp_takes_the_prefix_of_the_signature() -> None:
    xml = a_world().sign(ONE_PART).xml.replace(b"xades:", b"x:").replace(b"xmlns:xades=", b"xmlns:x=")

    assert parse_signature(xades.add_timestamp(xml, b"token")).unsigned.timestamp == b"token"


def test_signature_without_place_for_a_timestamp_is_refused() -> None:
    with pytest.raises(MalformedMessage) as refusal:
        xades.add_timestamp(b"<Signature/>", b"token")
    assert refusal.value.code == "malformed_signature"


def test_member_of_an_identity_does_not_enter_the_signature() -> None:
    assert str(a_member()).encode() not in a_world().sign(ONE_PART).xml
    assert isinstance(a_world().sign(ONE_PART), Signature)

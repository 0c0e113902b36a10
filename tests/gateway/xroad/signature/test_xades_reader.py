"""Reading signatures by strict position: both families are read, and nothing that could mean two things."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import SignatureAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.signature.signed_message import Part
from gateway.xroad.signature.xades import POLICY_DIGEST, POLICY_ID
from gateway.xroad.signature.xades_reader import XadesSignature, parse_signature
from tests.factories.messages import a_rest_response
from tests.factories.pki import NOON
from tests.factories.signatures import a_newer_signature, a_world

DIGEST = digest_of(b"message")
IDENTITY = a_world().identity()
XML = a_world().sign([Part("/message.xml", DIGEST)], IDENTITY).xml
WITH_INTERMEDIATE = a_world().sign([Part("/message.xml", DIGEST)], a_world().identity(below="issuing")).xml
NEWER = a_newer_signature(a_world(), a_rest_response()).xml


def read(xml: bytes) -> XadesSignature:
    return parse_signature(xml)


def refusal(xml: bytes) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as raised:
        parse_signature(xml)
    return raised.value


def test_facts_of_our_own_signature() -> None:
    facts, identity = read(XML), IDENTITY

    assert facts.algorithm is SignatureAlgorithm.ECDSA_SHA512
    assert [(reference.uri, reference.digest) for reference in facts.references] == [("/message.xml", DIGEST)]
    assert facts.certificate_der == identity.certificate_der
    assert facts.signing_time == NOON
    assert facts.signing_certificate.digest == digest_of(identity.certificate_der)
    assert facts.signing_certificate.serial == a_world().signer().certificate.serial_number
    assert facts.policy is not None
    assert (facts.policy.identifier, facts.policy.digest.base64) == (POLICY_ID, POLICY_DIGEST)
    assert facts.unsigned.ocsp_responses == identity.ocsp_responses
    assert facts.unsigned.timestamp is None


def test_facts_of_a_signature_of_newer_generations() -> None:
    facts = read(NEWER)

    assert [reference.uri for reference in facts.references] == ["/message.xml", "/attachment1"]
    assert facts.properties_digest == digest_of(facts.signed_properties)
    assert facts.signing_certificate.serial is None
    assert facts.policy is None
    assert facts.signing_time == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert len(facts.unsigned.ocsp_responses) == 1


@pytest.mark.parametrize("spelling", [b"&#13;\n", b"\n", b" ", b"\t"])
def test_base64_may_be_wrapped(spelling: bytes) -> None:
    letters = DIGEST.base64.encode()
    wrapped = XML.replace(letters, letters[:76] + spelling + letters[76:])

    assert read(wrapped).references[0].digest == DIGEST


def test_wrapping_is_part_of_what_was_signed() -> None:
    letters = DIGEST.base64.encode()
    wrapped = XML.replace(letters, letters[:76] + b"&#13;\n" + letters[76:])

    assert b"&#xD;" in read(wrapped).signed_info
    assert read(wrapped).signed_info != read(XML).signed_info


def test_other_namespace_prefixes_are_read() -> None:
    spelled = XML.replace(b"ds:", b"d:").replace(b"xmlns:ds=", b"xmlns:d=")

    assert read(spelled).certificate_der == read(XML).certificate_der


def test_declaration_may_be_absent_or_in_other_quotes() -> None:
    declaration, _, rest = XML.partition(b"?>")

    assert read(rest)
    assert read(declaration.replace(b'"', b"'") + b"?>" + rest)


@pytest.mark.parametrize(
    "prefix",
    [b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY e "e">]>', b"<!-- a comment -->", b"<?an instruction?>"],
)
def test_anything_but_elements_and_text_is_refused(prefix: bytes) -> None:
    assert refusal(XML.replace(b"<asic:XAdES", prefix + b"<asic:XAdES", 1)).text_id == "signature.xml_not_plain"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # a comment would split what is read from what is signed
        (DIGEST.base64.encode(), DIGEST.base64[:8].encode() + b"<!---->" + DIGEST.base64[8:].encode()),
        (DIGEST.base64.encode(), b"<![CDATA[" + DIGEST.base64.encode() + b"]]>"),
        (b"</asic:XAdESSignatures>", b"</asic:XAdESSignatures><!-- after -->"),
        (b'encoding="UTF-8"', b'encoding="ISO-8859-1"'),
        (b'encoding="UTF-8"', b'encoding="UTF-7"'),
        (b'version="1.0"', b'version="1.1"'),
        # a namespace that canonicalisation refuses
        (b'xmlns:xsi="http:', b'xmlns:xsi="http'),
        # a second of anything
        (b"</ds:Signature>", b"</ds:Signature><ds:Signature/>"),
        (b"</ds:Object>", b"</ds:Object><ds:Object/>"),
        (b"</xades:QualifyingProperties>", b"</xades:QualifyingProperties><xades:QualifyingProperties/>"),
        (b"</xades:RevocationValues>", b"</xades:RevocationValues><xades:RevocationValues/>"),
        (b"</ds:X509Data>", b"</ds:X509Data><ds:X509Data/>"),
        (b"</xades:SigningTime>", b"</xades:SigningTime><xades:SigningTime/>"),
        # something left out
        (b' Id="signature"', b""),
        (b'Target="#signature"', b'Target="#other"'),
        (b"<ds:SignatureMethod", b"<ds:SignatureMethods"),
        (b' URI="/message.xml"', b""),
        # something in between
        (b"<ds:SignedInfo>", b"<ds:SignedInfo>text"),
        (b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>somebody</ds:KeyName>"),
        (b"</ds:KeyInfo>", b"text</ds:KeyInfo>"),
        (b"<xades:UnsignedSignatureProperties>", b'<xades:UnsignedSignatureProperties><x xmlns="urn:foreign"/>'),
        # two of one Id
        (b'Id="signature-value"', b'Id="signed-properties"'),
        (b'Id="ocsp-response-1"', b'Id="signature"'),
        (b'Id="ocsp-response-1"', b'Id="ocsp&#45;response-1"'),
        # algorithms outside of the table
        (b"2001/04/xmldsig-more#ecdsa-sha512", b"2001/04/xmldsig-more#ecdsa-sha1"),
        (b"2001/04/xmldsig-more#ecdsa-sha512", b"2000/09/xmldsig#hmac-sha1"),
        (b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", b"SHA512withECDSA"),
        (b"http://www.w3.org/2001/04/xmlenc#sha512", b"http://www.w3.org/2000/09/xmldsig#sha1"),
        (b"http://www.w3.org/2001/04/xmlenc#sha512", b"SHA-512"),
        (b"xml-c14n-20010315", b"xml-c14n-20010315#WithComments"),
        # values
        (b"2026-11-21T12:00:00.000Z", b"2026-11-21T12:00:00.000"),
        (b"2026-11-21T12:00:00.000Z", b"yesterday"),
        (DIGEST.base64.encode(), DIGEST.base64[:-4].encode()),
        (DIGEST.base64.encode(), DIGEST.base64.encode() + b"="),
        (DIGEST.base64.encode(), b""),
    ],
)
def test_whatever_is_out_of_place_is_refused(old: bytes, new: bytes) -> None:
    assert old in XML

    assert refusal(XML.replace(old, new)).code == "malformed_signature"


def reference_with(transforms: bytes) -> bytes:
    return XML.replace(b' URI="#signed-properties">', b' URI="#signed-properties">' + transforms)


@pytest.mark.parametrize(
    "algorithm",
    [
        b"http://www.w3.org/TR/1999/REC-xslt-19991116",
        b"http://www.w3.org/TR/1999/REC-xpath-19991116",
        b"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        b"http://www.w3.org/2000/09/xmldsig#base64",
    ],
)
def test_transforms_other_than_canonicalisation_are_refused(algorithm: bytes) -> None:
    transforms = b'<ds:Transforms><ds:Transform Algorithm="' + algorithm + b'"/></ds:Transforms>'

    assert refusal(reference_with(transforms)).text_id == "signature.transform"


def test_transform_of_a_part_is_refused() -> None:
    transform = b'<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>'
    altered = XML.replace(b' URI="/message.xml">', b' URI="/message.xml">' + transform)

    assert refusal(altered).text_id == "signature.unexpected_reference"


def test_too_many_transforms_are_refused() -> None:
    one = b'<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'

    assert refusal(reference_with(b"<ds:Transforms>" + one * 6 + b"</ds:Transforms>")).code == "malformed_signature"


def test_too_many_references_are_refused() -> None:
    start, end = XML.index(b"<ds:Reference"), XML.index(b"</ds:Reference>") + len(b"</ds:Reference>")
    reference = XML[start:end].replace(b' Id="signature-reference-0"', b"")
    many = b"".join(reference.replace(b"/message.xml", b"/attachment%d" % number) for number in range(30))

    assert refusal(XML.replace(b"</ds:SignedInfo>", many + b"</ds:SignedInfo>")).text_id == (
        "signature.too_many_references"
    )


@pytest.mark.parametrize("uri", [b"#other", b"#signature", b"#"])
def test_reference_into_the_signature_must_be_to_the_signed_properties(uri: bytes) -> None:
    altered = XML.replace(b'URI="#signed-properties"', b'URI="' + uri + b'"')

    assert refusal(altered).text_id == "signature.unexpected_reference"


def test_manifests_of_the_abandoned_format_are_refused() -> None:
    altered = XML.replace(b"<ds:Object>", b'<ds:Object><ds:Manifest Id="ts-root-manifest"/>')

    assert refusal(altered).code == "invalid_reference"


def test_exchanged_intermediate_is_refused() -> None:
    start = WITH_INTERMEDIATE.index(b'Id="encapsulated-cert-1">') + len(b'Id="encapsulated-cert-1">')
    altered = WITH_INTERMEDIATE[:start] + b"AAAA" + WITH_INTERMEDIATE[start + 4 :]

    assert refusal(altered).text_id == "signature.certificate_value_differs"


def test_reference_to_an_intermediate_that_did_not_come_is_refused() -> None:
    altered = WITH_INTERMEDIATE.replace(b'Id="encapsulated-cert-1"', b'Id="encapsulated-cert-2"')

    assert refusal(altered).text_id == "signature.certificate_value_missing"


def test_intermediates_without_references_are_read() -> None:
    start = WITH_INTERMEDIATE.index(b"<xades:CompleteCertificateRefs")
    end = WITH_INTERMEDIATE.index(b"<xades:CertificateValues")

    assert read(WITH_INTERMEDIATE[:start] + WITH_INTERMEDIATE[end:]).unsigned.certificates == (
        a_world().hierarchy.issuing.der,
    )


def test_signature_larger_than_the_bound_is_refused() -> None:
    assert refusal(XML + b" " * 4 * 1024 * 1024).text_id == "signature.xml_too_large"


def test_deep_nesting_is_refused() -> None:
    assert refusal(b"<a>" * 5000 + b"</a>" * 5000).code == "malformed_signature"


@given(data=st.binary(max_size=500))
def test_any_bytes_are_a_signature_or_a_fault(data: bytes) -> None:
    with pytest.raises(XRoadFault):
        parse_signature(data)


@given(data=st.data(), base=st.sampled_from([XML, WITH_INTERMEDIATE, NEWER]))
def test_damaged_signatures_are_signatures_or_faults(data: st.DataObject, base: bytes) -> None:
    document = bytearray(base)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(document)))
        document[start : start + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"<", b"</ds:Object>", b"&#13;", b'"', b"]]>", b"<a/>"])
        )
    try:
        parse_signature(bytes(document))
    except XRoadFault:
        return

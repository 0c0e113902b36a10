"""The numbered checks of a message signature, each failing alone."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.globalconf.shared_parameters import CaInfo, OcspResponder
from gateway.xroad.identifiers import ClientId, SubsystemId
from gateway.xroad.pki import ocsp
from gateway.xroad.signature import xades
from gateway.xroad.signature.hash_chain import build_hash_chains
from gateway.xroad.signature.signed_message import (
    Message,
    Part,
    Signature,
    SignedMessage,
    attachment_part,
    parts_of,
)
from gateway.xroad.signature.verify import verify
from gateway.xroad.signature.xades_reader import parse_signature
from tests.factories.messages import (
    a_member,
    a_provider,
    a_rest_request,
    a_rest_response,
    a_server,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    an_attachment,
)
from tests.factories.pki import EC, NOON, RSA, Authority, a_key, a_root, an_ocsp_response
from tests.factories.signatures import a_configuration, a_newer_signature, a_world, resign

CLIENT = a_subsystem()
PLAIN = a_soap_message()
ATTACHED = a_soap_message(attachments=(an_attachment(b"one"), an_attachment(b"two")))


def code_of(signed: SignedMessage, signer: ClientId = CLIENT, *, kind: str = EC, **options: object) -> str:
    return refusal(signed, signer, kind=kind, **options).code


def refusal(signed: SignedMessage, signer: ClientId = CLIENT, *, kind: str = EC, **options: object) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as raised:
        verify(signed, signer, options.get("globalconf") or a_world(kind).globalconf, options.get("at") or NOON)  # type: ignore[arg-type]
    return raised.value


def with_xml(signed: SignedMessage, change: Callable[[bytes], bytes]) -> SignedMessage:
    return SignedMessage(signed.message, replace(signed.signature, xml=change(signed.signature.xml)))


def with_ocsp(*responses: bytes) -> SignedMessage:
    return a_world().signed(PLAIN, identity=a_world().identity(ocsp_responses=responses))


def a_status(**options: object) -> bytes:
    return a_world().hierarchy.status_of(a_world().signer().certificate, **options)


@pytest.mark.parametrize("kind", [EC, RSA])
@pytest.mark.parametrize(
    ("message", "signer"),
    [
        (PLAIN, CLIENT),
        (ATTACHED, CLIENT),
        (a_soap_response(PLAIN), a_provider()),
        (a_rest_request(), CLIENT),
        (a_rest_request("POST", body=b"{}"), CLIENT),
        (a_rest_request("POST", body=b""), CLIENT),
        (a_rest_response(), a_provider()),
    ],
)
def test_what_we_sign_is_verified(message: Message, signer: ClientId, kind: str) -> None:
    signed = a_world(kind).signed(message)
    verified = verify(signed, signer, a_world(kind).globalconf, NOON)

    assert verified.signed is signed
    assert verified.signer == signer.member
    assert verified.valid_at == NOON


def test_subsystem_of_the_signer_does_not_matter() -> None:
    signed = a_world().signed(PLAIN)

    assert verify(signed, SubsystemId(a_member(), "OTHER"), a_world().globalconf, NOON)
    assert verify(signed, a_member(), a_world().globalconf, NOON)


def test_every_message_of_a_batch_is_verified() -> None:
    messages = [PLAIN, ATTACHED, a_rest_request("POST", body=b"{}"), a_rest_request()]
    signatures = a_world().sign_batch([parts_of(message) for message in messages])

    for message, signature in zip(messages, signatures, strict=True):
        assert verify(SignedMessage(message, signature), CLIENT, a_world().globalconf, NOON)


def test_chain_of_another_message_of_the_batch_is_refused() -> None:
    first, second = a_world().sign_batch([parts_of(PLAIN), parts_of(a_rest_request())])
    mixed = replace(first, hash_chain=second.hash_chain)

    assert code_of(SignedMessage(PLAIN, mixed)) == "malformed_signature.invalid_hash_chain"


def test_certificate_below_an_intermediate_is_verified() -> None:
    signed = a_world().signed(PLAIN, identity=a_world().identity(below="issuing"))

    assert verify(signed, CLIENT, a_world().globalconf, NOON)


def test_signature_of_newer_generations_is_verified() -> None:
    for message, signer in ((PLAIN, CLIENT), (ATTACHED, CLIENT), (a_rest_response(), a_provider())):
        signed = SignedMessage(message, a_newer_signature(a_world(), message))
        assert verify(signed, signer, a_world().globalconf, NOON)


def test_parts_digested_with_another_algorithm_are_measured_again() -> None:
    parts = [Part(part.name, digest_of(b, DigestAlgorithm.SHA256)) for part, b in zip(
        parts_of(ATTACHED), (ATTACHED.raw, b"one", b"two"), strict=True
    )]  # fmt: skip
    signed = SignedMessage(ATTACHED, a_newer_signature(a_world(), ATTACHED, references=parts))

    assert verify(signed, CLIENT, a_world().globalconf, NOON)


# (1) form and coverage


def test_signature_over_something_else_is_refused() -> None:
    signature = a_world().sign([Part("/attachment1", digest_of(b"x"))])

    assert refusal(SignedMessage(PLAIN, signature)).text_id == "signature.message_not_referenced"


def test_attachment_that_no_reference_covers_is_refused() -> None:
    signature = a_newer_signature(a_world(), ATTACHED, references=parts_of(ATTACHED)[:2])

    assert refusal(SignedMessage(ATTACHED, signature)).text_id == "signature.part_not_covered"


def test_attachment_added_to_a_simple_signature_is_refused() -> None:
    signed = SignedMessage(ATTACHED, a_world().sign(parts_of(ATTACHED)[:1]))

    assert refusal(signed).text_id == "signature.part_not_covered"


def test_attachment_added_to_a_chain_is_refused() -> None:
    more = a_soap_message(attachments=(*ATTACHED.attachments, an_attachment(b"added")))

    assert code_of(SignedMessage(more, a_world().sign(ATTACHED))) == "malformed_signature.hashchain_unused_inputs"


def test_attachment_left_out_of_a_chain_is_refused() -> None:
    fewer = a_soap_message(attachments=ATTACHED.attachments[:1])

    assert code_of(SignedMessage(fewer, a_world().sign(ATTACHED))) == "malformed_signature.invalid_reference"


def test_reference_to_an_attachment_that_did_not_come_is_refused() -> None:
    signature = a_newer_signature(a_world(), ATTACHED)

    assert code_of(SignedMessage(PLAIN, signature)) == "invalid_reference"


def test_chain_that_the_signature_does_not_name_is_refused() -> None:
    chains = build_hash_chains([parts_of(PLAIN), parts_of(ATTACHED)])
    signature = Signature(a_world().sign(PLAIN).xml, chains.result, chains.chains[0])

    assert refusal(SignedMessage(PLAIN, signature)).text_id == "signature.chain_not_referenced"


def test_signature_over_a_chain_that_did_not_come_is_refused() -> None:
    signature = Signature(a_world().sign(ATTACHED).xml)

    assert refusal(SignedMessage(ATTACHED, signature)).text_id == "signature.chain_missing"


@pytest.mark.parametrize("missing", ["hash_chain", "hash_chain_result"])
def test_half_a_chain_is_refused(missing: str) -> None:
    signature = replace(a_world().sign(ATTACHED), **{missing: None})

    assert refusal(SignedMessage(ATTACHED, signature)).text_id == "signature.chain_incomplete"


# (2) hash chain


def test_attachments_in_another_order_are_refused() -> None:
    swapped = a_soap_message(attachments=ATTACHED.attachments[::-1])

    assert code_of(SignedMessage(swapped, a_world().sign(ATTACHED))) == "malformed_signature.invalid_hash_chain"


def test_attachment_cannot_be_shown_as_the_message() -> None:
    # A chain holds no names, only digests in order: whoever carries it can rename the parts.
    inner = a_soap_message(body=b"<d:GetPersonAll xmlns:d='urn:x'/>")
    outer = a_soap_message(attachments=(an_attachment(inner.raw),))
    signature = a_world().sign(outer)
    assert signature.hash_chain is not None
    chain = signature.hash_chain.replace(b"/attachment1", b"/placeholder").replace(b"/message.xml", b"/attachment1")
    renamed = replace(signature, hash_chain=chain.replace(b"/placeholder", b"/message.xml"))
    forged = a_soap_message(body=b"<d:GetPersonAll xmlns:d='urn:x'/>", attachments=(an_attachment(outer.raw),))

    assert refusal(SignedMessage(forged, renamed)).text_id == "signature.chain_order"


def test_changed_chain_result_is_refused() -> None:
    signature = a_world().sign(ATTACHED)
    other = a_world().sign(a_soap_message(attachments=(an_attachment(b"1"), an_attachment(b"2"))))

    mixed = replace(signature, hash_chain_result=other.hash_chain_result)
    assert code_of(SignedMessage(ATTACHED, mixed)) == "malformed_signature.invalid_hash_chain"


def test_whole_chain_of_another_signature_is_refused() -> None:
    # Chain and result fit the message, but the signature is over another result.
    chains = build_hash_chains([parts_of(ATTACHED), parts_of(PLAIN)])
    mixed = Signature(a_world().sign(ATTACHED).xml, chains.result, chains.chains[0])

    assert code_of(SignedMessage(ATTACHED, mixed)) == "invalid_signature_value"


# (3) (4) certificate and member


def test_authentication_certificate_is_refused() -> None:
    issued = a_world().hierarchy.root.server(a_server())
    identity = a_world().identity(signer=issued)
    signed = SignedMessage(PLAIN, a_world().sign(parts_of(PLAIN), identity, signer=issued))

    found = refusal(signed)
    assert (found.code, found.text_id) == ("malformed_signature", "signature.not_a_signing_certificate")


def test_bytes_that_are_no_certificate_are_refused() -> None:
    signed = a_world().signed(PLAIN)
    good = base64.b64encode(a_world().signer().der)

    assert code_of(with_xml(signed, lambda xml: xml.replace(good, b"AAAA"))) == "malformed_signature"


def test_message_signed_by_another_member_is_refused() -> None:
    other = a_world().identity(a_provider().member)

    assert code_of(a_world().signed(PLAIN, identity=other)) == "incorrect_certificate"


def test_certificate_of_an_unknown_authority_is_refused() -> None:
    stranger = a_root("Stranger CA").signer(a_member())
    identity = a_world().identity(signer=stranger, ocsp_responses=[a_status()])
    signed = SignedMessage(PLAIN, a_world().sign(PLAIN, identity, signer=stranger))

    assert code_of(signed) == "cannot_create_cert_path"


def test_certificate_of_an_authority_with_the_approved_name_is_refused() -> None:
    root = a_world().hierarchy.root
    impostor = Authority(root.certificate, a_key("impostor")).signer(a_member())
    identity = a_world().identity(signer=impostor, ocsp_responses=[a_status()])
    signed = SignedMessage(PLAIN, a_world().sign(PLAIN, identity, signer=impostor))

    assert code_of(signed) == "cannot_create_cert_path"


def test_authority_for_authentication_only_proves_no_signature() -> None:
    approved = a_world().globalconf.shared["UA-DEMO"].approved_cas[0]
    globalconf = a_configuration(a_world().hierarchy, approved_cas=(replace(approved, authentication_only=True),))

    assert code_of(a_world().signed(PLAIN), globalconf=globalconf) == "cannot_create_cert_path"


# (5) references and value


def test_changed_message_is_refused() -> None:
    other = a_soap_message(body=b"<d:GetPerson xmlns:d='http://demo.example/dem'>2</d:GetPerson>")

    assert code_of(SignedMessage(other, a_world().sign(PLAIN))) == "invalid_signature_value"


def test_changed_rest_body_is_refused() -> None:
    signature = a_world().sign(a_rest_request("POST", body=b"1"))
    changed = SignedMessage(a_rest_request("POST", body=b"2"), signature)

    assert code_of(changed) == "malformed_signature.invalid_hash_chain"


def test_changed_signed_properties_are_refused() -> None:
    signed = with_xml(a_world().signed(PLAIN), lambda xml: xml.replace(b"T12:00:00.000Z", b"T11:00:00.000Z"))

    assert code_of(signed) == "invalid_signature_value"


@pytest.mark.parametrize("kind", [EC, RSA])
def test_changed_value_is_refused(kind: str) -> None:
    signed = a_world(kind).signed(PLAIN)
    value = parse_signature(signed.signature.xml).value
    other = bytes((value[0] ^ 1,)) + value[1:]

    changed = with_xml(signed, lambda xml: xml.replace(base64.b64encode(value), base64.b64encode(other)))
    assert code_of(changed, kind=kind) == "invalid_signature_value"


def test_algorithm_of_another_kind_of_key_is_refused() -> None:
    signed = with_xml(a_world().signed(PLAIN), lambda xml: xml.replace(b"#ecdsa-sha512", b"#rsa-sha512"))

    assert code_of(signed) == "invalid_signature_value"


def test_key_exchanged_together_with_the_value_is_refused() -> None:
    # The certificate of another member, its key, and a value that fits both.
    mine, other = a_world().signer(), a_world().signer(a_provider().member)

    def exchange(xml: bytes) -> bytes:
        return xml.replace(base64.b64encode(mine.der), base64.b64encode(other.der))

    xml = resign(a_world(), a_world().sign(PLAIN).xml, exchange, a_provider().member)
    signed = SignedMessage(PLAIN, Signature(xml))

    assert code_of(signed) == "incorrect_certificate"
    assert refusal(signed, a_provider()).text_id == "signature.other_certificate"


# (6) signed properties


def resigned(change: Callable[[bytes], bytes]) -> SignedMessage:
    return SignedMessage(PLAIN, Signature(resign(a_world(), a_world().sign(PLAIN).xml, change)))


def test_signing_anew_is_our_control() -> None:
    assert verify(resigned(lambda xml: xml), CLIENT, a_world().globalconf, NOON)


def test_signature_that_does_not_cover_its_properties_is_refused() -> None:
    def drop(xml: bytes) -> bytes:
        start = xml.index(b'<ds:Reference Id="signature-reference-1"')
        return xml[:start] + xml[xml.index(b"</ds:SignedInfo>") :]

    assert refusal(resigned(drop)).text_id == "signature.properties_not_covered"


def test_properties_that_name_another_certificate_are_refused() -> None:
    own, other = digest_of(a_world().signer().der).base64, digest_of(b"other").base64

    found = refusal(resigned(lambda xml: xml.replace(own.encode(), other.encode())))
    assert (found.code, found.text_id) == ("malformed_signature", "signature.other_certificate")


def test_properties_that_name_another_serial_number_are_refused() -> None:
    def renumber(xml: bytes) -> bytes:
        return xml.replace(b"<ds:X509SerialNumber>", b"<ds:X509SerialNumber>9")

    assert refusal(resigned(renumber)).text_id == "signature.other_certificate"


def test_unknown_policy_is_refused() -> None:
    found = refusal(resigned(lambda xml: xml.replace(b"1.3.6.1.4.1.3516.16.2", b"1.3.6.1.4.1.3516.16.3")))

    assert found.text_id == "signature.unknown_policy"


def test_other_text_under_the_known_policy_is_refused() -> None:
    other = digest_of(b"another text").base64.encode()

    found = refusal(resigned(lambda xml: xml.replace(xades.POLICY_DIGEST.encode(), other)))
    assert found.text_id == "signature.unknown_policy"


@pytest.mark.parametrize("shift", [timedelta(hours=2), timedelta(days=-2), timedelta(days=-3650)])
def test_implausible_signing_time_is_refused(shift: timedelta) -> None:
    assert refusal(a_world().signed(PLAIN, at=NOON + shift)).text_id == "signature.implausible_time"


@pytest.mark.parametrize("shift", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_clocks_may_differ_by_minutes(shift: timedelta) -> None:
    assert verify(a_world().signed(PLAIN, at=NOON + shift), CLIENT, a_world().globalconf, NOON)


# (7) path


def test_expired_certificate_is_refused() -> None:
    expired = a_world().hierarchy.root.signer(a_member(), not_after=NOON - timedelta(days=1))
    identity = a_world().identity(signer=expired)
    signed = SignedMessage(PLAIN, a_world().sign(PLAIN, identity, signer=expired))

    assert code_of(signed) == "invalid_cert_path"


# (8) certificate status


def test_signature_without_certificate_status_is_refused() -> None:
    signed = a_world().signed(PLAIN)
    value = b"<xades:EncapsulatedOCSPValue"

    def drop(xml: bytes) -> bytes:
        end = b"</xades:EncapsulatedOCSPValue>"
        return xml[: xml.index(value)] + xml[xml.index(end) + len(end) :]

    assert code_of(with_xml(signed, drop)) == "malformed_signature"


def test_status_of_another_certificate_is_refused() -> None:
    other = a_world().hierarchy.status_of(a_world().signer(a_provider().member).certificate)

    assert code_of(with_ocsp(other)) == "invalid_cert_path.cert_validation"


@pytest.mark.parametrize("status", [ocsp.Status.REVOKED, ocsp.Status.UNKNOWN])
def test_certificate_that_is_not_good_is_refused(status: ocsp.Status) -> None:
    assert code_of(with_ocsp(a_status(status=status))) == "invalid_cert_path.cert_validation"


def test_second_answer_that_contradicts_the_first_is_refused() -> None:
    good, revoked = a_status(), a_status(status=ocsp.Status.REVOKED)

    assert code_of(with_ocsp(good, revoked)) == "invalid_cert_path.cert_validation"
    assert code_of(with_ocsp(revoked, good)) == "invalid_cert_path.cert_validation"


@pytest.mark.parametrize(("minutes", "holds"), [(59, True), (61, False), (-30, False)])
def test_status_must_be_fresh(minutes: int, holds: bool) -> None:
    signed = with_ocsp(a_status(this_update=NOON - timedelta(minutes=minutes)))

    if holds:
        assert verify(signed, CLIENT, a_world().globalconf, NOON)
    else:
        assert code_of(signed) == "invalid_cert_path.incorrect_validation_info"


def test_status_by_a_responder_of_another_authority_is_refused() -> None:
    # Both authorities are approved, but each only speaks for itself.
    world = a_world()
    other = a_root("Second CA")
    responder = other.responder("Second OCSP")
    approved = world.globalconf.shared["UA-DEMO"].approved_cas
    second = replace(
        approved[0],
        name="Second",
        top=CaInfo(other.der, (OcspResponder("http://ca.test:8888/ocsp", responder.der),)),
        intermediates=(),
    )
    globalconf = a_configuration(world.hierarchy, approved_cas=(*approved, second))
    status = an_ocsp_response(world.signer().certificate, world.hierarchy.root.certificate, responder)

    assert code_of(with_ocsp(status), globalconf=globalconf) == "invalid_cert_path.incorrect_validation_info"


# What is remembered


def test_remembered_status_goes_stale() -> None:
    signed = a_world().signed(PLAIN)
    globalconf = a_configuration(a_world().hierarchy)

    assert verify(signed, CLIENT, globalconf, NOON)
    assert verify(signed, CLIENT, globalconf, NOON + timedelta(minutes=54))
    late = NOON + timedelta(minutes=56)
    assert code_of(signed, globalconf=globalconf, at=late) == "invalid_cert_path.incorrect_validation_info"


def test_remembered_status_says_nothing_about_the_time_before() -> None:
    signed = a_world().signed(PLAIN)
    globalconf = a_configuration(a_world().hierarchy)

    assert verify(signed, CLIENT, globalconf, NOON)
    early = NOON - timedelta(minutes=30)
    assert code_of(signed, globalconf=globalconf, at=early) == "invalid_cert_path.incorrect_validation_info"


def test_remembered_status_ends_with_next_update() -> None:
    signed = with_ocsp(a_status(next_update=NOON + timedelta(minutes=10)))
    globalconf = a_configuration(a_world().hierarchy)

    assert verify(signed, CLIENT, globalconf, NOON)
    late = NOON + timedelta(minutes=11)
    assert code_of(signed, globalconf=globalconf, at=late) == "invalid_cert_path.incorrect_validation_info"


def test_remembered_proof_dies_with_the_configuration() -> None:
    signed = a_world().signed(PLAIN)
    assert verify(signed, CLIENT, a_world().globalconf, NOON)
    without = a_configuration(a_world().hierarchy, approved_cas=())

    assert code_of(signed, globalconf=without) == "cannot_create_cert_path"


def test_remembered_proof_belongs_to_these_bytes() -> None:
    globalconf = a_configuration(a_world().hierarchy)
    assert verify(a_world().signed(PLAIN), CLIENT, globalconf, NOON)

    revoked = with_ocsp(a_status(status=ocsp.Status.REVOKED))
    assert code_of(revoked, globalconf=globalconf) == "invalid_cert_path.cert_validation"


# Properties


@given(sizes=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_batches_of_any_shape_verify(sizes: list[int]) -> None:
    messages = [a_soap_message(attachments=tuple(an_attachment(b"%d" % n) for n in range(size))) for size in sizes]
    for message, signature in zip(
        messages, a_world().sign_batch([parts_of(message) for message in messages]), strict=True
    ):
        assert verify(SignedMessage(message, signature), CLIENT, a_world().globalconf, NOON)


SIGNED = a_world().signed(ATTACHED)


@given(data=st.data(), which=st.sampled_from(["xml", "hash_chain", "hash_chain_result"]))
def test_damaged_signatures_are_refused_or_say_the_same(data: st.DataObject, which: str) -> None:
    document = bytearray(getattr(SIGNED.signature, which))
    position = data.draw(st.integers(0, len(document) - 1))
    document[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        verified = verify(
            SignedMessage(ATTACHED, replace(SIGNED.signature, **{which: bytes(document)})),
            CLIENT,
            a_world().globalconf,
            NOON,
        )
    except XRoadFault:
        return
    assert which == "xml"
    assert verified.signer == CLIENT.member


def test_names_of_attachments_count_from_one() -> None:
    assert attachment_part(1) == "/attachment1"

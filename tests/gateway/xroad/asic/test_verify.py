"""Containers verified offline: what a verdict says, and by which check a container falls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.asic.container import build_container, read_container
from gateway.xroad.asic.verdict import AttachmentState, CheckName, Direction, Examination, Kind, Outcome
from gateway.xroad.asic.verify import claimed_time, examine_container, verify_container
from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.identifiers import ClientId
from gateway.xroad.signature.signed_message import Message, Part, Signature, parts_of
from gateway.xroad.signature.xades import add_timestamp
from gateway.xroad.signature.xades_reader import parse_signature
from gateway.xroad.soap.faults import build_soap_fault
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_rest_response,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    an_attachment,
)
from tests.factories.pki import NOON
from tests.factories.signatures import a_configuration, a_newer_signature, a_world, rezip, unzip

STAMPED_AT = NOON + timedelta(seconds=2)
PLAIN = a_soap_message()
POST = a_rest_request("POST", body=b'{"unzr":"19900101-00017"}')
WORLD = a_world()


def examine(container: bytes) -> Examination:
    return examine_container(container, WORLD.globalconf)


def failed(container: bytes) -> tuple[CheckName, str]:
    examination = examine(container)
    assert examination.fault is not None
    (check,) = [check.name for check in examination.checks if check.outcome is Outcome.FAILED]
    return check, examination.fault.code


def changed(container: bytes, entries: Mapping[str, bytes | None]) -> bytes:
    """Return the container with entries replaced, or left out where None is given."""
    kept = {name: data for name, data in {**unzip(container), **entries}.items() if data is not None}
    return rezip(kept)


@pytest.mark.parametrize("batch_stamp", [False, True])
@pytest.mark.parametrize(
    ("message", "kind", "direction", "signer"),
    [
        (PLAIN, Kind.SOAP, Direction.REQUEST, a_subsystem()),
        (a_soap_response(PLAIN), Kind.SOAP, Direction.RESPONSE, a_provider()),
        (POST, Kind.REST, Direction.REQUEST, a_subsystem()),
        (a_rest_response(POST), Kind.REST, Direction.RESPONSE, a_provider()),
        (a_rest_request(), Kind.REST, Direction.REQUEST, a_subsystem()),
    ],
)
def test_verdict_says_who_signed_what_and_when(
    message: Message, kind: Kind, direction: Direction, signer: ClientId, batch_stamp: bool
) -> None:
    verdict = examine(WORLD.container(message, batch_stamp=batch_stamp)).verdict

    assert verdict is not None
    assert (verdict.kind, verdict.direction) == (kind, direction)
    assert (verdict.signer, verdict.member) == (signer, signer.member)
    assert (verdict.client, verdict.service.provider, verdict.id) == (a_subsystem(), a_provider(), "m-1")
    assert (verdict.time, verdict.signing_time) == (STAMPED_AT, NOON)
    assert verdict.authority == WORLD.hierarchy.tsa.certificate
    assert verdict.is_batch_timestamp is batch_stamp
    assert verdict.certificate == WORLD.signer(signer.member).certificate
    assert verdict.statuses[0].responder == WORLD.hierarchy.responder.certificate
    assert verdict.statuses[0].produced_at == NOON - timedelta(minutes=5)


def test_every_check_is_named_with_its_outcome() -> None:
    examination = examine(WORLD.container(POST))
    outcomes = {check.name: check.outcome for check in examination.checks}

    assert [check.name for check in examination.checks] == list(CheckName)
    assert outcomes.pop(CheckName.TIMESTAMP_CHAIN) is Outcome.NOT_APPLICABLE
    assert outcomes.pop(CheckName.MANIFEST) is Outcome.NOT_APPLICABLE
    assert set(outcomes.values()) == {Outcome.PASSED}


def test_checks_after_the_failed_one_are_not_reached() -> None:
    container = changed(WORLD.container(PLAIN), {"message.xml": PLAIN.raw + b"\n"})
    outcomes = {check.name: check.outcome for check in examine(container).checks}

    assert outcomes[CheckName.REFERENCES] is Outcome.FAILED
    assert outcomes[CheckName.TIMESTAMP] is Outcome.PASSED
    assert outcomes[CheckName.STATUS] is Outcome.NOT_REACHED


def test_verified_container_gives_the_verdict_and_a_refused_one_raises() -> None:
    good = read_container(WORLD.container(PLAIN))

    assert verify_container(good, WORLD.globalconf).id == "m-1"
    with pytest.raises(SignatureRefused):
        verify_container(replace(good, message=good.message.replace(b"m-1", b"m-2")), WORLD.globalconf)


def test_claimed_time_is_that_of_the_time_stamp() -> None:
    for batch_stamp in (False, True):
        assert claimed_time(read_container(WORLD.container(PLAIN, batch_stamp=batch_stamp))) == STAMPED_AT


# The message


def test_message_that_names_nobody_is_refused() -> None:
    assert failed(changed(WORLD.container(PLAIN), {"message.xml": b"GET"}))[0] is CheckName.MESSAGE


def test_fault_is_no_evidence() -> None:
    fault = build_soap_fault("server.unknown_service", "text", "", "")

    assert failed(changed(WORLD.container(PLAIN), {"message.xml": fault})) == (CheckName.MESSAGE, "invalid_soap")


def test_direction_decides_who_must_have_signed() -> None:
    signed_by_client = WORLD.container(a_soap_response(PLAIN), identity=WORLD.identity())

    assert failed(signed_by_client) == (CheckName.MEMBER, "incorrect_certificate")


# Attachments


def test_kept_attachment_is_verified() -> None:
    verdict = examine(WORLD.container(POST)).verdict
    assert verdict is not None
    assert POST.body is not None

    (attachment,) = verdict.attachments
    assert (attachment.name, attachment.state) == ("/attachment1", AttachmentState.VERIFIED)
    assert attachment.digest == POST.body.digest


def test_absent_attachment_of_a_chain_is_accepted_and_said_so() -> None:
    verdict = examine(WORLD.container(POST, keep_attachments=False)).verdict
    assert verdict is not None

    assert [attachment.state for attachment in verdict.attachments] == [AttachmentState.DIGEST_ONLY]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"attachment1": b"other"}, (CheckName.SIGNATURE_CHAIN, "malformed_signature.invalid_hash_chain_ref")),
        ({"attachment2": b"added"}, (CheckName.SIGNATURE_CHAIN, "malformed_signature.hashchain_unused_inputs")),
        ({"message.xml": POST.raw.replace(b"m-1", b"m-2")},
         (CheckName.SIGNATURE_CHAIN, "malformed_signature.invalid_hash_chain_ref")),
        ({"sig-hashchain.xml": None, "sig-hashchainresult.xml": None}, (CheckName.FORM, "malformed_signature")),
        ({"sig-hashchain.xml": None}, (CheckName.CONTAINER, "asic_hash_chain_not_found")),
    ],
)  # fmt: skip
def test_changed_chain_signed_container_is_refused(
    entries: dict[str, bytes | None], expected: tuple[CheckName, str]
) -> None:
    assert failed(changed(WORLD.container(POST), entries)) == expected


def test_attachment_beside_a_simple_signature_is_refused() -> None:
    assert failed(changed(WORLD.container(PLAIN), {"attachment1": b"x"})) == (CheckName.FORM, "malformed_signature")


def newer(message: Message, **options: object) -> dict[str, bytes]:
    signature = WORLD.stamped(a_newer_signature(WORLD, message, **options))  # type: ignore[arg-type]
    kept = {1: BytesBody(b"one"), 2: BytesBody(b"two")}
    return unzip(build_container(message.raw, signature, at=NOON, attachments=kept))


ATTACHED = a_soap_message(attachments=(an_attachment(b"one"), an_attachment(b"two")))


def test_container_of_newer_generations_is_verified() -> None:
    verdict = examine(rezip(newer(ATTACHED))).verdict
    assert verdict is not None

    assert [(part.name, part.state) for part in verdict.attachments] == [
        ("/attachment1", AttachmentState.VERIFIED), ("/attachment2", AttachmentState.VERIFIED),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"attachment1": b"changed"}, (CheckName.REFERENCES, "invalid_signature_value")),
        ({"attachment1": None}, (CheckName.REFERENCES, "invalid_reference")),
        ({"attachment3": b"added"}, (CheckName.FORM, "malformed_signature")),
    ],
)
def test_changed_container_of_newer_generations_is_refused(
    entries: dict[str, bytes | None], expected: tuple[CheckName, str]
) -> None:
    assert failed(changed(rezip(newer(ATTACHED)), entries)) == expected


# What was not kept

STRIPPED = PLAIN.raw.replace(b"<unzr>19900101-00017</unzr>", b"")
KNOWN = {"/message.xml": PLAIN.digest}


def without_body(signature: Signature) -> bytes:
    """A container whose message lost its body, and says so."""
    return build_container(STRIPPED, signature, at=NOON, is_whole=False)


def examine_with(container: bytes, known: Mapping[str, Digest]) -> Examination:
    return examine_container(container, WORLD.globalconf, known)


@pytest.mark.parametrize("batch_signed", [False, True])
def test_message_without_body_is_proven_by_its_known_digest(batch_signed: bool) -> None:
    signature = WORLD.stamped(
        WORLD.sign_batch([parts_of(PLAIN), parts_of(POST)])[0] if batch_signed else WORLD.sign(PLAIN)
    )
    examination = examine_with(without_body(signature), KNOWN)

    assert examination.verdict is not None
    assert examination.verdict.message is AttachmentState.DIGEST_KNOWN
    assert examination.verdict.member == a_subsystem().member


@pytest.mark.parametrize("known", [{}, {"/attachment1": PLAIN.digest}])
def test_message_without_body_fails_without_its_digest_and_says_so(known: Mapping[str, Digest]) -> None:
    signature = WORLD.stamped(WORLD.sign(PLAIN))
    fault = examine_with(without_body(signature), known).fault

    assert fault is not None
    assert (fault.code, fault.text_id) == ("invalid_signature_value", "asic.body_not_logged")


def test_digest_of_another_message_proves_nothing() -> None:
    signature = WORLD.stamped(WORLD.sign(PLAIN))
    fault = examine_with(without_body(signature), {"/message.xml": POST.digest}).fault

    assert fault is not None
    assert (fault.code, fault.text_id) == ("invalid_signature_value", "signature.reference_digest")


def test_known_digest_does_not_help_a_message_that_should_be_whole() -> None:
    container = build_container(STRIPPED, WORLD.stamped(WORLD.sign(PLAIN)), at=NOON)

    assert examine_with(container, KNOWN).verdict is None


def test_digest_by_another_algorithm_is_taken_at_its_word_and_said_so() -> None:
    stated = Part("/message.xml", digest_of(PLAIN.raw, DigestAlgorithm.SHA256))
    signature = WORLD.stamped(a_newer_signature(WORLD, PLAIN, references=[stated]))
    verdict = examine_with(without_body(signature), KNOWN).verdict

    assert verdict is not None
    assert verdict.message is AttachmentState.DIGEST_ONLY


def test_attachments_signed_one_by_one_are_proven_by_their_known_digests() -> None:
    signature = WORLD.stamped(a_newer_signature(WORLD, ATTACHED))
    container = build_container(ATTACHED.raw, signature, at=NOON, attachments={2: BytesBody(b"two")}, omitted=[1])
    verdict = examine_with(container, {"/attachment1": digest_of(b"one")}).verdict
    alone = examine(container).fault

    assert verdict is not None
    assert [part.state for part in verdict.attachments] == [AttachmentState.DIGEST_KNOWN, AttachmentState.VERIFIED]
    assert alone is not None
    assert (alone.code, alone.text_id) == ("invalid_reference", "asic.attachment_not_kept")


def test_attachment_that_is_here_is_measured_whatever_the_manifest_says() -> None:
    signature = WORLD.stamped(WORLD.sign(POST))
    container = build_container(POST.raw, signature, at=NOON, omitted=[1])
    shown = changed(container, {"attachment1": b"another body"})
    assert POST.body is not None
    fault = examine_with(shown, {"/attachment1": POST.body.digest}).fault

    assert fault is not None
    assert fault.code == "malformed_signature.invalid_hash_chain_ref"


def test_absent_attachment_of_a_chain_must_have_its_known_digest() -> None:
    container = build_container(POST.raw, WORLD.stamped(WORLD.sign(POST)), at=NOON, omitted=[1])
    fault = examine_with(container, {"/attachment1": digest_of(b"another body")}).fault

    assert fault is not None
    assert fault.code == "malformed_signature.invalid_hash_chain_ref"


# The time-stamp


def test_container_without_time_stamp_is_refused() -> None:
    container = build_container(PLAIN.raw, WORLD.sign(PLAIN), at=NOON)

    assert failed(container) == (CheckName.TIMESTAMP, "malformed_signature")


def test_time_stamp_of_another_signature_is_refused() -> None:
    other = parse_signature(WORLD.stamped(WORLD.sign(POST)).xml).unsigned.timestamp
    assert other is not None
    signature = Signature(add_timestamp(WORLD.sign(PLAIN).xml, other))

    assert failed(build_container(PLAIN.raw, signature, at=NOON)) == (CheckName.TIMESTAMP, "malformed_signature")


def test_time_stamp_over_a_sha1_digest_is_refused() -> None:
    signature = WORLD.sign(PLAIN)
    value = parse_signature(signature.xml).value
    token = WORLD.hierarchy.timestamp(digest_of(value, DigestAlgorithm.SHA1), STAMPED_AT)
    stamped = Signature(add_timestamp(signature.xml, token))

    assert failed(build_container(PLAIN.raw, stamped, at=NOON))[0] is CheckName.TIMESTAMP


def test_time_stamp_of_an_authority_that_is_not_listed_is_refused() -> None:
    container = WORLD.container(PLAIN)
    globalconf = a_configuration(WORLD.hierarchy, approved_tsas=())
    examination = examine_container(container, globalconf)

    assert examination.fault is not None
    assert examination.fault.code.startswith("mlog.")


def test_certificate_is_judged_at_the_time_of_the_stamp() -> None:
    late = WORLD.stamped(WORLD.sign(PLAIN), NOON + timedelta(minutes=56))

    assert failed(build_container(PLAIN.raw, late, at=NOON)) == (
        CheckName.STATUS, "invalid_cert_path.incorrect_validation_info",
    )  # fmt: skip


def test_old_configuration_verifies_for_ever() -> None:
    # Nothing asks for the present time, nor whether the configuration has expired.
    expired = WORLD.globalconf.valid_until(NOON - timedelta(days=3650))

    assert examine_container(WORLD.container(PLAIN), expired).verdict is not None


BATCH = WORLD.container(PLAIN, batch_stamp=True)
OTHER_BATCH = WORLD.container(POST, batch_stamp=True)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"META-INF/timestamp.tst": None}, (CheckName.TIMESTAMP, "malformed_signature")),
        ({"META-INF/timestamp.tst": b"\x30\x00"}, (CheckName.TIMESTAMP, "mlog.timestamp_signer_verification_failed")),
        ({"META-INF/timestamp.tst": unzip(OTHER_BATCH)["META-INF/timestamp.tst"]},
         (CheckName.TIMESTAMP, "malformed_signature")),
        ({"ts-hashchain.xml": unzip(OTHER_BATCH)["ts-hashchain.xml"]},
         (CheckName.TIMESTAMP_CHAIN, "malformed_signature")),
        ({"ts-hashchainresult.xml": unzip(OTHER_BATCH)["ts-hashchainresult.xml"]},
         (CheckName.TIMESTAMP_CHAIN, "malformed_signature")),
        ({"META-INF/signatures.xml": unzip(BATCH)["META-INF/signatures.xml"] + b" "},
         (CheckName.TIMESTAMP_CHAIN, "malformed_signature")),
        ({"META-INF/ASiCManifest.xml": unzip(OTHER_BATCH)["META-INF/ASiCManifest.xml"]},
         (CheckName.MANIFEST, "malformed_signature")),
        ({"META-INF/ASiCManifest.xml": b"<a/>"}, (CheckName.MANIFEST, "malformed_signature")),
        ({"META-INF/ASiCManifest.xml": unzip(BATCH)["META-INF/ASiCManifest.xml"].replace(b"META-INF/timestamp", b"x")},
         (CheckName.MANIFEST, "malformed_signature")),
        ({"ts-hashchain.xml": None, "ts-hashchainresult.xml": None}, (CheckName.TIMESTAMP, "malformed_signature")),
    ],
)  # fmt: skip
def test_changed_batch_stamped_container_is_refused(
    entries: dict[str, bytes | None], expected: tuple[CheckName, str]
) -> None:
    assert failed(changed(BATCH, entries)) == expected


def test_chain_of_a_time_stamp_must_lead_to_the_signature() -> None:
    # A chain over two other things, with a genuine stamp.
    signature = WORLD.sign(PLAIN)
    (stamp, _) = WORLD.batch_stamp([WORLD.sign(POST), WORLD.sign([Part("/message.xml", digest_of(b""))])])

    container = build_container(PLAIN.raw, signature, at=NOON, timestamp=stamp)
    assert failed(container) == (CheckName.TIMESTAMP_CHAIN, "malformed_signature")


def test_single_time_stamp_in_a_file_is_accepted() -> None:
    signature = WORLD.sign(PLAIN)
    token = WORLD.hierarchy.timestamp(digest_of(parse_signature(signature.xml).value), STAMPED_AT)
    entries = unzip(build_container(PLAIN.raw, signature, at=NOON))
    verdict = examine(rezip({**entries, "META-INF/timestamp.tst": token})).verdict

    assert verdict is not None
    assert not verdict.is_batch_timestamp


# Properties


@given(data=st.binary(max_size=200))
def test_any_bytes_are_examined_without_a_verdict(data: bytes) -> None:
    examination = examine(data)

    assert examination.verdict is None
    assert isinstance(examination.fault, XRoadFault)


SIGNED = WORLD.container(POST, batch_stamp=True)


@given(data=st.data(), name=st.sampled_from(sorted(unzip(SIGNED))))
def test_any_entry_may_be_anything(data: st.DataObject, name: str) -> None:
    original = unzip(SIGNED)[name]
    start = data.draw(st.integers(0, len(original)))
    end = data.draw(st.integers(start, min(len(original), start + 20)))
    altered = original[:start] + data.draw(st.binary(max_size=20)) + original[end:]
    examination = examine(changed(SIGNED, {name: altered}))

    assert (examination.verdict is None) == (examination.fault is not None)

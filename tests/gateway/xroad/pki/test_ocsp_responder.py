"""The responder's half: questions read, answers signed as asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as reference

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.ocsp_responder import (
    Answer,
    Status,
    build_refusal,
    build_response,
    cert_id,
    key_hash,
    parse_request,
)
from tests.factories.pki import EC, NOON, RSA, a_hierarchy, a_member

PKI = a_hierarchy()
ROOT = PKI.root.certificate
SUBJECT = PKI.root.signer(a_member()).certificate


def built(*answers, pki=PKI, **options):
    options = {"produced_at": NOON, **options}
    response = build_response(answers, key=pki.responder.key, responder=pki.responder.certificate, **options)
    return reference.load_der_ocsp_response(response)


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_question_by_any_digest_is_read(algorithm):
    request = reference.OCSPRequestBuilder().add_certificate(SUBJECT, ROOT, algorithm.primitive).build()
    assert parse_request(request.public_bytes(Encoding.DER)) == cert_id(SUBJECT, ROOT, algorithm)


@pytest.mark.parametrize("data", [b"", b"question", b"\x30\x00"])
def test_bytes_that_are_no_question_are_refused(data):
    with pytest.raises(SignatureRefused) as refusal:
        parse_request(data)
    assert refusal.value.code == "incorrect_validation_info"


@pytest.mark.parametrize("kind", [EC, RSA])
def test_answers_read_back_as_they_were_given(kind):
    pki = a_hierarchy(kind)
    name = cert_id(SUBJECT, ROOT)
    response = built(
        Answer(name, Status.GOOD, NOON, NOON + timedelta(hours=1)),
        Answer(name, Status.REVOKED, NOON, revoked_at=NOON - timedelta(days=1)),
        Answer(name, Status.UNKNOWN, NOON),
        pki=pki,
        enclosed=[pki.responder.certificate],
    )
    good, revoked, unknown = response.responses
    assert (good.certificate_status.name, good.next_update_utc) == ("GOOD", NOON + timedelta(hours=1))
    assert (revoked.certificate_status.name, revoked.revocation_time_utc) == ("REVOKED", NOON - timedelta(days=1))
    assert (unknown.certificate_status.name, unknown.next_update_utc) == ("UNKNOWN", None)
    assert response.certificates == [pki.responder.certificate]
    assert response.produced_at_utc == NOON


def test_responder_is_named_by_name_or_by_key():
    answer = Answer(cert_id(SUBJECT, ROOT), Status.GOOD, NOON)
    assert built(answer).responder_name == PKI.responder.certificate.subject
    assert built(answer, by_key=True).responder_key_hash == key_hash(PKI.responder.certificate)


def test_times_are_cut_to_whole_seconds():
    late = NOON + timedelta(microseconds=999_999)
    assert built(Answer(cert_id(SUBJECT, ROOT), Status.GOOD, late), produced_at=late).produced_at_utc == NOON


@pytest.mark.parametrize(("number", "name"), [(1, "MALFORMED_REQUEST"), (2, "INTERNAL_ERROR"), (6, "UNAUTHORIZED")])
def test_refusal_carries_its_reason(number, name):
    assert reference.load_der_ocsp_response(build_refusal(number)).response_status.name == name

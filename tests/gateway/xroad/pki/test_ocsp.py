"""Certificate status: which answers count, and for how long."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509 import ocsp as reference
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.pki import ocsp
from tests.factories.pki import EC, NOON, RSA, Issued, a_hierarchy, a_key, a_member, an_ocsp_response

PKI = a_hierarchy()
ROOT = PKI.root.certificate
SUBJECT = PKI.root.signer(a_member()).certificate
OTHER = PKI.root.signer(a_member("2002")).certificate
GOOD = PKI.status_of(SUBJECT)


def status(response=GOOD, subject=SUBJECT, issuer=ROOT, responders=(), at=NOON, freshness_s=3600, **options):
    return ocsp.verify_ocsp(response, subject, issuer, responders=responders, at=at, freshness_s=freshness_s, **options)


def refusal_of(*args, **options):
    with pytest.raises(SignatureRefused) as refusal:
        status(*args, **options)
    return refusal.value


@pytest.mark.parametrize("kind", [EC, RSA])
@pytest.mark.parametrize("by_key", [False, True], ids=["by name", "by key"])
def test_good_answer_of_a_delegate_is_proven(kind, by_key):
    pki = a_hierarchy(kind)
    subject = pki.root.signer(a_member()).certificate
    found = status(pki.status_of(subject, by_key=by_key), subject, pki.root.certificate)
    assert found.responder == pki.responder.certificate
    assert found.this_update == NOON - timedelta(minutes=5)


def test_answer_of_the_ca_itself_is_proven():
    assert status(an_ocsp_response(SUBJECT, ROOT, PKI.root, enclosed=[])).responder == ROOT


def test_answer_of_a_listed_responder_is_proven_whoever_issued_it():
    foreign = a_hierarchy(RSA).responder
    response = an_ocsp_response(SUBJECT, ROOT, foreign)
    assert refusal_of(response).text_id == "pki.ocsp_responder_not_authorised"
    assert status(response, responders=[foreign.certificate]).responder == foreign.certificate


def test_listed_responder_need_not_send_its_certificate():
    response = an_ocsp_response(SUBJECT, ROOT, PKI.responder, enclosed=[])
    assert refusal_of(response).text_id == "pki.ocsp_responder_unknown"
    assert status(response, responders=[PKI.responder.certificate])


def test_member_of_the_same_ca_may_not_answer():
    member = PKI.root.signer(a_member("6666"))
    refusal = refusal_of(an_ocsp_response(SUBJECT, ROOT, member))
    assert (refusal.code, refusal.text_id) == ("incorrect_validation_info", "pki.ocsp_responder_not_authorised")


def test_delegate_of_another_ca_may_not_answer():
    delegate = PKI.issuing.responder("Issuing OCSP")
    assert refusal_of(an_ocsp_response(SUBJECT, ROOT, delegate)).text_id == "pki.ocsp_responder_not_authorised"


def test_delegate_answers_only_while_its_certificate_is_valid():
    delegate = PKI.root.responder("Old OCSP", not_after=NOON - timedelta(seconds=1))
    response = an_ocsp_response(SUBJECT, ROOT, delegate)
    assert refusal_of(response).text_id == "pki.ocsp_responder_dates"
    assert status(response, at=NOON - timedelta(seconds=1))
    assert status(response, responders=[delegate.certificate])


def test_responder_with_new_keys_under_its_old_name_is_found():
    old = PKI.root.responder("Same name")
    new = Issued(PKI.root.issue(old.certificate.subject, a_key("new responder key").public_key(), "responder",
                                extended=ExtendedKeyUsageOID.OCSP_SIGNING), a_key("new responder key"))  # fmt: skip
    response = an_ocsp_response(SUBJECT, ROOT, new)
    assert status(response, responders=[old.certificate]).responder == new.certificate


def test_changed_answer_is_refused():
    place = GOOD.index(b"20261121115500Z") + 13
    changed = GOOD[:place] + b"9" + GOOD[place + 1 :]
    assert refusal_of(changed).text_id == "pki.ocsp_signature_invalid"


def test_answer_about_another_certificate_is_refused():
    assert refusal_of(PKI.status_of(OTHER)).text_id == "pki.ocsp_other_certificate"


def test_answer_named_by_sha256_does_not_match_as_in_the_reference():
    response = PKI.status_of(SUBJECT, algorithm=DigestAlgorithm.SHA256)
    assert refusal_of(response).text_id == "pki.ocsp_other_certificate"


@pytest.mark.parametrize("said", [ocsp.Status.REVOKED, ocsp.Status.UNKNOWN])
def test_status_other_than_good_is_refused(said):
    refusal = refusal_of(PKI.status_of(SUBJECT, status=said))
    assert (refusal.code, refusal.facts["status"]) == ("cert_validation", said.value)


@pytest.mark.parametrize(
    ("age", "accepted"),
    [
        (timedelta(minutes=59), True),
        (timedelta(minutes=60), True),
        (timedelta(minutes=60, seconds=1), False),
        (timedelta(minutes=61), False),
        (-timedelta(seconds=ocsp.CLOCK_SKEW_S), True),
        (-timedelta(seconds=ocsp.CLOCK_SKEW_S + 1), False),
        (-timedelta(hours=2), False),
    ],
)
def test_answer_counts_while_it_is_fresh(age, accepted):
    response = PKI.status_of(SUBJECT, this_update=NOON - age)
    if accepted:
        assert status(response)
    else:
        assert refusal_of(response).code == "incorrect_validation_info"


def test_next_update_in_the_past_is_refused_unless_it_is_not_to_be_checked():
    response = PKI.status_of(SUBJECT, next_update=NOON - timedelta(seconds=1))
    assert refusal_of(response).text_id == "pki.ocsp_next_update"
    assert status(response, check_next_update=False)
    assert status(PKI.status_of(SUBJECT, next_update=NOON))


def test_freshness_ends_with_age_or_next_update():
    found = status(PKI.status_of(SUBJECT, next_update=NOON + timedelta(minutes=1)))
    assert found.fresh_until(3600) == NOON + timedelta(minutes=1)
    assert found.fresh_until(3600, check_next_update=False) == NOON + timedelta(minutes=55)


def answer(said, subject=SUBJECT, algorithm=DigestAlgorithm.SHA1):
    return ocsp.Answer(ocsp.cert_id(subject, ROOT, algorithm), said, NOON)


@pytest.mark.parametrize("algorithm", [DigestAlgorithm.SHA1, DigestAlgorithm.SHA256])
def test_second_answer_that_contradicts_the_first_is_refused(algorithm):
    response = PKI.status_of(SUBJECT, more=[answer(ocsp.Status.REVOKED, algorithm=algorithm)])
    assert refusal_of(response).text_id == "pki.ocsp_contradiction"


def test_further_answers_that_agree_or_are_about_others_do_not_matter():
    assert status(PKI.status_of(SUBJECT, more=[answer(ocsp.Status.GOOD), answer(ocsp.Status.REVOKED, OTHER)]))


def test_only_the_first_answer_is_matched():
    response = PKI.status_of(OTHER, more=[answer(ocsp.Status.GOOD)])
    assert refusal_of(response).text_id == "pki.ocsp_other_certificate"


def test_matching_response_is_found_among_others():
    other = PKI.status_of(OTHER)
    assert ocsp.find_matching([other, GOOD], SUBJECT, ROOT) == GOOD
    assert ocsp.find_matching([other], SUBJECT, ROOT) is None


def test_two_responses_that_contradict_each_other_are_refused():
    revoked = PKI.status_of(SUBJECT, status=ocsp.Status.REVOKED)
    with pytest.raises(SignatureRefused) as refusal:
        ocsp.find_matching([GOOD, revoked], SUBJECT, ROOT)
    assert refusal.value.code == "cert_validation"


def path_status(responses, path=None):
    return ocsp.verify_path_status(path or (SUBJECT, ROOT), responses, responders=[], at=NOON, freshness_s=3600)


def test_path_needs_a_status_for_everyone_but_the_anchor():
    leaf = PKI.issuing.signer(a_member()).certificate
    path = (leaf, PKI.issuing.certificate, ROOT)
    delegate = PKI.issuing.responder("Issuing OCSP")
    below = an_ocsp_response(leaf, PKI.issuing.certificate, delegate)
    above = PKI.status_of(PKI.issuing.certificate)
    assert len(path_status([above, below], path)) == 2
    with pytest.raises(SignatureRefused) as refusal:
        path_status([below], path)
    assert refusal.value.code == "invalid_cert_path.cert_validation"


def test_refusals_of_a_path_carry_its_prefix():
    stale = PKI.status_of(SUBJECT, this_update=NOON - timedelta(hours=2))
    with pytest.raises(SignatureRefused) as refusal:
        path_status([stale])
    assert refusal.value.code == "invalid_cert_path.incorrect_validation_info"


def test_refused_twice_is_refused_with_the_same_code():
    stale = PKI.status_of(SUBJECT, this_update=NOON - timedelta(hours=2))
    for _ in range(2):
        with pytest.raises(SignatureRefused) as refusal:
            path_status([stale])
        assert refusal.value.code == "invalid_cert_path.incorrect_validation_info"


def test_question_names_the_certificate_by_sha1():
    question = ocsp.parse_request(ocsp.build_request(SUBJECT, ROOT))
    assert question == ocsp.cert_id(SUBJECT, ROOT)
    assert question.algorithm is DigestAlgorithm.SHA1


def test_our_certificate_name_is_the_one_of_cryptography():
    built = reference.OCSPRequestBuilder().add_certificate(SUBJECT, ROOT, DigestAlgorithm.SHA256.primitive).build()
    named = ocsp.cert_id(SUBJECT, ROOT, DigestAlgorithm.SHA256)
    assert (built.issuer_name_hash, built.issuer_key_hash) == (named.issuer_name_hash, named.issuer_key_hash)


def test_refusing_responder_says_why():
    assert refusal_of(ocsp.build_refusal(3)).facts["status"] == "TRY_LATER"


def test_response_without_answers_is_refused():
    empty = ocsp.build_response([], key=PKI.responder.key, responder=PKI.responder.certificate, produced_at=NOON)
    assert refusal_of(empty).code == "incorrect_validation_info"


def test_responder_addresses_are_read_from_the_certificate():
    named = PKI.root.signer(a_member(), ocsp_url="http://ocsp.test/").certificate
    assert ocsp.responder_urls(named) == ("http://ocsp.test/",)
    assert ocsp.responder_urls(SUBJECT) == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_a_response_or_a_fault(data):
    for read in (lambda: ocsp.find_matching([data], SUBJECT, ROOT), lambda: ocsp.parse_request(data)):
        with contextlib.suppress(XRoadFault):
            read()


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_changed_byte_gives_the_same_proof_or_a_fault(place, value):
    changed = GOOD[:place] + bytes([value]) + GOOD[place + 1 :]
    try:
        found = status(changed)
    except XRoadFault:
        return
    assert replace(found) == status()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the judge and is not installed")
@pytest.mark.parametrize("kind", [EC, RSA])
@pytest.mark.parametrize("said", [ocsp.Status.GOOD, ocsp.Status.REVOKED, ocsp.Status.UNKNOWN])
def test_openssl_reads_our_responses_the_same(tmp_path, kind, said):
    pki = a_hierarchy(kind)
    subject = pki.root.signer(a_member())
    (tmp_path / "subject.pem").write_bytes(subject.pem)
    (tmp_path / "root.pem").write_bytes(pki.root.pem)
    (tmp_path / "response").write_bytes(
        pki.status_of(subject.certificate, status=said, next_update=NOON + timedelta(days=3650))
    )
    judged = subprocess.run(
        ["openssl", "ocsp", "-issuer", str(tmp_path / "root.pem"), "-cert", str(tmp_path / "subject.pem"),
         "-respin", str(tmp_path / "response"), "-CAfile", str(tmp_path / "root.pem"), "-no_nonce",
         "-attime", str(int(NOON.timestamp()))],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert "Response verify OK" in judged.stderr, judged.stderr
    assert f"subject.pem: {said.value}" in judged.stdout

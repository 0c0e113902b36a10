"""Time-stamps: what our test authority issues, what a verifier refuses, and what OpenSSL thinks of both."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.digests import DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.pki import tsp
from gateway.xroad.pki.asn1 import definite
from gateway.xroad.pki.certificates import load_certificate
from tests.factories.pki import EC, NOON, POLICY, RSA, Issued, a_hierarchy, a_key, a_name, a_token

DATA = b"a signature value"
IMPRINT = digest_of(DATA)
PKI = a_hierarchy()
TSA = PKI.tsa
TOKEN = a_token(IMPRINT, TSA)


def verified(token=TOKEN, imprint=IMPRINT, authorities=(TSA.certificate,), **options):
    return tsp.verify_token(tsp.parse_token(token), imprint, authorities, **options)


def refusal_of(*args, **options):
    with pytest.raises(SignatureRefused) as refusal:
        verified(*args, **options)
    return refusal.value


@pytest.mark.parametrize("kind", [EC, RSA])
@pytest.mark.parametrize("digest", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512])
def test_token_proves_the_time_of_its_imprint(kind, digest):
    tsa = a_hierarchy(kind).tsa
    imprint = digest_of(DATA, digest)
    stamp = verified(a_token(imprint, tsa, digest=digest), imprint, [tsa.certificate])
    assert (stamp.time, stamp.authority) == (NOON, tsa.certificate)


def test_request_is_as_bare_as_the_references():
    request = tsp.parse_request(tsp.build_request(IMPRINT))
    assert request == tsp.TimestampRequest(IMPRINT, policy=None, nonce=None, certificate_wanted=False)


def test_request_keeps_nonce_and_wish_for_a_certificate():
    request = tsp.parse_request(tsp.build_request(IMPRINT, 2**63 + 1, certificate_wanted=True))
    assert (request.nonce, request.certificate_wanted) == (2**63 + 1, True)


def test_token_about_other_data_is_refused():
    assert refusal_of(imprint=digest_of(b"other")).code == "malformed_signature"
    assert refusal_of(imprint=digest_of(DATA, DigestAlgorithm.SHA256)).code == "malformed_signature"


def test_authority_that_is_not_listed_is_refused():
    other = PKI.root.tsa("Other TSA")
    assert refusal_of(authorities=[other.certificate]).code == "mlog.tsp_certificate_not_found"


def test_configuration_without_authorities_is_its_own_fault():
    assert refusal_of(authorities=[]).code == "mlog.no_timestamping_provider_found"


def test_signer_is_found_by_issuer_and_serial_number_whatever_is_enclosed_first():
    other = PKI.root.tsa("Enclosed TSA")
    token = tsp.add_certificate(tsp.add_certificate(TOKEN, other.certificate), TSA.certificate)
    assert verified(token, authorities=[other.certificate, TSA.certificate]).authority == TSA.certificate


def test_nonce_asked_with_has_to_come_back():
    token = a_token(IMPRINT, TSA, nonce=42)
    assert verified(token, nonce=42)
    assert refusal_of(token, nonce=43).text_id == "pki.timestamp_nonce"
    assert refusal_of(nonce=42).text_id == "pki.timestamp_nonce"


def test_policy_has_to_be_an_accepted_one():
    assert verified(policies=("1.2.3", POLICY))
    assert refusal_of(policies=("1.2.3", "1.2.4")).text_id == "pki.timestamp_policy"


@pytest.mark.parametrize("off_s", [-60, 0, 60])
def test_time_near_ours_is_plausible(off_s):
    assert verified(around=(NOON + timedelta(seconds=off_s), timedelta(seconds=60)))


@pytest.mark.parametrize("off_s", [-61, 61])
def test_time_far_from_ours_is_refused_with_both_times(off_s):
    now = NOON + timedelta(seconds=off_s)
    fault = refusal_of(around=(now, timedelta(seconds=60)))
    assert (fault.code, fault.text_id) == ("mlog.timestamp_response_validation_failed", "pki.timestamp_time")
    assert (fault.facts["found"], fault.facts["now"], fault.facts["difference_s"]) == (
        NOON.isoformat(), now.isoformat(), 61,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{"extended": None}, {"critical_extended": False}, {"extended": ExtendedKeyUsageOID.CODE_SIGNING}],
    ids=["none", "not critical", "another"],
)
def test_authority_without_the_critical_usage_is_refused(options):
    tsa = PKI.root.tsa("Careless TSA", **options)
    refusal = refusal_of(a_token(IMPRINT, tsa), authorities=[tsa.certificate])
    assert (refusal.code, refusal.text_id) == (
        "mlog.timestamp_signer_verification_failed", "pki.timestamp_authority_usage",
    )  # fmt: skip


def test_authority_is_asked_for_its_validity_at_the_time_of_the_token():
    tsa = PKI.root.tsa("Short TSA", not_after=NOON + timedelta(hours=1))
    assert verified(a_token(IMPRINT, tsa, at=NOON), authorities=[tsa.certificate])
    late = a_token(IMPRINT, tsa, at=NOON + timedelta(hours=2))
    assert refusal_of(late, authorities=[tsa.certificate]).text_id == "pki.timestamp_authority_dates"


def test_token_of_another_key_under_the_authoritys_name_is_refused():
    forged = a_token(IMPRINT, Issued(TSA.certificate, a_key("forger")))
    assert refusal_of(forged).code == "mlog.timestamp_signer_verification_failed"


def test_any_changed_byte_of_the_content_is_refused():
    for needle in (IMPRINT.value, b"20261121120000Z"):
        place = TOKEN.index(needle) + len(needle) // 2
        changed = TOKEN[:place] + bytes([TOKEN[place] ^ 1]) + TOKEN[place + 1 :]
        imprint = tsp.parse_token(changed).imprint
        assert refusal_of(changed, imprint).code == "mlog.timestamp_signer_verification_failed"


def test_signing_certificate_attribute_of_another_certificate_is_refused():
    twin = Issued(PKI.root.issue(a_name("Twin TSA"), TSA.key.public_key(), "responder",
                                 extended=ExtendedKeyUsageOID.TIME_STAMPING), TSA.key)  # fmt: skip
    token = a_token(IMPRINT, TSA)
    theirs, ours = TSA.certificate, twin.certificate
    swapped = token.replace(theirs.serial_number.to_bytes(2, "big"), ours.serial_number.to_bytes(2, "big"))
    assert swapped != token
    refusal = refusal_of(swapped, authorities=[ours])
    assert refusal.facts["check"] == "signing_certificate"


def test_adding_the_certificate_keeps_the_signature_valid_and_is_done_once():
    once = tsp.add_certificate(TOKEN, TSA.certificate)
    assert TSA.der in once
    assert TSA.der not in TOKEN
    assert tsp.add_certificate(once, TSA.certificate) == once
    assert verified(once).time == NOON


def test_rejection_names_status_and_reason():
    with pytest.raises(SignatureRefused) as refusal:
        tsp.parse_response(tsp.build_rejection("digest too short", tsp.BAD_ALGORITHM))
    assert refusal.value.code == "mlog.timestamp_non_granted_response"
    assert (refusal.value.facts["failure"], refusal.value.facts["said"]) == ("badAlg", "digest too short")


def test_grant_without_a_token_is_refused():
    with pytest.raises(SignatureRefused) as refusal:
        tsp.parse_response(bytes.fromhex("30053003020100"))
    assert refusal.value.code == "mlog.timestamp_response_object_creation_failed"


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x30\x80", bytes.fromhex("3003020100")])
def test_answer_that_is_no_response_is_refused(data):
    with pytest.raises(SignatureRefused) as refusal:
        tsp.parse_response(data)
    assert refusal.value.code == "mlog.reading_timestamp_response_failed"


def test_response_in_ber_is_read_as_the_same_token():
    response = tsp.build_response(
        tsp.TimestampRequest(IMPRINT), key=TSA.key, certificate=TSA.certificate, at=NOON, serial_number=1, policy=POLICY
    )
    ber = b"\x30\x80" + response[4:] + b"\x00\x00"  # the outermost length becomes indefinite
    assert definite(ber) == response
    assert verified(tsp.parse_response(ber)).time == NOON


def test_time_after_2049_is_issued_and_read():
    tsa = PKI.root.tsa("Late TSA", not_after=datetime(2060, 1, 1, tzinfo=UTC))
    at = datetime(2055, 5, 5, tzinfo=UTC)
    assert verified(a_token(IMPRINT, tsa, at=at), authorities=[tsa.certificate]).time == at


@given(st.binary(max_size=300))
def test_any_bytes_are_a_token_or_a_fault(data):
    for parse in (tsp.parse_token, tsp.parse_response, tsp.parse_request):
        with contextlib.suppress(XRoadFault):
            parse(data)


@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 255))
def test_any_changed_byte_gives_the_same_proof_or_a_fault(place, value):
    changed = TOKEN[:place] + bytes([value]) + TOKEN[place + 1 :]
    try:
        stamp = verified(changed)
    except XRoadFault:
        return
    assert stamp.time == NOON


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is the judge and is not installed")
class TestOpenSsl:
    """The same question to an independent program."""

    def run(self, *words):
        return subprocess.run(["openssl", *words], capture_output=True, text=True, timeout=30)

    @pytest.mark.parametrize("kind", [EC, RSA])
    def test_openssl_accepts_our_tokens(self, tmp_path, kind):
        pki = a_hierarchy(kind)
        (tmp_path / "data").write_bytes(DATA)
        (tmp_path / "root.pem").write_bytes(pki.root.pem)
        request = tsp.build_request(IMPRINT, 12345, certificate_wanted=True)
        (tmp_path / "query").write_bytes(request)
        response = tsp.build_response(
            tsp.parse_request(request), key=pki.tsa.key, certificate=pki.tsa.certificate, at=NOON, serial_number=9,
            policy=POLICY,
        )  # fmt: skip
        (tmp_path / "reply").write_bytes(response)
        trust = ["-CAfile", str(tmp_path / "root.pem"), "-attime", str(int(NOON.timestamp()))]
        for question in (["-queryfile", str(tmp_path / "query")], ["-data", str(tmp_path / "data")]):
            judged = self.run("ts", "-verify", *question, "-in", str(tmp_path / "reply"), *trust)
            assert "Verification: OK" in judged.stdout, judged.stderr

    def test_openssl_accepts_a_token_with_an_added_certificate(self, tmp_path):
        (tmp_path / "data").write_bytes(DATA)
        (tmp_path / "root.pem").write_bytes(PKI.root.pem)
        (tmp_path / "token").write_bytes(tsp.add_certificate(TOKEN, TSA.certificate))
        judged = self.run(
            "ts", "-verify", "-data", str(tmp_path / "data"), "-in", str(tmp_path / "token"), "-token_in",
            "-CAfile", str(tmp_path / "root.pem"), "-attime", str(int(NOON.timestamp())),
        )  # fmt: skip
        assert "Verification: OK" in judged.stdout, judged.stderr

    def test_we_accept_the_tokens_of_openssl(self, tmp_path):
        pki = a_hierarchy(RSA)
        configuration = tmp_path / "tsa.cnf"
        (tmp_path / "tsa.pem").write_bytes(pki.tsa.pem)
        (tmp_path / "chain.pem").write_bytes(pki.root.pem + pki.issuing.pem)
        (tmp_path / "serial").write_text("01")
        (tmp_path / "query").write_bytes(tsp.build_request(IMPRINT, 77, certificate_wanted=True))
        key = pki.tsa.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "tsa.key").write_bytes(key)
        configuration.write_text(
            f"[tsa]\ndefault_tsa = one\n[one]\nserial = {tmp_path}/serial\ncrypto_device = builtin\n"
            f"signer_cert = {tmp_path}/tsa.pem\ncerts = {tmp_path}/chain.pem\nsigner_key = {tmp_path}/tsa.key\n"
            f"signer_digest = sha256\ndefault_policy = {POLICY}\ndigests = sha256, sha512\nclock_precision_digits = 3\n"
            f"accuracy = secs:1\nordering = yes\ntsa_name = yes\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n"
        )
        made = self.run("ts", "-reply", "-config", str(configuration), "-queryfile", str(tmp_path / "query"),
                        "-out", str(tmp_path / "reply"))  # fmt: skip
        if not (tmp_path / "reply").exists():
            pytest.skip(f"this openssl cannot issue time-stamps: {made.stderr[-200:]}")
        token = tsp.parse_response((tmp_path / "reply").read_bytes())
        # OpenSSL asks its own clock; a certificate of 2026 to 2046 covers it unless the machine's is far off.
        at = tsp.parse_token(token).gen_time
        if not pki.tsa.certificate.not_valid_before_utc <= at <= pki.tsa.certificate.not_valid_after_utc:
            pytest.skip("the clock of this machine lies outside the test certificates")
        assert verified(token, authorities=[pki.tsa.certificate], nonce=77).time == at
        assert len(tsp.parse_token(token).signed.certificates) == 3
        more = tsp.add_certificate(token, load_certificate(pki.tsa.der))
        assert verified(more, authorities=[pki.tsa.certificate]).time == at

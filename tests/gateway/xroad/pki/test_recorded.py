"""Certificates, certificate status and time-stamps of real servers (recorded from release 7.2.2)."""

from __future__ import annotations

import base64
import re
import zipfile
from datetime import datetime, timedelta

import pytest
from lxml import etree

from gateway.xroad.digests import digest_of
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.identifiers import MemberId
from gateway.xroad.pki import ocsp, tsp
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.chain import build_path
from gateway.xroad.pki.profiles import is_auth_certificate, is_sign_certificate, member_of
from tests.factories.pki import FIVRK
from tests.factories.recordings import find_vectors, read_case, read_recording, vectors

FOLDER = find_vectors()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="no recorded vectors: set SURMA_VECTORS to their folder")

DS = "{http://www.w3.org/2000/09/xmldsig#}"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
NOON = datetime.fromisoformat("2026-11-21T12:00:00+00:00")


def trusted(name):
    return load_certificate((vectors() / "trust" / "certs" / f"{name}.pem").read_bytes())


def containers(pattern):
    return [] if FOLDER is None else sorted(FOLDER.glob(pattern))


def single_stamp(path):
    """The token of a container and the octets it is about, or None for a batch."""
    with zipfile.ZipFile(path) as container:
        root = etree.fromstring(container.read("META-INF/signatures.xml"))
    token = root.find(f".//{XADES}EncapsulatedTimeStamp")
    if token is None:
        return None
    return base64.b64decode(token.text), base64.b64decode(root.find(f".//{DS}SignatureValue").text)


def ocsp_values(path):
    with zipfile.ZipFile(path) as container:
        root = etree.fromstring(container.read("META-INF/signatures.xml"))
    return [base64.b64decode(value.text) for value in root.iter(f"{XADES}EncapsulatedOCSPValue")]


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("SS1-sign", MemberId("TEST", "GOV", "1001")),
        ("SS2-sign", MemberId("TEST", "COM", "2002")),
        ("SS3-sign", MemberId("TEST", "ORG", "3003")),
    ],
)
def test_signing_certificates_name_their_members(name, member):
    certificate = trusted(name)
    assert member_of(certificate, FIVRK, "TEST") == member
    assert (is_sign_certificate(certificate), is_auth_certificate(certificate)) == (True, False)


def test_authentication_certificates_are_of_that_kind():
    certificate = trusted("SS1-auth")
    assert (is_sign_certificate(certificate), is_auth_certificate(certificate)) == (False, True)


def test_paths_of_all_servers_end_at_the_listed_cas():
    root, issuing = trusted("root-ca"), trusted("issuing-ca")
    assert build_path(trusted("SS1-sign"), [], [root, issuing], NOON)[-1] == root
    assert build_path(trusted("SS3-auth"), [], [root, issuing], NOON)[-1] == issuing
    assert len(build_path(trusted("SS3-sign"), [issuing], [root], NOON)) == 3


@pytest.mark.parametrize("name", ["rogue-sign", "rogue-same-name-sign"])
def test_certificates_of_strange_cas_have_no_path(name):
    with pytest.raises(SignatureRefused) as refusal:
        build_path(trusted(name), [trusted("rogue-ca"), trusted("rogue-ca-same-name")], [trusted("root-ca")], NOON)
    assert refusal.value.code == "cannot_create_cert_path"


def recorded_responses(case):
    folder = vectors() / "ocsp-5577" / case
    recording = read_recording(folder / "response.http")
    boundary = re.search(r"boundary=([^;]+)", recording.header("content-type")).group(1)
    parts = recording.body.split(b"--" + boundary.encode())[1:-1]
    at = datetime.fromisoformat(read_case(folder / "case.json")["recorded_at"])
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts], at


def test_recorded_status_of_both_certificates_is_good_when_recorded():
    responses, at = recorded_responses("two")
    root = trusted("root-ca")
    found = [name for name in ("SS1-auth", "SS1-sign", "SS2-auth", "SS2-sign")
             if ocsp.find_matching(responses, trusted(name), root)]  # fmt: skip
    assert len(found) == len(responses) == 2
    for name in found:
        proven = ocsp.verify_path_status(
            (trusted(name), root), responses, responders=[trusted("ocsp")], at=at, freshness_s=3600
        )
        assert proven[0].responder == trusted("ocsp")


def test_recorded_status_is_refused_an_hour_later():
    responses, at = recorded_responses("two")
    with pytest.raises(SignatureRefused) as refusal:
        ocsp.verify_path_status(
            (trusted("SS1-auth"), trusted("root-ca")), responses, responders=[], at=at + timedelta(hours=1),
            freshness_s=3600,
        )  # fmt: skip
    assert refusal.value.code.startswith("invalid_cert_path.")


@pytest.mark.parametrize("path", containers("asic/soap-plain/*.asice"), ids=lambda path: path.stem)
def test_recorded_time_stamps_hold_over_the_signature_value(path):
    token, value = single_stamp(path)
    stamp = tsp.verify_token(tsp.parse_token(token), digest_of(value), [trusted("rogue-tsa"), trusted("tsa")])
    assert stamp.authority == trusted("tsa")
    assert stamp.time.date() == NOON.date()
    assert tsp.add_certificate(token, trusted("tsa")) == token  # the server has added it already


@pytest.mark.parametrize("path", containers("asic/batch-timestamp/*.asice"), ids=lambda path: path.stem)
def test_recorded_batch_time_stamps_hold_over_the_chain_result(path):
    with zipfile.ZipFile(path) as container:
        token = tsp.parse_token(container.read("META-INF/timestamp.tst"))
        result = container.read("META-INF/ts-hashchainresult.xml" if "META-INF/ts-hashchainresult.xml"
                                in container.namelist() else "ts-hashchainresult.xml")  # fmt: skip
    assert tsp.verify_token(token, digest_of(result), [trusted("tsa")]).time


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("timestamp-byte", "mlog.timestamp_signer_verification_failed"),
        ("timestamp-other", "malformed_signature"),
        ("signed-timestamp-rogue", "mlog.tsp_certificate_not_found"),
        ("signed-timestamp-wrong-imprint", "malformed_signature"),
    ],
)
def test_altered_time_stamps_are_refused_with_the_references_code(name, code):
    token, value = single_stamp(vectors() / "asic" / "altered" / f"{name}.asice")
    with pytest.raises(SignatureRefused) as refusal:
        tsp.verify_token(tsp.parse_token(token), digest_of(value), [trusted("tsa")])
    assert refusal.value.code == code


def status_in(name):
    path = vectors() / "asic" / "altered" / f"{name}.asice"
    token, _ = single_stamp(path)
    at = tsp.parse_token(token).gen_time
    return ocsp.verify_path_status(
        (trusted("SS1-sign"), trusted("root-ca")), ocsp_values(path), responders=[trusted("ocsp")], at=at,
        freshness_s=3600,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ocsp-byte", "incorrect_validation_info"),
        ("ocsp-other-cert", "cert_validation"),
        ("signed-ocsp-revoked", "cert_validation"),
        ("signed-ocsp-unknown", "cert_validation"),
        ("signed-ocsp-stale", "incorrect_validation_info"),
        ("signed-ocsp-future", "incorrect_validation_info"),
        ("signed-ocsp-next-update-past", "incorrect_validation_info"),
        ("signed-ocsp-rogue", "incorrect_validation_info"),
        ("signed-ocsp-by-member", "incorrect_validation_info"),
        ("signed-ocsp-issuer-mismatch", "cert_validation"),
        ("signed-ocsp-extra", "cert_validation"),
    ],
)
def test_altered_status_is_refused_with_the_references_code(name, code):
    with pytest.raises(SignatureRefused) as refusal:
        status_in(name)
    assert refusal.value.code == f"invalid_cert_path.{code}"


@pytest.mark.parametrize(
    "name", ["signed-good", "signed-ocsp-older-ok", "signed-ocsp-next-update-ok", "signed-ocsp-by-ca"]
)
def test_unusual_but_right_status_is_accepted(name):
    assert status_in(name)

"""The test trust services over HTTP, judged by openssl and by our own verification."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from central_services.trust.services import TrustServices
from gateway.xroad.digests import DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki import ocsp, tsp
from gateway.xroad.pki.chain import build_path
from tests.factories.central import a_request, an_rsa_key, issue, trust_settings
from tests.factories.openssl import openssl

OCSP = {"Content-Type": "application/ocsp-request"}
TSP = {"Content-Type": "application/timestamp-query"}


def ca_url(trust: TrustServices, path: str = "/") -> str:
    """An address on the CA port."""
    return f"http://127.0.0.1:{trust.ca_port}{path}"


async def post(url: str, content: bytes, **headers: str) -> httpx.Response:
    """Send bytes."""
    async with httpx.AsyncClient() as http:
        return await http.post(url, content=content, headers=headers)


async def get(url: str) -> httpx.Response:
    """Ask for something."""
    async with httpx.AsyncClient() as http:
        return await http.get(url)


def write_pem(path: Path, certificate: x509.Certificate) -> Path:
    """Write a certificate for openssl."""
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return path


async def test_both_root_pages_say_what_they_are_not_for(trust: TrustServices) -> None:
    for port in (trust.ca_port, trust.tsa_port):
        page = (await get(f"http://127.0.0.1:{port}/")).text
        assert "tests and demonstrations only" in page
        assert "лише для тестів" in page


async def test_starting_says_it_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with TrustServices(trust_settings(), tmp_path):
        assert "Never approve them in a production instance" in caplog.text


async def test_a_signing_certificate_says_non_repudiation(trust: TrustServices) -> None:
    request = a_request()
    certificate = await issue(trust, "sign", request)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.content_commitment
    assert not usage.value.digital_signature
    assert certificate.subject == request.subject


async def test_an_authentication_certificate_is_for_tls_both_ways(trust: TrustServices) -> None:
    certificate = await issue(trust, "auth", a_request(dns="ss1.example"))
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.key_encipherment
    assert not usage.value.content_commitment
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    assert names.get_values_for_type(x509.DNSName) == ["ss1.example"]


async def test_rsa_and_p256_requests_are_signed_in_pem_and_der_and_as_form(trust: TrustServices) -> None:
    rsa, ec = a_request(key=an_rsa_key()), a_request()
    form = {"certreq": ("req.csr", ec.public_bytes(Encoding.PEM))}
    async with httpx.AsyncClient() as http:
        pem = await http.post(ca_url(trust, "/sign?usage=sign"), content=rsa.public_bytes(Encoding.PEM))
        posted = await http.post(ca_url(trust, "/testca/sign"), files=form, data={"type": "auth"})
    for response, request in ((pem, rsa), (posted, ec)):
        assert response.status_code == 200
        certificate = x509.load_pem_x509_certificate(response.content)
        assert certificate.public_key() == request.public_key()


async def test_a_path_leads_to_the_root(trust: TrustServices) -> None:
    certificate = await issue(trust, "sign", a_request())
    root = trust.authorities.root.certificate
    assert build_path(certificate, [], [root], datetime.now(UTC)) == (certificate, root)


async def test_an_issuing_authority_stands_between(tmp_path: Path) -> None:
    async with TrustServices(trust_settings(issuing_ca=True), tmp_path) as trust:
        certificate = await issue(trust, "sign", a_request())
        issuing = x509.load_der_x509_certificate((await get(ca_url(trust, "/issuing-ca.der"))).content)
        root = x509.load_pem_x509_certificate((await get(ca_url(trust, "/ca.pem"))).content)
    path = build_path(certificate, [issuing], [root], datetime.now(UTC))
    assert path == (certificate, issuing, root)


async def test_the_authorities_can_have_rsa_keys(tmp_path: Path) -> None:
    async with TrustServices(trust_settings(key_algorithm="RSA"), tmp_path) as trust:
        certificate = await issue(trust, "sign", a_request())
    assert certificate.signature_algorithm_oid._name == "sha256WithRSAEncryption"


async def test_the_address_of_the_responder_is_written_when_it_is_known(tmp_path: Path) -> None:
    async with TrustServices(trust_settings(public_url="http://ca.example:8888"), tmp_path) as trust:
        certificate = await issue(trust, "auth", a_request())
    assert ocsp.responder_urls(certificate) == ("http://ca.example:8888",)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\n", b"\x30\x82\xff\xff"])
async def test_what_is_no_request_is_refused(trust: TrustServices, data: bytes) -> None:
    assert (await post(ca_url(trust, "/sign?usage=sign"), data)).status_code == 400


async def test_a_request_signed_by_another_key_is_refused(trust: TrustServices) -> None:
    data = bytearray(a_request().public_bytes(Encoding.DER))
    data[-1] ^= 1
    assert (await post(ca_url(trust, "/sign?usage=sign"), bytes(data))).status_code == 400


@pytest.mark.parametrize("query", ["", "?usage=", "?usage=both"])
async def test_a_request_without_a_usage_is_refused(trust: TrustServices, query: str) -> None:
    response = await post(ca_url(trust, f"/sign{query}"), a_request().public_bytes(Encoding.DER))
    assert response.status_code == 400


async def test_a_large_request_is_refused(trust: TrustServices) -> None:
    assert (await post(ca_url(trust, "/sign?usage=sign"), b"x" * 70_000)).status_code == 413


async def test_the_responder_says_good_revoked_and_unknown(trust: TrustServices) -> None:
    root, responder = trust.authorities.root.certificate, trust.authorities.ocsp.certificate
    certificate = await issue(trust, "sign", a_request())

    async def verdict(of: x509.Certificate) -> ocsp.OcspStatus:
        response = await post(ca_url(trust), ocsp.build_request(of, root), **OCSP)
        assert response.headers["content-type"] == "application/ocsp-response"
        return ocsp.verify_ocsp(response.content, of, root, responders=[], at=datetime.now(UTC), freshness_s=3600)

    assert (await verdict(certificate)).responder == responder
    assert (await post(ca_url(trust, f"/revoke?serial={certificate.serial_number:X}"), b"")).status_code == 204
    with pytest.raises(SignatureRefused):
        await verdict(certificate)


async def test_a_certificate_is_revoked_by_itself_once(trust: TrustServices) -> None:
    certificate = await issue(trust, "sign", a_request())
    pem = certificate.public_bytes(Encoding.PEM)
    assert (await post(ca_url(trust, "/revoke"), pem)).status_code == 204
    assert (await post(ca_url(trust, "/revoke"), pem)).status_code == 404
    (listed,) = (await get(ca_url(trust, "/certificates"))).json()
    assert listed["revoked_at"] is not None


async def test_openssl_agrees_with_the_responder(trust: TrustServices, tmp_path: Path) -> None:
    certificate = await issue(trust, "auth", a_request())
    revoked = await issue(trust, "auth", a_request())
    await post(ca_url(trust, "/revoke"), revoked.public_bytes(Encoding.PEM))
    foreign = x509.CertificateBuilder(
        issuer_name=certificate.issuer,
        subject_name=certificate.subject,
        public_key=certificate.public_key(),
        serial_number=12345,
        not_valid_before=certificate.not_valid_before_utc,
        not_valid_after=certificate.not_valid_after_utc,
    ).sign(trust.authorities.root.key, certificate.signature_hash_algorithm)
    root = write_pem(tmp_path / "ca.pem", trust.authorities.root.certificate)
    for asked, expected in ((certificate, "good"), (revoked, "revoked"), (foreign, "unknown")):
        leaf = write_pem(tmp_path / f"{expected}.pem", asked)
        question = tmp_path / "question"
        openssl("ocsp", "-issuer", root, "-cert", leaf, "-reqout", question, "-no_nonce")
        answer = tmp_path / "answer"
        answer.write_bytes((await post(ca_url(trust), question.read_bytes(), **OCSP)).content)
        said = openssl("ocsp", "-respin", answer, "-issuer", root, "-cert", leaf, "-CAfile", root, "-no_nonce")
        assert "Response verify OK" in said
        assert f"{leaf}: {expected}" in said


async def test_a_question_may_come_in_the_path(trust: TrustServices) -> None:
    certificate = await issue(trust, "sign", a_request())
    root = trust.authorities.root.certificate
    question = quote(base64.b64encode(ocsp.build_request(certificate, root)).decode(), safe="")
    response = await get(ca_url(trust, f"/ocsp/{question}"))
    assert ocsp.is_about(response.content, certificate, root)


@pytest.mark.parametrize("question", [b"", b"\x30\x00", b"nonsense"])
async def test_what_is_no_question_is_malformed(trust: TrustServices, question: bytes) -> None:
    response = await post(ca_url(trust), question, **OCSP)
    assert (response.status_code, response.content) == (200, bytes.fromhex("30030a0101"))


async def test_another_content_type_is_no_question(trust: TrustServices) -> None:
    assert (await post(ca_url(trust), b"")).status_code == 415
    assert (await post(f"http://127.0.0.1:{trust.tsa_port}/", b"")).status_code == 415


@pytest.mark.parametrize("algorithm", [DigestAlgorithm.SHA256, DigestAlgorithm.SHA512])
async def test_a_stamp_verifies_under_the_approved_certificate(
    trust: TrustServices, algorithm: DigestAlgorithm
) -> None:
    imprint = digest_of(b"evidence", algorithm)
    response = await post(f"http://127.0.0.1:{trust.tsa_port}/", tsp.build_request(imprint), **TSP)
    assert response.headers["content-type"] == "application/timestamp-reply"
    token = tsp.parse_token(tsp.parse_response(response.content))
    stamp = tsp.verify_token(token, imprint, [trust.authorities.tsa.certificate])
    assert abs((stamp.time - datetime.now(UTC)).total_seconds()) < 60


async def test_serial_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    serials = []
    for _ in range(2):
        async with TrustServices(trust_settings(), tmp_path) as trust:
            for _ in range(2):
                question = tsp.build_request(digest_of(b"x"))
                answer = await post(f"http://127.0.0.1:{trust.tsa_port}/", question, **TSP)
                serials.append(tsp.parse_token(tsp.parse_response(answer.content)).serial_number)
    assert serials == sorted(set(serials))


async def test_certificates_outlive_a_restart(tmp_path: Path) -> None:
    async with TrustServices(trust_settings(), tmp_path) as trust:
        certificate = await issue(trust, "sign", a_request())
        root = trust.authorities.root.certificate
    async with TrustServices(trust_settings(), tmp_path) as trust:
        assert trust.authorities.root.certificate == root
        answer = await post(ca_url(trust), ocsp.build_request(certificate, root), **OCSP)
    ocsp.verify_ocsp(answer.content, certificate, root, responders=[], at=datetime.now(UTC), freshness_s=60)


@pytest.mark.parametrize("key_algorithm", ["EC", "RSA"])
async def test_openssl_verifies_a_stamp(tmp_path: Path, key_algorithm: str) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"evidence")
    openssl("ts", "-query", "-data", data, "-sha512", "-cert", "-out", tmp_path / "query")
    async with TrustServices(trust_settings(key_algorithm=key_algorithm), tmp_path / "trust") as trust:
        url = f"http://127.0.0.1:{trust.tsa_port}/"
        (tmp_path / "reply").write_bytes((await post(url, (tmp_path / "query").read_bytes(), **TSP)).content)
        root = write_pem(tmp_path / "ca.pem", trust.authorities.root.certificate)
    said = openssl("ts", "-verify", "-data", data, "-in", tmp_path / "reply", "-CAfile", root)
    assert "Verification: OK" in said


async def test_openssl_reads_a_rejection(trust: TrustServices, tmp_path: Path) -> None:
    answer = await post(f"http://127.0.0.1:{trust.tsa_port}/", b"nonsense", **TSP)
    (tmp_path / "reply").write_bytes(answer.content)
    assert "Status: Rejected" in openssl("ts", "-reply", "-in", tmp_path / "reply", "-text")


async def test_sha1_is_not_stamped(trust: TrustServices) -> None:
    imprint = digest_of(b"x", DigestAlgorithm.SHA1)
    answer = await post(f"http://127.0.0.1:{trust.tsa_port}/", tsp.build_request(imprint), **TSP)
    with pytest.raises(SignatureRefused):
        tsp.parse_response(answer.content)


async def test_openssl_accepts_the_certificates(trust: TrustServices, tmp_path: Path) -> None:
    root = write_pem(tmp_path / "ca.pem", trust.authorities.root.certificate)
    for usage, purpose in (("auth", "sslclient"), ("auth", "sslserver")):
        leaf = write_pem(tmp_path / "leaf.pem", await issue(trust, usage, a_request()))
        assert "OK" in openssl("verify", "-CAfile", root, "-purpose", purpose, "-x509_strict", leaf)


async def test_serial_numbers_differ(trust: TrustServices) -> None:
    serials = {(await issue(trust, "sign", a_request())).serial_number for _ in range(3)}
    assert len(serials) == 3

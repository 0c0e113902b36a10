"""OCSP: ask about a certificate, and decide whether an answer counts (RFC 6960; X-Road OcspVerifier.java).

A response is verified in two parts. What does not depend on time (bytes, responder, signature) is
cached by response, certificate, issuer and responders; freshness and status are looked at each time.
Stricter than the reference: a second answer that contradicts the first, an answer from the future,
a delegated responder outside its validity, and SHA-1 signatures are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from gateway.xroad.digests import DigestAlgorithm, find_digest_algorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.certificates import find_extension, is_valid_at, load_certificate, same_name, subject_of
from gateway.xroad.pki.ocsp_responder import (
    Answer,
    CertId,
    Status,
    build_refusal,
    build_response,
    cert_id,
    key_hash,
    parse_request,
)

__all__ = [
    "Answer",
    "CertId",
    "OcspStatus",
    "Status",
    "build_refusal",
    "build_request",
    "build_response",
    "cert_id",
    "find_matching",
    "is_about",
    "parse_request",
    "responder_urls",
    "verify_ocsp",
    "verify_path_status",
]

REQUEST_TYPE: Final = "application/ocsp-request"
RESPONSE_TYPE: Final = "application/ocsp-response"

CLOCK_SKEW_S: Final = 60  # how far a responder's clock may run ahead of the time we verify at
MAX_RESPONSE_BYTES: Final = 64 * 1024
MAX_ANSWERS: Final = 64  # a pre-produced response may answer for several certificates

_STATUSES: Final = {
    ocsp.OCSPCertStatus.GOOD: Status.GOOD,
    ocsp.OCSPCertStatus.REVOKED: Status.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: Status.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class OcspStatus:
    """A proven GOOD."""

    this_update: datetime
    produced_at: datetime
    next_update: datetime | None
    responder: x509.Certificate

    def fresh_until(self, freshness_s: int, *, check_next_update: bool = True) -> datetime:
        """Return the last moment at which this answer counts."""
        by_age = self.this_update + timedelta(seconds=freshness_s)
        if not check_next_update or self.next_update is None:
            return by_age
        return min(by_age, self.next_update)


@dataclass(frozen=True, slots=True)
class _Parsed:
    response: ocsp.OCSPResponse
    answers: tuple[Answer, ...]
    certificates: tuple[x509.Certificate, ...]


def _refused(text_id: str, **facts: object) -> SignatureRefused:
    return SignatureRefused("incorrect_validation_info", text_id, **facts)


def build_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return a question about one certificate, by SHA-1 CertID as the reference asks."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303  a name
    return builder.build().public_bytes(serialization.Encoding.DER)


def responder_urls(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the responders that the certificate itself names (authority information access)."""
    access = find_extension(certificate, x509.AuthorityInformationAccess)
    if access is None:
        return ()
    return tuple(
        description.access_location.value
        for description in access.value
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    )


@lru_cache(maxsize=2048)
def _parse(response_der: bytes) -> _Parsed:
    if len(response_der) > MAX_RESPONSE_BYTES:
        raise _refused("pki.ocsp_malformed", size_bytes=len(response_der), reason="too large")
    try:
        response = ocsp.load_der_ocsp_response(response_der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise _refused("pki.ocsp_not_successful", status=response.response_status.name)
        singles: list[Answer] = []
        for single in response.responses:
            if len(singles) == MAX_ANSWERS:
                raise _refused("pki.ocsp_malformed", size_bytes=len(response_der), reason="too many answers")
            singles.append(_answer_of(single))
        # `cryptography` parses lazily: touch all that is read later.
        _ = response.produced_at_utc, response.tbs_response_bytes, response.signature, response.signature_algorithm_oid
        _ = response.responder_name, response.responder_key_hash
        ders = [c.public_bytes(serialization.Encoding.DER) for c in response.certificates]
    except (ValueError, TypeError, NotImplementedError, OverflowError, UnsupportedAlgorithm) as bad:
        # What stands behind the colon is a dump of the parser's state, no sentence.
        reason = str(bad).partition(":")[0][:200]
        raise _refused("pki.ocsp_malformed", size_bytes=len(response_der), reason=reason) from bad
    if not singles:
        raise _refused("pki.ocsp_malformed", size_bytes=len(response_der), reason="no answer")
    return _Parsed(response, tuple(singles), tuple(load_certificate(der) for der in ders))


def _answer_of(single: ocsp.OCSPSingleResponse) -> Answer:
    algorithm = find_digest_algorithm(_label_of(single.hash_algorithm))
    if algorithm is None:
        raise ValueError("CertID of an unknown digest algorithm")
    named = CertId(algorithm, single.issuer_name_hash, single.issuer_key_hash, single.serial_number)
    return Answer(
        certificate=named,
        status=_STATUSES[single.certificate_status],
        this_update=single.this_update_utc,
        next_update=single.next_update_utc,
        revoked_at=single.revocation_time_utc,
    )


def _label_of(algorithm: hashes.HashAlgorithm) -> str:
    return f"SHA-{algorithm.name.removeprefix('sha')}"


@lru_cache(maxsize=4096)
def _cert_id(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: DigestAlgorithm = DigestAlgorithm.SHA1
) -> CertId:
    return cert_id(certificate, issuer, algorithm)


def is_about(response_der: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the first answer of a response names `certificate`, by SHA-1 as the reference matches.

    Raises SignatureRefused (incorrect_validation_info) for bytes that are no successful response.
    """
    return _parse(response_der).answers[0].certificate == _cert_id(certificate, issuer)


def find_matching(responses: Sequence[bytes], certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
    """Return the first response about `certificate`.

    Raises SignatureRefused: incorrect_validation_info when a response cannot be read, cert_validation
    when several are about it and say different things.
    """
    found = [response for response in responses if is_about(response, certificate, issuer)]
    if len({_parse(response).answers[0].status for response in found}) > 1:
        raise SignatureRefused("cert_validation", "pki.ocsp_contradiction", subject=subject_of(certificate))
    return found[0] if found else None


def verify_ocsp(
    response_der: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    *,
    responders: Sequence[x509.Certificate],
    at: datetime,
    freshness_s: int,
    check_next_update: bool = True,
) -> OcspStatus:
    """Return the proven GOOD of `certificate` at `at`, or raise.

    1. the first answer is about `certificate`, and no other answer about it differs;
    2. the responder, found by its name or key hash, is one of `responders` (those that the global
       configuration lists for `issuer`), `issuer` itself, or a delegate of `issuer` for OCSP signing,
       and its signature holds;
    3. `thisUpdate` is at most `freshness_s` before `at`, and not after it;
    4. `nextUpdate`, if given and to be checked, is not before `at`;
    5. the status is good.

    Raises SignatureRefused: cert_validation for (5), incorrect_validation_info for the rest.
    """
    parsed = _parse(response_der)
    answer = _answer_about(parsed, certificate, issuer)  # (1)
    responder = _verified_responder(response_der, certificate, issuer, tuple(responders))  # (2)
    _check_delegate_dates(responder, issuer, responders, at)
    _check_times(answer, at, freshness_s, check_next_update)  # (3) (4)
    if answer.status is not Status.GOOD:  # (5)
        raise SignatureRefused(
            "cert_validation",
            "pki.ocsp_status",
            subject=subject_of(certificate),
            status=answer.status.value,
            revoked_at="-" if answer.revoked_at is None else answer.revoked_at.isoformat(),
        )
    return OcspStatus(answer.this_update, parsed.response.produced_at_utc, answer.next_update, responder)


def _answer_about(parsed: _Parsed, certificate: x509.Certificate, issuer: x509.Certificate) -> Answer:
    first = parsed.answers[0]
    if first.certificate != _cert_id(certificate, issuer):
        raise _refused("pki.ocsp_other_certificate", subject=subject_of(certificate))
    for other in parsed.answers[1:]:
        same = other.certificate == _cert_id(certificate, issuer, other.certificate.algorithm)
        if same and other.status is not first.status:
            raise _refused("pki.ocsp_contradiction", subject=subject_of(certificate))
    return first


def _check_times(answer: Answer, at: datetime, freshness_s: int, check_next_update: bool) -> None:
    age_s = (at - answer.this_update).total_seconds()
    if age_s > freshness_s:
        raise _refused(
            "pki.ocsp_too_old", this_update=answer.this_update.isoformat(), age_s=int(age_s), limit_s=freshness_s
        )
    if age_s < -CLOCK_SKEW_S:
        raise _refused("pki.ocsp_from_future", this_update=answer.this_update.isoformat(), at=at.isoformat())
    if check_next_update and answer.next_update is not None and answer.next_update < at:
        raise _refused("pki.ocsp_next_update", next_update=answer.next_update.isoformat(), at=at.isoformat())


@lru_cache(maxsize=2048)
def _verified_responder(
    response_der: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    responders: tuple[x509.Certificate, ...],
) -> x509.Certificate:
    # Several certificates may carry the responder's name, as after a change of keys: any of them will do.
    parsed = _parse(response_der)
    known = dict.fromkeys((*responders, issuer, *parsed.certificates))
    named = [candidate for candidate in known if _is_named(parsed.response, candidate)]
    if not named:
        raise _refused("pki.ocsp_responder_unknown", issuer=subject_of(issuer))
    signers = [candidate for candidate in named if _signed_by(parsed.response, candidate)]
    if not signers:
        raise _refused("pki.ocsp_signature_invalid", responder=subject_of(named[0]))
    for signer in signers:
        if signer in responders or signer == issuer or _is_delegate(signer, issuer):
            return signer
    raise _refused("pki.ocsp_responder_not_authorised", responder=subject_of(signers[0]), issuer=subject_of(issuer))


def _is_named(response: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return same_name(candidate.subject, response.responder_name)
    try:
        return key_hash(candidate) == response.responder_key_hash
    except SignatureRefused:
        return False


def _signed_by(response: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    try:
        algorithm = response.signature_hash_algorithm
        key = candidate.public_key()
        if algorithm is None or algorithm.name in ("sha1", "md5"):
            return False
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _is_delegate(candidate: x509.Certificate, issuer: x509.Certificate) -> bool:
    usage = find_extension(candidate, x509.ExtendedKeyUsage)
    if usage is None or ExtendedKeyUsageOID.OCSP_SIGNING not in usage.value:
        return False
    try:
        candidate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _check_delegate_dates(
    responder: x509.Certificate, issuer: x509.Certificate, responders: Sequence[x509.Certificate], at: datetime
) -> None:
    # Listed responders and the CA are trusted by being listed; a delegate only by its certificate.
    if responder != issuer and responder not in responders and not is_valid_at(responder, at):
        raise _refused("pki.ocsp_responder_dates", responder=subject_of(responder), at=at.isoformat())


def verify_path_status(
    path: Sequence[x509.Certificate],
    responses: Sequence[bytes],
    *,
    responders: Sequence[x509.Certificate],
    at: datetime,
    freshness_s: int,
    check_next_update: bool = True,
) -> tuple[OcspStatus, ...]:
    """Return the proven GOOD of every certificate of `path` but the anchor at its end.

    Raises SignatureRefused under `invalid_cert_path`, as signatures and peers are refused for it.
    """
    proven = []
    try:
        for certificate, issuer in pairwise(path):
            response = find_matching(responses, certificate, issuer)
            if response is None:
                raise SignatureRefused("cert_validation", "pki.ocsp_missing", subject=subject_of(certificate))
            proven.append(
                verify_ocsp(
                    response,
                    certificate,
                    issuer,
                    responders=responders,
                    at=at,
                    freshness_s=freshness_s,
                    check_next_update=check_next_update,
                )
            )
    except SignatureRefused as refusal:
        raise refusal.within("invalid_cert_path") from refusal.__cause__
    return tuple(proven)

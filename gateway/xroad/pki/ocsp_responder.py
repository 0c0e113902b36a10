"""The responder's half of OCSP: read a question, sign answers (RFC 6960 4.1, 4.2).

Used by the test trust services and by tests; a gateway only asks. The answer is declared here, not
built by `cryptography`, because that takes the time of production from its own clock and puts one
answer into a response at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp

from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.asn1 import TLV, AlgorithmIdentifier, any_value, encode, oid, wrap
from gateway.xroad.pki.certificates import der_of, refused, subject_of
from gateway.xroad.pki.cms import signature_identifier
from gateway.xroad.pki.keys import PrivateKey, algorithm_for, sign_digest

_BASIC_RESPONSE: Final = "1.3.6.1.5.5.7.48.1.1"


class Status(Enum):
    """What a responder says about a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CertId:
    """A certificate as OCSP names it: hashes of its issuer's name and key, and its serial number."""

    algorithm: DigestAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One SingleResponse to sign."""

    certificate: CertId
    status: Status
    this_update: datetime
    next_update: datetime | None = None
    revoked_at: datetime | None = None


@asn1.sequence
class _CertId:
    algorithm: AlgorithmIdentifier
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial_number: int


@asn1.sequence
class _Revoked:
    time: asn1.GeneralizedTime


@asn1.sequence
class _Single:
    certificate: _CertId
    status: (
        Annotated[asn1.Null, asn1.Implicit(0)]
        | Annotated[_Revoked, asn1.Implicit(1)]
        | Annotated[bytes, asn1.Implicit(2)]
    )
    this_update: asn1.GeneralizedTime
    next_update: Annotated[asn1.GeneralizedTime | None, asn1.Explicit(0)] = None


@asn1.sequence
class _ResponseData:
    responder: Annotated[TLV, asn1.Explicit(1)]
    produced_at: asn1.GeneralizedTime
    responses: list[_Single]


@asn1.sequence
class _ResponseDataByKey:
    responder: Annotated[bytes, asn1.Explicit(2)]
    produced_at: asn1.GeneralizedTime
    responses: list[_Single]


@asn1.sequence
class _Basic:
    data: TLV
    algorithm: AlgorithmIdentifier
    signature: asn1.BitString
    certificates: Annotated[list[TLV] | None, asn1.Explicit(0)] = None


@asn1.sequence
class _ResponseBytes:
    type: x509.ObjectIdentifier
    response: bytes


def cert_id(
    certificate: x509.Certificate, issuer: x509.Certificate, algorithm: DigestAlgorithm = DigestAlgorithm.SHA1
) -> CertId:
    """Return the name that OCSP gives to `certificate` of `issuer`."""
    return CertId(
        algorithm=algorithm,
        issuer_name_hash=algorithm.digest(issuer.subject.public_bytes()),
        issuer_key_hash=key_hash(issuer, algorithm),
        serial_number=certificate.serial_number,
    )


@asn1.sequence
class _PublicKeyInfo:
    algorithm: TLV
    key: asn1.BitString


def key_hash(certificate: x509.Certificate, algorithm: DigestAlgorithm = DigestAlgorithm.SHA1) -> bytes:
    """Return the hash of the subject public key's bits, without tag, length and unused bits (RFC 6960 4.1.1).

    Raises SignatureRefused (incorrect_certificate) for a key that cannot be read.
    """
    try:
        info = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except (ValueError, UnsupportedAlgorithm) as bad:
        raise refused("pki.key_unsupported", subject=subject_of(certificate), reason=str(bad)[:200]) from bad
    return algorithm.digest(asn1.decode_der(_PublicKeyInfo, info).key.as_bytes())


def parse_request(der: bytes) -> CertId:
    """Read a question about one certificate. Raises SignatureRefused (incorrect_validation_info)."""
    try:
        request = ocsp.load_der_ocsp_request(der)
        algorithm = next(a for a in DigestAlgorithm if a.primitive.name == request.hash_algorithm.name)
        return CertId(algorithm, request.issuer_name_hash, request.issuer_key_hash, request.serial_number)
    except (ValueError, NotImplementedError, StopIteration, TypeError, UnsupportedAlgorithm) as bad:
        raise SignatureRefused("incorrect_validation_info", "pki.ocsp_request_malformed", size_bytes=len(der)) from bad


def build_response(
    answers: Sequence[Answer],
    *,
    key: PrivateKey,
    responder: x509.Certificate,
    produced_at: datetime,
    enclosed: Sequence[x509.Certificate] = (),
    by_key: bool = False,
    digest: DigestAlgorithm = DigestAlgorithm.SHA256,
) -> bytes:
    """Return a successful OCSPResponse with these answers, signed by `key` of `responder`.

    `by_key` names the responder by key hash instead of by name. All times are cut to whole seconds.
    """
    singles = [_single(answer) for answer in answers]
    produced = _time(produced_at)
    data = encode(
        _ResponseDataByKey(responder=key_hash(responder), produced_at=produced, responses=singles)
        if by_key
        else _ResponseData(
            responder=any_value(responder.subject.public_bytes()), produced_at=produced, responses=singles
        )
    )
    algorithm = algorithm_for(key, digest)
    basic = _Basic(
        data=any_value(data),
        algorithm=signature_identifier(algorithm),
        signature=asn1.BitString(sign_digest(key, algorithm, digest.digest(data)), 0),
        certificates=[any_value(der_of(certificate)) for certificate in enclosed] or None,
    )
    inner = encode(_ResponseBytes(type=oid(_BASIC_RESPONSE), response=encode(basic)))
    return wrap(0x30, bytes((0x0A, 1, 0)) + wrap(0xA0, inner))  # ENUMERATED cannot be declared


def build_refusal(status: int) -> bytes:
    """Return an OCSPResponse without answer: 1 malformedRequest, 2 internalError, 3 tryLater, 6 unauthorized."""
    return bytes((0x30, 3, 0x0A, 1, status))


def _single(answer: Answer) -> _Single:
    status: asn1.Null | _Revoked | bytes
    if answer.status is Status.GOOD:
        status = asn1.Null()
    elif answer.status is Status.REVOKED:
        status = _Revoked(time=_time(answer.revoked_at or answer.this_update))
    else:
        status = b""  # [2] IMPLICIT NULL has the same bytes as no octets
    named = answer.certificate
    return _Single(
        certificate=_CertId(
            algorithm=AlgorithmIdentifier(algorithm=oid(named.algorithm.oid), parameters=asn1.Null()),
            issuer_name_hash=named.issuer_name_hash,
            issuer_key_hash=named.issuer_key_hash,
            serial_number=named.serial_number,
        ),
        status=status,
        this_update=_time(answer.this_update),
        next_update=None if answer.next_update is None else _time(answer.next_update),
    )


def _time(at: datetime) -> asn1.GeneralizedTime:
    return asn1.GeneralizedTime(at.replace(microsecond=0))

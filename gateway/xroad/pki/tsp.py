"""Time-stamps: request, response and token (RFC 3161; X-Road TimestampVerifier.java, TimestamperUtil.java).

Being listed in the global configuration is what makes a time-stamping authority trusted; its path is
not built. Codes under `mlog.` are those of the reference, wherever the token was met.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki import cms
from gateway.xroad.pki.asn1 import (
    TLV,
    AlgorithmIdentifier,
    decode,
    definite,
    der_of_any,
    digest_algorithm_of,
    encode,
    oid,
)
from gateway.xroad.pki.certificates import find_extension, is_valid_at, subject_of
from gateway.xroad.pki.keys import PrivateKey

_TOKENS: Final = 64
REQUEST_TYPE: Final = "application/timestamp-query"
RESPONSE_TYPE: Final = "application/timestamp-reply"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"

GRANTED: Final = 0
GRANTED_WITH_MODS: Final = 1
REJECTION: Final = 2

BAD_ALGORITHM: Final = 0
BAD_REQUEST: Final = 2
BAD_DATA_FORMAT: Final = 5
TIME_NOT_AVAILABLE: Final = 14
UNACCEPTED_POLICY: Final = 15
SYSTEM_FAILURE: Final = 25
_FAILURES: Final = {
    BAD_ALGORITHM: "badAlg",
    BAD_REQUEST: "badRequest",
    BAD_DATA_FORMAT: "badDataFormat",
    TIME_NOT_AVAILABLE: "timeNotAvailable",
    UNACCEPTED_POLICY: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    SYSTEM_FAILURE: "systemFailure",
}


@asn1.sequence
class _MessageImprint:
    algorithm: AlgorithmIdentifier
    hashed: bytes


@asn1.sequence
class _Request:
    version: int
    imprint: _MessageImprint
    policy: x509.ObjectIdentifier | None = None
    nonce: int | None = None
    cert_req: Annotated[bool, asn1.Default(False)] = False
    extensions: Annotated[list[TLV] | None, asn1.Implicit(0)] = None


@asn1.sequence
class _StatusInfo:
    status: int
    texts: list[str] | None = None
    failure: asn1.BitString | None = None


@asn1.sequence
class _Response:
    status: _StatusInfo
    token: TLV


@asn1.sequence
class _Refusal:
    status: _StatusInfo


@asn1.sequence
class _Accuracy:
    seconds: int | None = None
    millis: Annotated[int | None, asn1.Implicit(0)] = None
    micros: Annotated[int | None, asn1.Implicit(1)] = None


@asn1.sequence
class _TstInfo:
    version: int
    policy: x509.ObjectIdentifier
    imprint: _MessageImprint
    serial_number: int
    gen_time: asn1.GeneralizedTime
    accuracy: _Accuracy | None = None
    ordering: Annotated[bool, asn1.Default(False)] = False
    nonce: int | None = None
    tsa: Annotated[list[TLV] | None, asn1.Implicit(0)] = None
    extensions: Annotated[list[TLV] | None, asn1.Implicit(1)] = None


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """What somebody asks a time-stamping authority for."""

    imprint: Digest
    policy: str | None = None
    nonce: int | None = None
    certificate_wanted: bool = False


@dataclass(frozen=True, slots=True)
class TimestampToken:
    """A parsed token; nothing is proven."""

    der: bytes
    imprint: Digest
    gen_time: datetime
    serial_number: int
    policy: str
    nonce: int | None
    signed: cms.Signed


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A proven time: made by `verify_token` and nowhere else."""

    time: datetime
    authority: x509.Certificate
    token: TimestampToken


def _refused(code: str, text_id: str, **facts: object) -> SignatureRefused:
    return SignatureRefused(f"mlog.{code}", text_id, **facts)


def build_request(imprint: Digest, nonce: int | None = None, *, certificate_wanted: bool = False) -> bytes:
    """Return a TimeStampReq; by default as the reference sends it: no nonce, policy or certReq."""
    return encode(_Request(version=1, imprint=_imprint_of(imprint), nonce=nonce, cert_req=certificate_wanted))


def parse_request(der: bytes) -> TimestampRequest:
    """Read a TimeStampReq, as our test authority receives it.

    Raises SignatureRefused (timestamp_validation) for anything else.
    """
    fault = SignatureRefused("timestamp_validation", "pki.timestamp_request_malformed", size_bytes=len(der))
    request = decode(_Request, der, fault)
    if request.version != 1:
        raise fault
    return TimestampRequest(
        imprint=_read_imprint(request.imprint, fault),
        policy=request.policy.dotted_string if request.policy else None,
        nonce=request.nonce,
        certificate_wanted=request.cert_req,
    )


def parse_response(data: bytes) -> bytes:
    """Return the token of a TimeStampResp, in definite form.

    Raises SignatureRefused: mlog.reading_timestamp_response_failed when it cannot be read,
    mlog.timestamp_non_granted_response when the authority refuses,
    mlog.timestamp_response_object_creation_failed when it grants and sends no token.
    """
    unreadable = _refused("reading_timestamp_response_failed", "pki.timestamp_response_malformed", size_bytes=len(data))
    try:
        der = definite(data)
    except ValueError as bad:
        raise unreadable from bad
    try:
        response = decode(_Response, der, unreadable)
    except SignatureRefused:
        _check_granted(decode(_Refusal, der, unreadable).status)
        raise _refused("timestamp_response_object_creation_failed", "pki.timestamp_token_missing") from None
    _check_granted(response.status)
    return der_of_any(response.token)


def _check_granted(status: _StatusInfo) -> None:
    if status.status in (GRANTED, GRANTED_WITH_MODS):
        return
    failures = _failures_of(status.failure.as_bytes()) if status.failure is not None else ""
    said = "; ".join(status.texts or ())[:200]
    raise _refused(
        "timestamp_non_granted_response",
        "pki.timestamp_not_granted",
        status=status.status,
        failure=failures or "-",
        said=said or "-",
    )


def _failures_of(bits: bytes) -> str:
    numbers = [n for n in range(len(bits) * 8) if bits[n // 8] >> (7 - n % 8) & 1]
    return ", ".join(_FAILURES.get(number, str(number)) for number in numbers)


@lru_cache(maxsize=_TOKENS)
def parse_token(der: bytes) -> TimestampToken:
    """Read a token: CMS SignedData around TSTInfo.

    Thousands of containers share the token of their batch, so the last few are remembered.
    Raises SignatureRefused (mlog.timestamp_signer_verification_failed), as for a damaged token.
    """
    fault = _refused("timestamp_signer_verification_failed", "pki.timestamp_token_malformed", size_bytes=len(der))
    try:
        der = definite(der)
    except ValueError as bad:
        raise fault from bad
    signed = cms.parse_signed(der, fault)
    if signed.content_type != TST_INFO:
        raise fault
    info = decode(_TstInfo, signed.content, fault)
    if info.version != 1:
        raise fault
    return TimestampToken(
        der=der,
        imprint=_read_imprint(info.imprint, fault),
        gen_time=info.gen_time.as_datetime(),
        serial_number=info.serial_number,
        policy=info.policy.dotted_string,
        nonce=info.nonce,
        signed=signed,
    )


def _read_imprint(imprint: _MessageImprint, fault: SignatureRefused) -> Digest:
    algorithm = digest_algorithm_of(imprint.algorithm.algorithm)
    if algorithm is None or len(imprint.hashed) != algorithm.primitive.digest_size:
        raise fault
    return Digest(algorithm, imprint.hashed)


def _imprint_of(digest: Digest) -> _MessageImprint:
    identifier = AlgorithmIdentifier(algorithm=oid(digest.algorithm.oid), parameters=asn1.Null())
    return _MessageImprint(algorithm=identifier, hashed=digest.value)


def verify_token(
    token: TimestampToken,
    imprint: Digest,
    authorities: Sequence[x509.Certificate],
    *,
    nonce: int | None = None,
    policies: Collection[str] = (),
    around: tuple[datetime, timedelta] | None = None,
) -> Timestamp:
    """Return the time that an authority vouches for `imprint` (RFC 3161 2.4.2).

    1. the token is about `imprint`, answers the nonce asked with, and its policy is one of `policies`, if any;
    2. its signer, named by issuer and serial number in the SignerInfo, is among `authorities`;
    3. that certificate may sign time-stamps (critical extended key usage) and was valid at the token's time;
    4. the CMS signature holds;
    5. the time is `around` ours, as a fresh token's must be: a moment, and how far off it may be.

    Raises SignatureRefused with the first check that fails: malformed_signature for (1), as the
    reference answers; mlog.timestamp_response_validation_failed for nonce, policy and (5);
    mlog.tsp_certificate_not_found for (2); mlog.timestamp_signer_verification_failed for the rest.
    """
    _check_question(token, imprint, nonce, policies)  # (1)
    if not authorities:
        raise _refused("no_timestamping_provider_found", "pki.timestamp_no_authorities")
    authority = cms.find_signer(token.signed, authorities)  # (2)
    if authority is None:
        serial = token.signed.serial_number
        raise _refused(
            "tsp_certificate_not_found", "pki.timestamp_authority_unknown", serial="-" if serial is None else serial
        )
    _check_authority(authority, token.gen_time)  # (3)
    _check_signature(token.der, authority)  # (4)
    if around is not None:  # (5)
        _check_time(token.gen_time, *around)
    return Timestamp(time=token.gen_time, authority=authority, token=token)


def _check_question(token: TimestampToken, imprint: Digest, nonce: int | None, policies: Collection[str]) -> None:
    if token.imprint != imprint:
        raise SignatureRefused(
            "malformed_signature",
            "pki.timestamp_imprint",
            expected=imprint.hex[:32],
            found=token.imprint.hex[:32],
            algorithm=token.imprint.algorithm.label,
        )
    if nonce is not None and token.nonce != nonce:
        raise _refused("timestamp_response_validation_failed", "pki.timestamp_nonce")
    if policies and token.policy not in policies:
        raise _refused(
            "timestamp_response_validation_failed",
            "pki.timestamp_policy",
            expected=", ".join(policies),
            found=token.policy,
        )


@lru_cache(maxsize=_TOKENS)
def _check_signature(token_der: bytes, authority: x509.Certificate) -> None:
    name = subject_of(authority)
    cms.verify_signed(
        parse_token(token_der).signed,
        authority,
        lambda reason: _refused(
            "timestamp_signer_verification_failed", "pki.timestamp_signature_invalid", authority=name, check=reason
        ),
    )


def _check_time(time: datetime, now: datetime, tolerance: timedelta) -> None:
    difference = abs(time - now)
    if difference > tolerance:
        raise _refused(
            "timestamp_response_validation_failed",
            "pki.timestamp_time",
            found=time.isoformat(),
            now=now.isoformat(timespec="seconds"),
            difference_s=int(difference.total_seconds()),
            limit_s=int(tolerance.total_seconds()),
        )


def _check_authority(authority: x509.Certificate, at: datetime) -> None:
    usage = find_extension(authority, x509.ExtendedKeyUsage)
    if usage is None or not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise _refused(
            "timestamp_signer_verification_failed", "pki.timestamp_authority_usage", authority=subject_of(authority)
        )
    if not is_valid_at(authority, at):
        raise _refused(
            "timestamp_signer_verification_failed",
            "pki.timestamp_authority_dates",
            authority=subject_of(authority),
            at=at.isoformat(),
        )


def add_certificate(token_der: bytes, certificate: x509.Certificate) -> bytes:
    """Return the token with the authority's certificate enclosed, so that it can be checked years later."""
    fault = _refused("adding_signature_to_ts_token_failed", "pki.timestamp_token_malformed", size_bytes=len(token_der))
    try:
        der = definite(token_der)
    except ValueError as bad:
        raise fault from bad
    return cms.add_certificate(der, certificate, fault)


def build_response(
    request: TimestampRequest,
    *,
    key: PrivateKey,
    certificate: x509.Certificate,
    at: datetime,
    serial_number: int,
    policy: str,
    digest: DigestAlgorithm = DigestAlgorithm.SHA512,
) -> bytes:
    """Return a granting TimeStampResp, as our test authority gives it; whole seconds only."""
    info = _TstInfo(
        version=1,
        policy=oid(policy),
        imprint=_imprint_of(request.imprint),
        serial_number=serial_number,
        gen_time=asn1.GeneralizedTime(at.replace(microsecond=0)),
        nonce=request.nonce,
    )
    token = cms.build_signed(
        TST_INFO,
        encode(info),
        key=key,
        certificate=certificate,
        at=at,
        digest=digest,
        enclosed=[certificate] if request.certificate_wanted else (),
    )
    status = _StatusInfo(status=GRANTED)
    return encode(_Response(status=status, token=asn1.decode_der(TLV, token)))


def build_rejection(text: str, failure: int = SYSTEM_FAILURE) -> bytes:
    """Return a TimeStampResp that refuses, with one of the failure bits above."""
    octets = bytearray(failure // 8 + 1)
    octets[failure // 8] = 0x80 >> failure % 8
    bits = asn1.BitString(bytes(octets), 7 - failure % 8)
    return encode(_Refusal(status=_StatusInfo(status=REJECTION, texts=[text], failure=bits)))

"""SignedData with one signer over enclosed content: the part of CMS that time-stamps need (RFC 5652 5).

Verification takes the signer's certificate as an argument: who may sign is the caller's knowledge,
found by issuer and serial number in the SignerInfo, never by the position of a certificate.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1

from gateway.xroad.digests import DigestAlgorithm, KeyKind, SignatureAlgorithm
from gateway.xroad.faults import SignatureRefused, XRoadFault
from gateway.xroad.pki.asn1 import (
    TLV,
    AlgorithmIdentifier,
    Attribute,
    MaskAlgorithm,
    PlainAlgorithm,
    PssParameters,
    SetOf,
    any_value,
    decode,
    der_of_any,
    digest_algorithm_of,
    encode,
    oid,
)
from gateway.xroad.pki.certificates import der_of, find_extension, key_of, same_name
from gateway.xroad.pki.keys import PrivateKey, algorithm_for, sign_digest, verify_signature

SIGNED_DATA: Final = oid("1.2.840.113549.1.7.2")
CONTENT_TYPE: Final = oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST: Final = oid("1.2.840.113549.1.9.4")
SIGNING_TIME: Final = oid("1.2.840.113549.1.9.5")
SIGNING_CERTIFICATE: Final = oid("1.2.840.113549.1.9.16.2.12")
SIGNING_CERTIFICATE_V2: Final = oid("1.2.840.113549.1.9.16.2.47")

_RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
_RSA_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = oid("1.2.840.113549.1.1.8")
_SIGNATURE_OIDS: Final = {
    "1.2.840.113549.1.1.11": SignatureAlgorithm.RSA_SHA256,
    "1.2.840.113549.1.1.12": SignatureAlgorithm.RSA_SHA384,
    "1.2.840.113549.1.1.13": SignatureAlgorithm.RSA_SHA512,
    "1.2.840.10045.4.3.2": SignatureAlgorithm.ECDSA_SHA256,
    "1.2.840.10045.4.3.3": SignatureAlgorithm.ECDSA_SHA384,
    "1.2.840.10045.4.3.4": SignatureAlgorithm.ECDSA_SHA512,
}
_RSA: Final = {a.digest_algorithm: a for a in SignatureAlgorithm if a.kind is KeyKind.RSA}
_PSS: Final = {a.digest_algorithm: a for a in SignatureAlgorithm if a.kind is KeyKind.RSA_PSS}


@asn1.sequence
class IssuerAndSerial:
    """IssuerAndSerialNumber."""

    issuer: x509.Name
    serial_number: int


@asn1.sequence
class SignerInfo:
    """SignerInfo: version 1 names issuer and serial number, version 3 the key identifier."""

    version: int
    sid: IssuerAndSerial | Annotated[bytes, asn1.Implicit(0)]
    digest_algorithm: AlgorithmIdentifier
    signed_attributes: Annotated[list[Attribute] | None, asn1.Implicit(0)] = None
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    unsigned_attributes: Annotated[list[TLV] | None, asn1.Implicit(1)] = None


@asn1.sequence
class EncapsulatedContent:
    """EncapsulatedContentInfo with its content enclosed."""

    content_type: x509.ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class SignedData:
    """SignedData; certificates and revocation lists stay raw."""

    version: int
    digest_algorithms: SetOf[AlgorithmIdentifier]
    content: EncapsulatedContent
    certificates: Annotated[list[TLV] | None, asn1.Implicit(0)] = None
    crls: Annotated[list[TLV] | None, asn1.Implicit(1)] = None
    signers: SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """ContentInfo around SignedData."""

    content_type: x509.ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class IssuerSerial:
    """IssuerSerial of RFC 5035: general names and a serial number."""

    issuer: list[TLV]
    serial_number: int


@asn1.sequence
class EssCertIdV2:
    """ESSCertIDv2 (RFC 5035 4); no digest algorithm means SHA-256."""

    digest_algorithm: AlgorithmIdentifier | None = None
    certificate_hash: bytes
    issuer_serial: IssuerSerial | None = None


@asn1.sequence
class SigningCertificateV2:
    """SigningCertificateV2: the signer's certificate first."""

    certificates: list[EssCertIdV2]
    policies: list[TLV] | None = None


@asn1.sequence
class EssCertId:
    """ESSCertID (RFC 2634 5.4): always SHA-1."""

    certificate_hash: bytes
    issuer_serial: IssuerSerial | None = None


@asn1.sequence
class SigningCertificate:
    """SigningCertificate: the signer's certificate first."""

    certificates: list[EssCertId]
    policies: list[TLV] | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A parsed SignedData with its one signer; nothing is verified."""

    content_type: str
    content: bytes
    certificates: tuple[bytes, ...]
    issuer: x509.Name | None
    serial_number: int | None
    key_identifier: bytes | None
    signer: SignerInfo


Fail = Callable[[str], XRoadFault]


def parse_signed(der: bytes, malformed: XRoadFault) -> Signed:
    """Read a ContentInfo with SignedData, enclosed content and exactly one signer, or raise `malformed`."""
    info = decode(ContentInfo, der, malformed)
    data = info.content
    signers = data.signers.as_list()
    if info.content_type != SIGNED_DATA or len(signers) != 1:
        raise malformed
    sid = signers[0].sid
    return Signed(
        content_type=data.content.content_type.dotted_string,
        content=data.content.content,
        certificates=tuple(der_of_any(raw) for raw in data.certificates or ()),
        issuer=sid.issuer if isinstance(sid, IssuerAndSerial) else None,
        serial_number=sid.serial_number if isinstance(sid, IssuerAndSerial) else None,
        key_identifier=None if isinstance(sid, IssuerAndSerial) else sid,
        signer=signers[0],
    )


def find_signer(signed: Signed, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the candidate that the SignerInfo names, by issuer and serial number or by key identifier."""
    return next((candidate for candidate in candidates if _is_named(signed, candidate)), None)


def _is_named(signed: Signed, candidate: x509.Certificate) -> bool:
    if signed.issuer is None:
        return signed.key_identifier is not None and _key_identifier(candidate) == signed.key_identifier
    return candidate.serial_number == signed.serial_number and same_name(candidate.issuer, signed.issuer)


def _key_identifier(certificate: x509.Certificate) -> bytes | None:
    found = find_extension(certificate, x509.SubjectKeyIdentifier)
    return None if found is None else found.value.digest


def verify_signed(signed: Signed, certificate: x509.Certificate, fail: Fail) -> None:
    """Prove that the owner of `certificate` signed the enclosed content (RFC 5652 5.4, 5.6).

    1. content type and digest of the content are among the signed attributes, once each;
    2. a signing-certificate attribute, if present, names `certificate` (RFC 5035);
    3. the signature over the DER set of attributes holds.

    Raises `fail(reason)` with the first check that fails.
    """
    signer = signed.signer
    digest = digest_algorithm_of(signer.digest_algorithm.algorithm)
    if digest is None or not signer.signed_attributes:
        raise fail("digest")
    # (1)
    if _attribute(signer, CONTENT_TYPE, fail) != encode(oid(signed.content_type)):
        raise fail("content_type")
    expected = encode(digest.digest(signed.content))
    if not hmac.compare_digest(_attribute(signer, MESSAGE_DIGEST, fail) or b"", expected):
        raise fail("message_digest")
    # (2)
    _check_signing_certificate(signer, certificate, fail)
    # (3)
    algorithm = _signature_algorithm(signer.signature_algorithm, digest)
    if algorithm is None:
        raise fail("algorithm")
    attributes = encode(SetOf(signer.signed_attributes))
    try:
        verify_signature(key_of(certificate), algorithm, signer.signature, data=attributes)
    except SignatureRefused as refusal:
        raise fail("signature") from refusal


def _attribute(signer: SignerInfo, kind: x509.ObjectIdentifier, fail: Fail) -> bytes | None:
    found = [a.values.as_list() for a in signer.signed_attributes or () if a.type == kind]
    if not found:
        return None
    if len(found) > 1 or len(found[0]) != 1:
        raise fail("attributes")
    return der_of_any(found[0][0])


def _check_signing_certificate(signer: SignerInfo, certificate: x509.Certificate, fail: Fail) -> None:
    mismatch = fail("signing_certificate")
    first = _attribute(signer, SIGNING_CERTIFICATE, fail)
    if first is not None:
        named = decode(SigningCertificate, first, mismatch).certificates
        if not named or named[0].certificate_hash != DigestAlgorithm.SHA1.digest(der_of(certificate)):
            raise mismatch
    second = _attribute(signer, SIGNING_CERTIFICATE_V2, fail)
    if second is not None:
        named_v2 = decode(SigningCertificateV2, second, mismatch).certificates
        if not named_v2 or not _names(named_v2[0], certificate):
            raise mismatch


def _names(entry: EssCertIdV2, certificate: x509.Certificate) -> bool:
    digest = DigestAlgorithm.SHA256
    if entry.digest_algorithm is not None:
        found = digest_algorithm_of(entry.digest_algorithm.algorithm)
        if found is None:
            return False
        digest = found
    return entry.certificate_hash == digest.digest(der_of(certificate))


def _signature_algorithm(identifier: AlgorithmIdentifier, digest: DigestAlgorithm) -> SignatureAlgorithm | None:
    dotted = identifier.algorithm.dotted_string
    if dotted == _RSA_ENCRYPTION:  # the digest is then the one of the SignerInfo
        return _RSA.get(digest)
    if dotted == _RSA_PSS:
        return _pss_algorithm(identifier.parameters)
    found = _SIGNATURE_OIDS.get(dotted)
    return found if found is not None and found.digest_algorithm is digest else None


def _pss_algorithm(parameters: object) -> SignatureAlgorithm | None:
    if not isinstance(parameters, PssParameters) or parameters.digest is None or parameters.mask is None:
        return None
    digest = digest_algorithm_of(parameters.digest.algorithm)
    mask = parameters.mask
    if digest is None or mask.algorithm != _MGF1 or mask.parameters.algorithm != parameters.digest.algorithm:
        return None
    return _PSS.get(digest) if parameters.salt_length == digest.primitive.digest_size else None


def build_signed(
    content_type: str,
    content: bytes,
    *,
    key: PrivateKey,
    certificate: x509.Certificate,
    at: datetime,
    digest: DigestAlgorithm = DigestAlgorithm.SHA512,
    enclosed: Sequence[x509.Certificate] = (),
    pss: bool = False,
) -> bytes:
    """Return a ContentInfo with SignedData over `content`, signed by `key`, as our test TSA issues it."""
    algorithm = algorithm_for(key, digest, pss=pss)
    attributes = [
        _make_attribute(CONTENT_TYPE, encode(oid(content_type))),
        _make_attribute(SIGNING_TIME, encode(_time(at))),
        _make_attribute(MESSAGE_DIGEST, encode(digest.digest(content))),
        _make_attribute(SIGNING_CERTIFICATE_V2, encode(_signing_certificate(certificate, digest))),
    ]
    # DER sorts a set by its encoding; the list below must already have that order.
    attributes.sort(key=encode)
    to_sign = encode(SetOf(attributes))
    signer = SignerInfo(
        version=1,
        sid=IssuerAndSerial(issuer=certificate.issuer, serial_number=certificate.serial_number),
        digest_algorithm=_plain(digest),
        signed_attributes=attributes,
        signature_algorithm=signature_identifier(algorithm),
        signature=sign_digest(key, algorithm, digest.digest(to_sign)),
        unsigned_attributes=None,
    )
    data = SignedData(
        version=3,
        digest_algorithms=SetOf([_plain(digest)]),
        content=EncapsulatedContent(content_type=oid(content_type), content=content),
        certificates=sorted_certificates(der_of(c) for c in enclosed) or None,
        crls=None,
        signers=SetOf([signer]),
    )
    return encode(ContentInfo(content_type=SIGNED_DATA, content=data))


def add_certificate(der: bytes, certificate: x509.Certificate, malformed: XRoadFault) -> bytes:
    """Return the same SignedData with `certificate` enclosed; what is signed stays byte for byte."""
    info = decode(ContentInfo, der, malformed)
    data = info.content
    present = {der_of_any(raw) for raw in data.certificates or ()}
    data.certificates = sorted_certificates({*present, der_of(certificate)})
    return encode(info)


def sorted_certificates(certificates: Iterable[bytes]) -> list[TLV]:
    """Return raw certificates in the order DER gives to the elements of a set."""
    return [any_value(raw) for raw in sorted(set(certificates))]


def _time(at: datetime) -> asn1.UTCTime | asn1.GeneralizedTime:
    # RFC 5652 11.3: UTCTime can only say the years up to 2049.
    whole = at.replace(microsecond=0)
    return asn1.UTCTime(whole) if whole.year < 2050 else asn1.GeneralizedTime(whole)


def _make_attribute(kind: x509.ObjectIdentifier, value_der: bytes) -> Attribute:
    return Attribute(type=kind, values=SetOf([any_value(value_der)]))


def _signing_certificate(certificate: x509.Certificate, digest: DigestAlgorithm) -> SigningCertificateV2:
    named = EssCertIdV2(
        # SHA-256 is the default and DER leaves defaults out.
        digest_algorithm=None if digest is DigestAlgorithm.SHA256 else _plain(digest),
        certificate_hash=digest.digest(der_of(certificate)),
        issuer_serial=None,
    )
    return SigningCertificateV2(certificates=[named], policies=None)


def _plain(digest: DigestAlgorithm) -> AlgorithmIdentifier:
    # RFC 5754 2: digest algorithms are written without parameters.
    return AlgorithmIdentifier(algorithm=oid(digest.oid), parameters=None)


def signature_identifier(algorithm: SignatureAlgorithm) -> AlgorithmIdentifier:
    """Return the AlgorithmIdentifier of a signature."""
    if algorithm.kind is KeyKind.RSA_PSS:
        digest = PlainAlgorithm(algorithm=oid(algorithm.digest_algorithm.oid), parameters=None)
        parameters = PssParameters(
            digest=digest,
            mask=MaskAlgorithm(algorithm=_MGF1, parameters=digest),
            salt_length=algorithm.digest_algorithm.primitive.digest_size,
            trailer=None,
        )
        return AlgorithmIdentifier(algorithm=oid(_RSA_PSS), parameters=parameters)
    dotted = next(number for number, known in _SIGNATURE_OIDS.items() if known is algorithm)
    null = asn1.Null() if algorithm.kind is KeyKind.RSA else None
    return AlgorithmIdentifier(algorithm=oid(dotted), parameters=null)

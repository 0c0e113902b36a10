"""A certificate as both admin APIs describe it (X-Road CertificateDetails)."""

from __future__ import annotations

from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

_KEY_USAGES: Final = (
    ("digital_signature", "DIGITAL_SIGNATURE"),
    ("content_commitment", "NON_REPUDIATION"),
    ("key_encipherment", "KEY_ENCIPHERMENT"),
    ("data_encipherment", "DATA_ENCIPHERMENT"),
    ("key_agreement", "KEY_AGREEMENT"),
    ("key_cert_sign", "KEY_CERT_SIGN"),
    ("crl_sign", "CRL_SIGN"),
)
_SIGNATURE_NAMES: Final = {
    SignatureAlgorithmOID.RSA_WITH_SHA256: "SHA256withRSA",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "SHA384withRSA",
    SignatureAlgorithmOID.RSA_WITH_SHA512: "SHA512withRSA",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "SHA256withECDSA",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "SHA384withECDSA",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "SHA512withECDSA",
}


def certificate_details(certificate_der: bytes) -> dict[str, Any]:
    """Return the fields of CertificateDetails; `hash` is SHA-256 in upper-case hex."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    oid = certificate.signature_algorithm_oid
    return {
        "issuer_distinguished_name": certificate.issuer.rfc4514_string(),
        "issuer_common_name": _common_name(certificate.issuer),
        "subject_distinguished_name": certificate.subject.rfc4514_string(),
        "subject_common_name": _common_name(certificate.subject),
        "subject_alternative_names": _alternative_names(certificate),
        "not_before": _time(certificate.not_valid_before_utc.isoformat()),
        "not_after": _time(certificate.not_valid_after_utc.isoformat()),
        "serial": str(certificate.serial_number),
        "version": certificate.version.value + 1,
        "signature_algorithm": _SIGNATURE_NAMES.get(oid, oid.dotted_string),
        "signature": certificate.signature.hex(),
        "hash": certificate.fingerprint(hashes.SHA256()).hex().upper(),
        "key_usages": _key_usages(certificate),
        **_public_key(certificate),
    }


def _time(iso: str) -> str:
    return iso.replace("+00:00", "Z")


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _alternative_names(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return ", ".join(str(name.value) for name in names)


def _key_usages(certificate: x509.Certificate) -> list[str]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [shown for attribute, shown in _KEY_USAGES if getattr(usage, attribute)]


def _public_key(certificate: x509.Certificate) -> dict[str, Any]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {
            "public_key_algorithm": "RSA",
            "rsa_public_key_modulus": f"{numbers.n:x}",
            "rsa_public_key_exponent": numbers.e,
        }
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {
            "public_key_algorithm": "EC",
            "ec_public_parameters": key.curve.name,
            "ec_public_key_point": key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex(),
            "rsa_public_key_modulus": "",
            "rsa_public_key_exponent": 0,
        }
    return {
        "public_key_algorithm": certificate.public_key_algorithm_oid.dotted_string,
        "rsa_public_key_modulus": "",
        "rsa_public_key_exponent": 0,
    }

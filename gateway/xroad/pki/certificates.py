"""Certificates: load them once, name them by hash (RFC 5280, X-Road CryptoUtils.java).

`cryptography` parses lazily, so a broken extension would surface anywhere later; `load_certificate`
touches every field that we read, and a certificate in our hands is therefore readable as a whole.
"""

from __future__ import annotations

import base64
import binascii
import warnings
from datetime import datetime
from functools import lru_cache
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.utils import CryptographyDeprecationWarning

from gateway.xroad.faults import SignatureRefused

MAX_CERTIFICATE_BYTES: Final = 64 * 1024  # a certificate is 1-3 kB; the bound keeps the cache small

# Real CAs have odd serial numbers, and write an instance of any length where X.520 wants a country;
# neither is a reason to fill a log.
warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)
warnings.filterwarnings("ignore", "Parsed a serial number", CryptographyDeprecationWarning)

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

# What `cryptography` raises for bytes that are no certificate.
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM_END: Final = b"-----END CERTIFICATE-----"


def refused(text_id: str, **facts: object) -> SignatureRefused:
    """Return the fault for a certificate that is not what it should be."""
    return SignatureRefused("incorrect_certificate", text_id, **facts)


@lru_cache(maxsize=4096)
def load_certificate(data: bytes) -> x509.Certificate:
    """Read one certificate: DER, PEM, or the bare base64 of DER as XML signatures carry it.

    Raises SignatureRefused (incorrect_certificate) for anything else.
    """
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise refused("pki.certificate_too_large", size_bytes=len(data), limit_bytes=MAX_CERTIFICATE_BYTES)
    try:
        certificate = x509.load_der_x509_certificate(_der_of(data))
        _touch(certificate)
    except _UNREADABLE as bad:
        raise refused("pki.certificate_malformed", size_bytes=len(data), reason=str(bad)[:200]) from bad
    return certificate


def _der_of(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    text = data.partition(_PEM_BEGIN)[2].partition(_PEM_END)[0] if _PEM_BEGIN in data else data
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as bad:
        raise ValueError("neither DER nor PEM") from bad


def _touch(certificate: x509.Certificate) -> None:
    certificate.subject.rfc4514_string()
    certificate.issuer.rfc4514_string()
    _ = certificate.serial_number, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    _ = certificate.extensions, certificate.signature_algorithm_oid, certificate.tbs_certificate_bytes


@lru_cache(maxsize=4096)
def der_of(certificate: x509.Certificate) -> bytes:
    """Return the DER form of a certificate."""
    return certificate.public_bytes(serialization.Encoding.DER)


@lru_cache(maxsize=4096)
def sha1_of(certificate: x509.Certificate) -> str:
    """Return the SHA-1 hash in lower-case hex: the name of a certificate on port 5577."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303  a name, not a proof


@lru_cache(maxsize=4096)
def sha256_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 hash in lower-case hex: our own name of a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def find_extension(certificate: x509.Certificate, kind: type[_Extension]) -> x509.Extension[_Extension] | None:
    """Return the extension of this kind, if there is one."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def key_of(certificate: x509.Certificate) -> PublicKey:
    """Return the RSA or EC key of a certificate.

    Raises SignatureRefused (incorrect_certificate) for keys of any other kind.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as bad:
        raise refused("pki.key_unsupported", subject=subject_of(certificate), reason=str(bad)[:200]) from bad
    if isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        return key
    raise refused("pki.key_unsupported", subject=subject_of(certificate), reason=type(key).__name__)


@lru_cache(maxsize=1024)
def subject_of(certificate: x509.Certificate) -> str:
    """Return the subject for people, in the order of RFC 4514."""
    return certificate.subject.rfc4514_string()


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Tell whether two names are the same to whoever looks a certificate up.

    Order, case, spaces and string types do not matter: a real responder writes its own name backwards.
    Never a proof; a signature has to follow.
    """
    return one == other or _canonical(one) == _canonical(other)


def _canonical(name: x509.Name) -> list[list[tuple[str, str]]]:
    return sorted(
        sorted((attribute.oid.dotted_string, " ".join(str(attribute.value).split()).casefold()) for attribute in rdn)
        for rdn in name.rdns
    )


def is_valid_at(certificate: x509.Certificate, at: datetime) -> bool:
    """Tell whether `at` lies in the certificate's validity, both ends included (RFC 5280 4.1.2.5)."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc

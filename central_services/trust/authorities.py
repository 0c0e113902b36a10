"""The keys and certificates of the test authorities, made once and kept as files.

A root; an issuing authority below it if wanted; an OCSP responder and a time-stamping authority
under the one that issues. The keys are not encrypted, for there is nobody to type a PIN and nothing
to protect: these services sign for anybody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from central_services.settings import TrustSettings
from gateway.runtime.self_signed import PrivateKey, generate_key

ROOT: Final = "ca"
ISSUING: Final = "issuing-ca"
OCSP: Final = "ocsp"
TSA: Final = "tsa"
_VALIDITY: Final = timedelta(days=20 * 365)
# A certificate is valid from a little before it was made: clocks differ.
BACKDATED: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Authority:
    """A key with its certificate."""

    key: PrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Authorities:
    """All of them; `issuing` is the root where there is no authority below it."""

    root: Authority
    issuing: Authority
    ocsp: Authority
    tsa: Authority


def open_authorities(directory: Path, settings: TrustSettings, at: datetime) -> Authorities:
    """Return the authorities kept in `directory`, making those that are missing."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    algorithm = settings.key_algorithm

    def name(role: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "UA"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{settings.name} (tests only)"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{settings.name} {role}"),
            ]
        )

    def opened(file: str, role: str, issuer: Authority | None, purpose: ObjectIdentifier | None) -> Authority:
        found = _read(directory, file)
        return found or _write(directory, file, _make(name(role), issuer, purpose, algorithm, at))

    root = opened(ROOT, "root CA", None, None)
    issuing = opened(ISSUING, "issuing CA", root, None) if settings.issuing_ca else root
    ocsp = opened(OCSP, "OCSP responder", issuing, ExtendedKeyUsageOID.OCSP_SIGNING)
    tsa = opened(TSA, "TSA", issuing, ExtendedKeyUsageOID.TIME_STAMPING)
    return Authorities(root, issuing, ocsp, tsa)


def _make(
    subject: x509.Name, issuer: Authority | None, purpose: ObjectIdentifier | None, algorithm: str, at: datetime
) -> Authority:
    """Make an authority; without a purpose of its own it is one that issues certificates."""
    key = generate_key(algorithm)
    signer = issuer or Authority(key, None)  # type: ignore[arg-type]
    issuer_name = subject if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at + _VALIDITY)
        .add_extension(x509.BasicConstraints(ca=purpose is None, path_length=None), critical=True)
        .add_extension(_usage_of_authority(issues=purpose is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.certificate.public_key())  # type: ignore[arg-type]
        builder = builder.add_extension(issuer_key, critical=False)
    if purpose is not None:
        # RFC 3161 2.3: the purpose of a TSA must be critical.
        critical = purpose == ExtendedKeyUsageOID.TIME_STAMPING
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=critical)
    if purpose == ExtendedKeyUsageOID.OCSP_SIGNING:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return Authority(key, builder.sign(signer.key, hashes.SHA256()))


def _usage_of_authority(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=issues,
        crl_sign=issues,
        encipher_only=False,
        decipher_only=False,
    )


def _read(directory: Path, file: str) -> Authority | None:
    key_path, certificate_path = directory / f"{file}.key", directory / f"{file}.pem"
    if not (key_path.exists() and certificate_path.exists()):
        return None
    key = load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return Authority(key, x509.load_pem_x509_certificate(certificate_path.read_bytes()))


def _write(directory: Path, file: str, authority: Authority) -> Authority:
    key_path = directory / f"{file}.key"
    key_path.unlink(missing_ok=True)
    descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (directory / f"{file}.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    return authority

"""A key and a self-signed certificate for an admin port, made once at initialisation.

Nobody is asked to trust the name in it: whoever calls an admin port pins the certificate, or turns
verification off on a loopback address.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALIDITY: Final = timedelta(days=20 * 365)
RSA_BITS: Final = 2048

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def generate_key(algorithm: str = "RSA") -> PrivateKey:
    """Return a new key: RSA of 2048 bits, or EC on P-256."""
    if algorithm == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    raise ValueError(f"key algorithm {algorithm} is neither RSA nor EC")


def self_signed(
    key: PrivateKey, common_name: str, at: datetime, *, names: Sequence[str] = (), validity: timedelta = VALIDITY
) -> x509.Certificate:
    """Return a certificate of `key` by itself, for TLS servers called by any of `names`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + validity)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    if names:
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def ensure_tls_files(
    directory: Path,
    name: str,
    at: datetime,
    *,
    names: Sequence[str] = ("localhost", "127.0.0.1"),
    algorithm: str = "EC",
) -> tuple[Path, Path]:
    """Return the paths of `<name>.crt` and `<name>.key` in `directory`, making both if there are none."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificate_path, key_path = directory / f"{name}.crt", directory / f"{name}.key"
    if not (certificate_path.exists() and key_path.exists()):
        key = generate_key(algorithm)
        certificate = self_signed(key, names[0] if names else name, at, names=names)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(key_path, pem)
        certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def server_context(certificate_path: Path, key_path: Path) -> ssl.SSLContext:
    """Return a TLS 1.2/1.3 context for an admin or configuration port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate_path, key_path)
    return context

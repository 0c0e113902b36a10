"""The test certification authority: signs what it is asked to sign (X-Road certificate profiles).

The subject is taken from the request as it stands, because the gateway has filled it in by the rules
of the certificate profile. What the certificate may be used for comes from the kind asked for: a
sign certificate says nonRepudiation, an authentication certificate is for TLS both ways.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from central_services.settings import TrustSettings
from central_services.trust import store
from central_services.trust.authorities import BACKDATED, Authorities
from gateway.runtime.database import Database

SIGN: Final = "sign"
AUTH: Final = "auth"
USAGES: Final = (SIGN, AUTH)
_MIN_RSA_BITS: Final = 2048


class RequestRefused(Exception):  # noqa: N818
    """A certificate request that cannot be granted; the text says why."""


class CertificationAuthority:
    """Issues certificates, remembers them, and revokes them."""

    def __init__(
        self, authorities: Authorities, database: Database, settings: TrustSettings, now: Callable[[], datetime]
    ) -> None:
        self._authorities = authorities
        self._database = database
        self._settings = settings
        self._now = now

    def issue(self, data: bytes, usage: str | None) -> x509.Certificate:
        """Sign a PKCS #10 request, in DER or PEM; without a usage the request's own key usage decides.

        Raises RequestRefused for anything that is not such a request, or not signed by its own key.
        """
        request = _read_request(data)
        kind = usage or _usage_in(request)
        if kind not in USAGES:
            raise RequestRefused(f"usage {kind} is neither sign nor auth")
        now = self._now()
        certificate = self._build(request, kind, now).sign(self._authorities.issuing.key, hashes.SHA256())
        with self._database.transaction() as tx:
            der = certificate.public_bytes(Encoding.DER)
            store.add_certificate(tx, certificate.serial_number, kind, der, now)
        return certificate

    def _build(self, request: x509.CertificateSigningRequest, kind: str, now: datetime) -> x509.CertificateBuilder:
        issuer = self._authorities.issuing.certificate
        builder = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(issuer.subject)
            .public_key(request.public_key())
            .serial_number(self._next_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + timedelta(days=self._settings.certificate_days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(kind), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()),  # type: ignore[arg-type]
                critical=False,
            )
        )
        if kind == AUTH:
            purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        names = _alternative_names(request)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        if self._settings.public_url:
            builder = builder.add_extension(_ocsp_address(self._settings.public_url), critical=False)
        return builder

    def _next_serial_number(self) -> int:
        """Return a number nobody has: a sequence, so that it is unique, and chance, so that none can guess it."""
        with self._database.transaction() as tx:
            count = store.next_numbers(tx, "certificate")
        return (count << 64) | secrets.randbits(64)

    def revoke(self, serial_number: int) -> bool:
        """Revoke a certificate; whether there was one that was still good."""
        with self._database.transaction() as tx:
            return store.revoke(tx, serial_number, self._now())

    def certificates(self) -> tuple[store.IssuedCertificate, ...]:
        """Return everything issued."""
        with self._database.reading() as tx:
            return store.certificates(tx)


def _read_request(data: bytes) -> x509.CertificateSigningRequest:
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            request = x509.load_pem_x509_csr(data)
        else:
            request = x509.load_der_x509_csr(data)
        signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, TypeError) as cause:
        raise RequestRefused(str(cause) or type(cause).__name__) from cause
    if not signed:
        raise RequestRefused("it is not signed by the key it names")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return request
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
        return request
    raise RequestRefused("its key is neither RSA of 2048 bits or more, nor on a NIST curve from P-256")


def _usage_in(request: x509.CertificateSigningRequest) -> str:
    try:
        usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        raise RequestRefused("it does not say what the key is for") from None
    return SIGN if usage.content_commitment else AUTH


def _key_usage(kind: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=kind == AUTH,
        content_commitment=kind == SIGN,
        key_encipherment=kind == AUTH,
        data_encipherment=kind == AUTH,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative_names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _ocsp_address(url: str) -> x509.AuthorityInformationAccess:
    where = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)])

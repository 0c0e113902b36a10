"""Certificate signing requests: build around a signing callable, parse and verify (PKCS #10, RFC 2986).

The key stays where it is: `sign` gets the bytes to sign and returns the signature, ECDSA as DER.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import serialization

from gateway.xroad.digests import SignatureAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.asn1 import TLV, AlgorithmIdentifier, any_value, encode, oid
from gateway.xroad.pki.certificates import PublicKey
from gateway.xroad.pki.cms import signature_identifier

MAX_CSR_BYTES: Final = 64 * 1024
_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_SUBJECT_ALTERNATIVE_NAME: Final = "2.5.29.17"


@asn1.sequence
class _Attribute:
    type: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _Extension:
    oid: x509.ObjectIdentifier
    value: bytes


@asn1.sequence
class _Extensions:
    requested: TLV


@asn1.sequence
class _Info:
    version: int
    subject: TLV
    public_key: TLV
    attributes: Annotated[list[_Attribute], asn1.Implicit(0)]


@asn1.sequence
class _Request:
    info: TLV
    algorithm: AlgorithmIdentifier
    signature: asn1.BitString


def build_csr(
    subject: x509.Name,
    public_key: PublicKey,
    sign: Callable[[bytes], bytes],
    algorithm: SignatureAlgorithm,
    dns_names: Sequence[str] = (),
) -> bytes:
    """Return a signed request in DER; `sign` signs the bytes it is given by `algorithm`."""
    key_info = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    info = encode(
        _Info(
            version=0,
            subject=any_value(subject.public_bytes()),
            public_key=any_value(key_info),
            attributes=[_alternative_names(dns_names)] if dns_names else [],
        )
    )
    request = _Request(
        info=any_value(info),
        algorithm=signature_identifier(algorithm),
        signature=asn1.BitString(sign(info), 0),
    )
    return encode(request)


def _alternative_names(dns_names: Sequence[str]) -> _Attribute:
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
    extension = _Extension(oid=oid(_SUBJECT_ALTERNATIVE_NAME), value=names.public_bytes())
    # Extensions ::= SEQUENCE OF Extension, of which there is one.
    extensions = encode(_Extensions(requested=any_value(encode(extension))))
    return _Attribute(type=oid(_EXTENSION_REQUEST), values=asn1.SetOf([any_value(extensions)]))


def parse_csr(data: bytes) -> x509.CertificateSigningRequest:
    """Read a request, DER or PEM, and prove that its sender holds the key.

    Raises SignatureRefused: incorrect_certificate for anything that is no request,
    invalid_signature_value when its signature does not hold.
    """
    if len(data) > MAX_CSR_BYTES:
        raise SignatureRefused("incorrect_certificate", "pki.csr_malformed", size_bytes=len(data))
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            request = x509.load_pem_x509_csr(data)
        else:
            request = x509.load_der_x509_csr(data)
        request.subject.rfc4514_string()
        _ = request.extensions, request.public_key()
        # A signature is whole bytes: DER would spell another one with the same meaning (X.690, 11.2.1).
        unused_bits = request.public_bytes(serialization.Encoding.DER)[-len(request.signature) - 1]
        holds = request.is_signature_valid and unused_bits == 0
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as bad:
        raise SignatureRefused("incorrect_certificate", "pki.csr_malformed", size_bytes=len(data)) from bad
    if not holds:
        raise SignatureRefused("invalid_signature_value", "pki.csr_signature", subject=request.subject.rfc4514_string())
    return request


def to_pem(der: bytes) -> str:
    """Return a request in PEM, as people send it to a CA."""
    request = x509.load_der_x509_csr(der)
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")

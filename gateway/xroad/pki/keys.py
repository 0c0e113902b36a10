"""Signatures with RSA and EC keys, over digests that are already computed (RFC 8017, X9.62, RFC 6931).

The value of an ECDSA signature is `r || s` in XML and a DER sequence in ASN.1; Java pads r and s only
to the longer of the two, so a value from a peer may be shorter than twice the field (X-Road
Signatures.java). We write full length and read either form.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from gateway.xroad.digests import DigestAlgorithm, KeyKind, SignatureAlgorithm
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.pki.certificates import PublicKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MAX_SIGNATURE_BYTES: Final = 2048  # RSA-16384: nobody has a longer one
_ALGORITHMS: Final = {(a.kind, a.digest_algorithm): a for a in SignatureAlgorithm}


def _refused(text_id: str, **facts: object) -> SignatureRefused:
    return SignatureRefused("invalid_signature_value", text_id, **facts)


def algorithm_for(
    key: object, digest: DigestAlgorithm = DigestAlgorithm.SHA512, *, pss: bool = False
) -> SignatureAlgorithm:
    """Return the algorithm in which a key of this kind, public or private, signs digests of this kind.

    Raises SignatureRefused (unsupported_sign_algorithm) for keys that are neither RSA nor EC, and for
    digests nobody may sign any more.
    """
    kind = _kind_of(key)
    if kind is KeyKind.RSA and pss:
        kind = KeyKind.RSA_PSS
    algorithm = _ALGORITHMS.get((kind, digest)) if kind else None
    if algorithm is None:
        raise SignatureRefused(
            "unsupported_sign_algorithm", "pki.algorithm_unsupported", key=type(key).__name__, digest=digest.label
        )
    return algorithm


def _kind_of(key: object) -> KeyKind | None:
    return _kind_of_type(type(key))  # type: ignore[arg-type]  # mypy: a type has no plain __hash__


@lru_cache(maxsize=64)  # asking an abstract class costs as much as a digest
def _kind_of_type(key_type: type[object]) -> KeyKind | None:
    if issubclass(key_type, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
        return KeyKind.RSA
    if issubclass(key_type, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)):
        return KeyKind.ECDSA
    return None


_PREHASHED: Final = {algorithm: Prehashed(algorithm.digest_algorithm.primitive) for algorithm in SignatureAlgorithm}
_ECDSA: Final = {algorithm: ec.ECDSA(hashed) for algorithm, hashed in _PREHASHED.items()}


def _padding_of(algorithm: SignatureAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.kind is KeyKind.RSA:
        return padding.PKCS1v15()
    # RFC 6931 2.3.9: MGF1 with the same digest, salt as long as the digest.
    return padding.PSS(padding.MGF1(algorithm.digest_algorithm.primitive), padding.PSS.DIGEST_LENGTH)


def sign_digest(key: PrivateKey, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
    """Sign a digest; the value of an ECDSA signature comes as DER.

    Raises RuntimeError when key, algorithm and digest do not fit together: that is ours to get right.
    """
    expected = KeyKind.ECDSA if algorithm.kind is KeyKind.ECDSA else KeyKind.RSA
    if _kind_of(key) is not expected or len(digest) != algorithm.digest_algorithm.primitive.digest_size:
        raise RuntimeError(f"{algorithm.name} does not fit {type(key).__name__} and {len(digest)} bytes of digest")
    if expected is KeyKind.RSA:
        return cast(rsa.RSAPrivateKey, key).sign(digest, _padding_of(algorithm), _PREHASHED[algorithm])
    return cast(ec.EllipticCurvePrivateKey, key).sign(digest, _ECDSA[algorithm])


def verify_signature(
    public_key: object,
    algorithm: SignatureAlgorithm,
    signature: bytes,
    *,
    data: bytes | None = None,
    digest: bytes | None = None,
) -> None:
    """Prove that `signature` is over `data`, or over data with this `digest`.

    Raises SignatureRefused (invalid_signature_value).
    """
    if (data is None) == (digest is None):
        raise RuntimeError("give either data or digest")
    hashed = digest if digest is not None else algorithm.digest_algorithm.digest(data or b"")
    expected = KeyKind.ECDSA if algorithm.kind is KeyKind.ECDSA else KeyKind.RSA
    if _kind_of(public_key) is not expected:
        raise _refused("pki.key_does_not_fit", algorithm=algorithm.name, key=type(public_key).__name__)
    if not 0 < len(signature) <= MAX_SIGNATURE_BYTES:
        raise _refused("pki.signature_length", size_bytes=len(signature))
    if len(hashed) != algorithm.digest_algorithm.primitive.digest_size:
        raise RuntimeError(f"{len(hashed)} bytes are no {algorithm.digest_algorithm.label} digest")
    if expected is KeyKind.RSA:
        _verify_rsa(cast(rsa.RSAPublicKey, public_key), algorithm, signature, hashed)
    else:
        _verify_ecdsa(cast(ec.EllipticCurvePublicKey, public_key), algorithm, signature, hashed)


def _verify_rsa(key: rsa.RSAPublicKey, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes) -> None:
    try:
        key.verify(signature, digest, _padding_of(algorithm), _PREHASHED[algorithm])
    except (InvalidSignature, ValueError, UnsupportedAlgorithm) as bad:
        raise _refused("pki.signature_invalid", algorithm=algorithm.name) from bad


def _verify_ecdsa(
    key: ec.EllipticCurvePublicKey, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes
) -> None:
    scheme = _ECDSA[algorithm]
    # Raw first: that is what XML carries; 64 raw bytes that also look like DER are then still read right.
    for form in _ecdsa_forms(signature):
        try:
            key.verify(form, digest, scheme)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            continue
        return
    raise _refused("pki.signature_invalid", algorithm=algorithm.name)


def _ecdsa_forms(signature: bytes) -> list[bytes]:
    forms = [] if len(signature) % 2 else [ecdsa_raw_to_der(signature)]
    return [*forms, signature] if signature[:1] == b"\x30" else forms


def ecdsa_raw_to_der(raw: bytes) -> bytes:
    """Turn `r || s`, two halves of any length, into the DER sequence.

    Raises SignatureRefused (invalid_signature_value) when the length is odd or nothing.
    """
    if not raw or len(raw) % 2:
        raise _refused("pki.signature_length", size_bytes=len(raw))
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def field_bytes(key: ec.EllipticCurvePublicKey) -> int:
    """Return how long `r` and `s` are for this key."""
    return (key.curve.key_size + 7) // 8


def ecdsa_der_to_raw(der: bytes, key: PublicKey) -> bytes:
    """Turn the DER sequence into `r || s`, each as long as the field of `key`."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise RuntimeError("only EC keys make ECDSA signatures")
    return ecdsa_raw_of(der, field_bytes(key))


def ecdsa_raw_of(der: bytes, size: int) -> bytes:
    """Turn the DER sequence into `r || s`, each `size` bytes long.

    Raises SignatureRefused (invalid_signature_value) when the DER is broken or too large for the key.
    """
    try:
        r, s = decode_dss_signature(der)
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except (ValueError, OverflowError) as bad:
        raise _refused("pki.signature_length", size_bytes=len(der)) from bad

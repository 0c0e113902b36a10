"""Digest and signature algorithms by every name the protocols use.

One algorithm is an XML URI in a signature, a plain name in an HTTP header and an OID in ASN.1;
the tables below are the only place that maps them (XMLDSig, XMLEnc, RFC 5754, X-Road
DigestAlgorithm.java and SignAlgorithm.java).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from enum import Enum
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes

from gateway.xroad.facts import fact


class DigestAlgorithm(Enum):
    """Digest algorithms: plain name, XML URI, OID, hashlib name."""

    SHA1 = ("SHA-1", "http://www.w3.org/2000/09/xmldsig#sha1", "1.3.14.3.2.26", "sha1")
    SHA224 = ("SHA-224", "http://www.w3.org/2001/04/xmldsig-more#sha224", "2.16.840.1.101.3.4.2.4", "sha224")
    SHA256 = ("SHA-256", "http://www.w3.org/2001/04/xmlenc#sha256", "2.16.840.1.101.3.4.2.1", "sha256")
    SHA384 = ("SHA-384", "http://www.w3.org/2001/04/xmldsig-more#sha384", "2.16.840.1.101.3.4.2.2", "sha384")
    SHA512 = ("SHA-512", "http://www.w3.org/2001/04/xmlenc#sha512", "2.16.840.1.101.3.4.2.3", "sha512")

    def __init__(self, label: str, uri: str, oid: str, hashlib_name: str) -> None:
        self.label = label
        self.uri = uri
        self.oid = oid
        self.hashlib_name = hashlib_name
        self._new: Callable[[bytes], Any] = getattr(hashlib, hashlib_name)  # faster than hashlib.new with the name

    def digest(self, data: bytes) -> bytes:
        """Return the raw digest of `data`."""
        value: bytes = self._new(data).digest()
        return value

    @property
    def primitive(self) -> hashes.HashAlgorithm:
        """The algorithm as `cryptography` names it."""
        return _PRIMITIVES[self.label]


_PRIMITIVES: dict[str, hashes.HashAlgorithm] = {
    "SHA-1": hashes.SHA1(),  # noqa: S303  read for OCSP CertIDs, never accepted in a signature
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}


class KeyKind(Enum):
    """The kinds of signature we make and accept."""

    RSA = "RSA"
    RSA_PSS = "RSA-PSS"
    ECDSA = "ECDSA"


class SignatureAlgorithm(Enum):
    """Signature algorithms: kind, digest, XML URI, JCA name (PR-MSERV headers)."""

    RSA_SHA256 = (
        KeyKind.RSA, DigestAlgorithm.SHA256, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "SHA256withRSA",
    )  # fmt: skip
    RSA_SHA384 = (
        KeyKind.RSA, DigestAlgorithm.SHA384, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "SHA384withRSA",
    )  # fmt: skip
    RSA_SHA512 = (
        KeyKind.RSA, DigestAlgorithm.SHA512, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "SHA512withRSA",
    )  # fmt: skip
    PSS_SHA256 = (
        KeyKind.RSA_PSS, DigestAlgorithm.SHA256,
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", "SHA256withRSAandMGF1",
    )  # fmt: skip
    PSS_SHA384 = (
        KeyKind.RSA_PSS, DigestAlgorithm.SHA384,
        "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", "SHA384withRSAandMGF1",
    )  # fmt: skip
    PSS_SHA512 = (
        KeyKind.RSA_PSS, DigestAlgorithm.SHA512,
        "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", "SHA512withRSAandMGF1",
    )  # fmt: skip
    ECDSA_SHA256 = (
        KeyKind.ECDSA, DigestAlgorithm.SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "SHA256withECDSA",
    )  # fmt: skip
    ECDSA_SHA384 = (
        KeyKind.ECDSA, DigestAlgorithm.SHA384,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "SHA384withECDSA",
    )  # fmt: skip
    ECDSA_SHA512 = (
        KeyKind.ECDSA, DigestAlgorithm.SHA512,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", "SHA512withECDSA",
    )  # fmt: skip

    def __init__(self, kind: KeyKind, digest: DigestAlgorithm, uri: str, jca_name: str) -> None:
        self.kind = kind
        self.digest_algorithm = digest
        self.uri = uri
        self.jca_name = jca_name


@lru_cache(maxsize=64)
def find_digest_algorithm(name: str) -> DigestAlgorithm | None:
    """Return the algorithm called `name`: a plain name in any case, an XML URI or an OID."""
    return next((a for a in DigestAlgorithm if name in (a.uri, a.oid) or name.upper() == a.label), None)


@lru_cache(maxsize=64)
def find_signature_algorithm(name: str) -> SignatureAlgorithm | None:
    """Return the algorithm with this XML URI or JCA name."""
    return next((a for a in SignatureAlgorithm if name in (a.uri, a.jca_name)), None)


@fact
class Digest:
    """A digest that knows its algorithm; `value` is raw bytes."""

    algorithm: DigestAlgorithm
    value: bytes

    @property
    def base64(self) -> str:
        """The value as base64 on one line."""
        return base64.b64encode(self.value).decode("ascii")

    @property
    def hex(self) -> str:
        """The value as lower-case hex."""
        return self.value.hex()


def digest_of(data: bytes, algorithm: DigestAlgorithm = DigestAlgorithm.SHA512) -> Digest:
    """Return the digest of `data`; SHA-512 is the algorithm of every message part (X-Road Digests.java)."""
    return Digest(algorithm, algorithm.digest(data))


def digest_of_chunks(chunks: Iterable[bytes], algorithm: DigestAlgorithm = DigestAlgorithm.SHA512) -> Digest:
    """Return the digest of the concatenation of `chunks`, in constant memory."""
    state = hashlib.new(algorithm.hashlib_name)
    for chunk in chunks:
        state.update(chunk)
    return Digest(algorithm, state.digest())

"""Tokens, keys, certificates and requests as facts (X-Road keyconf.xsd)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.xroad.identifiers import MemberId
from gateway.xroad.pki.keys import PrivateKey

SOFTWARE_TOKEN = "0"  # noqa: S105  the id X-Road gives to its software token


class KeyUsage(StrEnum):
    """What a key is for; unset until the first request or certificate fixes it."""

    SIGNING = "SIGNING"
    AUTHENTICATION = "AUTHENTICATION"


class KeyAlgorithm(StrEnum):
    """The kinds of keys the software token makes."""

    EC = "EC"
    RSA = "RSA"


class CertificateStatus(StrEnum):
    """Where a certificate stands towards the central services."""

    SAVED = "saved"
    REGISTRATION_IN_PROGRESS = "registration in progress"
    REGISTERED = "registered"
    DELETION_IN_PROGRESS = "deletion in progress"
    GLOBAL_ERROR = "global error"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key pair on a token; `public_key_der` is a SubjectPublicKeyInfo."""

    id: str
    token: str
    label: str
    usage: KeyUsage | None
    algorithm: KeyAlgorithm
    public_key_der: bytes


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request that went, or is to go, to a CA; `member` only for signing certificates."""

    id: str
    key: str
    member: MemberId | None
    subject: str
    profile: str
    der: bytes


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """A certificate of one of our keys; `hash` is SHA-256 in hex, `member` only of signing certificates."""

    hash: str
    key: str
    member: MemberId | None
    der: bytes
    status: CertificateStatus
    active: bool


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key with all that hangs on it; `available` when the token can use it now."""

    key: KeyRecord
    available: bool
    certificates: tuple[CertificateRecord, ...]
    requests: tuple[CertificateRequest, ...]


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """A token as the console and the API show it."""

    id: str
    label: str
    initialised: bool
    logged_in: bool
    keys: tuple[KeyFacts, ...]


@dataclass(frozen=True, slots=True)
class KeyringSnapshot:
    """Every key and certificate of one moment: what identities are chosen from."""

    version: int
    keys: tuple[KeyRecord, ...]
    certificates: tuple[CertificateRecord, ...]

    def key_of(self, certificate: CertificateRecord) -> KeyRecord | None:
        """Return the key a certificate belongs to."""
        return next((key for key in self.keys if key.id == certificate.key), None)


@dataclass(frozen=True, slots=True)
class AuthenticationIdentity:
    """What the TLS listener needs: the one key that leaves this room.

    `chain` are the intermediates, never the root: peers ask for the status of whatever is presented.
    """

    certificate_der: bytes
    chain: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    private_key: PrivateKey


@dataclass(frozen=True, slots=True)
class ResponderStatus:
    """How the last question to an OCSP responder went; `error` is a fault code."""

    url: str
    issuer: str
    asked_at: datetime
    next_at: datetime
    error: str | None

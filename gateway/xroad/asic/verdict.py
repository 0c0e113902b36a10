"""What the verification of a container says: named checks, and the facts they prove.

A verdict holds proven facts only. Nothing in it comes from bytes that neither the signature nor the
time-stamp nor a certificate status covers, so it can be read out in court as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509

from gateway.xroad.digests import Digest
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, MemberId, ServiceId
from gateway.xroad.pki.ocsp import OcspStatus


class CheckName(Enum):
    """The checks in the order they are made."""

    CONTAINER = "container"
    MESSAGE = "message"
    SIGNATURE = "signature"
    FORM = "form"
    TIMESTAMP_CHAIN = "timestamp_chain"
    TIMESTAMP = "timestamp"
    MANIFEST = "manifest"
    SIGNATURE_CHAIN = "signature_chain"
    CERTIFICATE = "certificate"
    MEMBER = "member"
    REFERENCES = "references"
    VALUE = "value"
    PROPERTIES = "properties"
    PATH = "path"
    STATUS = "status"


class Outcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Check:
    """One check with what it measured; the text of a failed one is in the fault of the examination."""

    name: CheckName
    outcome: Outcome
    facts: Mapping[str, object]


class Kind(Enum):
    """Which protocol the message speaks."""

    SOAP = "SOAP"
    REST = "REST"


class Direction(Enum):
    """Which half of an exchange the message is."""

    REQUEST = "request"
    RESPONSE = "response"


class AttachmentState(Enum):
    """Whether a signed part lies in the container, or only its digest in the signature.

    DIGEST_KNOWN: the signature is over the digest that the record of the part says; DIGEST_ONLY: there
    was nothing to compare with.
    """

    VERIFIED = "verified"
    DIGEST_KNOWN = "digest_known"
    DIGEST_ONLY = "digest_only"


@dataclass(frozen=True, slots=True)
class SignedAttachment:
    """An attachment (SOAP) or body (REST) that the signature covers."""

    name: str
    digest: Digest
    state: AttachmentState


@dataclass(frozen=True, slots=True)
class Verdict:
    """A container that holds: who signed what, and when it existed.

    `time` is the time-stamp's and what everything was verified at; `signing_time` is the signer's claim.
    Unless `message` is VERIFIED, the body of the message was not logged: that this member signed a message
    of that digest is proven; client, service and id are what the record says of it.
    """

    signer: ClientId
    certificate: x509.Certificate
    path: tuple[x509.Certificate, ...]
    kind: Kind
    direction: Direction
    client: ClientId
    service: ServiceId
    id: str
    signing_time: datetime
    time: datetime
    authority: x509.Certificate
    is_batch_timestamp: bool
    statuses: tuple[OcspStatus, ...]
    attachments: tuple[SignedAttachment, ...]
    checks: tuple[Check, ...]
    message: AttachmentState = AttachmentState.VERIFIED

    @property
    def member(self) -> MemberId:
        """The member whose certificate signed."""
        return self.signer.member

    @property
    def subject(self) -> str:
        """The subject of the signing certificate."""
        return self.certificate.subject.rfc4514_string()


@dataclass(frozen=True, slots=True)
class Examination:
    """Every check with its outcome, and either a verdict or the fault that ended it."""

    checks: tuple[Check, ...]
    verdict: Verdict | None
    fault: XRoadFault | None

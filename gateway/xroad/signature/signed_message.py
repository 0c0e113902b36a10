"""Signed and verified messages: trust as types.

A `SignedMessage` is claimed, not proven. `VerifiedMessage` is made by `signature.verify.verify` and
nowhere else; `tests/test_architecture.py` holds that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, SignatureAlgorithm
from gateway.xroad.facts import fact
from gateway.xroad.identifiers import MemberId
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.soap.message import SoapMessage

Message = SoapMessage | RestRequest | RestResponse

MESSAGE_PART = "/message.xml"


def attachment_part(number: int) -> str:
    """Return the name of the attachment with this number, from 1 (X-Road MessageFileNames.java)."""
    return f"/attachment{number}"


@fact
class Part:
    """One signed part: its name in the signature and the SHA-512 of its bytes."""

    name: str
    digest: Digest


@fact
class Signature:
    """A XAdES signature as it travels; the two hash-chain documents come together or not at all."""

    xml: bytes
    hash_chain_result: bytes | None = None
    hash_chain: bytes | None = None


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """Everything that goes into a signature besides the message, taken together.

    `extra_certificates` are the intermediates between the signing certificate and the approved CA;
    `ocsp_responses` belong to the signing certificate first, then to each of them. `key` is the
    signer's handle of the private key: one rotation can never mix them.
    """

    member: MemberId
    certificate_der: bytes
    extra_certificates: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    algorithm: SignatureAlgorithm
    key: str


@fact
class SignedMessage:
    """A message with a signature that nobody has checked yet."""

    message: Message
    signature: Signature


@fact
class VerifiedMessage:
    """A message whose signature holds: made by `signature.verify.verify` and nowhere else."""

    signed: SignedMessage
    signer: MemberId
    valid_at: datetime


def bodies_of(message: Message) -> tuple[Body, ...]:
    """Return the attachments of a SOAP message, or the body of a REST message, in signed order."""
    if isinstance(message, SoapMessage):
        return tuple([attachment.body for attachment in message.attachments]) if message.attachments else ()
    return () if message.body is None else (message.body,)


def parts_of(message: Message) -> tuple[Part, ...]:
    """Return the parts a signature must cover, in order (X-Road ProxyMessageEncoder.java)."""
    first = Part(MESSAGE_PART, message.digest)
    bodies = bodies_of(message)
    if not bodies:
        return (first,)
    return (first, *(Part(attachment_part(n), body.digest) for n, body in enumerate(bodies, start=1)))

"""Sign a message for a member: the core's XAdES with the signer's key."""

from __future__ import annotations

from datetime import datetime

from gateway.exchange.ports import Signer
from gateway.xroad.identifiers import MemberId
from gateway.xroad.signature import xades
from gateway.xroad.signature.signed_message import Message, SignedMessage, parts_of


async def sign_message(message: Message, member: MemberId, signer: Signer, at: datetime) -> SignedMessage:
    """Return `message` with a signature of `member`.

    Raises SigningUnavailable when the member has no usable key, certificate or certificate status.
    """
    identity = signer.identity_of(member)
    to_be_signed = xades.prepare(parts_of(message), identity, at)
    value = await signer.sign(identity.key, to_be_signed.digest, identity.algorithm)
    return SignedMessage(message, xades.assemble(to_be_signed, value))

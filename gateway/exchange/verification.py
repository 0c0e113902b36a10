"""Prove a received message: the core's verification, its failures named as signature failures."""

from __future__ import annotations

from datetime import datetime

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId
from gateway.xroad.signature.signed_message import SignedMessage, VerifiedMessage
from gateway.xroad.signature.verify import verify


def verify_message(signed: SignedMessage, sender: ClientId, globalconf: GlobalConf, at: datetime) -> VerifiedMessage:
    """Return the proof that `sender`'s member signed this, valid at `at`.

    Raises SignatureRefused with a code under `signature_verification` (X-Road Verifier.java).
    """
    try:
        return verify(signed, sender, globalconf, at)
    except SignatureRefused as refused:
        raise refused.within("signature_verification") from None

"""Checkpoints and who makes them: the owner's key, a TSA at hand, a checkpointer over a logbook."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime
from typing import Any

from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.checkpoints import Checkpointer
from gateway.messagelog.model import CheckpointSettings, NewRefusal, RefusalContent, Side
from gateway.runtime.clock import epoch_ms
from gateway.xroad.checkpoint import Checkpoint, LedgerHead
from gateway.xroad.digests import Digest, SignatureAlgorithm, digest_of
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki.keys import sign_digest
from gateway.xroad.signature.signed_message import SigningIdentity
from tests.factories.messagelog import Logbook
from tests.factories.messages import a_server
from tests.factories.pki import NOON
from tests.factories.signatures import World, a_world


class OwnersKey:
    """A signer with the keys of a world."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or a_world()
        self._known: dict[str, SigningIdentity] = {}

    def identity_of(self, member: MemberId) -> SigningIdentity:
        identity = self.world.identity(member)
        self._known[identity.key] = identity
        return identity

    async def sign(self, key: str, digest: bytes, algorithm: SignatureAlgorithm) -> bytes:
        return sign_digest(self.world.key_of(self._known[key]).key, algorithm, digest)


def a_head(**changes: Any) -> LedgerHead:
    """What a server says of its ledger."""
    return dataclasses.replace(LedgerHead(a_server(), 3, bytes(range(32)), NOON), **changes)


def a_checkpoint(
    head: LedgerHead | None = None,
    *,
    world: World | None = None,
    identity: SigningIdentity | None = None,
    stamped_at: datetime = NOON,
    **changes: Any,
) -> Checkpoint:
    """A checkpoint that holds against the world's configuration; `changes` replace its fields."""
    world, head = world or a_world(), head or a_head()
    identity = identity or world.identity(head.origin.owner)
    digest = identity.algorithm.digest_algorithm.digest(head.signed_bytes)
    signature = sign_digest(world.key_of(identity).key, identity.algorithm, digest)
    made = Checkpoint(
        head=head,
        algorithm=identity.algorithm,
        signature=signature,
        certificate_der=identity.certificate_der,
        intermediates=identity.extra_certificates,
        ocsp_responses=identity.ocsp_responses,
        timestamp=world.hierarchy.timestamp(digest_of(signature), stamped_at),
    )
    return dataclasses.replace(made, **changes)


def a_checkpointer(
    book: Logbook, *, server: SecurityServerId | None = None, signer: OwnersKey | None = None, **settings: Any
) -> Checkpointer:
    """A checkpointer of a logbook that stamps by the clock of the book."""
    key = signer or OwnersKey()

    async def stamp(imprint: Digest) -> bytes:
        return key.world.hierarchy.timestamp(imprint, book.clock.now())

    return Checkpointer(
        book.log,
        CheckpointSettings(**settings),
        book.clock,
        server=lambda: server or a_server(),
        signer=key,
        stamp=stamp,
    )


def a_refusal(number: int = 1, **changes: Any) -> NewRefusal:
    """A refusal that differs from others by its number."""
    said = RefusalContent(
        time_ms=epoch_ms(NOON) + number, until_ms=epoch_ms(NOON) + number, times=1, side=Side.PROVIDER,
        is_failure=False, fault_code="server.serverproxy.access_denied", text_id="access.not_allowed",
        facts='{"client":"UA-DEMO/GOV/10000009"}', address="192.0.2.7", x_request_id=f"r-{number}",
        query_id=f"refused-{number}", client="UA-DEMO/GOV/10000009", provider="UA-DEMO/GOV/10000002/DEMOGRAPHIC",
        service_code="GetPerson", service_version=None, message_digest=bytes([number % 256]) * 64,
    )._replace(**changes)  # fmt: skip
    return NewRefusal(said, refusal_hash(said))


async def refuse(book: Logbook, count: int) -> None:
    """Write so many refusals at once."""
    await asyncio.gather(*(book.log.submit(a_refusal(number)) for number in range(1, count + 1)))

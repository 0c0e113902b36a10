"""Checkpoints of this server's ledger: made at a set interval, kept in the log's database, told to others.

The one that counts is the one that somebody else holds: whoever owns this database could rewrite all
of it, but not what left the house, signed by the member and stamped by an authority. So a checkpoint
is made even when nobody asks, as long as there is something new, and its delivery is repeated until
it succeeds. A ledger that does not continue the last checkpoint is never signed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import Connection, select

from gateway.messagelog.checkpoint_delivery import Delivery, Outbox
from gateway.messagelog.ledger import Ledger, LedgerTiles
from gateway.messagelog.model import CheckpointSettings
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.tables import checkpoints
from gateway.messagelog.writer import Change
from gateway.runtime.clock import Clock, epoch_ms, from_epoch_ms
from gateway.runtime.database import Database
from gateway.runtime.fetch import Fetcher
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.periodic import Periodic
from gateway.xroad.checkpoint import Checkpoint, LedgerHead, build_checkpoint, build_export, parse_checkpoint
from gateway.xroad.digests import Digest, SignatureAlgorithm, digest_of
from gateway.xroad.faults import LoggingUnavailable, XRoadFault
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.signature.signed_message import SigningIdentity

log = logging.getLogger(__name__)

LEDGER_INTERVAL_S: Final = 10.0  # the newest records are still in memory then
_FIRST_RUN_S: Final = 2.0
_RETRY_S: Final = 10.0
_WALK_STEP: Final = 200
_KEEP: Final = "INSERT INTO checkpoints (size, time_ms, root, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"

# Returns a token over this imprint, of whichever authority answers. Raises XRoadFault when none does.
Stamp = Callable[[Digest], Awaitable[bytes]]


class Signer(Protocol):
    """What is needed of the room with the private keys."""

    def identity_of(self, member: MemberId) -> SigningIdentity:
        """Return what goes into a signature of `member`. Raises SigningUnavailable."""
        ...

    async def sign(self, key: str, digest: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Return the signature over a digest; ECDSA as DER."""
        ...


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as its row has it; `note` is its text."""

    size: int
    time: datetime
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True)
class CheckpointStatus:
    """What operators and auditors should know: how far the ledger and its newest checkpoint are, and what is amiss."""

    ledger_size: int
    newest: StoredCheckpoint | None
    failure: XRoadFault | None
    deliveries: tuple[Delivery, ...]


class Checkpointer:
    """Keeps ledger and checkpoints of one message log."""

    def __init__(
        self,
        message_log: MessageLog,
        settings: CheckpointSettings,
        clock: Clock,
        *,
        server: Callable[[], SecurityServerId | None],
        signer: Signer,
        stamp: Stamp,
        fetch: Fetcher | None = None,
    ) -> None:
        self.ledger = Ledger(message_log)
        self._log = message_log
        self._settings = settings
        self._clock = clock
        self._server = server
        self._signer = signer
        self._stamp = stamp
        self._fetch = fetch or Fetcher(timeout_s=settings.delivery_timeout_s)
        self._outbox = Outbox(message_log, settings, clock, self._fetch)
        self._turn = asyncio.Lock()
        self._periodic = Periodic(
            "checkpoints",
            min(LEDGER_INTERVAL_S, settings.interval_s or LEDGER_INTERVAL_S),
            self.run,
            first_delay_s=_FIRST_RUN_S,
            retry_s=_RETRY_S,
            expected=(XRoadFault, CommitUnavailable),
        )

    def start(self) -> None:
        """Begin to work by itself."""
        self._periodic.start()

    async def stop(self) -> None:
        """Stop; what was written meanwhile comes into the ledger after the next start."""
        await self._periodic.stop()
        await self._fetch.close()

    async def run_now(self) -> None:
        """Run as soon as possible, once started, and return after that run, however it ended."""
        await self._periodic.run_now()

    async def run(self) -> None:
        """Extend the ledger, make a checkpoint when one is due, and deliver what is waiting."""
        try:
            size = await self.ledger.extend()
            if self._settings.interval_s and self._server() is not None and await self._is_due(size):
                await self.make_checkpoint()
        finally:
            await self._deliver()

    async def make_checkpoint(self) -> StoredCheckpoint:
        """Return a checkpoint of all entries there are now; the newest one where nothing came since.

        Raises LoggingUnavailable when there is no entry yet, the ledger is damaged or does not continue
        the last checkpoint; SigningUnavailable, or what the authorities failed with, when it cannot be
        signed or stamped; CommitUnavailable when it cannot be kept.
        """
        async with self._turn:
            size = await self.ledger.extend()
            server = self._server()
            if server is None:
                raise LoggingUnavailable("internal_error", "ledger.no_server")
            if size == 0:
                raise LoggingUnavailable("not_found", "ledger.no_checkpoint", size=0)
            newest, root = await asyncio.to_thread(self._read_root, size)
            if newest is not None and newest.size == size:
                return newest
            made = await self._sign(LedgerHead(server, size, root, from_epoch_ms(self._clock.now_ms())))
            row = (made.size, epoch_ms(made.time), made.root, made.note)
            await self._log.submit(Change(((_KEEP, [row]),)))
            log.info("a checkpoint was made", extra={"size": made.size, "root": made.root.hex()})
            return made

    async def rebuild_ledger(self) -> int:
        """Make the ledger's hashes anew from the entries, and return its size; errors as `make_checkpoint`.

        The last checkpoint says whether the entries are still those that it covered.
        """
        async with self._turn:
            size = await self.ledger.rebuild()
            await asyncio.to_thread(self._read_root, size)
            return size

    async def status(self) -> CheckpointStatus:
        """Return how far ledger and checkpoints are, and what is amiss."""
        size, newest = await asyncio.to_thread(self._read_status)
        return CheckpointStatus(size, newest, _fault_of(self._periodic.last_error), await self._outbox.status())

    async def _sign(self, head: LedgerHead) -> StoredCheckpoint:
        identity = self._signer.identity_of(head.origin.owner)
        algorithm = identity.algorithm
        digest = algorithm.digest_algorithm.digest(head.signed_bytes)
        signature = await self._signer.sign(identity.key, digest, algorithm)
        checkpoint = Checkpoint(
            head=head,
            algorithm=algorithm,
            signature=signature,
            certificate_der=identity.certificate_der,
            intermediates=identity.extra_certificates,
            ocsp_responses=identity.ocsp_responses,
            timestamp=await self._stamp(digest_of(signature)),
        )
        return StoredCheckpoint(head.size, head.time, head.root, build_checkpoint(checkpoint))

    async def _is_due(self, size: int) -> bool:
        newest = await asyncio.to_thread(self._read_newest)
        if newest is None:
            return size > 0
        age_s = (self._clock.now() - newest.time).total_seconds()
        return newest.size != size and not 0 <= age_s < self._settings.interval_s

    async def _deliver(self) -> None:
        newest = await asyncio.to_thread(self._read_newest)
        if newest is not None:
            await self._outbox.deliver(newest.size, newest.note)

    def _read_newest(self) -> StoredCheckpoint | None:
        with self._log.database.reading() as connection:
            return read_checkpoint(connection)

    def _read_status(self) -> tuple[int, StoredCheckpoint | None]:
        with self._log.database.reading() as connection:
            return LedgerTiles(connection).size, read_checkpoint(connection)

    def _read_root(self, size: int) -> tuple[StoredCheckpoint | None, bytes]:
        """Return the newest checkpoint and the root of the ledger, which must continue it."""
        with self._log.database.reading() as connection:
            newest, tiles = read_checkpoint(connection), LedgerTiles(connection)
            if newest is not None:
                head = parse_checkpoint(newest.note).head
                if head.size > size or tiles.root(head.size) != head.root:
                    raise LoggingUnavailable("internal_error", "ledger.does_not_continue", size=size, known=head.size)
            return newest, tiles.root(size)


def _fault_of(error: Exception | None) -> XRoadFault | None:
    if error is None or isinstance(error, XRoadFault):
        return error
    if isinstance(error, CommitUnavailable):
        return LoggingUnavailable("logging_failed", "messagelog.cannot_write", reason=str(error))
    return LoggingUnavailable("internal_error", "ledger.failed", reason=type(error).__name__)


def read_checkpoint(connection: Connection, size: int | None = None) -> StoredCheckpoint | None:
    """Return the checkpoint of this many entries, by default the newest; None when there is none."""
    question = select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
    if size is not None:
        question = question.where(checkpoints.c.size == size)
    row = connection.execute(question).one_or_none()
    return None if row is None else StoredCheckpoint(row.size, from_epoch_ms(row.time_ms), row.root, row.note)


def walk_checkpoints(connection: Connection) -> Iterator[StoredCheckpoint]:
    """Yield every checkpoint, the oldest first, in bounded memory."""
    after = -1
    question = select(checkpoints).order_by(checkpoints.c.size).limit(_WALK_STEP)
    while rows := connection.execute(question.where(checkpoints.c.size > after)).all():
        for row in rows:
            yield StoredCheckpoint(row.size, from_epoch_ms(row.time_ms), row.root, row.note)
        after = rows[-1].size


def export_checkpoint(database: Database, size: int | None = None, *, with_leaves: bool = True) -> Iterator[bytes]:
    """Yield what an auditor takes away: the checkpoint of this many entries, by default the newest, and its leaves.

    Raises LoggingUnavailable when there is no such checkpoint, or the ledger's tiles are damaged.
    """
    with database.reading() as connection:
        found = read_checkpoint(connection, size)
        if found is None:
            raise LoggingUnavailable("not_found", "ledger.no_checkpoint", size="-" if size is None else size)
        if not with_leaves:
            yield found.note
            return
        yield from build_export(found.note, found.size, LedgerTiles(connection).leaves(found.size))

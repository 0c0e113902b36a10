"""The ledger behind a source: that of a server, or what checkpoints kept outside say about archives alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import Final, Protocol

from gateway.auditing.deps import Inclusion
from gateway.auditing.model import Document
from gateway.auditing.server_archives import ServerArchives
from gateway.messagelog import store
from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.reader import ArchiveReader, Located
from gateway.messagelog.chain import sha512
from gateway.messagelog.checkpoints import StoredCheckpoint, read_checkpoint
from gateway.messagelog.completeness.check import check_archives, check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.messagelog.ledger import LedgerTiles
from gateway.messagelog.model import MessageRecord, RecordContent, RecordTimestamp
from gateway.messagelog.recorder import MessageLog
from gateway.runtime.clock import epoch_ms
from gateway.runtime.group_commit import CommitUnavailable
from gateway.xroad.asic.verify import Choose
from gateway.xroad.checkpoint import Export, parse_checkpoint, parse_export
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.identifiers import encode_path

_LEAVES_FOLLOW: Final = b"\n\n"

Progress = Callable[[int, int], None]


class Maker(Protocol):
    """Whoever makes checkpoints of a server."""

    async def make_checkpoint(self) -> StoredCheckpoint:
        """Return a checkpoint of all entries there are now."""
        ...


class ServerLedger:
    """The ledger of a running server; `open_archives` opens the place its archives go to, where there is one."""

    def __init__(
        self,
        message_log: MessageLog,
        maker: Maker,
        *,
        trust: Choose,
        archives: ServerArchives | None = None,
        open_archives: Callable[[], ArchiveReader] | None = None,
    ) -> None:
        self._log = message_log
        self._maker = maker
        self._trust = trust
        self._archives = archives
        self._open_archives = open_archives

    def newest(self) -> bytes | None:
        """Return the newest checkpoint as its note, None while there is none."""
        with self._log.database.reading() as connection:
            found = read_checkpoint(connection)
        return None if found is None else found.note

    async def make(self) -> bytes:
        """Make a checkpoint of all entries there are now. Raises XRoadFault."""
        try:
            return (await self._maker.make_checkpoint()).note
        except CommitUnavailable as cause:
            raise LoggingUnavailable("logging_failed", "messagelog.cannot_write", reason=str(cause)) from cause

    def size_of(self, note: bytes) -> int:
        """Return how many entries a checkpoint covers. Raises MalformedMessage for what is none."""
        return size_of(note)

    def prove(self, sequence: int, size: int, document: Document | None = None) -> Inclusion | None:
        """Return the proof that an entry is among the first `size`; None when it is not."""
        if not 0 < sequence <= size:
            return None
        with self._log.database.reading() as connection:
            tiles = LedgerTiles(connection)
            if size > tiles.size:
                return None
            leaf, hashes = tiles.leaf(sequence), tiles.inclusion(sequence, size)
        return Inclusion(sequence, size, leaf, hashes, self.fact_of(sequence, document))

    def examine(self, note: bytes, progress: Progress) -> Completeness:
        """Compare the whole log with a checkpoint, time-stamps included. Raises as the port says."""
        exports = exports_in([note])
        with nullcontext() if self._open_archives is None else self._open_archives() as archives:
            return check_completeness(
                self._log.database,
                exports,
                reader=self._log.reader,
                opens=self._log.keys.file is not None,
                archives=archives,
                trust=self._trust,
                progress=progress,
            )

    def fact_of(self, sequence: int, document: Document | None = None) -> ArchivedFact | None:
        """Return all that the leaf of an entry covers, None when nobody knows it."""
        with self._log.database.reading() as connection:
            record = store.read_record(connection, sequence)
            refusal = None if record is not None else store.read_refusal(connection, sequence)
            stamp = None if record is None else store.read_timestamp(connection, sequence)
        if record is not None:
            return None if document is None else fact_of_record(record, stamp, document)
        if refusal is not None:
            return ArchivedRefusal(sequence, refusal.content, refusal.previous_hash)
        located = None if self._archives is None else self._archives.find(sequence)
        return None if located is None else located.fact


class ArchivesLedger:
    """What is left of a ledger in archives alone: no checkpoint of its own, but every one can be checked."""

    def __init__(
        self, find: Callable[[int], Located | None], open_archives: Callable[[], ArchiveReader], trust: Choose | None
    ) -> None:
        self._find = find
        self._open_archives = open_archives
        self._trust = trust

    def newest(self) -> bytes | None:
        """Return None: checkpoints do not lie with archives."""
        return None

    async def make(self) -> bytes:
        """Refuse: only the server can sign one. Raises LoggingUnavailable."""
        raise LoggingUnavailable("not_found", "auditing.cli.no_checkpoints_in_archives")

    def size_of(self, note: bytes) -> int:
        """Return how many entries a checkpoint covers. Raises MalformedMessage for what is none."""
        return size_of(note)

    def prove(self, sequence: int, size: int, document: Document | None = None) -> Inclusion | None:
        """Return None: there is no checkpoint that a proof could lead to."""
        return None

    def fact_of(self, sequence: int, document: Document | None = None) -> ArchivedFact | None:
        """Return what an archive tells of an entry, None when there is none."""
        located = self._find(sequence)
        return None if located is None else located.fact

    def examine(self, note: bytes, progress: Progress) -> Completeness:
        """Compare the archives with a checkpoint. Raises as the port says."""
        with self._open_archives() as archives:
            return check_archives(archives, exports_in([note]), trust=self._trust, progress=progress)


def size_of(note: bytes) -> int:
    """Return how many entries a checkpoint covers, with or without its leaves. Raises MalformedMessage."""
    head, separator, _ = note.partition(_LEAVES_FOLLOW)
    return parse_checkpoint(head + separator[:1]).head.size


def exports_in(notes: Iterable[bytes]) -> list[Export]:
    """Return checkpoints as they were taken away. Raises MalformedMessage."""
    return [parse_export(note.splitlines(keepends=True)) for note in notes]


def fact_of_record(record: MessageRecord, stamp: RecordTimestamp | None, document: Document) -> ArchivedRecord:
    """Return what an archive would tell of a record, by which anybody works its leaf out again."""
    return ArchivedRecord(
        sequence=record.sequence,
        content=RecordContent(
            time_ms=epoch_ms(record.time),
            side=record.side,
            is_response=record.is_response,
            query_id=record.query_id,
            x_request_id=record.x_request_id,
            client=encode_path(record.client),
            provider=encode_path(record.service.provider),
            service_code=record.service.service_code,
            service_version=record.service.service_version,
            message_digest=record.message_digest,
            signature_digest=record.signature_digest,
            hash_chain_result=None,
            hash_chain=None,
            bodies=record.bodies,
            is_whole=record.is_whole,
            kept_digest=record.kept_digest,
        ),
        hash_chain_result_digest=_digest_of(record.hash_chain_result),
        hash_chain_digest=_digest_of(record.hash_chain),
        previous_hash=record.previous_hash,
        container=document.name,
        container_digest=sha512(document.container),
        container_size=len(document.container),
        stamped_ms=_ms_of(None if stamp is None else stamp.time),
        authority=None if stamp is None else stamp.authority,
    )


def _digest_of(document: bytes | None) -> bytes | None:
    return None if document is None else sha512(document)


def _ms_of(at: datetime | None) -> int | None:
    return None if at is None else epoch_ms(at)

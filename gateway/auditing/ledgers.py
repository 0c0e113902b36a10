"""The ledger behind a source: that of a server, or what checkpoints kept outside say about archives alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Final, Protocol

from gateway.auditing.deps import Inclusion
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.checkpoints import StoredCheckpoint, read_checkpoint
from gateway.messagelog.completeness.check import check_archives, check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.messagelog.ledger import LedgerTiles
from gateway.messagelog.recorder import MessageLog
from gateway.runtime.group_commit import CommitUnavailable
from gateway.xroad.asic.verify import Choose
from gateway.xroad.checkpoint import Export, parse_checkpoint, parse_export
from gateway.xroad.faults import LoggingUnavailable

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
        open_archives: Callable[[], ArchiveReader] | None = None,
    ) -> None:
        self._log = message_log
        self._maker = maker
        self._trust = trust
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

    def prove(self, sequence: int, size: int) -> Inclusion | None:
        """Return the proof that an entry is among the first `size`; None when it is not."""
        return self.prove_all([sequence], size).get(sequence)

    def prove_all(self, sequences: Sequence[int], size: int) -> Mapping[int, Inclusion]:
        """Return the proofs of some entries at once, without those that are not among the first `size`."""
        with self._log.database.reading() as connection:
            tiles = LedgerTiles(connection)
            if size > tiles.size:
                return {}
            return {
                sequence: Inclusion(sequence, size, tiles.leaf(sequence), tiles.inclusion(sequence, size))
                for sequence in sequences
                if 0 < sequence <= size
            }

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


class ArchivesLedger:
    """What is left of a ledger in archives alone: no checkpoint of its own, but every one can be checked."""

    def __init__(self, open_archives: Callable[[], ArchiveReader], trust: Choose | None) -> None:
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

    def prove(self, sequence: int, size: int) -> Inclusion | None:
        """Return None: there is no checkpoint that a proof could lead to."""
        return None

    def prove_all(self, sequences: Sequence[int], size: int) -> Mapping[int, Inclusion]:
        """Return nothing, for the same reason."""
        return {}

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

"""Archive what is time-stamped: range after range, file after file (X-Road LogArchiver.java, LogArchiveWriter.java).

A run takes the numbers that follow what is archived, as far as every record is time-stamped. Its
entries go into files by group; then its ledger hashes follow. What a crash leaves is put in order
before anything else is done: see `journal`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.messagelog.archive import journal
from gateway.messagelog.archive.entries import EntrySource, ReadyEntry
from gateway.messagelog.archive.file_writer import ArchiveFileWriter, FinishedFile
from gateway.messagelog.archive.journal import (
    ENTRIES_PER_CHANGE,
    Begin,
    Deliver,
    Finish,
    Journal,
    LeaveOut,
    RecordEntries,
    Release,
    Stage,
    Withdraw,
)
from gateway.messagelog.archive.leaves import MISSING, build_leaves
from gateway.messagelog.archive.model import ArchiveSettings, StoredFile
from gateway.messagelog.archive.names import leaves_name, parse_archive_name
from gateway.messagelog.archive.openpgp import Recipients
from gateway.messagelog.archive.places import Place
from gateway.messagelog.archive.plan import Group, Plan, make_late_plan, make_plan
from gateway.messagelog.ledger import LedgerTiles
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from gateway.runtime.durable_files import sync_directory, write_durably
from gateway.xroad.faults import LoggingUnavailable, XRoadFault
from gateway.xroad.ledger import entry_leaf

log = logging.getLogger(__name__)

LOCK_FILE: Final = ".lock"
LATE_AT_ONCE: Final = 1000  # entries of earlier runs that are tried again


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    archived_through: int = 0
    target: int = 0
    entries: int = 0
    files: int = 0
    unverified: int = 0
    left_out: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Archiver:
    """Archives one message log; one at a time, which the staging folder's lock sees to.

    `journal` has commands carried out by whoever writes the log; `progress` is told now and then.
    """

    database: Database
    entries: EntrySource
    place: Place
    staging: Path
    settings: ArchiveSettings
    journal: Journal
    clock: Clock
    progress: Callable[[Tally], None] = field(default=lambda _: None)

    def run(self) -> Tally:
        """Archive everything that is time-stamped, and return what was done.

        Raises LoggingUnavailable when log, disk, place or key stand in the way; what is done stays done.
        """
        tally = Tally()
        with self._locked():
            self._recover()
            self._look_again()
            self._archive_late(tally)
            while (found := self._next_range(tally)) is not None:
                self._archive(*found, tally)
        return tally

    # what a crash left

    def _recover(self) -> None:
        """Bring what was staged to its place, withdraw what was not complete, remove what nobody knows."""
        with self.database.reading() as connection:
            staged = [
                (f, journal.count_entries(connection, f.id)) for f in journal.read_files(connection, is_delivered=False)
            ]
        known: set[str] = set()
        for file, entries in staged:
            names = _names_of(file)
            if entries == file.entries and all(self._is_somewhere(name) for name in names):
                known.update(names)
                self._deliver(file.id, names)
            else:
                log.warning("an archive file was not finished and is made anew", extra={"archive": file.name})
                self.journal(Withdraw(file.id))
        for path in self.staging.iterdir():
            if path.name not in known and path.name != LOCK_FILE:
                path.unlink()

    def _is_somewhere(self, name: str) -> bool:
        return (self.staging / name).exists() or self.place.size(name) is not None

    def _look_again(self) -> None:
        """Let go of entries whose container did not hold but does now: a configuration came back, say."""
        after = 0
        while True:
            with self.database.reading() as connection:
                doubtful = journal.read_doubtful(connection, after, LATE_AT_ONCE)
            for sequence, digest in doubtful:
                if self.entries.holds(sequence, digest):
                    log.info("an archived container holds by now", extra={"sequence": sequence})
                    self.journal(Release(sequence))
                after = sequence
            if len(doubtful) < LATE_AT_ONCE:
                return

    # runs

    def _next_range(self, tally: Tally) -> tuple[int, int] | None:
        with self.database.reading() as connection:
            through = journal.read_archived_through(connection)
            last = journal.read_planned(connection)
            target = journal.read_archivable_through(connection)
        tally.archived_through, tally.target = through, max(target, last)
        if last:
            return through + 1, last
        last = min(through + self.settings.entries_per_run, target)
        if last <= through:
            return None
        self.journal(Begin(last))
        return through + 1, last

    def _archive(self, first: int, last: int, tally: Tally) -> None:
        with self.database.reading() as connection:
            plan = make_plan(connection, first, last, self.settings.grouping)
        if plan.missing:
            tally.missing += len(plan.missing)
            log.error(
                "entries are missing from the message log",
                extra={"count": len(plan.missing), "sequences": list(plan.missing[:20])},
            )
        self._archive_groups(plan, tally)
        self._put_leaves(first, last, plan)
        self.journal(Finish(last))
        tally.archived_through = last
        self.progress(tally)

    def _archive_late(self, tally: Tally) -> None:
        with self.database.reading() as connection:
            before = journal.read_archived_through(connection) + 1
            left_out = journal.read_left_out(connection, before, LATE_AT_ONCE)
            plan = make_late_plan(connection, left_out, self.settings.grouping)
        self._archive_groups(plan, tally)

    def _archive_groups(self, plan: Plan, tally: Tally) -> None:
        recipients = Recipients(self.settings.encryption) if self.settings.encryption.is_on else None
        for group, sequences in plan.groups.items():
            keys = () if recipients is None else recipients.of(group.member)
            file: ArchiveFileWriter | None = None
            try:
                for entry in self.entries.walk(plan, sequences):
                    if not isinstance(entry, ReadyEntry):
                        self._leave_out(entry.sequence, entry.reason, tally)
                        continue
                    file = file or self._new_file(group, keys)
                    file.add(entry)
                    if file.is_full:
                        self._put(file.finish(), group, tally)
                        file = None
                if file is not None:
                    self._put(file.finish(), group, tally)
                    file = None
            finally:
                if file is not None:
                    file.abandon()

    def _new_file(self, group: Group, recipients: tuple[Path, ...]) -> ArchiveFileWriter:
        with self.database.reading() as connection:
            link = journal.read_last_link(connection, group.name)
        return ArchiveFileWriter(self.staging, group, link, self.settings, recipients)

    def _leave_out(self, sequence: int, reason: str, tally: Tally) -> None:
        log.error("a record cannot be archived and stays in the log: %s", reason, extra={"sequence": sequence})
        tally.left_out += 1
        self.journal(LeaveOut(sequence, reason))

    def _put(self, finished: FinishedFile, group: Group, tally: Tally) -> None:
        """Write a file down, with all of its entries, and then bring it to its place."""
        with self.database.reading() as connection:
            file_id = journal.read_last_file_id(connection) + 1
        sequences = [entry.sequence for entry in finished.entries]
        file = StoredFile(
            id=file_id,
            group=group.name,
            name=finished.name,
            location="",
            first_sequence=min(sequences),
            last_sequence=max(sequences),
            entries=len(sequences),
            size=finished.size,
            last_digest=finished.last_digest,
            digest_algorithm=self.settings.digest,
            created_ms=self.clock.now_ms(),
        )
        self.journal(Stage(file))
        for start in range(0, len(sequences), ENTRIES_PER_CHANGE):
            self.journal(RecordEntries(file_id, finished.entries[start : start + ENTRIES_PER_CHANGE]))
        self._deliver(file_id, finished.names)
        doubtful = [entry for entry in finished.entries if entry.unverified is not None]
        for entry in doubtful:
            log.error(
                "an archived container does not hold, its record stays in the log: %s",
                entry.unverified,
                extra={"sequence": entry.sequence, "archive": finished.name},
            )
        tally.entries += len(sequences)
        tally.files += 1
        tally.unverified += len(doubtful)
        self.progress(tally)

    def _deliver(self, file_id: int, names: tuple[str, ...]) -> None:
        for name in names:
            if (self.staging / name).exists():
                self.place.put(name, self.staging / name)
        self.journal(Deliver(file_id, self.place.url))

    def _put_leaves(self, first: int, last: int, plan: Plan) -> None:
        name = leaves_name(first, last)
        hashes = [
            entry_leaf(sequence, plan.content_hashes[sequence])
            if sequence in plan.content_hashes
            else self._kept_leaf(sequence)
            for sequence in range(first, last + 1)
        ]
        with _told():
            write_durably(self.staging / name, build_leaves(hashes), mode=0o600)
        self.place.put(name, self.staging / name)

    def _kept_leaf(self, sequence: int) -> bytes:
        """Return the leaf of an entry whose row is gone, as far as the ledger still knows it."""
        with self.database.reading() as connection:
            try:
                return LedgerTiles(connection).leaf(sequence)
            except XRoadFault:
                return MISSING

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep everybody else out of the staging folder; it is made if need be."""
        with _told():
            self.staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_directory(self.staging.parent)
            descriptor = os.open(self.staging / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _names_of(file: StoredFile) -> tuple[str, ...]:
    """Return the files behind a row, in the order in which they are delivered."""
    name = parse_archive_name(file.name)
    if name is None:
        return (file.name,)
    return (name.records, name.containers) if name.is_containers else (name.records,)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise LoggingUnavailable("internal_error", "archive.cannot_write", reason=reason) from cause

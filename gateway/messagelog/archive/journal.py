"""What the archiver has the writer of the log do: commands, the statements they stand for, and the state they leave.

A run takes a range of sequence numbers that is fixed first, so that a run after a crash takes the same.
A file is written down before it is brought to its place:

    begin      the range of the run
    stage      a file that lies ready, durable, in the staging folder; it has no location yet
    record     its entries, a few hundred at a time; their rows stay what they are
    deliver    the file is in its place: only now may rows of its entries go
    withdraw   a file that was not delivered, as if it never was
    leave out  an entry that no container can be made of now; a later run tries again
    finish     the whole range is archived, and so are its ledger hashes

Staged files that are not written down belong to nobody. So after kill -9 at any point no entry is in
two files, none is in none, and nothing lies in the place that the database does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from gateway.messagelog import store
from gateway.messagelog.archive.model import StoredFile
from gateway.messagelog.archive.names import RECORDS
from gateway.messagelog.tables import (
    archive_files,
    archived_entries,
    message_records,
    record_timestamps,
    unverified_entries,
)
from gateway.messagelog.writer import Change

STATE_ARCHIVED_THROUGH: Final = "archived_through"
STATE_ARCHIVING_THROUGH: Final = "archiving_through"
ENTRIES_PER_CHANGE: Final = 500  # records are waiting for the same writer

_SET_STATE: Final = (
    "INSERT INTO log_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_ADD_FILE: Final = (
    "INSERT INTO archive_files (id, group_name, name, location, first_sequence, last_sequence, entries, size, "
    "last_digest, digest_algorithm, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_ENTRY: Final = "INSERT INTO archived_entries (sequence, file_id, name, content_hash) VALUES (?, ?, ?, ?)"
_ADD_UNVERIFIED: Final = (
    "INSERT INTO unverified_entries (sequence, reason, container_digest) VALUES (?, ?, ?) "
    "ON CONFLICT (sequence) DO UPDATE SET reason = excluded.reason, container_digest = excluded.container_digest"
)
_OF_FILE: Final = "sequence IN (SELECT sequence FROM archived_entries WHERE file_id = ?)"
_MADE_AFTER_ALL: Final = f"DELETE FROM unverified_entries WHERE container_digest IS NULL AND {_OF_FILE}"  # noqa: S608
_NOT_MADE: Final = f"UPDATE unverified_entries SET container_digest = NULL WHERE {_OF_FILE}"  # noqa: S608


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry of a staged file; `name` that of its container, `unverified` why that one does not hold."""

    sequence: int
    name: str | None
    content_hash: bytes
    unverified: str | None = None
    container_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """The run goes up to `last`."""

    last: int


@dataclass(frozen=True, slots=True)
class Stage:
    """A file lies ready."""

    file: StoredFile


@dataclass(frozen=True, slots=True)
class RecordEntries:
    """Some entries of a staged file."""

    file_id: int
    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, slots=True)
class Deliver:
    """A file is in its place."""

    file_id: int
    location: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A staged file is not to be."""

    file_id: int


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """No container can be made of an entry: it stays in the log, and a later run tries again."""

    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything up to `last` is archived."""

    last: int


@dataclass(frozen=True, slots=True)
class Release:
    """A container that did not hold when it was archived holds now."""

    sequence: int


Command = Begin | Stage | RecordEntries | Deliver | Withdraw | LeaveOut | Finish | Release
# Has a command carried out; it is durable when this returns. Raises LoggingUnavailable when it is not.
Journal = Callable[[Command], None]


def change_of(command: Command) -> Change:
    """Return the statements that a command stands for."""
    match command:
        case Begin(last):
            return Change(((_SET_STATE, [(STATE_ARCHIVING_THROUGH, last)]),))
        case Finish(last):
            return Change(((_SET_STATE, [(STATE_ARCHIVED_THROUGH, last)]),))
        case Stage(f):
            row = (
                f.id, f.group, f.name, f.location, f.first_sequence, f.last_sequence, f.entries, f.size,
                f.last_digest, f.digest_algorithm, f.created_ms,
            )  # fmt: skip
            return Change(((_ADD_FILE, [row]),))
        case RecordEntries(file_id, entries):
            rows: list[tuple[Any, ...]] = [(e.sequence, file_id, e.name, e.content_hash) for e in entries]
            doubtful: list[tuple[Any, ...]] = [
                (e.sequence, e.unverified, e.container_digest) for e in entries if e.unverified is not None
            ]
            steps = ((_ADD_ENTRY, rows), (_ADD_UNVERIFIED, doubtful))
            return Change(tuple((statement, values) for statement, values in steps if values))
        case Deliver(file_id, location):
            return Change(
                (
                    ("UPDATE archive_files SET location = ? WHERE id = ?", [(location, file_id)]),
                    (_MADE_AFTER_ALL, [(file_id,)]),
                )
            )
        case Withdraw(file_id):
            return Change(
                (
                    (_NOT_MADE, [(file_id,)]),
                    ("DELETE FROM archived_entries WHERE file_id = ?", [(file_id,)]),
                    ("DELETE FROM archive_files WHERE id = ? AND location = ''", [(file_id,)]),
                )
            )
        case LeaveOut(sequence, reason):
            return Change(((_ADD_UNVERIFIED, [(sequence, reason, None)]),))
        case Release(sequence):
            return Change((("DELETE FROM unverified_entries WHERE sequence = ?", [(sequence,)]),))


# State


def read_archived_through(connection: Connection) -> int:
    """Return up to which sequence number everything is archived."""
    return store.read_state(connection, STATE_ARCHIVED_THROUGH) or 0


def read_planned(connection: Connection) -> int:
    """Return up to where the run goes that is under way or was broken off; 0 when there is none."""
    planned = store.read_state(connection, STATE_ARCHIVING_THROUGH) or 0
    return planned if planned > read_archived_through(connection) else 0


def read_archivable_through(connection: Connection) -> int:
    """Return up to which sequence number every record has its time-stamp; refusals need none."""
    c = message_records.c
    last = store.read_last_sequence(connection)  # first: what is written meanwhile waits for the next run
    stamped = select(record_timestamps.c.sequence).where(record_timestamps.c.sequence == c.sequence).exists()
    question = select(c.sequence).where(c.sequence > read_archived_through(connection), c.sequence <= last, ~stamped)
    waiting = connection.execute(question.order_by(c.sequence).limit(1)).scalar()
    return last if waiting is None else int(waiting) - 1


def read_files(connection: Connection, *, after: int = 0, is_delivered: bool | None = None) -> list[StoredFile]:
    """Return the files with an id above `after`, in the order in which they were made."""
    c = archive_files.c
    question = select(archive_files).where(c.id > after).order_by(c.id)
    if is_delivered is not None:
        question = question.where(c.location != "" if is_delivered else c.location == "")
    return [
        StoredFile(
            id=row.id,
            group=row.group_name,
            name=row.name,
            location=row.location,
            first_sequence=row.first_sequence,
            last_sequence=row.last_sequence,
            entries=row.entries,
            size=row.size,
            last_digest=row.last_digest,
            digest_algorithm=row.digest_algorithm,
            created_ms=row.created_ms,
        )
        for row in connection.execute(question)
    ]


def read_last_link(connection: Connection, group: str) -> tuple[str, str]:
    """Return last digest and name of the group's newest file of containers; empty where there is none."""
    c = archive_files.c
    rows = connection.execute(select(c.name, c.last_digest).where(c.group_name == group).order_by(c.id.desc()))
    for row in rows:
        if RECORDS not in row.name:
            return row.last_digest, row.name
    return "", ""


def read_last_file_id(connection: Connection) -> int:
    """Return the id of the newest file, 0 while there is none."""
    return connection.execute(select(func.max(archive_files.c.id))).scalar() or 0


def count_files(connection: Connection) -> int:
    """Return how many files there are."""
    return connection.execute(select(func.count()).select_from(archive_files)).scalar_one()


def count_entries(connection: Connection, file_id: int) -> int:
    """Return how many entries of a file are written down."""
    c = archived_entries.c
    return connection.execute(
        select(func.count()).select_from(archived_entries).where(c.file_id == file_id)
    ).scalar_one()


def read_archived_between(connection: Connection, first: int, last: int) -> dict[int, bytes]:
    """Return the archived entries of a range with their content hashes."""
    c = archived_entries.c
    rows = connection.execute(select(c.sequence, c.content_hash).where(c.sequence.between(first, last)))
    return {row.sequence: row.content_hash for row in rows}


def read_left_out(connection: Connection, before: int, limit: int) -> list[int]:
    """Return the oldest entries before a number that earlier runs left out."""
    c = unverified_entries.c
    is_archived = select(archived_entries.c.sequence).where(archived_entries.c.sequence == c.sequence).exists()
    question = select(c.sequence).where(c.sequence < before, c.container_digest.is_(None), ~is_archived)
    return [row.sequence for row in connection.execute(question.order_by(c.sequence).limit(limit))]


def read_doubtful(connection: Connection, after: int, limit: int) -> list[tuple[int, bytes]]:
    """Return archived entries whose container did not hold, with its SHA-512."""
    c = unverified_entries.c
    question = select(c.sequence, c.container_digest).where(c.sequence > after, c.container_digest.is_not(None))
    return [
        (row.sequence, row.container_digest) for row in connection.execute(question.order_by(c.sequence).limit(limit))
    ]


def read_unverified(connection: Connection, limit: int) -> list[tuple[int, str]]:
    """Return the oldest entries that are not safe in an archive, each with the reason."""
    c = unverified_entries.c
    rows = connection.execute(select(c.sequence, c.reason).order_by(c.sequence).limit(limit))
    return [(row.sequence, row.reason) for row in rows]


def count_unverified(connection: Connection) -> int:
    """Return how many entries are not safe in an archive."""
    return connection.execute(select(func.count()).select_from(unverified_entries)).scalar_one()

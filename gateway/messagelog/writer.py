"""The one that writes the message log: sequence, hash of the predecessor, group commit.

It runs in the thread of `runtime.group_commit` and holds the only writing connection, behind a lock
that another process finds taken; so the number and hash of the last record are known without asking.
A batch is one transaction: all of its records are durable, or none is. Statements carry many rows
each, because every step of SQLite gives the interpreter away and waits for it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy.exc import DBAPIError

from gateway.messagelog.chain import GENESIS, record_hash
from gateway.messagelog.model import NewRecord, NewTimestamp, StampedRecord
from gateway.messagelog.skeletons import split
from gateway.runtime.database import Database
from gateway.runtime.group_commit import CommitUnavailable

WAL_AUTOCHECKPOINT_PAGES: Final = 16_000  # the checkpoint runs beside the commits; this is the backstop
_WRITER_LOCK: Final = 0x53_55_52_4C_4F_47  # "SURLOG": PostgreSQL's advisory lock of the one writer
_KNOWN_SKELETONS: Final = 4096
_ROWS_PER_STATEMENT: Final = (32, 16, 8, 4, 2, 1)  # few shapes, so that prepared statements are found again

_RECORD_COLUMNS: Final = (
    "sequence", "time_ms", "side", "is_response", "query_id", "x_request_id", "client", "provider", "service_code",
    "service_version", "body_count", "skeleton_key", "signature_digest", "content_hash", "previous_hash",
    "record_hash", "hash_chain_result", "hash_chain", "signature_values", "message",
)  # fmt: skip
_BODY_COLUMNS: Final = ("sequence", "number", "size", "digest", "location")
_LINK_COLUMNS: Final = ("sequence", "timestamp_id", "hash_chain", "signature")

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Append:
    """Write a record; the result is its sequence number."""

    record: NewRecord


@dataclass(frozen=True, slots=True)
class AddTimestamp:
    """Write a time-stamp; the result is its id."""

    timestamp: NewTimestamp


@dataclass(frozen=True, slots=True)
class LinkTimestamp:
    """Say which records a time-stamp covers; one that has a time-stamp keeps it. The result is 0."""

    timestamp_id: int
    records: tuple[StampedRecord, ...]


@dataclass(frozen=True, slots=True)
class SetState:
    """Remember a number, or forget it. The result is 0."""

    name: str
    value: int | None


Item = Append | AddTimestamp | LinkTimestamp | SetState


@dataclass(slots=True)
class _Head:
    """The end of the chain."""

    sequence: int = 0
    record_hash: bytes = GENESIS
    timestamp_id: int = 0


class LogWriter:
    """Writes batches of items; made in the thread that uses it.

    Raises CommitUnavailable when the database cannot be opened or another process writes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock: int | None = None
        self._connection: Any = None
        self._head = _Head()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        with _unavailable("the message log cannot be opened"):
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    def write(self, items: Sequence[Item]) -> list[int]:
        """Write all items in one durable transaction."""
        head = _Head(self._head.sequence, self._head.record_hash, self._head.timestamp_id)
        with _unavailable("the message log cannot be written"):
            cursor = self._connection.cursor()
            try:
                self._begin(cursor)
                new_keys: set[bytes] = set()
                results = self._write_records(cursor, items, head, new_keys)
                self._write_rest(cursor, items, head, results)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._connection.rollback()
                raise
            finally:
                cursor.close()
        self._commit()
        self._head = head
        self._remember(new_keys)
        return results

    def close(self) -> None:
        """Give up the connection and the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _open(self) -> None:
        if self._database.path is not None:
            self._lock = _lock_file(self._database.path.with_name(self._database.path.name + ".writer"))
        pooled = self._database.engine.raw_connection()
        pooled.detach()  # ours for good: closing it closes it, and its lock with it
        self._connection = pooled.dbapi_connection
        cursor = self._connection.cursor()
        if self._database.is_sqlite:
            cursor.execute(f"PRAGMA wal_autocheckpoint={WAL_AUTOCHECKPOINT_PAGES}")
        else:
            cursor.execute("SET synchronous_commit = on")
            cursor.execute(f"SELECT pg_try_advisory_lock({_WRITER_LOCK})")
            if not cursor.fetchone()[0]:
                raise CommitUnavailable("another process writes the message log")
        self._head = self._read_head(cursor)
        cursor.close()
        self._connection.commit()

    def _read_head(self, cursor: Any) -> _Head:
        head = _Head()
        cursor.execute("SELECT sequence, record_hash FROM message_records ORDER BY sequence DESC LIMIT 1")
        row = cursor.fetchone()
        if row is not None:
            head.sequence, head.record_hash = int(row[0]), bytes(row[1])
        cursor.execute("SELECT max(id) FROM timestamps")
        head.timestamp_id = int(cursor.fetchone()[0] or 0)
        return head

    def _begin(self, cursor: Any) -> None:
        if self._database.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")  # psycopg begins by itself

    def _commit(self) -> None:
        try:
            self._connection.commit()
        except Exception as cause:  # whatever the driver says here, the batch may have reached the disk
            raise CommitUnavailable(f"the commit failed: {_reason(cause)}", certain=False) from cause

    def _write_records(self, cursor: Any, items: Sequence[Item], head: _Head, new_keys: set[bytes]) -> list[int]:
        results: list[int] = []
        rows: Rows = []
        bodies: Rows = []
        skeletons: Rows = []
        for item in items:
            results.append(0)
            if not isinstance(item, Append):
                continue
            record, said = item.record, item.record.content
            signature = split(record.signature)
            if signature.key not in self._known and signature.key not in new_keys:
                new_keys.add(signature.key)
                skeletons.append((signature.key, signature.skeleton))
            previous, head.sequence = head.record_hash, head.sequence + 1
            head.record_hash = record_hash(previous, head.sequence, record.content_hash)
            results[-1] = head.sequence
            rows.append((
                head.sequence, said.time_ms, said.side.value, said.is_response, said.query_id, said.x_request_id,
                said.client, said.provider, said.service_code, said.service_version, len(said.bodies), signature.key,
                said.signature_digest, record.content_hash, previous, head.record_hash, said.hash_chain_result,
                said.hash_chain, signature.values, record.message,
            ))  # fmt: skip
            bodies += [(head.sequence, b.number, b.size, b.digest, b.location) for b in said.bodies]
        self._insert(cursor, "signature_skeletons", ("key", "skeleton"), skeletons, "ON CONFLICT DO NOTHING")
        try:
            self._insert(cursor, "message_records", _RECORD_COLUMNS, rows)
        except (sqlite3.IntegrityError, psycopg.errors.UniqueViolation) as cause:
            # Somebody else wrote: reading the end of the chain afresh is what opening does.
            raise CommitUnavailable("the end of the message log is not where it was") from cause
        self._insert(cursor, "message_bodies", _BODY_COLUMNS, bodies)
        return results

    def _write_rest(self, cursor: Any, items: Sequence[Item], head: _Head, results: list[int]) -> None:
        for number, item in enumerate(items):
            match item:
                case AddTimestamp(stamp):
                    head.timestamp_id += 1
                    results[number] = head.timestamp_id
                    row = (head.timestamp_id, stamp.time_ms, stamp.authority, stamp.token, stamp.hash_chain_result)
                    columns = ("id", "time_ms", "authority", "token", "hash_chain_result")
                    self._insert(cursor, "timestamps", columns, [row])
                case LinkTimestamp(timestamp_id, records):
                    links = [(r.sequence, timestamp_id, r.hash_chain, r.signature) for r in records]
                    self._insert(cursor, "record_timestamps", _LINK_COLUMNS, links, "ON CONFLICT DO NOTHING")
                case SetState(name, value):
                    update = "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
                    self._insert(cursor, "log_state", ("name", "value"), [(name, value)], update)

    def _insert(self, cursor: Any, table: str, columns: Sequence[str], rows: Rows, suffix: str = "") -> None:
        mark = "?" if self._database.is_sqlite else "%s"
        one = "(" + ",".join([mark] * len(columns)) + ")"
        for group in _groups(rows):
            places = ",".join([one] * len(group))
            statement = f"INSERT INTO {table} ({','.join(columns)}) VALUES {places} {suffix}"  # noqa: S608
            cursor.execute(statement, [value for row in group for value in row])

    def _remember(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._known[key] = None
        while len(self._known) > _KNOWN_SKELETONS:
            self._known.popitem(last=False)


def _groups(rows: Rows) -> Iterator[Rows]:
    position = 0
    for size in _ROWS_PER_STATEMENT:
        while len(rows) - position >= size:
            yield rows[position : position + size]
            position += size


def _lock_file(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        os.close(descriptor)
        raise CommitUnavailable("another process writes the message log") from cause
    return descriptor


@contextlib.contextmanager
def _unavailable(what: str) -> Iterator[None]:
    """Turn what the disk or the server did into CommitUnavailable; what an item did wrong passes through."""
    try:
        yield
    except (sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError, OSError) as cause:
        raise CommitUnavailable(f"{what}: {_reason(cause)}") from cause
    except DBAPIError as cause:  # while connecting, SQLAlchemy wraps the driver's errors
        raise CommitUnavailable(f"{what}: {_reason(cause.orig or cause)}") from cause
    except sqlite3.DatabaseError as cause:
        if type(cause) is not sqlite3.DatabaseError:  # its children accuse the item; itself it says "malformed"
            raise
        raise CommitUnavailable(f"{what}: {_reason(cause)}") from cause


def _reason(cause: BaseException) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return (str(cause).splitlines() or [type(cause).__name__])[0][:200]

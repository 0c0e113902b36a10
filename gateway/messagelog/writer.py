"""The one that writes the message log: sequence, hash of the predecessor, group commit.

It runs in the thread of `runtime.group_commit` and holds the only writing connection, behind a lock
that another process finds taken; so the number and hash of the last record are known without asking.
A batch is one transaction: all of its records are durable, or none is.

Every call into SQLite gives the interpreter away several times and has to win it back from the event
loop. So the usual batch, records and nothing else, is one statement of many rows that is its own
transaction; and no value is of a type that the driver wants to adapt first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import DBAPIError

from gateway.messagelog.chain import GENESIS, record_hash
from gateway.messagelog.model import NewRecord, NewRefusal, NewTimestamp, RefusalContent, Side, StampedRecord
from gateway.runtime.database import Database
from gateway.runtime.group_commit import CommitUnavailable

WAL_AUTOCHECKPOINT_PAGES: Final = 16_000  # the checkpoint runs beside the commits; this is the backstop
_WRITER_LOCK: Final = 0x53_55_52_4C_4F_47  # "SURLOG": PostgreSQL's advisory lock of the one writer
_LOCK_WAIT_MS: Final = 500  # a session that was just closed lets go of its lock a moment later
_KNOWN_SKELETONS: Final = 4096
# Up to that, each number of rows has its prepared statement; SQLite's keep what they wrote last in memory.
_ROWS_PER_STATEMENT: Final = 32
_MAX_STATEMENT_BYTES: Final = 256 * 1024

_RECORD_COLUMNS: Final = (
    "sequence", "time_ms", "side", "is_response", "query_id", "x_request_id", "client", "provider", "service_code",
    "service_version", "body_count", "skeleton_key", "signature_digest", "content_hash", "previous_hash",
    "record_hash", "hash_chain_result", "hash_chain", "signature_values", "message", "message_digest", "is_whole",
    "kept_digest", "key_id",
)  # fmt: skip
_REFUSAL_COLUMNS: Final = ("sequence", *RefusalContent._fields, "content_hash", "previous_hash", "record_hash")
_NULLABLE: Final = frozenset((
    "service_version", "hash_chain_result", "hash_chain", "signature_values", "message_digest", "kept_digest", "key_id",
))  # fmt: skip
_BODY_COLUMNS: Final = ("sequence", "number", "size", "digest", "location")
_LINK_COLUMNS: Final = ("sequence", "timestamp_id", "hash_chain", "signature")

_DROP_SKELETON: Final = (
    "DELETE FROM signature_skeletons WHERE key = ? AND NOT EXISTS "
    "(SELECT 1 FROM message_records r WHERE r.sequence > ? AND r.skeleton_key = signature_skeletons.key)"
)
_MOVED: Final = "the end of the message log is not where it was"  # reading it afresh is what opening does
_OF_THE_DISK: Final = (sqlite3.OperationalError, sqlite3.DatabaseError)  # the other children accuse the item

Rows = list[tuple[Any, ...]]


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


@dataclass(frozen=True, slots=True)
class Change:
    """Statements beside the records, each with the rows it is run for; `?` marks a value. The result is 0."""

    steps: tuple[tuple[str, Rows], ...]


@dataclass(frozen=True, slots=True)
class DropSkeletons:
    """Remove skeletons that no record up to `through` has, unless a later one does. The result is 0."""

    keys: tuple[bytes, ...]
    through: int


Item = NewRecord | NewRefusal | AddTimestamp | LinkTimestamp | SetState | Change | DropSkeletons


@dataclass(slots=True)
class _Head:
    """The end of the chain."""

    sequence: int = 0
    record_hash: bytes = GENESIS
    timestamp_id: int = 0


@dataclass(slots=True)
class _Batch:
    """What a batch writes: `values` of all records one after the other, and where that leaves the chain."""

    head: _Head
    results: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    skeletons: Rows = field(default_factory=list)
    bodies: Rows = field(default_factory=list)
    refusals: Rows = field(default_factory=list)
    records: int = 0
    has_others: bool = False
    size: int = 0

    @property
    def is_one_statement(self) -> bool:
        """Whether there are records only, and few enough."""
        beside = self.skeletons or self.bodies or self.refusals or self.has_others
        return not beside and self.records <= self.rows_per_statement

    @property
    def rows_per_statement(self) -> int:
        """How many records go into a statement: large ones stand alone."""
        return _ROWS_PER_STATEMENT if self.size <= _MAX_STATEMENT_BYTES else 1


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
        with _unavailable("the message log cannot be opened: ", self._database):
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    def write(self, items: Sequence[Item]) -> list[int]:
        """Write all items in one durable transaction."""
        batch = self._place(items)
        with _unavailable("", self._database):
            cursor = self._connection.cursor()
            try:
                if batch.is_one_statement and self._database.is_sqlite:
                    self._write_at_once(cursor, batch)
                else:
                    self._write_in_steps(cursor, batch, items)
            finally:
                cursor.close()
        self._head = batch.head
        self._remember(key for key, _ in batch.skeletons)
        return batch.results

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
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT_MS}ms'")
            try:
                cursor.execute(f"SELECT pg_advisory_lock({_WRITER_LOCK})")
            except self._database.driver.errors.LockNotAvailable as cause:
                raise CommitUnavailable("another process writes the message log") from cause
        self._head = self._read_head(cursor)
        cursor.close()
        self._connection.commit()

    def _read_head(self, cursor: Any) -> _Head:
        head = _Head()
        for table in ("message_records", "refusals"):
            cursor.execute(f"SELECT sequence, record_hash FROM {table} ORDER BY sequence DESC LIMIT 1")  # noqa: S608
            row = cursor.fetchone()
            if row is not None and int(row[0]) > head.sequence:
                head.sequence, head.record_hash = int(row[0]), bytes(row[1])
        cursor.execute("SELECT max(id) FROM timestamps")
        head.timestamp_id = int(cursor.fetchone()[0] or 0)
        return head

    def _place(self, items: Sequence[Item]) -> _Batch:
        """Give each record its number and the hash of its predecessor."""
        sequence, previous = self._head.sequence, self._head.record_hash
        batch = _Batch(_Head(timestamp_id=self._head.timestamp_id))
        # SQLite's driver asks Python how to adapt whatever is not int, str or bytearray: 0 stands for NULL.
        truth, blob, absent = (int, bytearray, 0) if self._database.is_sqlite else (bool, bytes, None)
        known, new_keys = self._known, set[bytes]()
        for item in items:
            if type(item) is NewRefusal:
                sequence += 1
                placed = record_hash(previous, sequence, item.content_hash)
                batch.results.append(sequence)
                batch.refusals.append((sequence, *_plain(item.content), item.content_hash, previous, placed))
                previous = placed
                continue
            if type(item) is not NewRecord:
                batch.results.append(0)
                batch.has_others = True
                continue
            said, content, message, key, skeleton, signature_values, key_id = item
            (
                time_ms, side, is_response, query_id, x_request_id, client, provider, service_code, service_version,
                message_digest, signature_digest, hash_chain_result, hash_chain, bodies, is_whole, kept_digest,
            ) = said  # fmt: skip
            sequence += 1
            batch.records += 1
            placed = record_hash(previous, sequence, content)
            batch.results.append(sequence)
            batch.values += (
                sequence,
                time_ms,
                str(side),
                truth(is_response),
                query_id,
                x_request_id,
                client,
                provider,
                service_code,
                absent if service_version is None else service_version,
                len(bodies),
                blob(key),
                blob(signature_digest),
                blob(content),
                blob(previous),
                blob(placed),
                absent if hash_chain_result is None else blob(hash_chain_result),
                absent if hash_chain is None else blob(hash_chain),
                absent if signature_values is None else blob(signature_values),
                message,
                absent if is_whole and key_id is None else blob(message_digest),
                truth(is_whole),
                absent if kept_digest is None else blob(kept_digest),
                absent if key_id is None else key_id,
            )
            batch.size += len(message)
            previous = placed
            if key not in known and key not in new_keys:
                new_keys.add(key)
                batch.skeletons.append((key, skeleton))
            if bodies:
                batch.bodies += [(sequence, b.number, b.size, b.digest, b.location) for b in bodies]
        batch.head.sequence, batch.head.record_hash = sequence, previous
        return batch

    def _write_at_once(self, cursor: Any, batch: _Batch) -> None:
        """Write records with a statement that commits itself."""
        try:
            cursor.execute(_insert_into("message_records", _RECORD_COLUMNS, batch.records, "", "?"), batch.values)
        except sqlite3.IntegrityError as cause:
            raise CommitUnavailable(_MOVED) from cause
        except sqlite3.DatabaseError as cause:
            # Beyond a lock that was never had, nobody can tell whether the commit had begun.
            if type(cause) not in _OF_THE_DISK or getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise
            raise CommitUnavailable(f"the commit failed: {_reason(cause)}", certain=False) from cause

    def _write_in_steps(self, cursor: Any, batch: _Batch, items: Sequence[Item]) -> None:
        """Write whatever a batch may hold: skeletons before the records that name them, bodies after."""
        try:
            if self._database.is_sqlite:
                cursor.execute("BEGIN IMMEDIATE")  # psycopg begins by itself
            self._insert(cursor, "signature_skeletons", ("key", "skeleton"), batch.skeletons, "ON CONFLICT DO NOTHING")
            try:
                self._insert_values(cursor, "message_records", _RECORD_COLUMNS, batch.values, batch.rows_per_statement)
                self._insert(cursor, "refusals", _REFUSAL_COLUMNS, batch.refusals)
            except _taken(self._database) as cause:
                raise CommitUnavailable(_MOVED) from cause
            self._insert(cursor, "message_bodies", _BODY_COLUMNS, batch.bodies)
            if batch.has_others:
                self._write_others(cursor, items, batch.head, batch.results)
        except BaseException:
            with contextlib.suppress(Exception):
                self._connection.rollback()
            raise
        try:
            self._connection.commit()
        except Exception as cause:  # whatever the driver says here, the batch may have reached the disk
            raise CommitUnavailable(f"the commit failed: {_reason(cause)}", certain=False) from cause

    def _write_others(self, cursor: Any, items: Sequence[Item], head: _Head, results: list[int]) -> None:
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
                case DropSkeletons(keys, through):
                    for key in keys:
                        self._known.pop(key, None)  # whoever brings it again writes it again
                    mark = "?" if self._database.is_sqlite else "%s"
                    statement = _DROP_SKELETON.replace("?", mark)
                    cursor.executemany(statement, [(key, through) for key in keys])
                case Change(steps):
                    for statement, rows in steps:
                        cursor.executemany(
                            statement if self._database.is_sqlite else statement.replace("?", "%s"), rows
                        )

    def _insert(self, cursor: Any, table: str, columns: tuple[str, ...], rows: Rows, suffix: str = "") -> None:
        values = [value for row in rows for value in row]
        self._insert_values(cursor, table, columns, values, _ROWS_PER_STATEMENT, suffix)

    def _insert_values(
        self, cursor: Any, table: str, columns: tuple[str, ...], values: list[Any], at_once: int, suffix: str = ""
    ) -> None:
        mark = "?" if self._database.is_sqlite else "%s"
        step = len(columns) * at_once
        for start in range(0, len(values), step):
            some = values[start : start + step]
            cursor.execute(_insert_into(table, columns, len(some) // len(columns), suffix, mark), some)

    def _remember(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self._known[key] = None
        while len(self._known) > _KNOWN_SKELETONS:
            self._known.popitem(last=False)


def _plain(content: RefusalContent) -> tuple[Any, ...]:
    return tuple(str(value) if isinstance(value, Side) else value for value in content)


@lru_cache(maxsize=4 * _ROWS_PER_STATEMENT)
def _insert_into(table: str, columns: tuple[str, ...], rows: int, suffix: str, mark: str) -> str:
    """Return the statement; on SQLite, a nullable column takes 0 for NULL, which none of them can hold."""
    places = [f"nullif({mark},0)" if mark == "?" and column in _NULLABLE else mark for column in columns]
    all_places = ",".join([f"({','.join(places)})"] * rows)
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {all_places} {suffix}"  # noqa: S608


def _lock_file(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as cause:
        os.close(descriptor)
        raise CommitUnavailable("another process writes the message log") from cause
    return descriptor


@contextlib.contextmanager
def _unavailable(what: str, database: Database) -> Iterator[None]:
    """Turn what the disk or the server did into CommitUnavailable; what an item did wrong passes through."""
    try:
        yield
    except _troubles(database) as cause:
        raise CommitUnavailable(f"{what}{_reason(cause)}") from cause
    except DBAPIError as cause:  # while connecting, SQLAlchemy wraps the driver's errors
        raise CommitUnavailable(f"{what}{_reason(cause.orig or cause)}") from cause
    except sqlite3.DatabaseError as cause:
        if type(cause) is not sqlite3.DatabaseError:  # its children accuse the item; itself it says "malformed"
            raise
        raise CommitUnavailable(f"{what}{_reason(cause)}") from cause


def _troubles(database: Database) -> tuple[type[Exception], ...]:
    """Return what is raised when disk or server are in trouble, and not the item."""
    driver = database.driver
    if database.is_sqlite:  # its InterfaceError accuses the item
        return driver.OperationalError, OSError
    # A server that became a standby, or was told to take nothing any more, says that the transaction is read-only.
    return driver.OperationalError, driver.InterfaceError, driver.errors.ReadOnlySqlTransaction, OSError


def _taken(database: Database) -> type[Exception]:
    """Return what the driver raises for a number that is taken."""
    driver = database.driver
    taken: type[Exception] = driver.IntegrityError if database.is_sqlite else driver.errors.UniqueViolation
    return taken


def _reason(cause: BaseException) -> str:
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return (str(cause).splitlines() or [type(cause).__name__])[0][:200]

"""The search index: what is known of each exchange, written after the answer, and again whenever it is lost.

Nothing here is evidence. The index follows the log entry by entry in a database of its own, a batch in
one transaction with the number of the last entry and its hash; so a crash repeats a batch and doubles
nothing, and two processes that index at once take turns. Where that last entry no longer is what it
was, the log was put back to an older state, and the index begins anew.

Facts of headers stand here in plain text, also when the bodies in the log are encrypted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from gateway.messagelog.index_database import SCRIPTS, asking, is_damaged, run
from gateway.messagelog.index_facts import EntryFacts
from gateway.messagelog.index_writer import BatchWriter, Matches, Terms
from gateway.runtime.database import Database, migrate
from gateway.runtime.periodic import Periodic

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
MAX_RETRY_S: Final = 30.0
BUSY_ENTRIES_PER_S: Final = 300.0
RESTS: Final = 100  # times as long as it worked, while more than that come
BATCH: Final = 100  # some milliseconds of work: calls are waiting for the same interpreter
_THROUGH: Final = "through"
_EDITION: Final = "edition"  # another number whenever terms are numbered anew
_TABLES: Final = ("exchanges", "zones", "term_names", "terms")
_REMEMBER: Final = (
    "INSERT INTO index_state (name, number, hash) VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET number = excluded.number, hash = excluded.hash"
)


class Entries(Matches, Protocol):
    """A log as the indexer reads it; numbers that are nowhere are passed over."""

    def last_sequence(self) -> int:
        """Return the number of the newest entry."""
        ...

    def hash_of(self, sequence: int) -> bytes | None:
        """Return the content hash of an entry, None when it is nowhere."""
        ...

    def read(self, after: int, limit: int) -> Sequence[EntryFacts]:
        """Return the next entries in order, at most `limit`; none at the end."""
        ...


def indexed_through(database: Database) -> int:
    """Return the number of the last entry that searches know."""
    with asking(database) as connection:
        return _state(connection)[0]


def count_indexed(database: Database) -> int:
    """Return how many entries searches know."""
    with asking(database) as connection:
        question = "SELECT count(request) + count(response) + count(refusal) FROM exchanges"
        return int(run(connection, question).scalar() or 0)


class Indexer:
    """Follows a log."""

    def __init__(self, database: Database, entries: Entries, *, batch: int = BATCH) -> None:
        self.database = database
        self._entries = entries
        self._batch = batch
        self._terms = Terms()
        self._edition: int | None = None
        self._is_ready = False

    def step(self) -> int:
        """Index the next batch; return how many entries it had, 0 when the end is reached."""
        try:
            return self._step()
        except DatabaseError as cause:
            path = self.database.path
            if path is None or not is_damaged(cause):
                raise
            log.warning("the search index is damaged and made anew: %s", cause.orig, extra={"path": str(path)})
            self._remove(path)
            return self._step()

    def _step(self) -> int:
        if not self._is_ready:
            migrate(self.database, SCRIPTS)
            self._is_ready = True
        through, known = self._start()
        entries = self._entries.read(through, self._batch)
        if not entries:
            return 0
        last = entries[-1].sequence
        try:
            with self.database.transaction() as connection:
                if _lock(connection) != (through, known):
                    self._terms.forget()  # another process was quicker
                    return len(entries)
                self._follow_edition(connection)
                BatchWriter(connection, self._terms, self._entries).write(entries)
                _set_state(connection, last, self._entries.hash_of(last))
        except BaseException:
            self._terms.forget()
            raise
        return len(entries)

    def catch_up(self, *, progress: Callable[[int, int], None] | None = None, nap_s: float = 0.0) -> int:
        """Index until the end of the log; return how many entries were new."""
        total = 0
        while count := self.step():
            total += count
            if progress is not None:
                progress(indexed_through(self.database), self._entries.last_sequence())
            if nap_s:
                time.sleep(nap_s)
        return total

    def last_sequence(self) -> int:
        """Return the number of the newest entry, indexed or not."""
        return self._entries.last_sequence()

    def clear(self) -> None:
        """Forget everything: whoever indexes next begins at the first entry."""
        migrate(self.database, SCRIPTS)
        with self.database.transaction() as connection:
            _lock(connection)
            for table in _TABLES:
                connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
            _set_state(connection, 0, None)
            run(connection, "DELETE FROM index_state WHERE name = ?", (_EDITION,))

    def _follow_edition(self, connection: Connection) -> None:
        """Forget the numbers of terms when somebody has cleared the index since."""
        edition = run(connection, "SELECT number FROM index_state WHERE name = ?", (_EDITION,)).scalar()
        if edition is None:
            edition = secrets.randbits(62)
            run(connection, _REMEMBER, (_EDITION, edition, None))
        if edition != self._edition:
            self._terms.forget()
            self._edition = int(edition)

    def _remove(self, path: Path) -> None:
        self.database.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._is_ready = False

    def _start(self) -> tuple[int, bytes | None]:
        with self.database.reading() as connection:
            through, known = _state(connection)
        if through and known != self._entries.hash_of(through):
            log.warning("the log is not the one that was indexed; the index begins anew", extra={"through": through})
            self.clear()
            return 0, None
        return through, known


def rest_after(took_s: float, entries_per_s: float) -> float:
    """Return how long to rest after a step, when so many new entries come: calls come first, the search follows."""
    return took_s * RESTS if entries_per_s > BUSY_ENTRIES_PER_S else 0.0


class IndexerTask:
    """Runs an indexer every second, in a thread; while very many calls come it takes a small share of the time only."""

    def __init__(self, indexer: Indexer, *, interval_s: float = INTERVAL_S) -> None:
        self.indexer = indexer
        self._stopping = threading.Event()
        self._seen = (0, 0.0)  # the newest entry there was, and when that was
        self._periodic = Periodic(
            "search index", interval_s, self._run, retry_s=interval_s, max_retry_s=MAX_RETRY_S, expected=SQLAlchemyError
        )

    def start(self) -> None:
        """Begin."""
        self._periodic.start()

    async def stop(self) -> None:
        """End after the batch in progress."""
        self._stopping.set()
        await self._periodic.stop()

    async def catch_up(self) -> None:
        """Return once everything that is recorded now can be found."""
        await self._periodic.run_now()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.perf_counter()
            count, newest = await asyncio.to_thread(self._step)
            if count == 0:
                return
            now = time.perf_counter()
            last, last_at = self._seen
            self._seen = newest, now
            await asyncio.sleep(rest_after(now - began, (newest - last) / max(now - last_at, 0.001)))

    def _step(self) -> tuple[int, int]:
        return self.indexer.step(), self.indexer.last_sequence()


def _state(connection: Connection) -> tuple[int, bytes | None]:
    row = run(connection, "SELECT number, hash FROM index_state WHERE name = ?", (_THROUGH,)).one_or_none()
    return (0, None) if row is None else (int(row[0]), None if row[1] is None else bytes(row[1]))


def _lock(connection: Connection) -> tuple[int, bytes | None]:
    """Return the state, which nobody else changes until the end of the transaction."""
    if connection.dialect.name != "sqlite":  # SQLite's BEGIN IMMEDIATE is such a lock already
        connection.exec_driver_sql("LOCK TABLE index_state IN EXCLUSIVE MODE")
    return _state(connection)


def _set_state(connection: Connection, through: int, known: bytes | None) -> None:
    run(connection, _REMEMBER, (_THROUGH, through, known))

"""Evidence of a running server: found in its search index, read from its log, or from its archives where rows are gone.

The index only finds. Whether an entry may be seen is decided by the entry itself, as it was recorded:
an index that somebody has changed shows nobody more than they may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.auditing.configurations import Choose
from gateway.auditing.entries import (
    BROKEN,
    document_of_archived,
    document_of_record,
    entry_of_archived,
    entry_of_record,
    party_of_refusal,
    refusal_of_archived,
    unreadable,
)
from gateway.auditing.model import (
    Archiving,
    Count,
    Document,
    Entry,
    Exchange,
    Growth,
    Page,
    Query,
    RefusalEntry,
    Scope,
    SourceStatus,
    Stamping,
)
from gateway.auditing.server_archives import ServerArchives
from gateway.messagelog import index_search, store
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.reader import Located
from gateway.messagelog.documents import build_document
from gateway.messagelog.index import indexed_through
from gateway.messagelog.model import MessageRecord, RecordTimestamp
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.tables import archived_entries, checkpoints, message_records, refusals
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.asic.container import Container, read_container
from gateway.xroad.bodies import Body
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import encode_path


class ServerSource:
    """The EvidenceSource of a server."""

    def __init__(
        self,
        message_log: MessageLog,
        index: Database,
        *,
        configurations: Choose,
        archives: ServerArchives | None = None,
        growth: Callable[[], Growth | None] = lambda: None,
        archiving: Callable[[], Archiving | None] = lambda: None,
        name: Callable[[], str] = str,
    ) -> None:
        self._log = message_log
        self._index = index
        self._configurations = configurations
        self._archives = archives
        self._growth = growth
        self._archiving = archiving
        self._name = name

    # finding

    def search(self, query: Query, scope: Scope, *, before: int | None = None, limit: int = 50) -> Page:
        """Return exchanges newest first, those with an id below `before`."""
        return index_search.search(self._index, query, scope, before=before, limit=limit)

    def count(self, query: Query, scope: Scope, *, at_most: int = 10_000) -> Count:
        """Return how many exchanges there are, counted up to a bound."""
        return index_search.count(self._index, query, scope, at_most=at_most)

    def walk(self, query: Query, scope: Scope) -> Iterator[Exchange]:
        """Yield every exchange, oldest first, in bounded memory."""
        return index_search.walk(self._index, query, scope)

    def find_exchange(self, exchange_id: int, scope: Scope) -> Exchange | None:
        """Return one exchange by the number of its first entry."""
        return index_search.find(self._index, exchange_id, scope)

    def find_related(self, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
        """Return the other exchanges with the same request or query id."""
        return index_search.find_related(self._index, exchange, scope)

    # reading

    def find_entry(self, sequence: int, scope: Scope) -> Entry | None:
        """Return a signed message. Raises LoggingUnavailable when it is in an archive that is not here."""
        with self._told(sequence, scope):
            row = self._find_row(sequence, scope)
            if row is not None:
                record, stamp = row
                return entry_of_record(record, self._log.reader.read_message(record), stamp)
            located = self._find_archived(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRecord):
                file = located.file.containers_name
                return entry_of_archived(located.fact, self._container(located).message, file)
        return None

    def find_refusal(self, sequence: int, scope: Scope) -> RefusalEntry | None:
        """Return a refusal. Raises LoggingUnavailable when it is in an archive that is not here."""
        with self._told(sequence, scope):
            with self._log.database.reading() as connection:
                refusal = store.read_refusal(connection, sequence)
            if refusal is not None:
                return RefusalEntry(refusal, None) if scope.covers(party_of_refusal(refusal)) else None
            located = self._find_archived(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRefusal):
                return refusal_of_archived(located.fact, located.file.facts_name)
        return None

    def read_attachment(self, sequence: int, number: int, scope: Scope) -> bytes | None:
        """Return an attachment that was kept. Raises LoggingUnavailable when it cannot be read."""
        with self._told(sequence, scope):
            row = self._find_row(sequence, scope)
            body: Body | None = None
            if row is not None:
                kept = next((body for body in row[0].bodies if body.number == number), None)
                body = None if kept is None else self._log.reader.find_body(row[0], kept)
            elif (located := self._find_archived(sequence, scope)) is not None and isinstance(
                located.fact, ArchivedRecord
            ):
                body = self._container(located).attachments.get(number)
            return None if body is None else b"".join(body.chunks())

    def find_document(self, sequence: int, scope: Scope) -> Document | None:
        """Return the container of a signed message. Raises LoggingUnavailable when it cannot be read."""
        with self._told(sequence, scope):
            row = self._find_row(sequence, scope)
            if row is not None:
                document = build_document(*row, self._log.reader)
                return document_of_record(*row, document.name, document.container)
            located = self._find_archived(sequence, scope)
            if located is not None and self._archives is not None and isinstance(located.fact, ArchivedRecord):
                return document_of_archived(located.fact, self._archives.container(located))
        return None

    def globalconf_at(self, time: datetime | None) -> GlobalConf:
        """Return the configuration in force at a time-stamp. Raises ConfigurationUnusable."""
        return self._configurations(time).globalconf

    def status(self) -> SourceStatus:
        """Return how complete and how healthy the source is."""
        with self._log.database.reading() as connection:
            first, last = _first_sequence(connection), store.read_last_sequence(connection)
            c = checkpoints.c
            newest = connection.execute(select(c.size, c.time_ms).order_by(c.size.desc()).limit(1)).one_or_none()
            stamping = self._stamping(connection)
        return SourceStatus(
            name=self._name(),
            first_sequence=first,
            last_sequence=last,
            indexed_through=indexed_through(self._index),
            checkpoint_size=None if newest is None else newest.size,
            checkpoint_at=None if newest is None else from_epoch_ms(newest.time_ms),
            stamping=stamping,
            growth=self._growth(),
            uncounted_refusals=self._log.refusals.held_back,
            archiving=self._archiving(),
        )

    def _stamping(self, connection: Connection) -> Stamping:
        oldest = store.find_unstamped(connection, 1)
        since = None
        if oldest:
            c = message_records.c
            since = connection.execute(select(c.time_ms).where(c.sequence == oldest[0].sequence)).scalar()
        return Stamping(
            unstamped=store.count_unstamped(connection),
            oldest_unstamped_at=None if since is None else from_epoch_ms(since),
            failing_since=self._log.health.failing_since,
            refuses_at=self._log.health.refuses_at,
        )

    @contextmanager
    def _told(self, sequence: int, scope: Scope) -> Iterator[None]:
        """Tell of what cannot be read, but only to those who may see it, for which the index vouches."""
        try:
            yield
        except BROKEN as cause:
            if scope.is_everything or index_search.find_of_entry(self._index, sequence, scope) is not None:
                raise unreadable(sequence, cause) from cause

    def _find_row(self, sequence: int, scope: Scope) -> tuple[MessageRecord, RecordTimestamp | None] | None:
        with self._log.database.reading() as connection:
            record = store.read_record(connection, sequence)
            if record is None or not scope.covers(encode_path(record.local_party)):
                return None
            return record, store.read_timestamp(connection, sequence)

    def _find_archived(self, sequence: int, scope: Scope) -> Located | None:
        located = None if self._archives is None else self._archives.find(sequence)
        return located if located is not None and scope.covers(located.fact.party) else None

    def _container(self, located: Located) -> Container:
        assert self._archives is not None
        return read_container(self._archives.container(located))


def _first_sequence(connection: Connection) -> int:
    found = []
    for table in (archived_entries, message_records, refusals):
        c = table.c.sequence
        first = connection.execute(select(c).order_by(c).limit(1)).scalar()
        if first is not None:
            found.append(int(first))
    return min(found, default=0)

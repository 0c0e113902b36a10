"""Evidence out of archives alone, as an auditor's own machine holds them: no server, no database but a cache.

The index is built before anything is asked (`ArchiveIndex.build`). As with a server, it only finds:
what an entry says, and whose it is, is read from its archive each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from gateway.auditing.archive_index import ArchiveIndex
from gateway.auditing.configurations import Choose
from gateway.auditing.entries import BROKEN, document_of_archived, entry_of_archived, refusal_of_archived, unreadable
from gateway.auditing.model import Count, Document, Entry, Exchange, Page, Query, RefusalEntry, Scope, SourceStatus
from gateway.messagelog import index_search
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.reader import Located
from gateway.messagelog.index import indexed_through
from gateway.xroad.asic.container import Container, read_container
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.lookup import GlobalConf


class ArchiveSource:
    """The EvidenceSource of a place that holds archives; without configuration it shows, and verifies nothing."""

    def __init__(self, archives: ArchiveIndex, *, configurations: Choose | None = None, name: str = "") -> None:
        self._archives = archives
        self._configurations = configurations
        self._name = name or archives.place.url

    # finding

    def search(self, query: Query, scope: Scope, *, before: int | None = None, limit: int = 50) -> Page:
        """Return exchanges newest first, those with an id below `before`."""
        return index_search.search(self._archives.database, query, scope, before=before, limit=limit)

    def count(self, query: Query, scope: Scope, *, at_most: int = 10_000) -> Count:
        """Return how many exchanges there are, counted up to a bound."""
        return index_search.count(self._archives.database, query, scope, at_most=at_most)

    def walk(self, query: Query, scope: Scope) -> Iterator[Exchange]:
        """Yield every exchange, oldest first, in bounded memory."""
        return index_search.walk(self._archives.database, query, scope)

    def find_exchange(self, exchange_id: int, scope: Scope) -> Exchange | None:
        """Return one exchange by the number of its first entry."""
        return index_search.find(self._archives.database, exchange_id, scope)

    def find_related(self, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
        """Return the other exchanges with the same request or query id."""
        return index_search.find_related(self._archives.database, exchange, scope)

    # reading

    def find_entry(self, sequence: int, scope: Scope) -> Entry | None:
        """Return a signed message. Raises LoggingUnavailable when its archive cannot be read."""
        with self._told(sequence, scope):
            located = self._find(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRecord):
                file = located.file.containers_name
                return entry_of_archived(located.fact, self._container(located).message, file)
        return None

    def find_refusal(self, sequence: int, scope: Scope) -> RefusalEntry | None:
        """Return a refusal. Raises LoggingUnavailable when its archive cannot be read."""
        with self._told(sequence, scope):
            located = self._find(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRefusal):
                return refusal_of_archived(located.fact, located.file.facts_name)
        return None

    def read_attachment(self, sequence: int, number: int, scope: Scope) -> bytes | None:
        """Return an attachment that was kept. Raises LoggingUnavailable when its archive cannot be read."""
        with self._told(sequence, scope):
            located = self._find(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRecord):
                body = self._container(located).attachments.get(number)
                return None if body is None else b"".join(body.chunks())
        return None

    def find_document(self, sequence: int, scope: Scope) -> Document | None:
        """Return the container of a signed message. Raises LoggingUnavailable when its archive cannot be read."""
        with self._told(sequence, scope):
            located = self._find(sequence, scope)
            if located is not None and isinstance(located.fact, ArchivedRecord):
                return document_of_archived(located.fact, self._archives.container(located))
        return None

    def globalconf_at(self, time: datetime | None) -> GlobalConf:
        """Return the configuration in force at a time-stamp. Raises ConfigurationUnusable."""
        if self._configurations is None:
            raise ConfigurationUnusable("malformed_global_conf", "asic.verify.choose_configuration")
        return self._configurations(time).globalconf

    def status(self) -> SourceStatus:
        """Return how complete the source is; archives alone are neither stamped nor do they grow."""
        first, last = self._archives.ends()
        return SourceStatus(
            name=self._name,
            first_sequence=first,
            last_sequence=last,
            indexed_through=indexed_through(self._archives.database),
            checkpoint_size=None,
            checkpoint_at=None,
            stamping=None,
            growth=None,
        )

    @contextmanager
    def _told(self, sequence: int, scope: Scope) -> Iterator[None]:
        """Tell of what cannot be read, but only to those who may see it, for which the index vouches."""
        try:
            yield
        except BROKEN as cause:
            if scope.is_everything or index_search.find_of_entry(self._archives.database, sequence, scope) is not None:
                raise unreadable(sequence, cause) from cause

    def _find(self, sequence: int, scope: Scope) -> Located | None:
        located = self._archives.find(sequence)
        return located if located is not None and scope.covers(located.fact.party) else None

    def _container(self, located: Located) -> Container:
        return read_container(self._archives.container(located))

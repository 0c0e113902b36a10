"""What pages, API and commands ask of a source of evidence; a server's log and a folder of archives both answer.

Every question takes the caller's scope, and what lies outside of it is not there. Nothing here changes
anything. Calls may wait for a disk: shells run them in a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from gateway.auditing.model import Count, Document, Entry, Exchange, Page, Query, RefusalEntry, Scope, SourceStatus
from gateway.xroad.globalconf.lookup import GlobalConf


class EvidenceSource(Protocol):
    """Evidence that can be searched and taken away.

    What is there for this caller but cannot be read raises LoggingUnavailable: an archive that is not here or
    is damaged, a key that is missing, an index that is unusable.
    """

    def search(self, query: Query, scope: Scope, *, before: int | None = None, limit: int = 50) -> Page:
        """Return exchanges newest first, those with an id below `before`."""
        ...

    def count(self, query: Query, scope: Scope, *, at_most: int = 10_000) -> Count:
        """Return how many exchanges there are, counted up to a bound."""
        ...

    def walk(self, query: Query, scope: Scope) -> Iterator[Exchange]:
        """Yield every exchange, oldest first, in bounded memory."""
        ...

    def find_exchange(self, exchange_id: int, scope: Scope) -> Exchange | None:
        """Return one exchange by the number of its first entry."""
        ...

    def find_related(self, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
        """Return the other exchanges with the same request or query id."""
        ...

    def find_entry(self, sequence: int, scope: Scope) -> Entry | None:
        """Return a signed message."""
        ...

    def find_refusal(self, sequence: int, scope: Scope) -> RefusalEntry | None:
        """Return a refusal."""
        ...

    def read_attachment(self, sequence: int, number: int, scope: Scope) -> bytes | None:
        """Return an attachment that was kept."""
        ...

    def find_document(self, sequence: int, scope: Scope) -> Document | None:
        """Return the container of a signed message; without time-stamp while it has none."""
        ...

    def globalconf_at(self, time: datetime | None) -> GlobalConf:
        """Return the configuration in force at a time-stamp. Raises ConfigurationUnusable."""
        ...

    def status(self) -> SourceStatus:
        """Return how complete and how healthy the source is."""
        ...

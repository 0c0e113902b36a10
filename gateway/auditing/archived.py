"""Was a document of a client archived? Asked when its rows are gone, so that its owner is told where it is.

The search index only says what to look for; that an entry went into an archive the log itself knows.
"""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import select

from gateway.auditing.model import Exchange, Query, Scope
from gateway.auditing.ports import EvidenceSource
from gateway.messagelog.tables import archived_entries
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.identifiers import ClientId, encode_path

_MAX_ALIKE: Final = 20  # exchanges of one query id that are looked at


class ArchivedDocuments:
    """What information systems may learn about archived documents: that their own are there."""

    def __init__(self, source: EvidenceSource, database: Database) -> None:
        self._source = source
        self._database = database

    async def is_archived(self, client: ClientId, query_id: str) -> bool:
        """Tell whether records that this server kept for `client`, and for nobody else, went into an archive."""
        return await asyncio.to_thread(self._is_archived, encode_path(client), query_id)

    def _is_archived(self, party: str, query_id: str) -> bool:
        if not query_id or query_id.endswith("*"):  # which would search for other ids as well
            return False
        try:
            page = self._source.search(Query(query_id=query_id), Scope(frozenset({party})), limit=_MAX_ALIKE)
        except LoggingUnavailable:  # without the index nobody knows; that there is no document is true all the same
            return False
        own = [exchange for exchange in page.exchanges if exchange.party == party]
        return any(self._went_away(exchange) for exchange in own)

    def _went_away(self, exchange: Exchange) -> bool:
        sequences = [number for number in (exchange.request, exchange.response) if number is not None]
        c = archived_entries.c.sequence
        with self._database.reading() as connection:
            return connection.execute(select(c).where(c.in_(sequences)).limit(1)).scalar() is not None

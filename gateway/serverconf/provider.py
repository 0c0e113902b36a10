"""The current snapshot of this server's configuration, rebuilt off the message path."""

from __future__ import annotations

import asyncio

from gateway.runtime.database import Database
from gateway.serverconf import store, store_rows
from gateway.serverconf.model import ServerConf


class ServerConfProvider:
    """Hands out the latest snapshot; `refresh` swaps it when the database's change counter moved."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._current = self._read()
        self._refreshing = asyncio.Lock()  # a slow look must not bring an older snapshot back

    def current(self) -> ServerConf:
        """Return the snapshot that new exchanges work with."""
        return self._current

    async def refresh(self) -> None:
        """Look at the change counter and swap the snapshot if it moved; cheap when it did not."""
        async with self._refreshing:
            self._current = await asyncio.to_thread(self._newer)

    def _newer(self) -> ServerConf:
        with self._database.reading() as connection:
            if store_rows.read_version(connection) == self._current.version:
                return self._current
            return store.read_snapshot(connection)

    def _read(self) -> ServerConf:
        with self._database.reading() as connection:
            return store.read_snapshot(connection)

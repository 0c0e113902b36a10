"""The ledger of a message log: its tiles, kept after the answer, and the roots and proofs they give.

The leaves are those of `xroad.ledger` over the content hashes of all entries, records, refusals and
archived ones alike. Tiles only save hashing everything again: they can be rebuilt at any time, and a
ledger that does not continue its last checkpoint is never signed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from gateway.messagelog import store
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.tables import ledger_tiles
from gateway.messagelog.writer import Change
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.ledger import (
    HASH_BYTES,
    TILE_HASHES,
    TILE_LEVELS,
    TileWriter,
    build_consistency,
    build_inclusion,
    entry_leaf,
    hash_in,
    place_of,
    root_at,
    tile_hashes,
)

LEAVES_PER_CHANGE: Final = 16 * TILE_HASHES  # records are waiting for the same writer
_TILES_IN_MEMORY: Final = 256
_PUT_TILE: Final = (
    "INSERT INTO ledger_tiles (level, number, hashes) VALUES (?, ?, ?) "
    "ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
)
_DROP_TILES: Final = "DELETE FROM ledger_tiles WHERE level >= ?"


class LedgerTiles:
    """The ledger as its tiles give it, through one reading connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tiles: dict[tuple[int, int], bytes] = {}
        self.size = self._read_size()

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` entries, by default of all. Raises LoggingUnavailable."""
        return root_at(self._within(self.size if size is None else size), self.node)

    def inclusion(self, sequence: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the proof that an entry is in the ledger of `size` entries.

        Raises ValueError when it is not, LoggingUnavailable when tiles are missing or cut off.
        """
        return build_inclusion(sequence - 1, self._within(self.size if size is None else size), self.node)

    def consistency(self, first: int, second: int | None = None) -> tuple[bytes, ...]:
        """Return the proof that the ledger of `second` entries begins with that of `first`.

        Raises ValueError when it is smaller, LoggingUnavailable when tiles are missing or cut off.
        """
        return build_consistency(first, self._within(self.size if second is None else second), self.node)

    def leaf(self, sequence: int) -> bytes:
        """Return the leaf of an entry. Raises LoggingUnavailable."""
        return self.node(0, self._within(sequence) - 1)

    def leaves(self, size: int | None = None) -> Iterator[bytes]:
        """Yield the leaves of the first `size` entries, by default of all. Raises LoggingUnavailable."""
        left = self._within(self.size if size is None else size)
        for number in range(-(-left // TILE_HASHES)):
            tile = self._read(0, number)
            count = min(left, TILE_HASHES)
            if len(tile) < count * HASH_BYTES:
                raise _damaged(0, number)
            for start in range(0, count * HASH_BYTES, HASH_BYTES):
                yield tile[start : start + HASH_BYTES]
            left -= count

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a node. Raises LoggingUnavailable when its tile is missing or cut off."""
        place = place_of(level, index)
        key = place.level, place.number
        if key not in self._tiles:
            if len(self._tiles) >= _TILES_IN_MEMORY:
                self._tiles.clear()
            self._tiles[key] = self._read(*key)
        try:
            return hash_in(self._tiles[key], place)
        except ValueError as cause:
            raise _damaged(*key) from cause

    def writer(self) -> TileWriter:
        """Return the right edge, to be continued. Raises LoggingUnavailable when it is missing or cut off."""
        edge: dict[int, bytes] = {}
        for level in range(self.size.bit_length() // TILE_LEVELS + 1):
            full, beyond = divmod(tile_hashes(level, self.size), TILE_HASHES)
            if beyond:
                edge[level] = self._read(level, full)
                if len(edge[level]) != beyond * HASH_BYTES:
                    raise _damaged(level, full)
        return TileWriter(self.size, edge)

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise LoggingUnavailable(
                "mlog.message_log_record_not_found", "ledger.beyond_its_end", wanted=size, size=self.size
            )
        return size

    def _read(self, level: int, number: int) -> bytes:
        c = ledger_tiles.c
        question = select(c.hashes).where(c.level == level, c.number == number)
        return self._connection.execute(question).scalar() or b""

    def _read_size(self) -> int:
        c = ledger_tiles.c
        question = select(c.number, c.hashes).where(c.level == 0).order_by(c.number.desc()).limit(1)
        row = self._connection.execute(question).one_or_none()
        return 0 if row is None else row.number * TILE_HASHES + len(row.hashes) // HASH_BYTES


class Ledger:
    """Keeps the tiles of one message log; one task at a time changes them."""

    def __init__(self, message_log: MessageLog) -> None:
        self._log = message_log
        self._turn = asyncio.Lock()

    async def extend(self) -> int:
        """Take in what was written since, and return the size.

        Raises LoggingUnavailable when an entry is missing or the tiles are damaged, CommitUnavailable
        when the log cannot be written.
        """
        async with self._turn:
            return await self._extend()

    async def rebuild(self) -> int:
        """Make all tiles anew from the entries, and return the size; errors as `extend`."""
        async with self._turn:
            await self._log.submit(Change(((_DROP_TILES, [(0,)]),)))
            return await self._extend()

    async def _extend(self) -> int:
        while True:
            changed, size, missing = await asyncio.to_thread(self._next_tiles)
            if changed:
                rows = [(level, number, hashes) for (level, number), hashes in changed.items()]
                await self._log.submit(Change(((_PUT_TILE, rows),)))
            if missing is not None:
                raise LoggingUnavailable("mlog.message_log_record_not_found", "ledger.entry_missing", sequence=missing)
            if not changed:
                return size

    def _next_tiles(self) -> tuple[dict[tuple[int, int], bytes], int, int | None]:
        """Return the tiles that the next entries change, the size with them, and the entry missing after them."""
        with self._log.database.reading() as connection:
            writer = LedgerTiles(connection).writer()
            end = writer.size + LEAVES_PER_CHANGE
            last = min(store.read_last_sequence(connection), end)
            for sequence, content_hash in store.walk_hashes(connection, after=writer.size, through=last):
                if sequence != writer.size + 1:
                    break
                writer.append(entry_leaf(sequence, content_hash))
        missing = writer.size + 1 if writer.size < last else None
        return writer.take_changed(), writer.size, missing


def _damaged(level: int, number: int) -> LoggingUnavailable:
    return LoggingUnavailable("internal_error", "ledger.tile_damaged", level=level, number=number)

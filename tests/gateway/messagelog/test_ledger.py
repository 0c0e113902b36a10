from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.ledger import LEAVES_PER_CHANGE, Ledger, LedgerTiles
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.ledger import (
    EMPTY_ROOT,
    TILE_HASHES,
    entry_leaf,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.factories.ledger import refuse
from tests.factories.messagelog import Logbook, a_logbook, a_message


def leaves_of(database: Database) -> list[bytes]:
    with database.reading() as connection:
        return [entry_leaf(number, said) for number, said in store.walk_hashes(connection)]


def change(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement))


def read_all(database: Database) -> bytes:
    with database.reading() as connection:
        tiles = LedgerTiles(connection)
        assert len(list(tiles.leaves())) == tiles.size
        return tiles.root()


async def write_some(book: Logbook) -> None:
    for number in range(3):
        await book.record(a_message(f"q-{number}"))
        await refuse(book, 2)


async def test_ledger_holds_records_and_refusals_in_their_order(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        ledger = Ledger(book.log)
        assert await ledger.extend() == 0
        await write_some(book)
        assert await ledger.extend() == 9
        assert await ledger.extend() == 9
        await write_some(book)
        assert await ledger.extend() == 18
    leaves = leaves_of(database)
    with database.reading() as connection:
        tiles = LedgerTiles(connection)
        assert list(tiles.leaves()) == leaves
        assert list(tiles.leaves(7)) == leaves[:7]
        assert [tiles.root(size) for size in range(19)] == [root_of(leaves[:size]) for size in range(19)]


async def test_every_entry_and_every_earlier_ledger_can_be_proven(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await write_some(book)
        size = await Ledger(book.log).extend()
    with sqlite_database.reading() as connection:
        tiles = LedgerTiles(connection)
        root = tiles.root()
        for sequence in range(1, size + 1):
            verify_inclusion(tiles.leaf(sequence), sequence - 1, size, root, tiles.inclusion(sequence))
            verify_consistency(sequence, size, tiles.root(sequence), root, tiles.consistency(sequence))


async def test_many_entries_come_in_small_steps_and_give_the_same_root(
    sqlite_database: Database, tmp_path: Path
) -> None:
    count = LEAVES_PER_CHANGE + TILE_HASHES + 3
    async with a_logbook(sqlite_database, tmp_path) as book:
        await refuse(book, count)
        ledger = Ledger(book.log)
        assert await ledger.extend() == count
    with sqlite_database.reading() as connection:
        tiles = LedgerTiles(connection)
        root = root_of(leaves_of(sqlite_database))
        assert tiles.root() == root
        widths = connection.execute(
            text("SELECT level, count(*), sum(length(hashes)) / 32 FROM ledger_tiles GROUP BY 1")
        )
        assert [tuple(row) for row in widths] == [(0, 18, count), (1, 1, 17)]
        verify_inclusion(tiles.leaf(300), 299, count, root, tiles.inclusion(300))


async def test_archived_entries_stay_in_the_ledger(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await refuse(book, 6)
        await Ledger(book.log).extend()
        expected = leaves_of(sqlite_database)
        change(
            sqlite_database,
            "INSERT INTO archive_files VALUES (1, '', 'mlog', 'mlog', 1, 4, 4, 1, '', 'SHA-512', 0)",
        )
        change(
            sqlite_database,
            "INSERT INTO archived_entries SELECT sequence, 1, NULL, content_hash FROM refusals WHERE sequence <= 4",
        )
        change(sqlite_database, "DELETE FROM refusals WHERE sequence <= 4")
        assert await Ledger(book.log).rebuild() == 6
        with sqlite_database.reading() as connection:
            assert list(LedgerTiles(connection).leaves()) == expected


async def test_missing_entry_stops_the_ledger_and_is_named(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await refuse(book, 6)
        change(sqlite_database, "DELETE FROM refusals WHERE sequence = 4")
        with pytest.raises(LoggingUnavailable) as refused:
            await Ledger(book.log).extend()
        assert refused.value.facts == {"sequence": 4}
        with sqlite_database.reading() as connection:
            assert LedgerTiles(connection).size == 3


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM ledger_tiles WHERE level = 1",
        "DELETE FROM ledger_tiles WHERE level = 0 AND number = 0",
        "UPDATE ledger_tiles SET hashes = substr(hashes, 1, 320) WHERE level = 0 AND number = 0",
    ],
)
async def test_damaged_tiles_are_named_and_can_be_made_anew(
    sqlite_database: Database, tmp_path: Path, damage: str
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await refuse(book, 260)
        ledger = Ledger(book.log)
        await ledger.extend()
        root = read_all(sqlite_database)
        change(sqlite_database, damage)
        with pytest.raises(LoggingUnavailable) as refused:
            read_all(sqlite_database)
        assert refused.value.text_id == "ledger.tile_damaged"
        assert await ledger.rebuild() == 260
        assert read_all(sqlite_database) == root


async def test_nothing_is_told_of_entries_that_are_not_there(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        with sqlite_database.reading() as connection:
            assert LedgerTiles(connection).root() == EMPTY_ROOT
        await refuse(book, 2)
        await Ledger(book.log).extend()
    with sqlite_database.reading() as connection:
        tiles = LedgerTiles(connection)
        with pytest.raises(LoggingUnavailable):
            tiles.root(3)
        with pytest.raises(ValueError, match="has no leaf"):
            tiles.inclusion(3)

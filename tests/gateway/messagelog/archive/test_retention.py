from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.archive.retention import Removed, remove_archived
from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import Database
from gateway.xroad.faults import ConfigurationUnusable, LoggingUnavailable
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.messagelog import Logbook, a_message
from tests.factories.messages import a_rest_request
from tests.factories.pki import NOON

LATER = NOON + timedelta(days=31)


@pytest.fixture
async def book(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with a_stamped_logbook(sqlite_database, tmp_path) as opened:
        yield opened


async def fill(book: Logbook, count: int = 3) -> None:
    for number in range(count):
        await book.record(a_message(f"q-{number}"))
    await stamp(book)


def sequences(database: Database) -> list[int]:
    with database.reading() as connection:
        return [entry.sequence for entry in store.walk_entries(connection)]


def count(database: Database, table: str) -> int:
    with database.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


async def test_what_is_archived_and_old_enough_goes_but_the_newest_entry(book: Logbook, tmp_path: Path) -> None:
    await fill(book)
    await refuse(book)
    await book.record(a_message("newest"))
    await stamp(book)
    await archive(book, tmp_path)
    removed = await remove_archived(book.log, LATER, 30)
    assert (removed.records, removed.refusals) == (3, 1)
    assert sequences(book.database) == [5]
    assert count(book.database, "archived_entries") == 5
    assert verify_log(book.database).holds
    await book.record(a_message("after"))
    assert sequences(book.database) == [5, 6]


async def test_younger_entries_stay(book: Logbook, tmp_path: Path) -> None:
    await fill(book)
    await archive(book, tmp_path)
    assert (await remove_archived(book.log, NOON + timedelta(days=30), 30)).records == 0
    assert sequences(book.database) == [1, 2, 3]


async def test_nothing_goes_that_is_not_archived(book: Logbook, tmp_path: Path) -> None:
    await fill(book)
    assert await remove_archived(book.log, LATER, 30) == Removed()
    assert sequences(book.database) == [1, 2, 3]


async def test_nothing_goes_whose_file_is_not_in_its_place(book: Logbook, tmp_path: Path) -> None:
    await fill(book)
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(LoggingUnavailable):
        await archive(book, tmp_path)
    assert count(book.database, "archived_entries") == 3
    await remove_archived(book.log, LATER, 30)
    assert sequences(book.database) == [1, 2, 3]


async def test_nothing_goes_whose_container_did_not_hold(book: Logbook, tmp_path: Path) -> None:
    await fill(book)

    def nothing(_: object) -> None:
        raise ConfigurationUnusable("global_conf_outdated", "configuration.absent")

    await archive(book, tmp_path, globalconf=nothing)
    await fill(book, 1)
    await remove_archived(book.log, LATER, 30)
    assert sequences(book.database) == [1, 2, 3, 4]


async def test_nothing_goes_whose_row_is_not_what_was_archived(book: Logbook, tmp_path: Path) -> None:
    await fill(book)
    await archive(book, tmp_path)
    with book.database.transaction() as connection:
        connection.execute(text("UPDATE message_records SET content_hash = zeroblob(64) WHERE sequence = 2"))
    await remove_archived(book.log, LATER, 30)
    assert sequences(book.database) == [2, 3]


async def test_bodies_time_stamps_and_skeletons_go_when_nobody_has_them(book: Logbook, tmp_path: Path) -> None:
    await book.record(a_rest_request("POST", body=b"old", message_id="q-old"))
    await stamp(book)
    book.clock.advance(days=20)
    await book.record(a_rest_request("POST", body=b"young", message_id="q-young"))
    await book.record(a_message("q-soap"))
    await stamp(book)
    await archive(book, tmp_path)
    before = count(book.database, "signature_skeletons")
    removed = await remove_archived(book.log, LATER, 30)
    assert (removed.records, removed.bodies, removed.timestamps) == (1, 1, 1)
    assert count(book.database, "message_bodies") == 1
    assert count(book.database, "timestamps") == count(book.database, "record_timestamps") - 1 == 1
    kept = [path.read_bytes() for path in (tmp_path / "bodies").rglob("*") if path.is_file()]
    assert kept == [b"young"]
    assert count(book.database, "signature_skeletons") == before - removed.skeletons
    with book.database.reading() as connection:
        assert all(record.signature for record in store.walk_records(connection))


async def test_skeleton_that_was_removed_is_written_again_with_the_next_record(book: Logbook, tmp_path: Path) -> None:
    await book.record(a_message("q-1"))
    await refuse(book)
    await stamp(book)
    await archive(book, tmp_path)
    removed = await remove_archived(book.log, LATER, 30)
    assert (removed.records, removed.skeletons) == (1, 1)
    await book.record(a_message("q-2"))
    with book.database.reading() as connection:
        record = store.read_record(connection, 3)
    assert record is not None
    assert b"SignatureValue" in record.signature
    assert verify_log(book.database).holds


async def test_file_of_a_body_that_a_crash_kept_goes_later(book: Logbook, tmp_path: Path) -> None:
    await fill(book, 1)
    folder = tmp_path / "bodies" / NOON.date().isoformat()
    folder.mkdir(parents=True)
    (folder / "left").write_bytes(b"its row is gone")
    assert (
        await remove_archived(book.log, NOON + timedelta(hours=1), 0)
    ).bodies == 0  # it may be on its way to its row
    assert (await remove_archived(book.log, LATER, 30)).bodies == 1
    assert not folder.exists()


async def test_postgres_lets_go_just_so(postgres_database: Database, tmp_path: Path) -> None:
    async with a_stamped_logbook(postgres_database, tmp_path) as book:
        await book.record(a_rest_request("POST", body=b"a body", message_id="q-rest"))
        await stamp(book)
        await fill(book, 2)
        await refuse(book)
        await archive(book, tmp_path)
        removed = await remove_archived(book.log, LATER, 30)
        assert (removed.records, removed.refusals, removed.bodies) == (3, 0, 1)
        assert removed.timestamps == 1  # the writer counts on from the newest
        assert sequences(postgres_database) == [4]
        assert count(postgres_database, "signature_skeletons") == 0

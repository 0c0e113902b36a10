from __future__ import annotations

from pathlib import Path

from gateway.messagelog import store
from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import MessageRecord, Refusal, RefusalSettings
from gateway.runtime.database import Database
from tests.factories.messagelog import a_logbook, a_message
from tests.factories.refusals import a_refusal, archive_through


async def a_mixed_log(database: Database, folder: Path, rounds: int = 3) -> None:
    """A record, then two refusals, again and again."""
    async with a_logbook(database, folder, refusals=RefusalSettings(of_a_kind=1000)) as book:
        for number in range(rounds):
            await book.record(a_message(f"q-{number}"))
            await book.log.refuse(a_refusal(query_id=f"q-{number}", x_request_id=f"a-{number}"))
            await book.log.refuse(a_refusal(query_id=f"q-{number}", x_request_id=f"b-{number}"))


async def test_records_and_refusals_are_walked_in_the_order_in_which_they_were_written(
    database: Database, tmp_path: Path
) -> None:
    await a_mixed_log(database, tmp_path, rounds=120)
    with database.reading() as connection:
        entries = list(store.walk_entries(connection))
        some = list(store.walk_entries(connection, after=3, through=7))
        assert store.read_last_sequence(connection) == 360
        assert store.read_first_sequence(connection) == 1
    assert [entry.sequence for entry in entries] == list(range(1, 361))
    kinds = [isinstance(entry, MessageRecord) for entry in entries]
    assert kinds == [True, False, False] * 120
    assert some == entries[3:7]


async def test_refusal_is_read_by_its_number(sqlite_database: Database, tmp_path: Path) -> None:
    await a_mixed_log(sqlite_database, tmp_path)
    with sqlite_database.reading() as connection:
        refusal = store.read_refusal(connection, 2)
        assert store.read_refusal(connection, 1) is None
    assert isinstance(refusal, Refusal)
    assert refusal.content == a_refusal(query_id="q-0", x_request_id="a-0")
    assert refusal.content_hash == refusal_hash(refusal.content)


async def test_hashes_are_walked_through_what_was_archived(database: Database, tmp_path: Path) -> None:
    await a_mixed_log(database, tmp_path)
    with database.reading() as connection:
        whole = list(store.walk_hashes(connection))
    archive_through(database, 4, delete_through=2)
    with database.reading() as connection:
        assert list(store.walk_hashes(connection)) == whole
        assert list(store.walk_hashes(connection, after=1, through=3)) == whole[1:3]
        archived = list(store.walk_archived(connection))
        assert store.read_first_sequence(connection) == 3
    assert [(entry.sequence, entry.content_hash) for entry in archived] == whole[:4]

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import Database, migrate
from tests.factories.messagelog import a_logbook, a_message
from tests.factories.messages import a_rest_request


async def a_log(database: Database, folder: Path) -> None:
    async with a_logbook(database, folder) as book:
        for number in range(3):
            await book.record(a_message(f"q-{number}"))
        await book.record(a_rest_request("POST", body=b"a body"))


def change(database: Database, statement: str) -> None:
    with database.transaction() as connection:
        connection.execute(text(statement))


def test_empty_log_holds(sqlite_database: Database) -> None:
    migrate(sqlite_database, "gateway.migrations.messagelog")
    assert verify_log(sqlite_database).holds
    assert verify_log(sqlite_database).records == 0


@pytest.mark.parametrize(
    "assignment",
    [
        "time_ms = time_ms + 1",
        "side = 'provider'",
        "is_response = NOT is_response",
        "query_id = 'another'",
        "x_request_id = 'another'",
        "client = provider",
        "provider = client",
        "service_code = 'another'",
        "service_version = 'v9'",
        "message = signature_values",
        "signature_values = message",
        "hash_chain = message",
        "hash_chain_result = message",
        "content_hash = previous_hash",
    ],
)
async def test_changed_record_is_found(sqlite_database: Database, tmp_path: Path, assignment: str) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, f"UPDATE message_records SET {assignment} WHERE sequence = 2")
    verdict = verify_log(sqlite_database)
    assert (verdict.records, verdict.broken_at) == (1, 2)
    assert verdict.broken == "the contents of record 2 were changed"


@pytest.mark.parametrize("assignment", ["size = 7", "number = 2", "location = NULL", "digest = zeroblob(64)"])
async def test_changed_body_is_found(sqlite_database: Database, tmp_path: Path, assignment: str) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, f"UPDATE message_bodies SET {assignment}")
    assert verify_log(sqlite_database).broken_at == 4


async def test_changed_skeleton_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, "UPDATE signature_skeletons SET skeleton = CAST('<x/>' AS BLOB)")
    assert verify_log(sqlite_database).broken_at == 1


async def test_removed_record_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, "DELETE FROM message_records WHERE sequence = 2")
    verdict = verify_log(sqlite_database)
    assert verdict.broken == "record 2 is missing; 3 comes next"


async def test_exchanged_hash_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, "UPDATE message_records SET record_hash = zeroblob(64) WHERE sequence = 3")
    assert verify_log(sqlite_database).broken_at == 3


async def test_forgotten_predecessor_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log(sqlite_database, tmp_path)
    change(sqlite_database, "UPDATE message_records SET previous_hash = zeroblob(64) WHERE sequence = 3")
    verdict = verify_log(sqlite_database)
    assert verdict.broken == "record 3 does not name the hash of the record before it"


async def test_log_can_be_walked_from_where_the_archive_ends(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log(sqlite_database, tmp_path)
    with sqlite_database.reading() as connection:
        second = connection.execute(text("SELECT record_hash FROM message_records WHERE sequence = 2")).scalar_one()
    change(sqlite_database, "DELETE FROM message_records WHERE sequence <= 2")
    verdict = verify_log(sqlite_database, first_sequence=3, first_hash=second)
    assert verdict.holds
    assert verdict.records == 2

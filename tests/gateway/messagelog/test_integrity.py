from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.integrity import verify_log
from gateway.runtime.database import Database, migrate
from tests.factories.messagelog import a_logbook, a_message
from tests.factories.messages import a_rest_request
from tests.factories.refusals import a_refusal, archive_through


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


# refusals


async def a_log_with_refusals(database: Database, folder: Path) -> None:
    """A record, two refusals, a record."""
    async with a_logbook(database, folder) as book:
        await book.record(a_message("q-0"))
        await book.log.refuse(a_refusal())
        await book.log.refuse(a_refusal(query_id=None, x_request_id="r-2"))
        await book.record(a_message("q-1"))


@pytest.mark.parametrize(
    "assignment",
    [
        "time_ms = time_ms + 1",
        "until_ms = until_ms + 1",
        "times = 2",
        "side = 'consumer'",
        "side = 'nobody'",
        "is_failure = NOT is_failure",
        "fault_code = 'other'",
        "text_id = 'other'",
        "facts = '{}'",
        "address = NULL",
        "x_request_id = NULL",
        "query_id = 'q-9'",
        "client = provider",
        "client = NULL",
        "provider = client",
        "service_code = 'other'",
        "service_version = NULL",
        "message_digest = NULL",
        "message_digest = 'text'",
        "facts = x'ff'",
        "times = 'many'",
        "content_hash = previous_hash",
    ],
)
async def test_changed_refusal_is_found(sqlite_database: Database, tmp_path: Path, assignment: str) -> None:
    await a_log_with_refusals(sqlite_database, tmp_path)
    change(sqlite_database, f"UPDATE refusals SET {assignment} WHERE sequence = 2")
    verdict = verify_log(sqlite_database)
    assert (verdict.entries, verdict.broken_at) == (1, 2)
    assert verdict.broken == "the contents of refusal 2 were changed"


@pytest.mark.parametrize(
    ("statement", "at", "broken"),
    [
        ("DELETE FROM refusals WHERE sequence = 2", 2, "record 2 is missing; 3 comes next"),
        ("UPDATE refusals SET sequence = sequence + 10", 2, "record 2 is missing; 4 comes next"),
        ("UPDATE refusals SET previous_hash = zeroblob(64) WHERE sequence = 3", 3, "does not name the hash"),
        ("UPDATE refusals SET record_hash = zeroblob(64) WHERE sequence = 3", 3, "the hash of refusal 3"),
        ("UPDATE refusals SET sequence = 4 WHERE sequence = 3", 3, "record 3 is missing; 4 comes next"),
        ("UPDATE message_records SET client = 'UA%2DDEMO' WHERE sequence = 4", 4, "contents of record 4 were changed"),
        ("UPDATE message_records SET time_ms = 'noon' WHERE sequence = 4", 4, "contents of record 4 were changed"),
        ("UPDATE message_records SET message = 'text' WHERE sequence = 4", 4, "contents of record 4 were changed"),
    ],
)
async def test_place_of_a_break_among_records_and_refusals_is_named(
    sqlite_database: Database, tmp_path: Path, statement: str, at: int, broken: str
) -> None:
    await a_log_with_refusals(sqlite_database, tmp_path)
    change(sqlite_database, statement)
    verdict = verify_log(sqlite_database)
    assert verdict.broken_at == at
    assert broken in str(verdict.broken)


async def test_number_that_stands_twice_is_found(sqlite_database: Database, tmp_path: Path) -> None:
    await a_log_with_refusals(sqlite_database, tmp_path)
    columns = "time_ms, until_ms, times, side, is_failure, fault_code, text_id, facts, content_hash, previous_hash"
    change(
        sqlite_database,
        f"INSERT INTO refusals (sequence, record_hash, {columns}) SELECT 4, record_hash, {columns} FROM refusals"
        " WHERE sequence = 3",
    )
    verdict = verify_log(sqlite_database)
    assert (verdict.broken_at, verdict.broken) == (4, "refusal 4 stands beside another entry with its number")


# what was archived


async def test_chain_goes_on_over_what_was_archived(database: Database, tmp_path: Path) -> None:
    await a_log_with_refusals(database, tmp_path)
    before = verify_log(database)
    archive_through(database, 3, delete_through=2)
    verdict = verify_log(database)
    assert (verdict.holds, verdict.broken) == (True, None)
    assert (verdict.records, verdict.refusals, verdict.archived) == (1, 1, 2)
    assert verdict.record_hash == before.record_hash


@pytest.mark.parametrize(
    ("statement", "at", "broken"),
    [
        ("UPDATE archived_entries SET content_hash = zeroblob(64) WHERE sequence = 1", 3, "those archived before it"),
        ("UPDATE archived_entries SET content_hash = zeroblob(64) WHERE sequence = 3", 3, "with other contents"),
        ("UPDATE archived_entries SET content_hash = 'text' WHERE sequence = 2", 2, "were changed"),
        ("DELETE FROM archived_entries WHERE sequence = 1", 1, "record 1 is missing; 2 comes next"),
        ("DELETE FROM archived_entries WHERE sequence = 2", 2, "record 2 is missing; 3 comes next"),
    ],
)
async def test_changed_memory_of_what_was_archived_is_found(
    sqlite_database: Database, tmp_path: Path, statement: str, at: int, broken: str
) -> None:
    await a_log_with_refusals(sqlite_database, tmp_path)
    archive_through(sqlite_database, 3, delete_through=2)
    change(sqlite_database, statement)
    verdict = verify_log(sqlite_database)
    assert verdict.broken_at == at
    assert broken in str(verdict.broken)


async def test_log_whose_newest_entries_are_gone_is_found_when_they_were_archived(
    sqlite_database: Database, tmp_path: Path
) -> None:
    await a_log_with_refusals(sqlite_database, tmp_path)
    archive_through(sqlite_database, 4, delete_through=4)
    verdict = verify_log(sqlite_database)
    assert verdict.broken == "record 4 and whatever came after it are gone"


# encrypted messages


async def an_encrypted_log(database: Database, folder: Path) -> Path:
    """Three records whose messages are encrypted; returns the key file."""
    file = folder / "keys"
    file.touch(mode=0o600)
    file.write_text(f"one {b64encode(bytes(32)).decode()}\n")
    async with a_logbook(database, folder, encryption_key_file=file) as book:
        for number in range(3):
            await book.record(a_message(f"q-{number}"))
    return file


async def test_encrypted_messages_are_opened_where_the_keys_are(database: Database, tmp_path: Path) -> None:
    file = await an_encrypted_log(database, tmp_path)
    with_keys, without = verify_log(database, keys=LogKeys(file)), verify_log(database)
    assert (with_keys.holds, with_keys.records, with_keys.closed) == (True, 3, 0)
    assert (without.holds, without.records, without.closed) == (True, 3, 3)


@pytest.mark.parametrize(
    "assignment", ["message = zeroblob(500)", "message = (SELECT message FROM message_records WHERE sequence = 1)"]
)
async def test_exchanged_ciphertext_is_found_with_the_keys(
    sqlite_database: Database, tmp_path: Path, assignment: str
) -> None:
    file = await an_encrypted_log(sqlite_database, tmp_path)
    change(sqlite_database, f"UPDATE message_records SET {assignment} WHERE sequence = 2")
    assert verify_log(sqlite_database, keys=LogKeys(file)).broken == "the contents of record 2 were changed"


@pytest.mark.parametrize("assignment", ["body_count = 5", "kept_digest = message_digest", "kept_digest = zeroblob(64)"])
async def test_changed_column_that_no_hash_covers_is_found(
    sqlite_database: Database, tmp_path: Path, assignment: str
) -> None:
    file = await an_encrypted_log(sqlite_database, tmp_path)
    change(sqlite_database, f"UPDATE message_records SET {assignment} WHERE sequence = 2")
    assert verify_log(sqlite_database, keys=LogKeys(file)).broken_at == 2

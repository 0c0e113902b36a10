from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.encryption import FRAME_BYTES, SETTING, LogKey, LogKeys, add_key, parse_keys, read_keys
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import MessageRecord
from gateway.messagelog.reader import MessageReader
from gateway.runtime.database import Database
from gateway.xroad.bodies import BytesBody
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.messagelog import a_logbook, a_message, sealed
from tests.factories.messages import a_rest_request, a_soap_message, an_attachment
from tests.factories.pki import NOON

SECRET = "19900101-00017"
DAY = date(2024, 1, 2)


def a_line(key_id: str, byte: bytes = b"k") -> str:
    return f"{key_id} {base64.b64encode(byte * 32).decode()}"


def a_key(key_id: str = "one", byte: bytes = b"k") -> LogKey:
    return parse_keys(a_line(key_id, byte))[0]


def a_key_file(folder: Path) -> Path:
    file = folder / "log.keys"
    add_key(file, NOON)
    return file


def records(database: Database) -> list[MessageRecord]:
    with database.reading() as connection:
        return list(store.walk_records(connection))


# Messages


def test_message_opens_for_its_own_record_only() -> None:
    key = a_key()
    encrypted = key.encrypt_message(b"message", b"1" * 64)
    assert key.decrypt_message(encrypted, b"1" * 64) == b"message"
    with pytest.raises(InvalidTag):
        key.decrypt_message(encrypted, b"2" * 64)


def test_same_message_never_looks_the_same() -> None:
    assert a_key().encrypt_message(b"message", b"") != a_key().encrypt_message(b"message", b"")


@pytest.mark.parametrize("other", [a_key("two"), a_key(byte=b"x")], ids=["other name", "other secret"])
def test_another_key_opens_nothing(other: LogKey) -> None:
    with pytest.raises(InvalidTag):
        other.decrypt_message(a_key().encrypt_message(b"message", b""), b"")


@pytest.mark.parametrize("size", [0, 1, 27])
def test_too_few_bytes_open_nothing(size: int) -> None:
    with pytest.raises(InvalidTag):
        a_key().decrypt_message(b"x" * size, b"")


# Bodies


def kept(folder: Path, body: BytesBody, key: LogKey) -> tuple[BodyStore, str]:
    bodies = BodyStore(folder)
    return bodies, bodies.keep(body, DAY, key)


def read(bodies: BodyStore, location: str, body: BytesBody, key: LogKey) -> bytes:
    return b"".join(bodies.open(location, body.size, body.digest.value, key).chunks())


@pytest.mark.parametrize(
    "size", [1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, 3 * FRAME_BYTES + 7]
)
def test_body_of_any_size_comes_back(tmp_path: Path, size: int) -> None:
    body = BytesBody(os.urandom(size))
    bodies, location = kept(tmp_path, body, a_key())
    assert read(bodies, location, body, a_key()) == body.data
    assert body.data[:16] not in (tmp_path / location).read_bytes()[100:]


BODY = BytesBody(bytes(range(256)) * 1024)  # four frames
HEADER = 13 + 1 + 3 + 32
FRAME = FRAME_BYTES + 16


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: HEADER + 3 * FRAME],
        lambda data: data[:HEADER],
        lambda data: data[: HEADER - 1],
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: data + data[HEADER : HEADER + FRAME],
        lambda data: data[:HEADER] + data[HEADER + FRAME : HEADER + 2 * FRAME] + data[HEADER + FRAME :],
        lambda data: b"x" + data[1:],
        lambda data: data[: HEADER - 1] + bytes([data[HEADER - 1] ^ 1]) + data[HEADER:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    ],
    ids=[
        "cut", "cut between frames", "header only", "cut header", "empty", "longer", "longer by a frame", "frame twice",
        "other begin", "other salt", "flipped bit",
    ],
)  # fmt: skip
def test_damaged_body_is_told_and_never_shown(tmp_path: Path, damage: Any) -> None:
    bodies, location = kept(tmp_path, BODY, a_key())
    path = tmp_path / location
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LoggingUnavailable) as caught:
        read(bodies, location, BODY, a_key())
    assert caught.value.text_id == "messagelog.undecryptable"


def test_body_does_not_open_as_another_of_the_same_size(tmp_path: Path) -> None:
    one, two = BytesBody(b"one"), BytesBody(b"two")
    bodies, location = kept(tmp_path, one, a_key())
    with pytest.raises(LoggingUnavailable):
        read(bodies, location, two, a_key())


# Key files


def test_newest_key_encrypts_and_all_of_them_decrypt(tmp_path: Path) -> None:
    file = tmp_path / "log.keys"
    file.write_text(f"# keys of the log\n{a_line('one')}\n\n{a_line('two')}\n")
    file.chmod(0o600)
    keys = LogKeys(file)
    keys.follow()
    newest = keys.newest()
    assert newest is not None
    assert newest.id == "two"
    assert keys.key_of("one").id == "one"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "empty"),
        ("# nothing\n", "holds no key"),
        ("one c2hvcnQ=\n", "line 1 is not"),
        (f"{a_line('one')}\n{a_line('two')[:-8]}\n", "line 2 is not"),
        (f"{a_line('a/b')}\n", "line 1 is not"),
        (f"{a_line('one')}\n{a_line('one', b'x')}\n", "line 2 names the key one again"),
    ],
)
def test_key_file_that_is_none_is_told_without_its_secrets(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "log.keys"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ValueError, match=complaint) as caught:
        read_keys(file)
    assert "a2traw" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = a_key_file(tmp_path)
    file.chmod(mode)
    with pytest.raises(PermissionError, match="0600"):
        read_keys(file)


def test_added_key_is_the_newest_and_the_file_stays_private(tmp_path: Path) -> None:
    file = a_key_file(tmp_path)
    (first,) = read_keys(file)
    second = add_key(file, NOON)
    assert [key.id for key in read_keys(file)] == [first.id, second]
    assert second.startswith(f"{NOON:%Y%m%d}-")
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.keys", "log.keys.lock"]


def test_keys_added_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "log.keys"
    added: list[str] = []
    threads = [threading.Thread(target=lambda: added.append(add_key(file, NOON))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key.id for key in read_keys(file)) == sorted(added)
    assert len(set(added)) == 8


def test_nothing_is_added_to_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "log.keys"
    file.write_text("something else\n")
    file.chmod(0o600)
    with pytest.raises(ValueError, match="line 1"):
        add_key(file, NOON)
    assert file.read_text() == "something else\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_key_added_by_root_stays_the_servers(tmp_path: Path) -> None:
    file = a_key_file(tmp_path)
    os.chown(file, 65534, 65534)
    add_key(file, NOON)
    assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65534)


def test_key_that_was_added_meanwhile_is_found(tmp_path: Path) -> None:
    file = a_key_file(tmp_path)
    keys = LogKeys(file)
    keys.follow()
    second = add_key(file, NOON)
    assert keys.key_of(second).id == second


def test_missing_key_names_itself_and_the_setting(tmp_path: Path) -> None:
    keys = LogKeys(a_key_file(tmp_path))
    for reader in (keys, LogKeys(None)):
        with pytest.raises(LoggingUnavailable) as caught:
            reader.key_of("lost")
        assert caught.value.text_id == "messagelog.key_missing"
        assert (caught.value.facts["key_id"], caught.value.facts["setting"]) == ("lost", SETTING)


def test_file_that_becomes_unreadable_leaves_the_keys_that_were_read(tmp_path: Path) -> None:
    file = a_key_file(tmp_path)
    keys = LogKeys(file)
    keys.follow()
    newest = keys.newest()
    file.write_text("rubbish\n")
    keys.follow()
    assert keys.newest() is newest


# The log


async def test_nothing_readable_of_a_message_remains_on_the_disk(sqlite_database: Database, tmp_path: Path) -> None:
    messages = [
        sealed(a_message("q-1")),
        sealed(a_rest_request("POST", f"/persons?unzr={SECRET}", body=SECRET.encode() * 9)),
        sealed(a_soap_message(attachments=(an_attachment(SECRET.encode()),))),
    ]
    keys = a_key_file(tmp_path)
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=keys) as book:
        for message in messages:
            await book.log.record(message, "consumer", "r-1")
        written = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
        assert {"test.db-wal", "test.db"} <= {path.name for path in written}
        assert sum(path.is_relative_to(tmp_path / "bodies") for path in written) == 2
        for path in written:
            data = path.read_bytes()
            assert SECRET.encode() not in data
            assert b"GetPerson</" not in data
            assert b"unzr" not in data
        readable = [book.log.reader.read_message(record) for record in records(sqlite_database)]
    assert readable == [message.message.raw for message in messages]
    assert verify_log(sqlite_database).holds


async def test_encrypted_record_says_the_same_as_a_plain_one(database: Database, tmp_path: Path) -> None:
    message = sealed(a_rest_request("POST", body=b"body"))
    keys = a_key_file(tmp_path)
    for file in (None, keys):
        async with a_logbook(database, tmp_path, encryption_key_file=file) as book:
            await book.log.record(message, "consumer", "r-1")
    plain, encrypted = records(database)
    assert (plain.key_id, encrypted.key_id) == (None, read_keys(keys)[-1].id)
    assert encrypted.content_hash == plain.content_hash
    assert encrypted.message_digest == plain.message_digest
    assert encrypted.message != plain.message
    assert book.log.reader.read_message(encrypted) == plain.message
    body = book.log.reader.find_body(encrypted, encrypted.bodies[0])
    assert body is not None
    assert b"".join(body.chunks()) == b"body"
    assert verify_log(database).holds


async def test_message_without_body_is_encrypted_too(sqlite_database: Database, tmp_path: Path) -> None:
    keys = a_key_file(tmp_path)
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=keys, message_body_logging=False) as book:
        await book.record()
        (record,) = records(sqlite_database)
        assert b"GetPerson" in book.log.reader.read_message(record)
    assert b"GetPerson" not in record.message
    assert verify_log(sqlite_database).holds


async def test_running_log_uses_a_new_key_by_itself_and_reads_the_old_rows(
    sqlite_database: Database, tmp_path: Path
) -> None:
    keys = a_key_file(tmp_path)
    first = read_keys(keys)[-1].id
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=keys) as book:
        await book.record(a_message("q-1"))
        second = add_key(keys, NOON)
        async with asyncio.timeout(10):
            while (newest := book.log.keys.newest()) is None or newest.id != second:
                await asyncio.sleep(0.02)
        await book.record(a_message("q-2"))
        found = records(sqlite_database)
        assert [record.key_id for record in found] == [first, second]
        assert [book.log.reader.read_message(record) for record in found] == [
            a_message("q-1").raw,
            a_message("q-2").raw,
        ]


async def test_swapped_ciphertexts_open_nowhere(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=a_key_file(tmp_path)) as book:
        await book.record(a_message("q-1"))
        await book.record(a_message("q-2"))
        one, two = records(sqlite_database)
        with pytest.raises(LoggingUnavailable) as caught:
            book.log.reader.read_message(dataclasses.replace(one, message=two.message))
    assert (caught.value.text_id, caught.value.facts["what"]) == ("messagelog.undecryptable", 1)


async def test_record_of_a_lost_key_is_told_and_not_shown(sqlite_database: Database, tmp_path: Path) -> None:
    keys = a_key_file(tmp_path)
    lost = read_keys(keys)[-1].id
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=keys) as book:
        await book.record(a_rest_request("POST", body=b"x"))
        (record,) = records(sqlite_database)
        stranger = MessageReader(book.log.bodies, LogKeys(None))
        for read_it in (stranger.read_message, lambda r: stranger.find_body(r, r.bodies[0])):
            with pytest.raises(LoggingUnavailable) as caught:
                read_it(record)
            assert (caught.value.text_id, caught.value.facts["key_id"]) == ("messagelog.key_missing", lost)


async def test_nothing_is_recorded_without_the_keys_and_the_log_recovers_by_itself(
    sqlite_database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "log.keys"
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=file) as book:
        with pytest.raises(LoggingUnavailable) as caught:
            await book.record()
        assert (caught.value.code, caught.value.text_id) == ("logging_failed", "messagelog.keys_unusable")
        assert caught.value.facts["reason"] == "No such file or directory"
        add_key(file, NOON)
        await book.log.follow_keys()
        await book.record()
    assert records(sqlite_database)[0].key_id


async def test_change_of_an_encrypted_row_is_found_without_the_key(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path, encryption_key_file=a_key_file(tmp_path)) as book:
        await book.record()
    with database.transaction() as connection:
        connection.execute(text("UPDATE message_records SET message_digest = :digest"), {"digest": b"x" * 64})
    assert verify_log(database).broken_at == 1

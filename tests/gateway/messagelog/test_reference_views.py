"""The reference's tables as views, asked as its own programs and the scripts of operators ask."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.messagelog import store
from gateway.messagelog.encryption import add_key
from gateway.messagelog.writer import Change
from gateway.runtime.clock import FixedClock, epoch_ms
from gateway.runtime.database import Database
from tests.factories.messagelog import Tsa, a_logbook, a_message, serving
from tests.factories.messages import a_member, a_rest_request, a_service, a_soap_response, a_subsystem, soap_headers
from tests.factories.messages import a_soap_message as a_soap
from tests.factories.pki import NOON

# X-Road dm-ml, LOGRECORD.
COLUMNS = [
    "id", "discriminator", "time", "archived", "queryid", "message", "signature", "hashchain", "hashchainresult",
    "signaturehash", "timestamprecord", "timestamphashchain", "response", "timestamp", "memberclass", "membercode",
    "subsystemcode", "xrequestid", "keyid", "ciphermessage",
]  # fmt: skip

# X-Road LogArchiver.java, getMaxRecordId and getNonArchivedMessageRecords.
NEWEST_TO_ARCHIVE = """
SELECT max(id) FROM logrecord WHERE discriminator = 'm' AND timestamprecord IS NOT NULL AND archived = false
"""
TO_ARCHIVE = """
SELECT id FROM logrecord WHERE discriminator = 'm' AND timestamprecord IS NOT NULL AND archived = false AND id <= 9
ORDER BY memberclass ASC, membercode ASC, subsystemcode ASC, id ASC
"""
# Of LogRecordManager.java, createRecordCriteria.
BY_QUERY_ID = """
SELECT id FROM logrecord WHERE discriminator = 'm' AND queryid = :query AND memberclass = 'GOV'
AND membercode = :member AND subsystemcode = :subsystem AND response = :response
"""
# The index IX_NOT_TIMESTAMPED_LOGRECORD.
WAITING = "SELECT count(*) FROM logrecord WHERE discriminator = 'm' AND signaturehash IS NOT NULL"
# AbstractLogRecordEntity.java, delete-logrecords.
CLEAN = """
DELETE FROM logrecord WHERE archived = true AND time <= 1 AND id > 0
AND id <= (SELECT max(l.id) FROM (SELECT id FROM logrecord ORDER BY id LIMIT 10) l)
"""


def ask(database: Database, question: str, **values: Any) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(question), values)]


async def a_log(database: Database, folder: Path) -> None:
    """Five records: two stamped by one batch, one alone, two waiting; the first is archived."""
    request = a_message("q-1")
    async with serving(Tsa(FixedClock(NOON))) as tsa, a_logbook(database, folder, tsa) as book:
        stamper = book.timestamper()
        await book.record(request, request_id="x-1")
        await book.record(a_soap_response(request), "provider", "x-1")
        await stamper.stamp_waiting()
        await book.record(a_rest_request("POST", body=b"body"))
        await stamper.stamp_waiting()
        await book.record(a_soap(soap_headers(client=a_member(), id="q-3")))
        await book.record(a_soap(soap_headers(client=a_subsystem("Довідка"), id="q-4")))
        await stamper.stop()
        rows = [(1, "mlog-1.zip", "d1"), (2, "mlog-2.zip", "d2")]
        files = (
            "INSERT INTO archive_files (id, group_name, name, location, first_sequence, last_sequence, entries, size, "
            "last_digest, digest_algorithm, created_ms) VALUES (?, '', ?, '/', 1, 1, 1, 1, ?, 'SHA-512', 1)"
        )
        entries = "INSERT INTO archived_entries (sequence, file_id, name, content_hash) VALUES (?, 1, 'a', ?)"
        await book.log.submit(Change(((files, rows), (entries, [(1, b"h" * 64)]))))


async def test_columns_are_those_of_the_reference(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    with database.reading() as connection:
        assert list(connection.execute(text("SELECT * FROM logrecord")).keys()) == COLUMNS
        attachments = connection.execute(text("SELECT * FROM message_attachment"))
        assert list(attachments.keys()) == ["id", "logrecord_id", "attachment_no", "attachment"]
        digests = connection.execute(text("SELECT * FROM last_archive_digest"))
        assert list(digests.keys()) == ["id", "digest", "filename", "groupname"]


async def test_queries_of_the_archiver_are_answered(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    assert ask(database, NEWEST_TO_ARCHIVE) == [(3,)]
    assert ask(database, TO_ARCHIVE) == [(3,), (2,)]
    assert ask(database, WAITING) == [(2,)]
    assert ask(database, "SELECT id, digest, filename FROM last_archive_digest WHERE groupname IS NULL") == [
        (2, "d2", "mlog-2.zip")
    ]


async def test_records_are_found_by_query_id_and_local_party(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    asked = {"query": "q-1", "member": "10000001", "subsystem": "SNAP", "response": False}
    answered = {"query": "q-1", "member": "10000002", "subsystem": "DEMOGRAPHIC", "response": True}
    assert [ask(database, BY_QUERY_ID, **values) for values in (asked, answered)] == [[(1,)], [(2,)]]
    question = "SELECT membercode, subsystemcode FROM logrecord WHERE queryid = 'q-3'"
    assert ask(database, question) == [("10000001", None)]


async def test_record_has_its_texts(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    with database.reading() as connection:
        record, stamp = store.read_record(connection, 2), store.read_timestamp(connection, 2)
    assert record is not None
    assert stamp is not None
    assert stamp.hash_chain is not None
    question = "SELECT message, timestamphashchain, response, xrequestid, time, keyid FROM logrecord WHERE id = 2"
    ((message, chain, *others),) = ask(database, question)
    assert (message, chain) == (record.message.decode(), stamp.hash_chain.decode())
    assert others == [True, "x-1", epoch_ms(NOON), None]


async def test_time_stamp_is_a_row_that_its_records_name(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    question = """
        SELECT m.id, t.id, t.discriminator, t.archived, t.hashchainresult IS NULL FROM logrecord m
        JOIN logrecord t ON t.id = m.timestamprecord ORDER BY m.id
    """
    assert ask(database, question) == [
        (1, -1, "t", False, False), (2, -1, "t", False, False), (3, -2, "t", False, True),
    ]  # fmt: skip


async def test_kept_bodies_are_listed(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    question = "SELECT logrecord_id, attachment_no, attachment FROM message_attachment"
    assert ask(database, question) == [(3, 1, None)]


async def test_nothing_can_be_deleted_through_a_view(database: Database, tmp_path: Path) -> None:
    await a_log(database, tmp_path)
    with pytest.raises(DBAPIError), database.transaction() as connection:
        connection.execute(text(CLEAN))


async def test_encrypted_message_stands_in_its_own_column(database: Database, tmp_path: Path) -> None:
    keys = tmp_path / "log.keys"
    key_id = add_key(keys, NOON)
    async with a_logbook(database, tmp_path, encryption_key_file=keys) as book:
        await book.record()
        with database.reading() as connection:
            record = store.read_record(connection, 1)
    assert record is not None
    ((message, stored, cipher),) = ask(database, "SELECT message, keyid, ciphermessage FROM logrecord")
    assert (message, stored, bytes(cipher)) == (None, key_id, record.message)


# What only a server can work out


async def test_signatures_are_whole_on_a_server(postgres_database: Database, tmp_path: Path) -> None:
    await a_log(postgres_database, tmp_path)
    for sequence in (1, 2, 3, 4):
        with postgres_database.reading() as connection:
            record, stamp = store.read_record(connection, sequence), store.read_timestamp(connection, sequence)
        assert record is not None
        expected = record.signature if stamp is None or stamp.signature is None else stamp.signature
        question = "SELECT signature, hashchain, hashchainresult FROM logrecord WHERE id = :id"
        ((signature, chain, result),) = ask(postgres_database, question, id=sequence)
        assert signature == expected.decode()
        assert chain == (None if record.hash_chain is None else record.hash_chain.decode())
        assert result == (None if record.hash_chain_result is None else record.hash_chain_result.decode())


async def test_hash_and_token_are_in_base_64_on_a_server(postgres_database: Database, tmp_path: Path) -> None:
    await a_log(postgres_database, tmp_path)
    with postgres_database.reading() as connection:
        record, stamp = store.read_record(connection, 4), store.read_timestamp(connection, 1)
    assert record is not None
    assert stamp is not None
    hashed = base64.b64encode(record.signature_digest).decode()
    assert ask(postgres_database, "SELECT signaturehash FROM logrecord WHERE id = 4") == [(hashed,)]
    token = base64.b64encode(stamp.token).decode()
    assert ask(postgres_database, "SELECT timestamp FROM logrecord WHERE id = -1") == [(token,)]


async def test_codes_are_decoded_on_a_server(postgres_database: Database, tmp_path: Path) -> None:
    await a_log(postgres_database, tmp_path)
    assert ask(postgres_database, "SELECT id FROM logrecord WHERE subsystemcode = 'Довідка'") == [(5,)]


async def test_text_that_is_no_text_leaves_the_others_readable(postgres_database: Database, tmp_path: Path) -> None:
    async with a_logbook(postgres_database, tmp_path) as book:
        await book.record(a_message("q-1"))
        await book.record(a_message("q-2", service=a_service()))
    with postgres_database.transaction() as connection:
        connection.execute(text("UPDATE message_records SET message = '\\xff00' WHERE sequence = 1"))
    (one, two) = ask(postgres_database, "SELECT message FROM logrecord ORDER BY id")
    assert one == (None,)
    assert two[0]

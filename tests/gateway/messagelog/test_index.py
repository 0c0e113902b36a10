from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.auditing.model import Exchange, Outcome, Query
from gateway.messagelog import index_search
from gateway.messagelog.encryption import add_key
from gateway.messagelog.index import Indexer, IndexerTask, count_indexed, indexed_through, rest_after
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries, request_hash_in
from gateway.messagelog.model import RefusalContent, Side
from gateway.messagelog.reader import MessageReader
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.identifiers import encode_path
from gateway.xroad.rest.message import rest_request_hash
from gateway.xroad.signature.signed_message import Message
from tests.factories.index import ALL, ALPHA, BETA, ListedEntries
from tests.factories.messagelog import Logbook, a_logbook, a_message
from tests.factories.messages import a_provider, a_rest_request, a_rest_response, a_soap_response, a_subsystem
from tests.factories.pki import NOON


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Database]:
    opened = open_index(f"sqlite:///{tmp_path}/index.db")
    yield opened
    opened.close()


def an_indexer(book: Logbook, index: Database, **changes: Any) -> Indexer:
    return Indexer(index, LogEntries(book.database, book.log.reader), **changes)


def found(index: Database, **conditions: Any) -> list[Exchange]:
    return list(index_search.search(index, Query(**conditions), ALL).exchanges)


def a_refusal(**changes: Any) -> RefusalContent:
    values: dict[str, Any] = {
        "time_ms": epoch_ms(NOON), "until_ms": epoch_ms(NOON), "times": 1, "side": Side.CONSUMER, "is_failure": False,
        "fault_code": "access_denied", "text_id": "access.denied", "facts": "{}", "address": "10.0.0.1",
        "x_request_id": "r-1", "query_id": "q-1", "client": encode_path(a_subsystem()),
        "provider": encode_path(a_provider()), "service_code": "GetPerson", "service_version": None,
        "message_digest": None,
    }  # fmt: skip
    return RefusalContent(**{**values, **changes})


SOAP, REST = (
    a_message("q-1", issue="case 7", user_id="EE123"),
    a_rest_request("POST", body=b'{"a":1}', message_id="q-2"),
)


@pytest.mark.parametrize(
    ("request_message", "response"), [(SOAP, a_soap_response(SOAP)), (REST, a_rest_response(REST))]
)
async def test_exchange_in_the_log_is_found_by_what_it_says(
    database: Database, tmp_path: Path, index: Database, request_message: Message, response: Message
) -> None:
    async with a_logbook(database, tmp_path) as book:
        await book.record(request_message, "provider", request_id="r-7")
        await book.record(response, "provider", request_id="r-7")
        an_indexer(book, index).catch_up()
    (exchange,) = found(index, x_request_id="r-7")
    assert (exchange.request, exchange.response, exchange.outcome) == (1, 2, Outcome.ANSWERED)
    assert (exchange.side, exchange.party) == (Side.PROVIDER, encode_path(a_provider()))
    assert exchange.client == encode_path(a_subsystem())
    assert exchange.provider == encode_path(a_provider())
    assert exchange.time == NOON
    assert exchange.query_id in ("q-1", "q-2")


async def test_refusal_after_the_request_was_recorded_ends_its_exchange(
    sqlite_database: Database, tmp_path: Path, index: Database
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(SOAP)
        await book.log.refuse(a_refusal(message_digest=SOAP.digest.value))
        an_indexer(book, index).catch_up()
    (exchange,) = found(index, fault_code="access_denied")
    assert (exchange.request, exchange.refusal, exchange.issue) == (1, 2, "case 7")


async def test_index_follows_the_log_and_takes_up_where_it_stopped(
    sqlite_database: Database, tmp_path: Path, index: Database
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(SOAP)
        an_indexer(book, index).catch_up()
        assert indexed_through(index) == 1
        await book.record(a_soap_response(SOAP))
        assert an_indexer(book, index).catch_up() == 1
        assert an_indexer(book, index).catch_up() == 0
    assert [exchange.response for exchange in found(index)] == [2]
    assert count_indexed(index) == 2


async def test_index_made_anew_is_the_same(sqlite_database: Database, tmp_path: Path, index: Database) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        for number in range(7):
            message = a_message(f"q-{number}")
            await book.record(message, request_id=f"r-{number}")
            if number % 2:
                await book.record(a_soap_response(message), request_id=f"r-{number}")
        indexer = an_indexer(book, index, batch=3)
        indexer.catch_up()
        before = found(index)
        indexer.clear()
        assert found(index) == []
        indexer.catch_up()
    assert found(index) == before
    assert len(before) == 7


async def test_log_that_was_put_back_to_yesterday_is_indexed_anew(index: Database) -> None:
    log = ListedEntries()
    for number in range(6):
        log.add(query_id=f"q-{number}")
    Indexer(index, log).catch_up()
    del log.listed[3:]
    log.add(query_id="another day")
    Indexer(index, log).catch_up()
    assert [exchange.query_id for exchange in found(index)] == ["another day", "q-2", "q-1", "q-0"]
    assert indexed_through(index) == 4


async def test_row_that_somebody_damaged_does_not_stop_the_index(
    sqlite_database: Database, tmp_path: Path, index: Database
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        for number in range(8):
            await book.record(a_message(f"q-{number}"), request_id=f"r-{number}")
        damages = (
            "side = 'x'",
            "time_ms = 'x'",
            "message = 7",
            "message = x'00'",
            f"time_ms = {2**60}",
            "query_id = x'00'",
        )
        with book.database.transaction() as tx:
            for sequence, damage in enumerate(damages, start=2):
                tx.execute(text(f"UPDATE message_records SET {damage} WHERE sequence = {sequence}"))
        an_indexer(book, index, batch=2).catch_up()
    assert {"q-0", "q-7"} <= {exchange.query_id for exchange in found(index)}
    assert indexed_through(index) == 8


async def test_index_that_is_no_database_any_more_is_made_anew(
    sqlite_database: Database, tmp_path: Path, index: Database
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(SOAP)
        an_indexer(book, index).catch_up()
        index.close()
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"index.db{suffix}").unlink(missing_ok=True)
        (tmp_path / "index.db").write_bytes(b"SQLite format 3\0" + b"damaged" * 1000)
        an_indexer(book, index).catch_up()
    assert [exchange.query_id for exchange in found(index)] == ["q-1"]


async def test_two_who_index_at_once_take_turns(database_url: str) -> None:
    log = ListedEntries()
    for number in range(300):
        log.add(query_id=f"q-{number}", x_request_id=f"x-{number}")
        log.add(query_id=f"q-{number}", x_request_id=f"x-{number}", response=True)
    first, second = open_index(database_url), open_index(database_url)
    try:
        Indexer(first, log).clear()
        both = [asyncio.to_thread(Indexer(one, log, batch=7).catch_up) for one in (first, second)]
        await asyncio.gather(*both)
        assert len(list(index_search.walk(first, Query(), ALL))) == 300
        assert count_indexed(first) == 600
    finally:
        first.close()
        second.close()


async def test_index_that_another_process_cleared_is_filled_with_the_right_names(database_url: str) -> None:
    log = ListedEntries()
    log.add(client=ALPHA, query_id="q-0")
    log.add(client=BETA, query_id="q-1", x_request_id="x-2")
    first, second = open_index(database_url), open_index(database_url)
    try:
        server = Indexer(first, log)
        server.catch_up()
        Indexer(second, log).clear()
        del log.listed[0]  # the names get other numbers now
        server.catch_up()
        assert [one.client for one in index_search.walk(first, Query(), ALL)] == [BETA]
        assert index_search.count(first, Query(client=BETA), ALL, at_most=9).number == 1
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("settings", [{"message_body_logging": False}, {"max_body_bytes": 0}])
async def test_messages_without_their_bodies_are_found_by_their_headers(
    sqlite_database: Database, tmp_path: Path, index: Database, settings: dict[str, Any]
) -> None:
    async with a_logbook(sqlite_database, tmp_path, **settings) as book:
        await book.record(SOAP)
        await book.record(a_rest_request(headers=(("X-Road-Issue", "case 8"), ("X-Road-UserId", "EE7")), body=b"x"))
        an_indexer(book, index).catch_up()
    assert [(one.issue, one.user_id) for one in found(index)] == [("case 8", "EE7"), ("case 7", "EE123")]


async def test_encrypted_messages_are_found_by_their_headers(
    sqlite_database: Database, tmp_path: Path, index: Database
) -> None:
    keys = tmp_path / "keys"
    add_key(keys, NOON)
    async with a_logbook(sqlite_database, tmp_path, encryption_key_file=keys) as book:
        await book.record(SOAP)
        an_indexer(book, index).catch_up()
        assert [one.issue for one in found(index)] == ["case 7"]
        without_key = Indexer(index, LogEntries(book.database, MessageReader(book.log.bodies)))
        without_key.clear()
        without_key.catch_up()
    assert [(one.query_id, one.issue) for one in found(index)] == [("q-1", None)]


async def test_server_indexes_by_itself(sqlite_database: Database, tmp_path: Path, index: Database) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        task = IndexerTask(an_indexer(book, index, batch=1))
        task.start()
        try:
            for number in range(3):
                await book.record(a_message(f"q-{number}"))
            await task.catch_up()
            assert indexed_through(index) == 3
        finally:
            await task.stop()


@pytest.mark.parametrize(
    ("request_message", "response"), [(SOAP, a_soap_response(SOAP)), (REST, a_rest_response(REST))]
)
async def test_answer_knows_the_request_it_carries_the_hash_of(
    sqlite_database: Database, tmp_path: Path, request_message: Message, response: Message
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        for message in (request_message, a_message("q-9"), response):
            await book.record(message)
        entries = LogEntries(book.database, book.log.reader)
        assert entries.answers(3, 1)
        assert not entries.answers(3, 2)


def test_hash_of_the_request_is_read_from_answers_of_either_protocol() -> None:
    assert request_hash_in(a_soap_response(SOAP).raw) == SOAP.digest.value
    assert request_hash_in(a_rest_response(REST).raw) == rest_request_hash(REST).value
    assert request_hash_in(b"nothing") is None


async def test_period_finds_what_was_recorded_in_it(sqlite_database: Database, tmp_path: Path, index: Database) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        for number in range(3):
            await book.record(a_message(f"q-{number}"), request_id=f"r-{number}")
            book.clock.advance(hours=1)
        an_indexer(book, index).catch_up()
    hour = timedelta(hours=1)
    assert [exchange.query_id for exchange in found(index, since=NOON + hour, until=NOON + 2 * hour)] == ["q-1"]


def test_while_very_many_calls_come_the_indexer_rests_most_of_the_time() -> None:
    assert rest_after(0.01, 1000) >= 0.5
    assert rest_after(0.01, 100) == 0

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.messagelog import store
from gateway.messagelog.body_logging import without_body
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import MessageRecord, Side
from gateway.runtime.database import Database
from gateway.runtime.spool import SpoolDirectory
from gateway.xroad.bodies import BytesBody
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.rest.message import parse_rest_request
from gateway.xroad.signature.signed_message import Message, Signature, SignedMessage
from tests.factories.messagelog import Logbook, a_logbook, a_message, sealed, sha512_of
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_rest_response,
    a_service,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    an_attachment,
)


def records(database: Database) -> list[MessageRecord]:
    with database.reading() as connection:
        return list(store.walk_records(connection))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "bodies").rglob("*") if path.is_file())


async def test_recorded_soap_message_is_read_back_byte_for_byte(database: Database, tmp_path: Path) -> None:
    signed = sealed(a_message("q-1"))
    async with a_logbook(database, tmp_path) as book:
        await book.log.record(signed, "consumer", "r-1")
        (record,) = records(database)
    assert (record.message, record.signature) == (signed.message.raw, signed.signature.xml)
    assert (record.sequence, record.side, record.is_response) == (1, Side.CONSUMER, False)
    assert (record.query_id, record.x_request_id) == ("q-1", "r-1")
    assert (record.client, record.service) == (a_subsystem(), a_service())
    assert record.time == book.clock.now()


async def test_recorded_rest_message_keeps_its_chain_and_its_body(database: Database, tmp_path: Path) -> None:
    signed = sealed(a_rest_request("POST", body=b'{"a": 1}'))
    async with a_logbook(database, tmp_path) as book:
        await book.log.record(signed, "provider", "r-1")
        (record,) = records(database)
        (body,) = record.bodies
        stored = book.log.bodies.open(str(body.location), body.size, body.digest)
        assert b"".join(stored.chunks()) == b'{"a": 1}'
    assert record.hash_chain == signed.signature.hash_chain
    assert record.hash_chain_result == signed.signature.hash_chain_result
    assert record.local_party == a_provider()


@pytest.mark.parametrize("message", [a_soap_response(), a_rest_response()])
async def test_response_is_recorded_as_response(sqlite_database: Database, tmp_path: Path, message: object) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(message)  # type: ignore[arg-type]
        assert records(sqlite_database)[0].is_response


async def test_versioned_service_of_a_member_comes_back(sqlite_database: Database, tmp_path: Path) -> None:
    service = a_service("getIt", provider=a_provider().member, version="v1")
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_message(service=service))
        assert records(sqlite_database)[0].service == service


async def test_service_with_a_slash_in_its_code_comes_back(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_rest_request(service=a_service("get/it")))
        assert records(sqlite_database)[0].service == a_service("get/it")


async def test_sixty_four_callers_make_one_unbroken_chain(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        messages = [sealed(a_message(f"q-{n}")) for n in range(64)]
        for _ in range(3):
            await asyncio.gather(*(book.log.record(m, "consumer", f"r-{n}") for n, m in enumerate(messages)))
    verdict = verify_log(database)
    assert verdict.holds, verdict.broken
    assert verdict.records == 192
    assert [r.sequence for r in records(database)] == list(range(1, 193))


async def test_large_messages_among_small_ones_make_one_unbroken_chain(database: Database, tmp_path: Path) -> None:
    sizes = [10, 300_000, 20, 30, 200_000, 40]
    async with a_logbook(database, tmp_path) as book:
        messages = [sealed(a_soap_message(body=b"<GetPerson>%s</GetPerson>" % (b"x" * size))) for size in sizes]
        await asyncio.gather(*(book.log.record(message, "consumer", "r") for message in messages))
    assert verify_log(database).holds
    assert [record.message for record in records(database)] == [message.message.raw for message in messages]


async def test_records_of_every_kind_share_a_batch(database: Database, tmp_path: Path) -> None:
    service = a_service("getIt", version="v1")
    kinds: list[Message] = [
        a_message(),
        a_rest_request("POST", body=b"x"),
        a_message(service=service),
        a_soap_response(),
    ]
    async with a_logbook(database, tmp_path) as book:
        for _ in range(2):  # their skeletons are new, then known
            await asyncio.gather(*(book.record(message) for message in kinds))
    assert verify_log(database).holds
    assert sorted(len(record.bodies) for record in records(database)) == [0, 0, 0, 0, 0, 0, 1, 1]
    assert [record.service.service_version for record in records(database)].count("v1") == 2


async def test_chain_goes_on_after_a_restart(database: Database, tmp_path: Path) -> None:
    for _ in range(3):
        async with a_logbook(database, tmp_path) as book:
            await book.record()
    assert verify_log(database).records == 3
    assert verify_log(database).holds


async def test_second_writer_is_refused_until_the_first_is_gone(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as first:
        await first.record()
        async with a_logbook(database, tmp_path) as second:
            with pytest.raises(LoggingUnavailable) as caught:
                await second.record()
            assert "another process" in str(caught.value)
            await first.log.stop()
            await second.record()
    assert verify_log(database).records == 2


async def test_log_recovers_by_itself_when_the_database_server_ends_its_session(
    postgres_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(postgres_database, tmp_path) as book:
        await book.record()
        with postgres_database.transaction() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
            )
        with pytest.raises(LoggingUnavailable) as caught:
            await book.record()
        assert caught.value.code == "logging_failed"
        await book.record()
    assert verify_log(postgres_database).records == 2


async def test_text_that_no_database_takes_fails_its_own_call_only(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        good, bad = sealed(a_message("q-1")), sealed(a_message("q-2"))
        calls = [book.log.record(good, "consumer", "r"), book.log.record(bad, "consumer", "\ud800")]
        results = await asyncio.gather(*calls, book.log.record(good, "consumer", "r"), return_exceptions=True)
    assert [type(r) for r in results] == [type(None), LoggingUnavailable, type(None)]
    assert verify_log(database).records == 2


async def test_body_above_the_limit_is_kept_by_its_digest_and_never_fails_a_call(
    database: Database, tmp_path: Path
) -> None:
    body = BytesBody(b"x" * 1001)
    async with a_logbook(database, tmp_path, max_body_bytes=1000) as book:
        await book.record(a_rest_request("POST", body=body))
        ((kept,),) = [r.bodies for r in records(database)]
    assert (kept.location, kept.size, kept.digest) == (None, 1001, body.digest.value)
    assert files(tmp_path) == []


async def test_empty_body_needs_no_file(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_rest_request("POST", body=b""))
        ((kept,),) = [r.bodies for r in records(sqlite_database)]
    assert (kept.location, kept.size) == (None, 0)


async def test_spooled_body_stays_after_the_exchange_released_it(sqlite_database: Database, tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path / "spool", partial(Digest, DigestAlgorithm.SHA512), memory_threshold_bytes=10)
    sink = spool.open_sink()
    sink.write(b"a body beyond the threshold")
    body = sink.finish()
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_rest_request("POST", body=body))
        body.release()
        spool.close()
        (path,) = files(tmp_path)
    assert path.read_bytes() == b"a body beyond the threshold"


async def test_attachments_of_a_chain_signed_message_are_kept(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_soap_message(attachments=(an_attachment(b"asked"),)))
    assert [path.read_bytes() for path in files(tmp_path)] == [b"asked"]


async def test_attachments_of_a_chain_signed_message_leave_their_digests_where_that_is_set(
    sqlite_database: Database, tmp_path: Path
) -> None:
    attachment = an_attachment()
    async with a_logbook(sqlite_database, tmp_path, keep_chain_signed_attachments=False) as book:
        await book.record(a_soap_message(attachments=(attachment,)))
        ((kept,),) = [r.bodies for r in records(sqlite_database)]
    assert (kept.location, kept.digest) == (None, attachment.body.digest.value)


async def test_attachments_signed_one_by_one_are_kept(sqlite_database: Database, tmp_path: Path) -> None:
    message = a_soap_message(attachments=(an_attachment(b"one"), an_attachment(b"two")))
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.log.record(SignedMessage(message, Signature(b"<signature/>")), "provider", "r")
    assert sorted(path.read_bytes() for path in files(tmp_path)) == [b"one", b"two"]


async def test_bodies_without_a_record_are_swept_at_the_next_start(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        await book.record(a_rest_request("POST", body=b"kept"))
        (kept,) = files(tmp_path)
        orphan = kept.with_name("0" * 32)
        orphan.write_bytes(b"never recorded")
    async with a_logbook(database, tmp_path):
        assert files(tmp_path) == [kept]


async def test_second_process_sweeps_nothing_while_the_first_writes(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record(a_rest_request("POST", body=b"kept"))
        on_its_way = files(tmp_path)[0].with_name("0" * 32)
        on_its_way.write_bytes(b"its record is being written")
        async with a_logbook(sqlite_database, tmp_path):
            assert on_its_way.exists()


async def test_constant_part_of_signatures_is_stored_once(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        for number in range(10):
            await book.record(a_message(f"q-{number}"))
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM signature_skeletons")).scalar() == 1
        size = connection.execute(text("SELECT max(length(signature_values)) FROM message_records")).scalar_one()
    assert size < 700


async def test_nothing_is_recorded_without_a_time_stamping_service(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa_urls=list) as book:
        with pytest.raises(LoggingUnavailable) as caught:
            await book.record()
    assert caught.value.code == "logging_failed.mlog.no_timestamping_provider_found"
    assert records(sqlite_database) == []


async def refused_after(book: Logbook, seconds: float) -> str | None:
    book.log.health.failed(book.clock.now())
    book.clock.advance(seconds=seconds)
    try:
        await book.record()
    except LoggingUnavailable as fault:
        return fault.code
    return None


@pytest.mark.parametrize(
    ("limit_s", "failing_s", "code"),
    [(100, 100, None), (100, 101, "logging_failed.timestamping_failed"), (0, 10**6, None)],
)
async def test_log_refuses_once_time_stamping_has_failed_too_long(
    sqlite_database: Database, tmp_path: Path, limit_s: int, failing_s: int, code: str | None
) -> None:
    async with a_logbook(sqlite_database, tmp_path, acceptable_timestamp_failure_period_s=limit_s) as book:
        assert await refused_after(book, failing_s) == code


async def test_success_lets_the_log_record_again(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path, acceptable_timestamp_failure_period_s=1) as book:
        assert await refused_after(book, 2) == "logging_failed.timestamping_failed"
        book.log.health.succeeded()
        await book.record()


# Without bodies

PROVIDER = "UA-DEMO/GOV/10000002/DEMOGRAPHIC"
OTHER = "UA-DEMO/GOV/10000002/OTHER"


@pytest.mark.parametrize(
    ("side", "settings", "is_whole"),
    [
        ("provider", {}, True),
        ("provider", {"disabled_body_logging_local_producer_subsystems": (PROVIDER,)}, False),
        ("consumer", {"disabled_body_logging_local_producer_subsystems": (PROVIDER,)}, True),
        ("consumer", {"disabled_body_logging_remote_producer_subsystems": (PROVIDER,)}, False),
        ("consumer", {"disabled_body_logging_remote_producer_subsystems": (OTHER,)}, True),
        ("consumer", {"message_body_logging": False}, False),
        (
            "consumer",
            {"message_body_logging": False, "enabled_body_logging_remote_producer_subsystems": (OTHER, PROVIDER)},
            True,
        ),
    ],
)
async def test_provider_decides_whether_the_body_is_logged(
    sqlite_database: Database, tmp_path: Path, side: str, settings: dict[str, Any], is_whole: bool
) -> None:
    request = a_soap_message(attachments=(an_attachment(b"secret"),))
    async with a_logbook(sqlite_database, tmp_path, **settings) as book:
        await book.record(request, side)
        await book.record(a_soap_response(request), side)
    assert [record.is_whole for record in records(sqlite_database)] == [is_whole] * 2
    assert [path.read_bytes() for path in files(tmp_path)] == ([b"secret"] if is_whole else [])


async def test_record_without_body_keeps_what_proves_it(database: Database, tmp_path: Path) -> None:
    message = a_rest_request("POST", "/persons?unzr=1", body=b"secret")
    async with a_logbook(database, tmp_path, message_body_logging=False) as book:
        await book.record(message)
        (record,) = records(database)
    assert message.body is not None
    (body,) = record.bodies
    assert (body.location, body.size, body.digest) == (None, 6, message.body.digest.value)
    assert record.message_digest == message.digest.value
    assert record.message == without_body(message)
    assert record.kept_digest == sha512_of(record.message)
    assert verify_log(database).holds


async def test_change_of_what_is_kept_without_body_is_found(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path, message_body_logging=False) as book:
        await book.record(a_rest_request("POST", body=b"secret", headers=(("X-Road-Issue", "case-1"),)))
    (record,) = records(database)
    forged = record.message.replace(b"case-1", b"case-2")
    for digest in (record.kept_digest, sha512_of(forged)):
        with database.transaction() as connection:
            connection.execute(
                text("UPDATE message_records SET message = :message, kept_digest = :digest"),
                {"message": forged, "digest": digest},
            )
        assert verify_log(database).broken_at == 1


async def test_message_that_loses_nothing_with_its_body_is_kept_whole(
    sqlite_database: Database, tmp_path: Path
) -> None:
    whole = without_body(a_rest_request())
    async with a_logbook(sqlite_database, tmp_path, message_body_logging=False) as book:
        await book.record(parse_rest_request(whole))
    (record,) = records(sqlite_database)
    assert (record.is_whole, record.message, record.kept_digest) == (True, whole, None)

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.messagelog import store
from gateway.messagelog.authorities import AuthorityHealth
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import RecordTimestamp
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import LoggingUnavailable, XRoadFault
from gateway.xroad.pki.tsp import TimestampRequest, build_rejection, parse_token, verify_token
from gateway.xroad.signature.hash_chain import TIMESTAMP_CHAIN, verify_hash_chain
from gateway.xroad.signature.xades_reader import parse_signature
from tests.factories.messagelog import Logbook, Tsa, a_demo_globalconf, a_logbook, a_message, sealed, serving
from tests.factories.pki import NOON, POLICY, a_hierarchy


@pytest.fixture
async def tsa() -> AsyncIterator[Tsa]:
    async with serving(Tsa(FixedClock(NOON))) as served:
        yield served


async def record(book: Logbook, count: int) -> None:
    messages = [sealed(a_message(f"q-{n}")) for n in range(count)]
    await asyncio.gather(*(book.log.record(message, "consumer", "r") for message in messages))


def timestamps(database: Database, count: int) -> list[RecordTimestamp | None]:
    with database.reading() as connection:
        return [store.read_timestamp(connection, sequence) for sequence in range(1, count + 1)]


def stamp_of(database: Database, sequence: int = 1) -> RecordTimestamp:
    found = timestamps(database, sequence)[-1]
    assert found is not None
    return found


async def test_single_record_gets_its_stamp_inside_of_the_signature(
    database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    async with a_logbook(database, tmp_path, tsa) as book:
        await record(book, 1)
        stamper = book.timestamper()
        assert await stamper.stamp_waiting() == 1
        await stamper.stop()
        stamp = stamp_of(database)
        with database.reading() as connection:
            original = store.read_record(connection, 1)
    assert original is not None
    before, after = parse_signature(original.signature), parse_signature(stamp.signature or b"")
    assert before.unsigned.timestamp is None
    assert after.unsigned.timestamp == stamp.token
    assert (after.signed_info, after.value, after.signed_properties) == (
        before.signed_info,
        before.value,
        before.signed_properties,
    )
    assert tsa.requests[0].imprint == digest_of(before.value)
    assert verify_token(parse_token(stamp.token), digest_of(before.value), [tsa.issued.certificate]).time == NOON
    assert stamp.time == NOON


async def test_several_records_share_a_stamp_over_a_chain_of_their_signatures(
    database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    async with a_logbook(database, tmp_path, tsa) as book:
        await record(book, 5)
        stamper = book.timestamper()
        assert await stamper.stamp_waiting() == 5
        await stamper.stop()
        with database.reading() as connection:
            records = list(store.walk_records(connection))
    assert len(tsa.requests) == 1
    for row, stamp in zip(records, timestamps(database, 5), strict=True):
        assert stamp is not None
        assert stamp.signature is None
        assert stamp.hash_chain is not None
        assert stamp.hash_chain_result is not None
        (part,) = verify_hash_chain(
            stamp.hash_chain_result,
            {TIMESTAMP_CHAIN: stamp.hash_chain},
            inputs={"/META-INF/signatures.xml": digest_of(row.signature)},
        )
        assert part.compared
        assert tsa.requests[0].imprint == digest_of(stamp.hash_chain_result)


async def test_authoritys_certificate_is_put_into_the_token(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 2)
        stamper = book.timestamper()
        await stamper.stamp_waiting()
        await stamper.stop()
    assert tsa.issued.der in stamp_of(sqlite_database).token


async def test_full_round_is_followed_by_another_at_once(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa, timestamp_records_limit=4) as book:
        await record(book, 10)
        stamper = book.timestamper()
        assert await stamper.stamp_waiting() == 10
        await stamper.stop()
    assert len(tsa.requests) == 3


async def test_records_are_stamped_once(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 3)
        stamper = book.timestamper()
        await stamper.stamp_waiting()
        assert await stamper.stamp_waiting() == 0
        await stamper.stop()
    assert len(tsa.requests) == 1


async def test_record_stamped_on_the_spot_keeps_its_stamp(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 3)
        stamper = book.timestamper()
        await stamper.stamp_now(2)
        await stamper.stamp_now(2)
        first = stamp_of(sqlite_database, 2)
        assert await stamper.stamp_waiting() == 2
        await stamper.stop()
    assert stamp_of(sqlite_database, 2) == first
    assert first.signature is not None
    assert len(tsa.requests) == 2


async def test_outage_is_caught_up_in_one_batch(database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(database, tmp_path, tsa) as book:
        stamper = book.timestamper()
        tsa.is_down = True
        await record(book, 3)
        with pytest.raises(LoggingUnavailable) as caught:
            await stamper.stamp_waiting()
        await record(book, 3)
        assert book.log.health.failing_since == NOON
        tsa.is_down = False
        assert await stamper.stamp_waiting() == 6
        await stamper.stop()
        assert book.log.health.failing_since is None
    assert caught.value.code == "mlog.timestamping_non_ok_response"
    assert None not in timestamps(database, 6)
    assert len(tsa.requests) == 1


async def test_running_by_itself_it_catches_up_after_an_outage(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    async with a_logbook(
        sqlite_database, tmp_path, tsa, timestamp_interval_s=0.02, timestamp_retry_delay_s=0.01
    ) as book:
        stamper = book.timestamper()
        tsa.is_down = True
        await record(book, 3)
        stamper.start()
        stamper.trigger()
        async with asyncio.timeout(10):
            while book.log.health.failing_since is None:
                await asyncio.sleep(0.005)
            await record(book, 2)
            tsa.is_down = False
            while None in timestamps(sqlite_database, 5):
                await asyncio.sleep(0.005)
        await stamper.stop()


async def test_failure_is_remembered_over_a_restart(database: Database, tmp_path: Path, tsa: Tsa) -> None:
    tsa.is_down = True
    async with a_logbook(database, tmp_path, tsa) as book:
        await record(book, 1)
        stamper = book.timestamper()
        with pytest.raises(LoggingUnavailable):
            await stamper.stamp_waiting()
        await stamper.stop()
    async with a_logbook(database, tmp_path, tsa, acceptable_timestamp_failure_period_s=60) as book:
        assert book.log.health.failing_since == NOON
        book.clock.advance(seconds=61)
        with pytest.raises(LoggingUnavailable) as caught:
            await record(book, 1)
        assert caught.value.code == "logging_failed.timestamping_failed"
        tsa.is_down = False
        stamper = book.timestamper()
        await stamper.stamp_waiting()
        await stamper.stop()
        await record(book, 1)


async def test_next_service_is_asked_when_the_first_does_not_answer(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    absent = Tsa(FixedClock(NOON))
    absent.url = "http://127.0.0.1:1/"
    async with a_logbook(sqlite_database, tmp_path, absent, tsa) as book:
        await record(book, 1)
        stamper = book.timestamper()
        await stamper.stamp_waiting()
        await stamper.stop()
    assert stamp_of(sqlite_database).authority == tsa.url


def other_data(request: TimestampRequest) -> TimestampRequest:
    return dataclasses.replace(request, imprint=digest_of(b"other data"))


def other_nonce(request: TimestampRequest) -> TimestampRequest:
    return dataclasses.replace(request, nonce=None)


def a_tsa(name: str) -> Tsa:
    """A service that fails one check, or goes down."""
    root = a_hierarchy().root
    late = FixedClock(NOON + timedelta(hours=1))
    match name:
        case "other data" | "another nonce":
            tsa = Tsa(FixedClock(NOON))
            tsa.alter = other_data if name == "other data" else other_nonce
        case "policy":
            tsa = Tsa(FixedClock(NOON), policy="1.2.3.4")
        case "unlisted":
            tsa = Tsa(FixedClock(NOON), root.tsa("Nobody's TSA"))
        case "for other things too":
            tsa = Tsa(FixedClock(NOON), root.tsa("TSA of all trades", critical_extended=False))
        case "no longer valid":
            tsa = Tsa(FixedClock(NOON), root.tsa("Old TSA", not_after=NOON - timedelta(days=1)))
        case "another time":
            tsa = Tsa(late)
        case _:
            tsa = Tsa(FixedClock(NOON))
            tsa.is_down = True
    return tsa


FAILED_CHECKS = {
    "other data": "pki.timestamp_imprint",
    "another nonce": "pki.timestamp_nonce",
    "policy": "pki.timestamp_policy",
    "unlisted": "pki.timestamp_authority_unknown",
    "for other things too": "pki.timestamp_authority_usage",
    "no longer valid": "pki.timestamp_authority_dates",
    "another time": "pki.timestamp_time",
    "down": "messagelog.tsa_unreachable",
}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("other data", "another nonce"),
        ("policy", "unlisted"),
        ("for other things too", "no longer valid"),
        ("another time", "down"),
    ],
)
async def test_third_service_stamps_what_two_bad_ones_failed_to(
    sqlite_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, tsa: Tsa, first: str, second: str
) -> None:
    bad = [a_tsa(first), a_tsa(second)]
    listed = [each.issued for name, each in zip((first, second), bad, strict=True) if name != "unlisted"]
    async with serving(bad[0]), serving(bad[1]):
        async with a_logbook(sqlite_database, tmp_path, *bad, tsa, timestamp_policies=(POLICY,)) as book:
            await record(book, 3)
            stamper = book.timestamper(a_demo_globalconf(*listed, tsa.issued))
            assert await stamper.stamp_waiting() == 3
            health = stamper.authorities()
            await stamper.stop()
        assert book.log.health.failing_since is None
    assert {stamp.authority for stamp in timestamps(sqlite_database, 3) if stamp} == {tsa.url}
    assert [each.url for each in health] == [bad[0].url, bad[1].url, tsa.url]
    failures = [each.last_failure.text_id for each in health if each.last_failure]
    assert failures == [FAILED_CHECKS[first], FAILED_CHECKS[second]]
    assert [each.is_failing for each in health] == [True, True, False]
    assert [each.last_success_at for each in health] == [None, None, NOON]
    told = [line.getMessage() for line in caplog.records if "time-stamping service failed" in line.getMessage()]
    assert len(told) == 2
    assert not any("{" in line for line in told)


async def test_each_request_has_a_nonce_of_its_own(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 2)
        stamper = book.timestamper()
        await stamper.stamp_now(1)
        await stamper.stamp_now(2)
        await stamper.stop()
    nonces = [request.nonce for request in tsa.requests]
    assert None not in nonces
    assert len(set(nonces)) == 2


async def test_service_that_recovered_is_well_again_and_its_last_failure_still_told(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        stamper = book.timestamper()
        assert stamper.authorities() == (AuthorityHealth(tsa.url),)
        tsa.is_down = True
        await record(book, 2)
        for expected in (1, 2):
            with pytest.raises(LoggingUnavailable):
                await stamper.stamp_waiting()
            assert stamper.authorities()[0].failures_in_a_row == expected
        assert book.log.health.refuses_at == NOON + timedelta(hours=4)
        tsa.is_down = False
        await stamper.stamp_waiting()
        (health,) = stamper.authorities()
        await stamper.stop()
        assert book.log.health.refuses_at is None
    assert (health.is_failing, health.last_success_at) == (False, NOON)
    assert health.last_failure is not None
    assert health.last_failure.code == "mlog.timestamping_non_ok_response"


async def test_stamp_of_an_unlisted_authority_is_refused(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 1)
        stamper = book.timestamper(a_demo_globalconf(a_hierarchy().root.tsa("Another TSA")))
        with pytest.raises(XRoadFault) as caught:
            await stamper.stamp_waiting()
        await stamper.stop()
    assert caught.value.code == "mlog.tsp_certificate_not_found"
    assert timestamps(sqlite_database, 1) == [None]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (build_rejection("closed"), "mlog.timestamp_non_granted_response"),
        (b"rubbish", "mlog.reading_timestamp_response_failed"),
    ],
)
async def test_stamp_on_the_spot_says_what_hindered_it(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa, answer: bytes, code: str
) -> None:
    tsa.answer = answer
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await record(book, 1)
        stamper = book.timestamper()
        with pytest.raises(LoggingUnavailable) as caught:
            await stamper.stamp_now(1)
        await stamper.stop()
        assert book.log.health.failing_since is None
    assert caught.value.code == f"timestamping_failed.{code}"


async def test_unknown_record_cannot_be_stamped(sqlite_database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        stamper = book.timestamper()
        with pytest.raises(LoggingUnavailable) as caught:
            await stamper.stamp_now(7)
        await stamper.stop()
    assert caught.value.code == "mlog.message_log_record_not_found"


async def test_stamping_leaves_the_chain_of_records_as_it_is(database: Database, tmp_path: Path, tsa: Tsa) -> None:
    async with a_logbook(database, tmp_path, tsa) as book:
        await record(book, 4)
        before = verify_log(database)
        stamper = book.timestamper()
        await stamper.stamp_now(1)
        await stamper.stamp_waiting()
        await stamper.stop()
    assert verify_log(database) == before
    assert before.holds


async def test_thousands_of_records_are_stamped_in_one_round(
    sqlite_database: Database, tmp_path: Path, tsa: Tsa
) -> None:
    signed = sealed()
    async with a_logbook(sqlite_database, tmp_path, tsa) as book:
        await asyncio.gather(*(book.log.record(signed, "consumer", "r") for _ in range(1500)))
        stamper = book.timestamper()
        assert await stamper.stamp_waiting() == 1500
        await stamper.stop()
    assert len(tsa.requests) == 1
    assert None not in timestamps(sqlite_database, 1500)

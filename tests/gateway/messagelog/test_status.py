from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.messagelog.status import LogWatch
from gateway.runtime.database import Database
from tests.factories.messagelog import Logbook, a_logbook, a_message
from tests.factories.messages import a_rest_request
from tests.factories.refusals import a_refusal


async def fill(book: Logbook, days: int, per_day: int = 4) -> None:
    """Record the same every day: some records, and a refusal."""
    for day in range(days):
        for number in range(per_day - 1):
            await book.record(a_message(f"q-{day}-{number}"))
        now_ms = book.clock.now_ms()
        await book.log.refuse(a_refusal(time_ms=now_ms, until_ms=now_ms, x_request_id=f"r-{day}"))
        book.clock.advance(days=1)


async def test_empty_log_has_nothing_to_tell(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        status = await LogWatch(book.log, book.clock).look()
    assert (status.last_sequence, status.is_readable, status.is_writable) == (0, True, True)
    assert (status.refusals_held_back, status.stamping.unstamped) == (0, 0)
    assert (status.growth.entries_per_day, status.growth.days_left) == (None, None)
    assert status.growth.log_bytes > 0
    assert status.growth.free_bytes > 0


async def test_growth_of_a_day_is_told_by_the_entries_of_the_last_week(database: Database, tmp_path: Path) -> None:
    async with a_logbook(database, tmp_path) as book:
        await fill(book, days=20, per_day=4)
        status = await LogWatch(book.log, book.clock).look()
    growth = status.growth
    assert status.last_sequence == 80
    assert growth.entries_per_day == pytest.approx(4)
    assert growth.bytes_per_day == pytest.approx(4 * growth.log_bytes / 80)
    if database.is_sqlite:
        assert growth.days_left == pytest.approx(growth.free_bytes / growth.bytes_per_day)
    else:
        assert growth.days_left is None


async def test_first_hour_says_nothing_about_a_day(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record()
        book.clock.advance(minutes=59)
        watch = LogWatch(book.log, book.clock)
        assert (await watch.look()).growth.bytes_per_day is None
        book.clock.advance(minutes=1)
        assert (await watch.look()).growth.entries_per_day == pytest.approx(24)


async def test_log_that_was_left_alone_for_a_week_does_not_grow(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await book.record()
        book.clock.advance(days=8)
        growth = (await LogWatch(book.log, book.clock).look()).growth
    assert (growth.entries_per_day, growth.bytes_per_day, growth.days_left) == (None, None, None)


async def test_bodies_are_counted_when_they_come_and_when_they_go(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        watch = LogWatch(book.log, book.clock)
        before = (await watch.look()).growth.log_bytes
        for _ in range(2):
            await book.record(a_rest_request("POST", body=b"x" * 1_000_000))
        with_bodies = (await watch.look()).growth.log_bytes
        next((tmp_path / "bodies").rglob("*/*")).unlink()
        without_one = (await watch.look()).growth.log_bytes
    assert with_bodies - before > 2_000_000
    assert with_bodies - without_one == 1_000_000


async def test_records_without_time_stamps_are_counted_and_their_age_is_known(
    database: Database, tmp_path: Path
) -> None:
    async with a_logbook(database, tmp_path, acceptable_timestamp_failure_period_s=100) as book:
        began = book.clock.now()
        await book.record()
        book.clock.advance(seconds=10)
        await book.record()
        book.log.health.failed(book.clock.now())
        stamping = (await LogWatch(book.log, book.clock).look()).stamping
    assert (stamping.unstamped, stamping.oldest_unstamped_at) == (2, began)
    assert stamping.failing_since == began + timedelta(seconds=10)
    assert stamping.refuses_at == began + timedelta(seconds=110)


async def test_failing_time_stamps_are_warned_of_once_at_each_threshold(
    sqlite_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.messagelog.status")
    async with a_logbook(sqlite_database, tmp_path, acceptable_timestamp_failure_period_s=100) as book:
        watch = LogWatch(book.log, book.clock)
        book.log.health.failed(book.clock.now())
        for _ in range(21):
            await watch.look()
            book.clock.advance(seconds=5)
        book.log.health.succeeded()
        await watch.look()
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(" s ")[0] for text in told[:3]] == [
        f"records are not time-stamped: in {left}" for left in (100, 50, 10)
    ]
    assert told[3] == "records have not been time-stamped for too long: nothing is exchanged until they are"
    assert told[4:] == ["the message log recovered"]


async def test_log_that_cannot_be_read_is_told_with_what_was_known_before(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(sqlite_database, tmp_path) as book:
        await fill(book, days=2)
        watch = LogWatch(book.log, book.clock)
        before = await watch.look()
        await book.log.stop()
        sqlite_database.close()
        for path in tmp_path.glob("test.db*"):
            path.unlink()
        (tmp_path / "test.db").write_bytes(b"this is no database" * 1000)
        after = await watch.look()
    assert (after.is_readable, after.is_writable) == (False, False)
    assert (after.last_sequence, after.growth) == (before.last_sequence, before.growth)

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import NewRefusal, RefusalContent, RefusalSettings, Side
from gateway.messagelog.refusals import MANY_CALLERS, MANY_KINDS, VARIOUS, RefusalRecorder
from gateway.messagelog.writer import Item
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.runtime.group_commit import CommitUnavailable, GroupCommit
from tests.factories.messagelog import Logbook, a_logbook
from tests.factories.pki import NOON
from tests.factories.refusals import a_refusal, refusals_in
from tests.landscape import eventually


async def refuse(book: Logbook, times: int = 1, **changes: object) -> None:
    for _ in range(times):
        now_ms = book.clock.now_ms()
        await book.log.refuse(a_refusal(time_ms=now_ms, until_ms=now_ms, **changes))


def counts(database: Database) -> list[int]:
    return [refusal.content.times for refusal in refusals_in(database)]


async def test_refusal_is_durable_when_it_was_kept_and_shares_the_chain_of_the_records(
    database: Database, tmp_path: Path
) -> None:
    async with a_logbook(database, tmp_path) as book:
        await book.record()
        await refuse(book)
        await book.record()
        (refusal,) = refusals_in(database)
    assert refusal.content == a_refusal()
    assert (refusal.sequence, refusal.content_hash) == (2, refusal_hash(a_refusal()))
    verdict = verify_log(database)
    assert (verdict.holds, verdict.records, verdict.refusals, verdict.entries) == (True, 2, 1, 3)


async def test_flood_of_one_kind_becomes_one_entry_with_the_exact_count(
    sqlite_database: Database, tmp_path: Path
) -> None:
    settings = RefusalSettings(interval_s=60, of_a_kind=3)
    async with a_logbook(sqlite_database, tmp_path, refusals=settings) as book:
        await refuse(book, 3)
        await refuse(book, 40, query_id="another", x_request_id="another")
        book.clock.advance(seconds=30)
        await refuse(book)
        assert (counts(sqlite_database), book.log.refusals.in_memory) == ([1, 1, 1], 41)
        book.clock.advance(seconds=30)
        await book.log.refusals.flush()
        assert (counts(sqlite_database), book.log.refusals.in_memory) == ([1, 1, 1, 41], 0)
        counted = refusals_in(sqlite_database)[-1].content
        await refuse(book)
        assert counts(sqlite_database) == [1, 1, 1, 41, 1]
    assert counted.until_ms - counted.time_ms == 30_000
    assert (counted.query_id, counted.x_request_id, counted.message_digest) == (None, None, None)
    assert (counted.client, counted.service_code, counted.facts) == (
        a_refusal().client,
        a_refusal().service_code,
        a_refusal().facts,
    )


async def test_flood_of_one_caller_takes_no_entry_from_another_one(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path, refusals=RefusalSettings(of_a_kind=1)) as book:
        await refuse(book, 5)
        for changes in ({"address": "127.0.3.1"}, {"client": "UA-DEMO/GOV/10000009"}, {"side": Side.CONSUMER}):
            await refuse(book, **changes)
        assert (counts(sqlite_database), book.log.refusals.in_memory) == ([1, 1, 1, 1], 4)


async def test_many_kinds_at_once_are_counted_without_their_callers_and_none_is_lost(
    sqlite_database: Database, tmp_path: Path
) -> None:
    settings = RefusalSettings(of_all_kinds=2, kinds=3)
    async with a_logbook(sqlite_database, tmp_path, refusals=settings) as book:
        for number in range(400):
            await refuse(book, client=f"UA-DEMO/GOV/{number}")
        for number in range(400):
            await refuse(book, fault_code=f"a.peers.code.{number}", client=f"UA-DEMO/GOV/{number}")
        assert book.log.refusals.in_memory == 798
    entries = [refusal.content for refusal in refusals_in(sqlite_database)]
    assert sum(entry.times for entry in entries) == 800
    assert len(entries) <= 2 + 3 + 256 + 1
    texts = Counter(entry.text_id for entry in entries)
    assert (texts[MANY_CALLERS], texts[MANY_KINDS]) == (256, 1)
    coarsest = next(entry for entry in entries if entry.text_id == MANY_KINDS)
    assert (coarsest.fault_code, coarsest.client, coarsest.facts) == (VARIOUS, None, "{}")


async def test_what_is_counted_is_written_when_the_process_stops(sqlite_database: Database, tmp_path: Path) -> None:
    async with a_logbook(sqlite_database, tmp_path, refusals=RefusalSettings(of_a_kind=0)) as book:
        await refuse(book, 7)
        assert counts(sqlite_database) == []
    assert counts(sqlite_database) == [7]


async def test_refusals_are_counted_while_the_log_cannot_be_written_and_recorded_without_hands_afterwards(
    database: Database, tmp_path: Path
) -> None:
    async with a_logbook(database, tmp_path) as holder:
        await holder.record()  # from now on this one is the writer
        async with a_logbook(database, tmp_path) as book:
            await refuse(book, 5)
            await refuse(book, 2, fault_code="server.serverproxy.unknown_service")
            assert (counts(database), book.log.refusals.in_memory) == ([], 7)
            await holder.log.stop()
            await eventually(lambda: book.log.refusals.in_memory == 0)
            assert counts(database) == [5, 2]
            await refuse(book)
    assert counts(database) == [5, 2, 1]
    assert verify_log(database).holds


async def test_refusals_for_want_of_time_stamps_are_one_entry_once_there_are_some(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with a_logbook(sqlite_database, tmp_path, acceptable_timestamp_failure_period_s=100) as book:
        book.log.health.failed(book.clock.now())
        for _ in range(6):
            book.clock.advance(seconds=200)
            now_ms = book.clock.now_ms()
            await book.log.refuse(a_refusal(time_ms=now_ms, until_ms=now_ms, is_failure=True), by_the_log=True)
            await book.log.refusals.flush()
        await refuse(book)  # for another reason: the log can be written
        assert (counts(sqlite_database), book.log.refusals.in_memory) == ([1], 6)
        book.log.health.succeeded()
        await eventually(lambda: book.log.refusals.in_memory == 0)
    assert counts(sqlite_database) == [1, 6]
    said = refusals_in(sqlite_database)[1].content
    assert said.until_ms - said.time_ms == 1_000_000


async def test_outage_without_an_end_is_told_at_a_set_interval(sqlite_database: Database, tmp_path: Path) -> None:
    settings = RefusalSettings(interval_s=60, outage_interval_s=3600)
    async with a_logbook(sqlite_database, tmp_path, refusals=settings, acceptable_timestamp_failure_period_s=1) as book:
        book.log.health.failed(book.clock.now())
        for _ in range(4):
            book.clock.advance(seconds=1200)
            await book.log.refuse(a_refusal(), by_the_log=True)
            await book.log.refusals.flush()
        assert counts(sqlite_database) == [4]


class Paper:
    """A writer for `GroupCommit` that fails as disks do: before, after, and without saying which."""

    def __init__(self, chance: random.Random) -> None:
        self.written: list[NewRefusal] = []
        self.trouble = 0.0
        self._chance = chance

    def write(self, items: Sequence[Item]) -> list[int]:
        news = [item for item in items if isinstance(item, NewRefusal)]
        if self._chance.random() < self.trouble:
            if self._chance.random() < 0.5:
                raise CommitUnavailable("full")
            if self._chance.random() < 0.5:
                self.written += news
            raise CommitUnavailable("the commit failed", certain=False)
        first = len(self.written) + 1
        self.written += news
        return list(range(first, first + len(items)))

    def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def a_recorder(paper: Paper, clock: FixedClock, settings: RefusalSettings) -> AsyncIterator[RefusalRecorder]:
    commit: GroupCommit[Item, int] = GroupCommit("paper", lambda: paper)
    commit.start()
    recorder = RefusalRecorder(
        commit.submit,
        settings,
        clock,
        find_written=lambda after: [refusal.content_hash for refusal in paper.written[after:]],
        may_go_on=lambda: True,
    )
    recorder.begin(0)
    try:
        yield recorder
    finally:
        await recorder.stop()
        await asyncio.to_thread(commit.stop)


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_the_disk_does_every_refusal_is_counted_once(seed: int) -> None:
    chance = random.Random(seed)
    paper, clock = Paper(chance), FixedClock(NOON)
    refused = 0

    def said() -> RefusalContent:
        number = chance.randrange(6)
        return a_refusal(client=f"UA-DEMO/GOV/{number}", x_request_id=f"r-{chance.random()}", time_ms=clock.now_ms())

    async with a_recorder(paper, clock, RefusalSettings(of_a_kind=3, of_all_kinds=8, kinds=4)) as recorder:
        for _ in range(30):
            paper.trouble = chance.choice((0, 0, 0.5, 1))
            some = chance.randrange(12)
            await asyncio.gather(*(recorder.refuse(said(), by_the_log=chance.random() < 0.2) for _ in range(some)))
            refused += some
            clock.advance(seconds=chance.choice((0, 1, 61)))
            if chance.random() < 0.5:
                with suppress(CommitUnavailable):
                    await recorder.flush()
        paper.trouble = 0
    assert recorder.in_memory == 0
    assert sum(refusal.content.times for refusal in paper.written) == refused


async def test_what_cannot_be_recorded_until_the_end_is_told_in_the_log_of_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    paper = Paper(random.Random(1))
    paper.trouble = 1
    async with a_recorder(paper, FixedClock(NOON), RefusalSettings()) as recorder:
        for _ in range(3):
            await recorder.refuse(a_refusal())
    told = [record for record in caplog.records if record.getMessage() == "refusals without an entry"]
    assert sum(vars(record)["times"] for record in told) == 3
    assert vars(told[0])["fault_code"] == a_refusal().fault_code

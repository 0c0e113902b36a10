"""Archiving as a server does it: the archiver really is a process of its own here."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.archiving import order_of
from gateway.messagelog.archive import journal
from gateway.messagelog.archive.model import ArchiveSettings
from gateway.messagelog.archive.order import read_order, show_order
from gateway.messagelog.archive.process import COMMAND, run_archiver
from gateway.messagelog.archive.service import ArchiveService
from gateway.paths import StatePaths
from gateway.runtime.database import Database, open_database
from gateway.settings import GatewaySettings
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.archives import a_stamped_logbook, judge_all, keep_configuration, stamp
from tests.factories.messagelog import Logbook, a_message

# The archiver, killed right after it has said so many lines.
DYING = """
import os, runpy, signal, sys

class Dying:
    left = int(sys.argv[1])
    def write(self, text):
        sys.__stdout__.write(text)
    def flush(self):
        sys.__stdout__.flush()
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.stdout = Dying()
runpy.run_module("gateway.archiving", run_name="__main__")
"""


@dataclass
class Place:
    """A server's message log with everything around it that its archiver reads."""

    book: Logbook
    folder: Path

    def order(self, **settings: Any) -> dict[str, Any]:
        return show_order(order_of(StatePaths(self.folder, GatewaySettings(archive=ArchiveSettings(**settings)))))

    def service(self, **settings: Any) -> ArchiveService:
        return ArchiveService(self.book.log, read_order(self.order(**settings)), self.book.clock)

    async def fill(self, count: int) -> None:
        for number in range(count):
            await self.book.record(a_message(f"q-{number}"))
        await stamp(self.book)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Place]:
    keep_configuration(tmp_path / "globalconf", tmp_path / "history")
    database = open_database(f"sqlite:///{tmp_path}/messagelog.db")
    async with a_stamped_logbook(database, tmp_path) as book:
        yield Place(book, tmp_path)
    database.close()


def sequences(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.execute(text("SELECT sequence FROM message_records ORDER BY 1")).scalars())


def test_order_says_the_same_after_its_way_over_the_pipe(tmp_path: Path) -> None:
    settings = GatewaySettings(archive=ArchiveSettings(transfer_command=("a", "b"), s3_region="x"))
    order = order_of(StatePaths(tmp_path, settings))
    assert read_order(json.loads(json.dumps(show_order(order)))) == order


def test_archive_in_a_folder_is_staged_within_it_and_one_elsewhere_in_the_state(tmp_path: Path) -> None:
    def staged(url: str) -> tuple[str, str]:
        order = order_of(StatePaths(tmp_path, GatewaySettings(archive=ArchiveSettings(url=url))))
        return order.place, str(order.staging)

    assert staged("") == (f"{tmp_path}/archive", f"{tmp_path}/archive/.staging")
    assert staged("/mnt/evidence") == ("/mnt/evidence", "/mnt/evidence/.staging")
    assert staged("s3://bucket/prefix") == ("s3://bucket/prefix", f"{tmp_path}/archive-staging")


async def test_a_run_archives_verifies_removes_and_tells(server: Place) -> None:
    await server.fill(3)
    server.book.clock.advance(days=31)
    told = server.folder / "told"
    service = server.service(
        max_file_bytes=10_000, transfer_command=("/bin/sh", "-c", f"echo $SURMA_ARCHIVE_EVENT >> {told}")
    )
    tally = await service.run()
    await service.finish_transfers()
    state = await service.state()
    assert (tally.entries, tally.files, tally.archived_through) == (3, 2, 3)
    assert (state.archived_through, state.files, state.unverified_count, state.failure) == (3, 2, 0, None)
    assert (state.finished_runs, state.is_running, state.waiting_file) == (1, False, None)
    assert (state.removed.records, sequences(server.book.database)) == (2, [3])
    assert sorted(told.read_text().split()) == ["end", "file", "file"]
    judge_all(list((server.folder / "archive").glob("*.zip")))


async def test_archiver_killed_at_any_word_is_followed_by_one_that_takes_it_up(server: Place) -> None:
    for words in (3, 6):
        await server.fill(3)
        with pytest.raises(LoggingUnavailable) as refusal:
            await run_archiver(
                server.book.log, server.order(max_file_bytes=10_000), command=(sys.executable, "-c", DYING, str(words))
            )
        assert (refusal.value.text_id, refusal.value.facts["status"]) == ("archive.process_ended", -9)
    tally = await run_archiver(server.book.log, server.order(max_file_bytes=10_000))
    assert tally.archived_through == 6
    with server.book.database.reading() as connection:
        files = journal.read_files(connection)
        archived = journal.read_archived_between(connection, 1, 6)
    assert sorted(archived) == list(range(1, 7))
    assert sum(file.entries for file in files) == 6
    assert {path.name for path in (server.folder / "archive").glob("*.zip")} == {file.name for file in files}
    judge_all([server.folder / "archive" / file.name for file in files])


async def test_archiver_ends_with_the_server_that_started_it(server: Place) -> None:
    await server.fill(1)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(server.order()).encode() + b"\n")
    assert json.loads(await process.stdout.readline())["command"] == "Begin"
    process.stdin.close()  # as it is when the server was killed
    async with asyncio.timeout(5):
        assert await process.wait() != 0


async def test_log_that_cannot_be_written_stops_the_run_and_nothing_is_lost(server: Place) -> None:
    await server.fill(2)
    await server.book.log.stop()
    with pytest.raises(LoggingUnavailable) as refusal:
        await run_archiver(server.book.log, server.order())
    assert refusal.value.text_id == "archive.cannot_commit"
    assert not (server.folder / "archive").exists() or not list((server.folder / "archive").glob("*.zip"))


async def test_server_archives_by_itself_and_when_asked(server: Place) -> None:
    await server.fill(1)
    service = server.service(interval_s=3600)
    service.start()
    try:
        service.trigger()
        await until(service, lambda state: state.finished_runs == 1)
        await server.fill(1)
        service.trigger()
        state = await until(service, lambda state: state.finished_runs == 2)
    finally:
        await service.stop()
    assert (state.archived_through, state.tally.entries, state.failure) == (2, 1, None)


async def test_failure_is_shown_until_a_run_succeeds(server: Place) -> None:
    await server.fill(1)
    (server.folder / "archive").write_text("a file where the folder should be")
    service = server.service()
    with pytest.raises(LoggingUnavailable):
        await service.run()
    state = await service.state()
    assert state.failure is not None
    assert state.failure.text_id == "archive.cannot_write"
    (server.folder / "archive").unlink()
    await service.run()
    assert (await service.state()).failure is None


async def until(service: ArchiveService, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(30):
        while not holds(state := await service.state()):
            await asyncio.sleep(0.05)
    return state

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.messagelog.archive.model import ArchiveSettings
from gateway.messagelog.archive.transfer import Transfer
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable
from tests.factories.archives import a_stamped_logbook, archive, stamp
from tests.factories.messagelog import Logbook, a_message

# Writes down what it is told, unless a file says that it should fail.
PROGRAM = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
told = {name: value for name, value in os.environ.items() if name.startswith("SURMA_ARCHIVE_")}
if (folder / "fail").exists():
    sys.exit("the other end is down")
if (folder / "hang").exists():
    time.sleep(60)
with (folder / "told").open("a") as file:
    file.write(json.dumps(told) + "\\n")
"""


@pytest.fixture
async def book(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Logbook]:
    async with a_stamped_logbook(sqlite_database, tmp_path) as opened:
        yield opened


async def fill(book: Logbook, folder: Path, count: int = 1) -> None:
    for _ in range(count):
        await book.record(a_message("q"))
        await stamp(book)
        await archive(book, folder)


def a_transfer(book: Logbook, folder: Path, *words: str, **settings: Any) -> Transfer:
    command = (sys.executable, "-c", PROGRAM, str(folder), *words)
    return Transfer(book.log, ArchiveSettings(transfer_command=command, **settings), book.clock)


def told(folder: Path) -> list[dict[str, str]]:
    path = folder / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_each_file_is_told_once_and_in_order(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 2)
    transfer = a_transfer(book, tmp_path)
    await transfer.tell_files()
    await transfer.tell_files()
    first, second = told(tmp_path)
    assert (first["SURMA_ARCHIVE_EVENT"], first["SURMA_ARCHIVE_GROUP"]) == ("file", "")
    for facts in (first, second):
        assert Path(facts["SURMA_ARCHIVE_FILE"]).is_file()
        assert Path(facts["SURMA_ARCHIVE_RECORDS"]).is_file()
        assert facts["SURMA_ARCHIVE_FILE"] == f"{facts['SURMA_ARCHIVE_PLACE']}/{facts['SURMA_ARCHIVE_NAME']}"
    assert first["SURMA_ARCHIVE_NAME"] != second["SURMA_ARCHIVE_NAME"]
    await transfer.tell_end("/mnt/evidence")
    assert told(tmp_path)[2] == {"SURMA_ARCHIVE_EVENT": "end", "SURMA_ARCHIVE_PLACE": "/mnt/evidence"}


async def test_file_that_could_not_be_sent_is_told_again_before_the_next(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path, 2)
    transfer = a_transfer(book, tmp_path)
    (tmp_path / "fail").touch()
    with pytest.raises(LoggingUnavailable) as refusal:
        await transfer.tell_files()
    assert refusal.value.text_id == "archive.transfer"
    assert transfer.failure is not None
    assert "the other end is down" in transfer.failure.reason
    assert len(list((tmp_path / "archive").glob("*.zip"))) == 2
    (tmp_path / "fail").unlink()
    await a_transfer(book, tmp_path).tell_files()  # after a restart as well
    assert len(told(tmp_path)) == 2


async def test_program_that_hangs_is_ended(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path)
    (tmp_path / "hang").touch()
    with pytest.raises(LoggingUnavailable) as refusal:
        await a_transfer(book, tmp_path, transfer_timeout_s=0.5).tell_files()
    assert "within 0.5 s" in str(refusal.value)


async def test_program_that_is_not_there_is_told(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path)
    transfer = Transfer(book.log, ArchiveSettings(transfer_command=(str(tmp_path / "absent"),)), book.clock)
    with pytest.raises(LoggingUnavailable) as refusal:
        await transfer.tell_files()
    assert "No such file" in str(refusal.value)


async def test_words_of_the_command_go_through_no_shell(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path)
    await a_transfer(book, tmp_path, f"; touch {tmp_path}/shell; $(touch {tmp_path}/shell)").tell_files()
    assert len(told(tmp_path)) == 1
    assert not (tmp_path / "shell").exists()


async def test_files_made_without_a_command_are_not_told_to_a_later_one(book: Logbook, tmp_path: Path) -> None:
    await fill(book, tmp_path)
    await Transfer(book.log, ArchiveSettings(), book.clock).tell_files()
    await fill(book, tmp_path)
    await a_transfer(book, tmp_path).tell_files()
    assert len(told(tmp_path)) == 1

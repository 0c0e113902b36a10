from __future__ import annotations

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner, Result

from gateway.auditing.model import Query
from gateway.cli import build_app
from gateway.messagelog import index_search
from gateway.messagelog.archive.retention import remove_archived
from gateway.messagelog.index_database import open_index
from gateway.runtime.database import open_database
from tests.factories.archives import a_stamped_logbook, archive, refuse, stamp
from tests.factories.index import ALL
from tests.factories.messagelog import a_message
from tests.factories.messages import a_soap_response


async def a_state(folder: Path, *, is_gone: bool = False) -> Path:
    """A state directory: an exchange and a refusal, archived; their rows gone where asked; and a newer request."""
    database = open_database(f"sqlite:///{folder}/messagelog.db")
    try:
        async with a_stamped_logbook(database, folder) as book:
            request = a_message("q-0", issue="case 0")
            await book.record(request)
            await book.record(a_soap_response(request))
            await refuse(book, query_id="q-1")
            await stamp(book)
            await archive(book, folder)
            await book.record(a_message("q-2"))
            if is_gone:
                await remove_archived(book.log, book.clock.advance(days=40), 30)
    finally:
        database.close()
    return folder


async def reindex(state: Path, *options: str) -> Result:
    arguments = ["gateway", "log", "reindex", "--state", str(state), *options]
    return await asyncio.to_thread(CliRunner().invoke, build_app(), arguments)


def found(state: Path) -> list[tuple[str | None, str | None]]:
    index = open_index(f"sqlite:///{state}/index.db")
    try:
        return [(one.query_id, one.issue) for one in index_search.walk(index, Query(), ALL)]
    finally:
        index.close()


EXPECTED = [("q-0", "case 0"), ("q-1", None), ("q-2", None)]


async def test_index_is_made_of_the_log(tmp_path: Path) -> None:
    result = await reindex(await a_state(tmp_path))
    assert result.exit_code == 0
    assert result.output.strip() == "4 of 4 entries are indexed"
    assert found(tmp_path) == EXPECTED


async def test_entries_without_rows_are_read_from_their_archives(tmp_path: Path) -> None:
    result = await reindex(await a_state(tmp_path, is_gone=True), "--json")
    assert json.loads(result.output) == {"complete": True, "entries": 4, "indexed": 4, "missing": 0}
    assert found(tmp_path) == EXPECTED


async def test_index_is_the_same_however_often_it_is_made(tmp_path: Path) -> None:
    await a_state(tmp_path)
    await reindex(tmp_path)
    await reindex(tmp_path)
    assert found(tmp_path) == EXPECTED


async def test_archives_that_are_not_here_are_counted(tmp_path: Path) -> None:
    await a_state(tmp_path, is_gone=True)
    (tmp_path / "archive").rename(tmp_path / "elsewhere")
    result = await reindex(tmp_path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {"complete": False, "entries": 4, "indexed": 1, "missing": 3}


async def test_state_without_a_log_is_told(tmp_path: Path) -> None:
    result = await reindex(tmp_path)
    assert result.exit_code == 2
    assert "messagelog.db" in result.output
    assert not (tmp_path / "messagelog.db").exists()

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.runtime.database import open_database
from tests.factories.archives import a_stamped_logbook, judge, keep_configuration, stamp
from tests.factories.messagelog import a_message


async def a_state(folder: Path, *, records: int = 2, with_configuration: bool = True) -> Path:
    """A state directory with a message log that is time-stamped."""
    if with_configuration:
        keep_configuration(folder / "globalconf", folder / "history")
    database = open_database(f"sqlite:///{folder}/messagelog.db")
    async with a_stamped_logbook(database, folder) as book:
        for number in range(records):
            await book.record(a_message(f"q-{number}"))
        await stamp(book)
    database.close()
    return folder


def archive(state: Path, *options: str) -> Result:
    return CliRunner().invoke(build_app(), ["gateway", "log", "archive", "--state", str(state), *options])


async def run(*arguments: Any) -> Result:
    import asyncio

    return await asyncio.to_thread(archive, *arguments)  # the command has a loop of its own


async def test_without_a_server_the_command_archives_itself_and_says_what_stands_in_the_way(tmp_path: Path) -> None:
    await a_state(tmp_path)
    (tmp_path / "archive").write_text("a file where the folder should be")
    result = await run(tmp_path)
    assert result.exit_code == 1
    assert "cannot be written" in result.output
    (tmp_path / "archive").unlink()
    result = await run(tmp_path)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("2 entries archived in 1 files")
    (path,) = (tmp_path / "archive").glob("*.zip")
    judge(path)
    shown = json.loads((await run(tmp_path, "--json")).output)
    assert (shown["run"]["entries"], shown["archived_through"], shown["files"]) == (0, 2, 1)


async def test_what_is_not_safe_in_an_archive_is_named_and_ends_with_1(tmp_path: Path) -> None:
    result = await run(await a_state(tmp_path, with_configuration=False))
    assert result.exit_code == 1
    assert "2 entries are not safe in an archive" in result.output
    assert "1: " in result.output


@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_directory_without_a_log_ends_with_2(tmp_path: Path, options: tuple[str, ...]) -> None:
    result = await run(tmp_path, *options)
    assert result.exit_code == 2
    assert "there is no message log" in result.output

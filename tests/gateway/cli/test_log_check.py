from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.runtime.database import open_database
from tests.factories.messagelog import a_logbook, a_message


async def a_state(folder: Path, *, records: int = 3) -> Path:
    """A state directory with a message log."""
    database = open_database(f"sqlite:///{folder}/messagelog.db")
    try:
        async with a_logbook(database, folder) as book:
            for number in range(records):
                await book.record(a_message(f"q-{number}"))
    finally:
        database.close()
    return folder


def change(state: Path, statement: str) -> None:
    database = open_database(f"sqlite:///{state}/messagelog.db")
    try:
        with database.transaction() as connection:
            connection.execute(text(statement))
    finally:
        database.close()


def check(state: Path, *options: str) -> Result:
    return CliRunner().invoke(build_app(), ["gateway", "log", "check", "--state", str(state), *options])


async def test_unbroken_log_ends_with_0(tmp_path: Path) -> None:
    result = check(await a_state(tmp_path))
    assert result.exit_code == 0
    assert result.output.startswith("3 records, unbroken; the last has the hash ")


async def test_figures_for_scripts(tmp_path: Path) -> None:
    result = check(await a_state(tmp_path), "--json")
    facts = json.loads(result.output)
    assert (facts["holds"], facts["records"], len(facts["record_hash"])) == (True, 3, 128)


async def test_empty_log_is_unbroken(tmp_path: Path) -> None:
    assert check(await a_state(tmp_path, records=0)).exit_code == 0


@pytest.mark.parametrize(
    ("statement", "at", "reason"),
    [
        ("DELETE FROM message_records WHERE sequence = 2", 2, "record 2 is missing"),
        ("UPDATE message_records SET query_id = 'other' WHERE sequence = 3", 3, "contents of record 3 were changed"),
        ("UPDATE message_records SET previous_hash = zeroblob(64) WHERE sequence = 2", 2, "does not name the hash"),
    ],
)
async def test_first_break_is_named_and_ends_with_1(tmp_path: Path, statement: str, at: int, reason: str) -> None:
    state = await a_state(tmp_path)
    change(state, statement)
    result = check(state, "--json")
    facts = json.loads(result.output)
    assert result.exit_code == 1
    assert (facts["holds"], facts["broken_at"], facts["records"]) == (False, at, at - 1)
    assert reason in facts["broken"]
    assert reason in check(state).output


def test_absent_log_ends_with_2_and_is_not_made(tmp_path: Path) -> None:
    result = check(tmp_path, "--json")
    assert result.exit_code == 2
    assert json.loads(result.output)["holds"] is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_unreadable_log_ends_with_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "messagelog.db").write_bytes(content)
    result = check(tmp_path)
    assert result.exit_code == 2
    assert "cannot be read" in result.output

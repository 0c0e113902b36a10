"""`surma gateway log checkpoint` and `completeness`: what is taken away, and what is said later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.runtime.database import open_database
from gateway.xroad.checkpoint import parse_checkpoint, parse_export
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from tests.factories.ledger import a_checkpointer, refuse
from tests.factories.messagelog import a_logbook, a_message
from tests.factories.messages import INSTANCE, a_rest_request, a_server
from tests.factories.signatures import a_world


async def a_state(folder: Path, *, records: int = 3) -> Path:
    """A state directory with records, refusals, and a checkpoint of them; later two refusals came."""
    folder.mkdir()
    database = open_database(f"sqlite:///{folder}/messagelog.db")
    try:
        async with a_logbook(database, folder) as book:
            for number in range(records):
                await book.record(a_message(f"q-{number}"))
                await book.record(a_rest_request("POST", body=b"a body"))
                await refuse(book, 1)
            if records:
                checkpointer = a_checkpointer(book)
                await checkpointer.make_checkpoint()
                await checkpointer.stop()
                await refuse(book, 2)
    finally:
        database.close()
    return folder


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    return await a_state(tmp_path / "state")


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder as /verificationconf gives it."""
    folder = tmp_path / "verificationconf"
    (folder / INSTANCE).mkdir(parents=True)
    (folder / "instance-identifier").write_text(INSTANCE)
    shared = build_shared_parameters(a_world().globalconf.shared[INSTANCE], 5)
    (folder / INSTANCE / "shared-params.xml").write_bytes(shared)
    (folder / INSTANCE / "shared-params.xml.metadata").write_text('{"configurationVersion":"5"}')
    return folder


def run(verb: str, state: Path, *options: object) -> Result:
    words = ["gateway", "log", verb, "--state", str(state), *map(str, options)]
    return CliRunner().invoke(build_app(), words)


def change(state: Path, statement: str) -> None:
    database = open_database(f"sqlite:///{state}/messagelog.db")
    try:
        with database.transaction() as connection:
            connection.execute(text(statement))
    finally:
        database.close()


def taken(state: Path, *options: object) -> Path:
    path = state.parent / "kept.note"
    assert run("checkpoint", state, "--out", path, *options).exit_code == 0
    return path


def facts_of(result: Result) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


# Taking one away


def test_newest_checkpoint_is_written_with_its_leaves(state: Path) -> None:
    export = parse_export(taken(state).read_bytes().splitlines(keepends=True))
    assert (export.checkpoint.head.size, export.checkpoint.head.origin) == (9, a_server())
    assert export.leaves is not None


def test_checkpoint_may_go_to_standard_output_without_leaves(state: Path) -> None:
    result = run("checkpoint", state, "--no-leaves", "--size", 9)
    assert result.exit_code == 0
    assert parse_checkpoint(result.stdout_bytes).head.size == 9


def test_what_was_written_is_said(state: Path, tmp_path: Path) -> None:
    facts = facts_of(run("checkpoint", state, "--out", tmp_path / "out", "--json"))
    assert (facts["origin"], facts["size"], len(facts["root"])) == ("UA-DEMO/GOV/10000001/SS1", 9, 64)
    said = run("checkpoint", state, "--out", tmp_path / "out", "--language", "uk").stdout
    assert "на 9 записів" in said


async def test_without_checkpoint_nothing_is_written(tmp_path: Path) -> None:
    empty = await a_state(tmp_path / "empty", records=0)
    result = run("checkpoint", empty, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()
    assert run("checkpoint", empty, "--size", 4).exit_code == 1


def test_log_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = run("checkpoint", tmp_path / "nowhere", "--json")
    assert result.exit_code == 2
    assert "there is no message log" in facts_of(result)["reason"]


def test_new_one_needs_a_running_server(state: Path) -> None:
    assert run("checkpoint", state, "--make").exit_code == 2


# Asking later


def test_untouched_log_is_complete(state: Path, conf: Path) -> None:
    result = run("completeness", state, "--checkpoint", taken(state), "--conf", conf, "--deep")
    assert result.exit_code == 0, result.output
    complete, against, counts = result.stdout.splitlines()
    assert complete.startswith("COMPLETE: 11 entries")
    assert against.endswith("over 9 entries, proven to be of 2026-11-21T12:00:00+00:00.")
    assert counts.startswith("Records 6, refusals 5")


def test_without_configuration_the_signature_is_not_verified_and_that_is_said(state: Path) -> None:
    result = run("completeness", state, "--checkpoint", taken(state), "--language", "uk")
    assert result.exit_code == 0
    assert "підпис не перевірено" in result.stdout


@pytest.mark.parametrize("options", [(), ("--no-leaves",)])
def test_damage_is_named_with_its_place(state: Path, conf: Path, options: tuple[str, ...]) -> None:
    kept = taken(state, *options)
    change(state, "UPDATE refusals SET times = 7 WHERE sequence = 6")
    change(state, "DELETE FROM message_records WHERE sequence = 4")
    result = run("completeness", state, "--checkpoint", kept, "--conf", conf)
    assert result.exit_code == 1
    first, missing, altered, *_ = result.stdout.splitlines()
    assert first.startswith("NOT COMPLETE: 10 entries")
    assert missing.startswith("  No. 4: gone")
    assert altered.startswith("  No. 6: facts of the entry were changed")


def test_figures_for_scripts(state: Path, conf: Path) -> None:
    kept = taken(state)
    change(state, "DELETE FROM refusals WHERE sequence = 6")
    result = run("completeness", state, "--checkpoint", kept, "--conf", conf, "--json", "--language", "uk")
    facts = facts_of(result)
    assert (result.exit_code, facts["holds"], facts["counts"]["entries"]) == (1, False, 10)
    (finding,) = facts["findings"]
    assert (finding["kind"], finding["first"], finding["last"]) == ("missing", 6, 6)
    assert finding["text"].startswith("№ 6: запису немає")


def test_missing_body_is_found(state: Path) -> None:
    kept = taken(state)
    next((state / "bodies").rglob("[0-9a-f]*[0-9a-f]/*")).unlink()
    result = run("completeness", state, "--checkpoint", kept)
    assert result.exit_code == 1
    assert "file of an attachment or body is gone" in result.stdout


def test_checkpoint_that_does_not_hold_decides_nothing(state: Path, conf: Path) -> None:
    kept = taken(state, "--no-leaves")
    kept.write_bytes(kept.read_bytes().replace(b"size 9", b"size 8"))
    result = run("completeness", state, "--checkpoint", kept, "--conf", conf, "--json")
    assert result.exit_code == 2
    assert facts_of(result)["holds"] is None


def test_file_that_is_no_checkpoint_decides_nothing(state: Path) -> None:
    kept = state.parent / "kept"
    kept.write_text("something else\n")
    assert run("completeness", state, "--checkpoint", kept).exit_code == 2
    assert run("completeness", state, "--checkpoint", state.parent / "nowhere").exit_code == 2


def test_anchor_without_history_is_refused(state: Path) -> None:
    assert run("completeness", state, "--checkpoint", taken(state), "--anchor", state / "anchor").exit_code == 2


def test_archives_that_should_be_here_and_are_not_are_named(state: Path) -> None:
    kept = taken(state)
    change(state, "INSERT INTO archive_files VALUES (1, '', 'mlog-1', 'x', 1, 3, 3, 1, '', 'SHA-512', 0)")
    for table in ("message_records", "refusals"):
        moved = f"SELECT sequence, 1, NULL, content_hash FROM {table} WHERE sequence <= 3"
        change(state, f"INSERT INTO archived_entries {moved}")
        change(state, f"DELETE FROM {table} WHERE sequence <= 3" if table == "refusals" else "SELECT 1")
    change(state, "DELETE FROM message_bodies WHERE sequence <= 3")
    change(state, "DELETE FROM message_records WHERE sequence <= 3")
    elsewhere = run("completeness", state, "--checkpoint", kept, "--json")
    assert (elsewhere.exit_code, facts_of(elsewhere)["counts"]["elsewhere"]) == (0, 3)
    (state.parent / "archives").mkdir()
    result = run("completeness", state, "--checkpoint", kept, "--archives", state.parent / "archives")
    assert result.exit_code == 1
    assert "No. 1–3: the archive file mlog-1 is not here" in result.stdout

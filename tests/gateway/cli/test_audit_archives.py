"""`surma audit` over archives alone: the same verbs without a server, and the console for one person."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from gateway.cli.audit import app
from gateway.runtime.database import open_database
from tests.factories.archives import a_stamped_logbook, archive, keep_configuration, refuse, stamp
from tests.factories.ledger import a_checkpointer
from tests.factories.messagelog import a_message
from tests.factories.messages import a_rest_request, a_rest_response, a_soap_response


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with archives of two files, a configuration history, its anchor, and checkpoints kept outside."""
    folder = tmp_path_factory.mktemp("archives")
    asyncio.run(_make(folder))
    return folder


async def _make(folder: Path) -> None:
    database = open_database(f"sqlite:///{folder}/log.db")
    async with a_stamped_logbook(database, folder) as book:
        checkpointer = a_checkpointer(book)
        soap = a_message("soap-1", issue="case-1", user_id="clerk")
        rest = a_rest_request("POST", "/7", body=b'{"lastName":"Shevchenko"}', message_id="rest-1")
        for request, response in ((soap, a_soap_response(soap)), (rest, a_rest_response(rest))):
            await book.record(request, request_id="r")
            await book.record(response, request_id="r")
        await refuse(book, query_id="refused-1")
        await stamp(book)
        await archive(book, folder)
        await book.record(a_message("later"), request_id="l")
        await stamp(book)
        (folder / "checkpoint.txt").write_bytes((await checkpointer.make_checkpoint()).note)
        await archive(book, folder)
        await checkpointer.stop()
    database.close()
    keep_configuration(folder / "globalconf", folder / "history")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)


def trust(site: Path) -> list[str]:
    return ["--history", str(site / "history"), "--anchor", str(site / "globalconf" / "configuration-anchor.xml")]


def run(site: Path, verb: str, *arguments: object) -> Result:
    place = ["--archives", str(site / "archive"), *trust(site)]
    return CliRunner().invoke(app, [verb, *map(str, arguments), *place])


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def test_archives_are_searched_without_a_server(site: Path) -> None:
    found = answered(run(site, "search", "--json"))
    assert [one["query_id"] for one in found["items"]] == ["later", "refused-1", "rest-1", "soap-1"]
    assert [one["id"] for one in answered(run(site, "search", "--issue", "case-1", "--json"))["items"]] == [1]


def test_exchange_is_shown_with_its_verdict(site: Path) -> None:
    masked = run(site, "show", 3)
    assert masked.exit_code == 0, masked.output
    assert "Shevchenko" not in masked.stdout
    assert "VALID: the message is unchanged" in masked.stdout
    assert "mlog-" in masked.stdout
    assert "Shevchenko" in run(site, "show", 3, "--reason", "complaint").stdout


def test_documents_need_no_reason_where_they_lie_at_hand(site: Path, tmp_path: Path) -> None:
    result = run(site, "show", 1, "--documents", tmp_path / "out", "--report", tmp_path / "report.html")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "soap-1" in (tmp_path / "report.html").read_text()


def test_export_carries_the_history_it_is_verified_with(site: Path, tmp_path: Path) -> None:
    output = tmp_path / "export.zip"
    job = answered(run(site, "export", "-o", output, "--json"))
    assert (job["counts"]["containers"], job["counts"]["refusals"]) == (5, 1)
    with zipfile.ZipFile(output) as opened:
        opened.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked"
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "verify", folder / "containers", "--history", folder / "history",
         "--anchor", folder / "anchor.xml", "--json"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["counts"]["valid"] == 5


def test_everything_is_verified(site: Path) -> None:
    assert answered(run(site, "verify", "--json"))["counts"]["valid"] == 5


def test_sample_is_drawn(site: Path) -> None:
    assert answered(run(site, "sample", "--size", 2, "--seed", "s", "--json"))["population"] == 4


def test_archives_are_compared_with_a_checkpoint(site: Path, tmp_path: Path) -> None:
    whole = run(site, "completeness", "--checkpoint", site / "checkpoint.txt")
    assert whole.exit_code == 0, whole.output
    assert "COMPLETE" in whole.stdout


def test_archives_of_which_only_hashes_are_left_prove_nothing(site: Path, tmp_path: Path) -> None:
    less = a_copy(site, tmp_path, without=("*.zip", "mlog-*.jsonl"))
    result = run(less, "completeness", "--checkpoint", site / "checkpoint.txt")
    assert result.exit_code == 2
    assert "NOT DECIDED" in result.stdout
    assert "only the hashes were compared, because their archives are not here: 6" in result.stdout


def test_archive_that_somebody_changed_is_named(site: Path, tmp_path: Path) -> None:
    other = a_copy(site, tmp_path)
    for path in (other / "archive").glob("*.records.jsonl"):
        path.write_bytes(path.read_bytes().replace(b"soap-1", b"soap-2"))
    result = run(other, "completeness", "--checkpoint", site / "checkpoint.txt", "--json")
    assert result.exit_code == 1
    findings = json.loads(result.stdout)["results"][0]["findings"]
    ranges = [range(one["first"], one["last"] + 1) for one in findings if one["first"] is not None]
    assert {1, 2} <= {number for numbers in ranges for number in numbers}


def a_copy(site: Path, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    """Copy the archives, and leave some files out."""
    shutil.copytree(site / "archive", folder / "copy" / "archive", ignore=shutil.ignore_patterns(*without))
    for name in ("history", "globalconf"):
        (folder / "copy" / name).symlink_to(site / name)
    return folder / "copy"


def test_checkpoint_that_somebody_changed_is_2(site: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.txt"
    changed.write_bytes(re.sub(rb"(?m)^size 6$", b"size 5", (site / "checkpoint.txt").read_bytes()))
    result = run(site, "completeness", "--checkpoint", changed)
    assert (result.exit_code, result.stdout) == (2, "")


def test_archives_hold_no_checkpoint_to_take(site: Path, tmp_path: Path) -> None:
    assert run(site, "completeness", "--take", tmp_path / "x").exit_code == 1
    made = run(site, "completeness", "--make", "--take", tmp_path / "x")
    assert made.exit_code == 2
    assert "Only the server" in made.stderr


def test_what_was_looked_at_is_in_a_trail_of_ones_own(site: Path, tmp_path: Path) -> None:
    run(site, "show", 3, "--reason", "complaint")
    lines = (tmp_path / "state" / "surma" / "audit" / "audit.log").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines][:2] == ["View exchange", "Reveal personal data"]
    assert (tmp_path / "state" / "surma" / "audit").stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache" / "surma" / "audit").stat().st_mode & 0o077 == 0


def test_without_configuration_messages_are_shown_and_verdicts_are_not_given(site: Path) -> None:
    result = CliRunner().invoke(app, ["show", "1", "--archives", str(site / "archive")])
    assert result.exit_code == 0, result.output
    assert "Not decided" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--archives", "/nowhere"], "cannot be read"),
        (["--archives", "{archive}", "--conf", "/nowhere"], "cannot be read"),
        (["--archives", "{archive}", "--history", "/nowhere"], "--anchor"),
        (["--archives", "{archive}", "--secret-key", "/nowhere"], "cannot be read"),
    ],
)
def test_what_cannot_be_opened_is_2(site: Path, arguments: list[str], said: str) -> None:
    words = [word.format(archive=site / "archive") for word in arguments]
    result = CliRunner().invoke(app, ["search", *words])
    assert result.exit_code == 2, result.output
    assert said in result.stderr


# The console for one person


@pytest.fixture
def served(site: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    words = ["audit", "serve", site / "archive", *trust(site), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", *map(str, words)], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, "the console did not start"
            text += line
        yield json.loads(text)["url"], process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_console_opens_for_whoever_has_the_address_and_nobody_else(
    served: tuple[str, subprocess.Popen[str]],
) -> None:
    url, process = served
    assert re.match(r"http://127\.0\.0\.1:\d+/enter\?key=\S{20,}", url)
    root = url.partition("/enter")[0]
    with httpx.Client(base_url=root, follow_redirects=True, trust_env=False) as stranger:
        assert stranger.get("/audit/search").status_code == 403
        assert stranger.get("/enter?key=guessed").status_code in (200, 403)
        assert stranger.get("/audit/exchanges/1").status_code == 403
    with httpx.Client(base_url=root, follow_redirects=True, trust_env=False) as owner:
        owner.get(url)
        page = owner.get("/audit/exchanges/1")
        assert page.status_code == 200
        assert "soap-1" in page.text
        assert owner.get("/audit/search?search=1").status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0

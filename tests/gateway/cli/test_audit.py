"""`surma audit`: each verb against a server over TLS, for people and for programs, and its exit status."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.audit import app
from gateway.cli.audit.options import language_of
from gateway.runtime.accounts.model import Principal
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.globalconf.verification_conf import build_verification_conf
from tests.factories.audit import ALPHA, MemorySource, a_source
from tests.factories.auditors import Served, a_served_api, an_auditor, deeds
from tests.factories.messages import INSTANCE
from tests.factories.signatures import a_world


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return a_source()


@pytest.fixture(scope="module")
def served(source: MemorySource, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    people = {
        "all": an_auditor(name="olha"),
        "alpha": an_auditor(str(ALPHA), name="petro"),
        "admin": Principal("admin", frozenset({"XROAD_SYSTEM_ADMINISTRATOR"})),
    }
    with a_served_api(source, people, tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("conf") / "verificationconf.zip"
    shared = build_shared_parameters(a_world().globalconf.shared[INSTANCE], 5)
    path.write_bytes(build_verification_conf(INSTANCE, {INSTANCE: (shared, 5)}))
    return path


def run(verb: str, *arguments: object, environ: dict[str, str] | None = None) -> Result:
    environ = {"LANG": "C.UTF-8", "LC_ALL": "", "LC_MESSAGES": "", **(environ or {})}
    return CliRunner().invoke(app, [verb, *map(str, arguments)], env=environ)


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.output + repr(result.exception)
    return json.loads(result.stdout)


def test_search_prints_a_table_newest_first(served: Served) -> None:
    result = run("search", *served.options("alpha"), "--limit", 3)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["8", "7", "6"]
    assert "Failed ×17" in lines[2]
    assert lines[-1] == "Shown: 3 of 6."


def test_search_follows_pages_up_to_its_limit(served: Served) -> None:
    found = answered(run("search", *served.options("all"), "--limit", 12, "--json"))
    assert len(found["items"]) == 12
    assert (found["count"], found["is_exact"]) == (13, True)


def test_search_takes_every_condition(served: Served) -> None:
    conditions = [
        ("--since", "2026-11-21"), ("--until", "2026-11-21"), ("--client", "UA-DEMO/GOV/11111111"),
        ("--service", "UA-DEMO/GOV/10000002"), ("--query-id", "alpha-*"), ("--issue", "alpha-case-1"),
        ("--purpose", "1.2"), ("--user-id", "alpha-clerk"), ("--outcome", "answered"), ("--side", "consumer"),
    ]  # fmt: skip
    arguments = [word for condition in conditions for word in condition]
    found = answered(run("search", *served.options("all"), *arguments, "--json"))
    assert [one["query_id"] for one in found["items"]] == ["alpha-soap"]
    assert answered(run("search", *served.options("all"), *arguments, "--fault-code", "x", "--json"))["items"] == []


def test_server_and_key_come_from_the_environment_too(served: Served) -> None:
    environ = {
        "SURMA_AUDIT_SERVER": served.url,
        "SURMA_AUDIT_KEY_FILE": str(served.folder / "all"),
        "SURMA_AUDIT_CA": str(served.folder / "admin.crt"),
    }
    assert len(answered(run("search", "--json", environ=environ))["items"]) == 13


def test_show_masks_values_until_a_reason_is_given(served: Served) -> None:
    masked = run("show", 1, *served.options("all"))
    assert masked.exit_code == 0
    assert "alpha-unzr" not in masked.stdout
    assert "VALID: the message is unchanged" in masked.stdout
    assert "[passed]" in masked.stdout or "[ok]" in masked.stdout.lower()
    revealed = run("show", 1, *served.options("all"), "--reason", "complaint 7")
    assert "alpha-unzr" in revealed.stdout
    assert deeds(served.folder / "trail")[-2]["data"].get("grounds") == "complaint 7"


def test_show_of_a_refusal_says_why_in_the_language_asked_for(served: Served) -> None:
    result = run("show", 7, *served.options("all"), "--language", "uk")
    assert result.exit_code == 0
    assert "Відмова, як її записано" in result.stdout


def test_show_as_json_holds_messages_and_verdicts(served: Served) -> None:
    found = answered(run("show", 3, *served.options("all"), "--json"))
    assert [message["verdict"]["result"] for message in found["messages"]] == ["valid", "valid"]
    assert found["messages"][0]["parts"][1]["is_masked"] is True


def test_show_writes_report_and_documents(served: Served, source: MemorySource, tmp_path: Path) -> None:
    report, folder = tmp_path / "report.html", tmp_path / "documents"
    result = run("show", 1, *served.options("all"), "--report", report, "--documents", folder, "--reason", "court")
    assert result.exit_code == 0, result.output
    assert "Report of a recorded exchange" in report.read_text()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        source.documents[number].name: source.documents[number].container for number in (1, 2)
    }


def test_show_of_what_is_not_there_or_not_ours_is_1(served: Served) -> None:
    absent = run("show", 999, *served.options("alpha"))
    foreign = run("show", 10, *served.options("alpha"))
    assert absent.exit_code == foreign.exit_code == 1
    assert absent.output == foreign.output


def test_export_is_written_and_nothing_stays_on_the_server(served: Served, tmp_path: Path) -> None:
    output = tmp_path / "export.zip"
    job = answered(run("export", "-o", output, *served.options("alpha"), "--reason", "complaint 7", "--json"))
    assert (job["state"], job["total"]) == ("done", 6)
    with zipfile.ZipFile(output) as archive:
        assert json.loads(archive.read("manifest.json"))["grounds"] == "complaint 7"
    assert list((served.folder / "exports").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["export.zip"]


def test_export_without_a_reason_is_2(served: Served, tmp_path: Path) -> None:
    result = run("export", "-o", tmp_path / "x.zip", *served.options("all"))
    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_sample_says_how_to_draw_it_again(served: Served) -> None:
    first = run("sample", *served.options("all"), "--size", 4, "--seed", "court")
    assert first.exit_code == 0
    assert "--size 4 --seed court --through 19" in first.stdout
    again = answered(run("sample", *served.options("all"), "--size", 4, "--seed", "court", "--through", 19, "--json"))
    assert [line.split()[0] for line in first.stdout.splitlines()[1:5]] == [str(one["id"]) for one in again["items"]]


def test_verify_fetches_and_verifies_what_a_search_finds(served: Served, conf: Path) -> None:
    options = [*served.options("all"), "--conf", conf, "--reason", "court"]
    assert run("verify", *options, "--issue", "alpha-case-*").exit_code == 0
    unstamped = run("verify", *options, "--query-id", "alpha-open", "--json")
    assert unstamped.exit_code == 1
    assert json.loads(unstamped.stdout)["counts"]["invalid"] == 1


def test_completeness_without_a_ledger_is_1(served: Served, tmp_path: Path) -> None:
    assert run("completeness", *served.options("all"), "--take", tmp_path / "x").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server", "https://127.0.0.1:1", "--key-file", "{key}", "--ca", "{ca}"], "does not answer"),
        (["--server", "{url}", "--key-file", "{key}"], "does not answer"),  # nobody vouches for its certificate
        (["--server", "{url}", "--ca", "{ca}"], "API key"),
        (["--server", "{url}", "--key-file", "{none}", "--ca", "{ca}"], "cannot be read"),
        (["--server", "{url}", "--key-file", "{key}", "--ca", "{none}"], "cannot be read"),
        (["--server", "{url}", "--key-file", "{admin}", "--ca", "{ca}"], "no role"),
        (["--server", "{url}", "--key-file", "{key}", "--ca", "{ca}", "--outcome", "lost"], "outcome"),
        (["--server", "{url}", "--archives", "/"], "either"),
        ([], "either"),
    ],
)
def test_question_that_nobody_answers_is_2_and_says_why(served: Served, arguments: list[str], said: str) -> None:
    places = {
        "url": served.url,
        "key": served.folder / "all",
        "admin": served.folder / "admin",
        "ca": served.folder / "admin.crt",
        "none": served.folder / "none",
    }
    result = run("search", *(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2
    assert said in result.stderr


def test_key_that_others_can_read_is_not_used(served: Served, tmp_path: Path) -> None:
    loose = tmp_path / "key"
    loose.write_text("all")
    loose.chmod(0o644)
    result = run("search", "--server", served.url, "--key-file", loose, "--ca", served.folder / "admin.crt")
    assert (result.exit_code, "0644" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("chosen", "environ", "expected"),
    [
        (None, {"LANG": "uk_UA.UTF-8"}, "uk"),
        (None, {"LANG": "uk_UA.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        (None, {}, "en"),
        ("uk", {"LANG": "en_GB.UTF-8"}, "uk"),
    ],
)
def test_language_is_the_one_asked_for_or_that_of_the_terminal(
    chosen: str | None, environ: dict[str, str], expected: str
) -> None:
    assert language_of(chosen, environ) == expected


def test_texts_follow_the_terminal(served: Served) -> None:
    result = run("search", *served.options("alpha"), environ={"LANG": "uk_UA.UTF-8"})
    assert result.stdout.splitlines()[-1] == "Показано: 6 з 6."

"""`surma verify`: what people and programs read, and the exit status."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.cli import verify as command
from gateway.configuration_client.history import History
from gateway.configuration_client.model import Generation
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.globalconf.trusted import Role, verify_directory, verify_parts
from tests.factories.globalconf import Source, a_key_pair, a_source
from tests.factories.messages import INSTANCE, a_rest_request, a_soap_message, a_subsystem, soap_headers
from tests.factories.pki import NOON
from tests.factories.signatures import a_configuration, a_world, rezip, unzip

POST = a_rest_request("POST", body=b"{}")


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(command.verify)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.asice"
    path.write_bytes(a_world().container(POST))
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.asice"
    entries = unzip(a_world().container(POST))
    path.write_bytes(rezip({**entries, "attachment1": b"changed"}))
    return path


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder as /verificationconf gives it."""
    folder = tmp_path / "verificationconf"
    (folder / INSTANCE).mkdir(parents=True)
    (folder / "instance-identifier").write_text(INSTANCE)
    shared = a_world().globalconf.shared[INSTANCE]
    (folder / INSTANCE / "shared-params.xml").write_bytes(build_shared_parameters(shared, 5))
    (folder / INSTANCE / "shared-params.xml.metadata").write_text('{"configurationVersion":"5"}')
    return folder


def results(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)["results"]
    return found


def test_valid_container_is_0_and_names_signer_time_and_status(good: Path, conf: Path) -> None:
    result = run(good, "--conf", conf)

    assert result.exit_code == 0
    assert f"{good}: VALID" in result.stdout
    assert f"Signed by {a_subsystem()}" in result.stdout
    assert "Existed at 2026-11-21T12:00:02+00:00, by the time-stamp of CN=Test TSA" in result.stdout
    assert "OCSP response of 2026-11-21T11:55:00+00:00" in result.stdout
    assert "/attachment1 is in the container and unchanged" in result.stdout


def test_changed_container_is_1_and_names_the_failed_check(bad: Path, conf: Path) -> None:
    result = run(bad, "--conf", conf)

    assert result.exit_code == 1
    assert "NOT VALID: /attachment1 does not have the digest" in result.stdout
    assert "[malformed_signature.invalid_hash_chain_ref]" in result.stdout
    assert "[FAILED] The signature's hash chain leads to this message" in result.stdout
    assert "[not reached]" in result.stdout


def test_bytes_that_are_no_container_are_1(tmp_path: Path, conf: Path) -> None:
    (tmp_path / "x.asice").write_bytes(b"not a container")
    (tmp_path / "empty.asice").write_bytes(b"")

    assert run(tmp_path / "x.asice", "--conf", conf).exit_code == 1
    assert run(tmp_path / "empty.asice", "--conf", conf).exit_code == 1


def test_missing_file_is_2(tmp_path: Path, conf: Path) -> None:
    result = run(tmp_path / "nowhere.asice", "--conf", conf)

    assert result.exit_code == 2
    assert "CANNOT TELL" in result.stdout


def test_one_invalid_container_among_several_is_1(good: Path, bad: Path, conf: Path, tmp_path: Path) -> None:
    assert run(good, bad, "--conf", conf).exit_code == 1
    assert run(good, tmp_path / "nowhere", "--conf", conf).exit_code == 2
    assert run(good, bad, tmp_path / "nowhere", "--conf", conf).exit_code == 1


@pytest.mark.parametrize("options", [[], ["--history", "x"], ["--anchor", "x"], ["--conf", "x", "--history", "y"]])
def test_without_a_configuration_it_is_2(good: Path, options: list[str]) -> None:
    result = run(good, *options)

    assert result.exit_code == 2
    assert "--conf" in result.stdout or "shared-params.xml" in result.stdout


def test_folder_without_configuration_is_2(good: Path, tmp_path: Path) -> None:
    result = run(good, "--conf", tmp_path)

    assert result.exit_code == 2
    assert "/verificationconf" in result.stdout


@pytest.mark.parametrize("content", [b"", b"<conf/>", b"\xff\xfe"])
def test_configuration_that_cannot_be_read_is_2(good: Path, conf: Path, content: bytes) -> None:
    (conf / INSTANCE / "shared-params.xml").write_bytes(content)

    assert run(good, "--conf", conf).exit_code == 2


def test_parent_of_the_folder_will_do(good: Path, conf: Path) -> None:
    assert run(good, "--conf", conf.parent).exit_code == 0


def test_zip_will_do(good: Path, conf: Path, tmp_path: Path) -> None:
    archive = tmp_path / "verificationconf.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for file in conf.rglob("*"):
            opened.write(file, file.relative_to(conf.parent))

    assert run(good, "--conf", archive).exit_code == 0


def test_zip_without_configuration_is_2(good: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04")

    assert run(good, "--conf", tmp_path / "broken.zip").exit_code == 2


def test_folder_of_a_configuration_client_will_do(good: Path, conf: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "generations").mkdir(parents=True)
    shutil.copytree(conf, cache / "generations" / "7")
    (cache / "current").symlink_to("generations/7")

    assert run(good, "--conf", cache).exit_code == 0


def test_metadata_without_a_version_means_the_oldest(good: Path, conf: Path) -> None:
    shared = a_world().globalconf.shared[INSTANCE]
    (conf / INSTANCE / "shared-params.xml").write_bytes(build_shared_parameters(shared, 2))
    (conf / INSTANCE / "shared-params.xml.metadata").write_text("{}")

    assert run(good, "--conf", conf).exit_code == 0


def test_json_has_every_fact(good: Path, bad: Path, conf: Path) -> None:
    valid, invalid = results(run(good, bad, "--conf", conf, "--json"))

    assert (valid["result"], invalid["result"]) == ("valid", "invalid")
    assert invalid["code"] == "malformed_signature.invalid_hash_chain_ref"
    assert valid["signer"] == str(a_subsystem())
    assert valid["message"]["id"] == "m-1"
    assert valid["timestamp"] == {
        "time": "2026-11-21T12:00:02+00:00", "authority": "CN=Test TSA,O=Test,C=FI", "batch": False,
    }  # fmt: skip
    assert valid["attachments"][0]["state"] == "verified"
    assert {check["outcome"] for check in valid["checks"]} == {"passed", "not_applicable"}
    assert valid["configuration"]["instance"] == INSTANCE


def test_json_of_an_undecided_file_says_why(good: Path) -> None:
    result = run(good, "--json")

    assert result.exit_code == 2
    assert results(result)[0]["result"] == "undecided"
    assert "--conf" in results(result)[0]["text"]


def test_ukrainian_texts(good: Path, bad: Path, conf: Path) -> None:
    assert "ДІЙСНИЙ" in run(good, "--conf", conf, "--language", "uk").stdout
    assert "НЕДІЙСНИЙ: /attachment1 не має гешу" in run(bad, "--conf", conf, "--language", "uk").stdout


def test_sender_cannot_write_lines_of_its_own(tmp_path: Path, conf: Path) -> None:
    message = a_soap_message(soap_headers(id="m\n/x.asice: VALID\u202e"))
    (tmp_path / "odd.asice").write_bytes(a_world().container(message))
    result = run(tmp_path / "odd.asice", "--conf", conf)

    assert result.exit_code == 0
    assert "\u202e" not in result.stdout
    assert not any(line.startswith("/x.asice") for line in result.stdout.splitlines())


# History


@pytest.fixture
def source() -> Source:
    return a_source(instance=INSTANCE, shared=a_world().globalconf.shared[INSTANCE])


def record(history: History, source: Source, hours: int) -> None:
    """Note that the configuration of a source comes into use some hours after noon."""
    answers = source.answers()
    directory = verify_directory(
        source.directory(), instance=INSTANCE, certificates=[source.signer.der], at=None, role=Role.OWN
    )
    files = {entry.location: answers[entry.location] for entry in directory.entries}
    generation = Generation(verify_parts(directory, files))
    history.record(generation, source.anchor_xml(), NOON + timedelta(hours=hours))


def test_history_gives_the_configuration_that_was_in_use(good: Path, tmp_path: Path, source: Source) -> None:
    history = History(tmp_path / "history")
    record(history, source, -1)
    without = a_configuration(a_world().hierarchy, approved_cas=()).shared[INSTANCE]
    record(history, a_source(instance=INSTANCE, shared=without), 1)
    (tmp_path / "anchor.xml").write_bytes(source.anchor_xml())
    result = run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml")

    assert result.exit_code == 0, result.stdout
    assert "in use from 2026-11-21T11:00:00+00:00 until 2026-11-21T13:00:00+00:00" in result.stdout


def test_history_without_the_authority_of_the_time_is_invalid(good: Path, tmp_path: Path, source: Source) -> None:
    history = History(tmp_path / "history")
    without = a_configuration(a_world().hierarchy, approved_cas=()).shared[INSTANCE]
    record(history, a_source(instance=INSTANCE, shared=without), -1)
    record(history, source, 1)
    (tmp_path / "anchor.xml").write_bytes(source.anchor_xml())

    assert run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml").exit_code == 1


def test_history_that_begins_later_cannot_tell(good: Path, tmp_path: Path, source: Source) -> None:
    record(History(tmp_path / "history"), source, 1)
    (tmp_path / "anchor.xml").write_bytes(source.anchor_xml())

    assert run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml").exit_code == 2


def test_history_of_another_anchor_cannot_tell(good: Path, tmp_path: Path, source: Source) -> None:
    record(History(tmp_path / "history"), source, -1)
    stranger = a_source(instance=INSTANCE, signer=a_key_pair("stranger"))
    (tmp_path / "anchor.xml").write_bytes(stranger.anchor_xml())

    assert run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml").exit_code == 2


def test_file_that_is_no_container_is_invalid_with_a_history_too(tmp_path: Path, source: Source) -> None:
    record(History(tmp_path / "history"), source, -1)
    (tmp_path / "anchor.xml").write_bytes(source.anchor_xml())
    (tmp_path / "x.asice").write_bytes(b"x")
    result = run(tmp_path / "x.asice", "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml")

    assert result.exit_code == 1


def test_empty_history_is_2(good: Path, tmp_path: Path, source: Source) -> None:
    (tmp_path / "anchor.xml").write_bytes(source.anchor_xml())

    assert run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "anchor.xml").exit_code == 2
    assert run(good, "--history", tmp_path / "history", "--anchor", tmp_path / "none.xml").exit_code == 2

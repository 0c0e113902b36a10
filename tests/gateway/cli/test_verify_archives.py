"""`surma verify` over zips of containers and archives: each container, and the chain through them and the files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from gateway.cli import verify as command
from gateway.messagelog.archive.linking import LinkingBuilder
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from tests.factories.messages import INSTANCE, a_rest_request
from tests.factories.signatures import a_world, rezip, unzip

Entry = tuple[str, bytes]
AN_ARCHIVE = f"mlog-{1:014d}-{2:014d}-{'a' * 16}.zip"


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(command.verify)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def facts(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conf")
    (folder / INSTANCE).mkdir()
    (folder / "instance-identifier").write_text(INSTANCE)
    shared = a_world().globalconf.shared[INSTANCE]
    (folder / INSTANCE / "shared-params.xml").write_bytes(build_shared_parameters(shared, 5))
    (folder / INSTANCE / "shared-params.xml.metadata").write_text('{"configurationVersion":"5"}')
    return folder


@pytest.fixture(scope="module")
def containers() -> list[Entry]:
    """Four containers under the names of an archive."""
    made = []
    for number in range(4):
        message = a_rest_request("POST", body=b"{}", message_id=f"q-{number}")
        made.append((f"q-{number}-request-{number + 1}.asice", a_world().container(message)))
    return made


def stored(entries: Sequence[Entry]) -> bytes:
    """A zip as archives are: nothing is compressed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return target.getvalue()


def an_archive(
    folder: Path, entries: Sequence[Entry], *, previous: tuple[str, str] = ("", ""), day: int = 1, group: str = ""
) -> tuple[Path, tuple[str, str]]:
    """Write an archive and return it with what the next one has to name."""
    linking = LinkingBuilder(DigestAlgorithm.SHA512, *previous)
    for name, data in entries:
        linking.add(name, DigestAlgorithm.SHA512.digest(data))
    stem = f"mlog-{group}202611{day:02d}120000-202611{day:02d}130000-{linking.last_digest[:16]}"
    path = folder / f"{stem}.zip"
    path.write_bytes(stored([*entries, ("linkinginfo", linking.build())]))
    return path, (linking.last_digest, path.name)


def changed(container: bytes) -> bytes:
    return rezip({**unzip(container), "attachment1": b"changed"})


def rewritten(path: Path, entries: Sequence[Entry]) -> None:
    """Put other entries into an archive, and leave its linking information."""
    with zipfile.ZipFile(path) as archive:
        linking = archive.read("linkinginfo")
    path.write_bytes(stored([*entries, ("linkinginfo", linking)]))


def test_archive_of_valid_containers_is_0(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path, (digest, _) = an_archive(tmp_path, containers)
    result = run(path, "--conf", conf, "--first")
    assert result.exit_code == 0, result.stdout
    assert f"{path}: 4 containers, linked without a gap" in result.stdout
    assert digest in result.stdout
    assert "4 containers: 4 valid, 0 not valid, 0 undecided" in result.stdout


def test_changed_container_is_named_as_itself_and_as_a_break_of_the_chain(
    tmp_path: Path, conf: Path, containers: list[Entry]
) -> None:
    path, _ = an_archive(tmp_path, containers)
    rewritten(path, [(name, changed(data) if number == 2 else data) for number, (name, data) in enumerate(containers)])
    result = run(path, "--conf", conf)
    assert result.exit_code == 1
    assert f"{path}!q-2-request-3.asice: NOT VALID" in result.stdout
    assert f"{path}: NOT VALID as an archive" in result.stdout
    assert "q-2-request-3.asice" in facts(path, "--conf", conf)["archives"][0]["text"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("kept", "named"), [((0, 1, 3), "q-3-"), ((0, 1, 2), "q-3-"), ((1, 0, 2, 3), "q-1-"), ((0, 0, 1, 2, 3), None)]
)
def test_container_removed_moved_or_doubled_is_found(
    tmp_path: Path, conf: Path, containers: list[Entry], kept: tuple[int, ...], named: str | None
) -> None:
    path, _ = an_archive(tmp_path, containers)
    rewritten(path, [containers[number] for number in kept])
    result = run(path, "--conf", conf)
    assert result.exit_code == 1
    if named is not None:
        assert named in facts(path, "--conf", conf)["archives"][0]["text"]


def test_files_are_linked_one_to_the_next_whatever_their_order_on_the_command_line(
    tmp_path: Path, conf: Path, containers: list[Entry]
) -> None:
    first, end = an_archive(tmp_path, containers[:2])
    second, _ = an_archive(tmp_path, containers[2:], previous=end, day=2)
    assert run(second, first, "--conf", conf, "--first").exit_code == 0
    assert run(tmp_path, "--conf", conf, "--first").exit_code == 0


def test_file_between_two_that_is_missing_is_named(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    _, end = an_archive(tmp_path, containers[:1])
    second, end = an_archive(tmp_path, containers[1:2], previous=end, day=2)
    an_archive(tmp_path, containers[2:], previous=end, day=3)
    second.unlink()
    result = run(tmp_path, "--conf", conf)
    assert result.exit_code == 1
    assert second.name in result.stdout


def test_archive_alone_says_after_which_it_comes(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    before, end = an_archive(tmp_path, containers[:2])
    path, _ = an_archive(tmp_path, containers[2:], previous=end, day=2)
    alone = tmp_path / "alone"
    alone.mkdir()
    path = path.rename(alone / path.name)
    result = run(path, "--conf", conf)
    assert result.exit_code == 0
    assert f"it follows {before.name}, which is not here" in result.stdout
    assert run(path, "--conf", conf, "--first").exit_code == 1
    assert run(path, "--conf", conf, "--previous-digest", end[0]).exit_code == 0
    assert run(path, "--conf", conf, "--previous-digest", "ab" * 64).exit_code == 1


def test_groups_have_chains_of_their_own(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    an_archive(tmp_path, containers[:2], group="A_GOV_1-")
    an_archive(tmp_path, containers[2:], group="A_GOV_2-")
    assert run(tmp_path, "--conf", conf, "--first").exit_code == 0


def test_zip_as_it_is_downloaded_needs_no_chain(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path = tmp_path / "asic-q.zip"
    path.write_bytes(stored(containers))
    found = facts(path, "--conf", conf)
    assert found["counts"] == {"valid": 4, "invalid": 0, "undecided": 0}
    assert found["archives"] == []


def test_folders_below_are_looked_into_and_an_empty_one_is_told(
    tmp_path: Path, conf: Path, containers: list[Entry]
) -> None:
    (tmp_path / "taken" / "containers").mkdir(parents=True)
    assert run(tmp_path / "taken", "--conf", conf).exit_code == 2
    assert "no container" in run(tmp_path / "taken", "--conf", conf).stdout
    (tmp_path / "taken" / "containers" / "a.asice").write_bytes(containers[0][1])
    assert run(tmp_path / "taken", "--conf", conf).exit_code == 0


def test_of_many_containers_only_what_does_not_hold_is_shown_unless_all_are_asked_for(
    tmp_path: Path, conf: Path, containers: list[Entry]
) -> None:
    many = [(f"n{number}.asice", containers[0][1]) for number in range(30)]
    path = tmp_path / "many.zip"
    path.write_bytes(stored([*many, ("bad.asice", changed(containers[0][1]))]))
    found = facts(path, "--conf", conf)
    assert [result["file"] for result in found["results"]] == [f"{path}!bad.asice"]
    assert found["counts"]["valid"] == 30
    assert len(facts(path, "--conf", conf, "--all")["results"]) == 31


def test_messages_are_written_also_when_the_proof_fails(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path = tmp_path / "bundle.zip"
    torn = containers[1][1].replace(b"PK\x01\x02", b"PK\x01\x03", 1)
    path.write_bytes(stored([("good.asice", containers[0][1]), ("../../bad.asice", changed(containers[1][1]))]))
    (tmp_path / "torn.asice").write_bytes(torn)
    out = tmp_path / "out"
    result = run(path, tmp_path / "torn.asice", "--conf", conf, "--extract", out)
    assert result.exit_code == 1
    assert (out / "good" / "attachment1").read_bytes() == b"{}"
    assert (out / "bad" / "attachment1").read_bytes() == b"changed"
    assert b"q-0" in (out / "good" / "message.xml").read_bytes()
    assert {entry.name for entry in tmp_path.iterdir()} == {"bundle.zip", "torn.asice", "out"}


def test_nothing_is_overwritten(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path = tmp_path / "x.asice"
    path.write_bytes(containers[0][1])
    for _ in range(2):
        assert run(path, "--conf", conf, "--extract", tmp_path / "out").exit_code == 0
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["x", "x-2"]


def test_ukrainian_names_the_break(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path, _ = an_archive(tmp_path, containers)
    rewritten(path, containers[1:])
    result = run(path, "--conf", conf, "--language", "uk")
    assert "НЕДІЙСНИЙ як архів" in result.stdout
    assert "Контейнерів: 3; дійсних: 3" in result.stdout


def test_encrypted_archive_without_a_key_cannot_be_decided(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    path, _ = an_archive(tmp_path, containers)
    path.rename(path.with_name(f"{path.name}.gpg"))
    result = run(tmp_path, "--conf", conf)
    assert result.exit_code == 2
    assert f"{path.name}.gpg" in result.stdout


def test_encrypted_archives_are_opened_with_a_key(tmp_path: Path, conf: Path, containers: list[Entry]) -> None:
    from pysequoia import Tsk, encrypt

    key = Tsk.generate("Auditor <auditor@example.org>")
    (tmp_path / "auditor.key").write_bytes(bytes(key))
    folder = tmp_path / "archives"
    folder.mkdir()
    first, end = an_archive(folder, containers[:2])
    second, _ = an_archive(folder, containers[2:], previous=(end[0], f"{end[1]}.gpg"), day=2)
    for path in (first, second):
        encrypted = encrypt(path.read_bytes(), recipients=[key.extract_certificate()], armor=False)
        path.with_name(f"{path.name}.gpg").write_bytes(encrypted)
        path.unlink()
    result = run(folder, "--conf", conf, "--first", "--secret-key", tmp_path / "auditor.key")
    assert result.exit_code == 0, result.stdout
    assert "4 containers: 4 valid" in result.stdout


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=300), name=st.sampled_from(["x.asice", "x.zip", f"mlog-{1:014d}-{2:014d}-{'a' * 16}.zip"])
)
def test_any_bytes_are_refused_and_nothing_else(tmp_path: Path, conf: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    result = run(path, "--conf", conf)
    assert result.exit_code == 1, (result.stdout, result.exception)

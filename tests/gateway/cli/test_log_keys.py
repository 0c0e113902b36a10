from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.messagelog.encryption import read_keys


def rotate(folder: Path, *options: str, file: Path | None = None) -> Result:
    config = folder / "gateway.toml"
    setting = "" if file is None else f'[messagelog.records]\nencryption_key_file = "{file}"\n'
    config.write_text(setting)
    return CliRunner().invoke(build_app(), ["gateway", "log", "rotate-key", "--config", str(config), *options])


def test_first_key_makes_the_file_and_the_next_ones_are_added(tmp_path: Path) -> None:
    file = tmp_path / "log.keys"
    ids = []
    for _ in range(2):
        result = rotate(tmp_path, "--json", file=file)
        assert result.exit_code == 0
        ids.append(json.loads(result.output)["key_id"])
    assert [key.id for key in read_keys(file)] == ids
    assert file.stat().st_mode & 0o777 == 0o600


def test_key_is_named_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "log.keys"
    result = rotate(tmp_path, file=file)
    key_id, secret = file.read_text().split()
    assert key_id in result.output
    assert secret not in result.output


def test_without_the_setting_it_is_named(tmp_path: Path) -> None:
    result = rotate(tmp_path)
    assert result.exit_code == 2
    assert "messagelog.records.encryption_key_file" in result.stderr


@pytest.mark.parametrize(("content", "mode", "said"), [("rubbish\n", 0o600, "line 1"), ("x\n", 0o644, "0600")])
def test_file_that_cannot_be_used_stays_as_it_is(tmp_path: Path, content: str, mode: int, said: str) -> None:
    file = tmp_path / "log.keys"
    file.write_text(content)
    file.chmod(mode)
    result = rotate(tmp_path, file=file)
    assert (result.exit_code, file.read_text()) == (2, content)
    assert said in result.stderr

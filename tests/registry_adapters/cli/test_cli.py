from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from registry_adapters.cli import app
from registry_adapters.cli.serving import settings_of
from tests.factories.registry import REST_HEADERS


@contextlib.contextmanager
def serving(state: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "registry_adapters", "serve", "demographic", "--state", str(state), "--port", "0"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:3] == ["ready", "registry", "demographic"]
        try:
            yield process, words[3]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_registry_keeps_its_persons_and_ends_on_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path, "--persons", "50") as (process, url):
        assert httpx.get(f"{url}/persons/19910824-00026", headers=REST_HEADERS, trust_env=False).json()["found"]
    assert process.returncode == 0
    database = tmp_path / "demographic.db"
    assert database.exists()
    code, output = run("seed", "demographic", "--state", str(tmp_path), "--persons", "50")
    assert (code, output) == (0, "registry demographic: 0 persons added, 50 wanted\n")
    with serving(tmp_path, "--persons", "50") as (_, url):
        assert httpx.get(f"{url}/persons/19910824-00026", headers=REST_HEADERS, trust_env=False).json()["found"]


def test_unknown_registry_is_refused_naming_the_known(tmp_path: Path) -> None:
    code, output = run("serve", "nowhere", "--state", str(tmp_path))
    assert code == 2
    assert "demographic" in output


def test_other_seed_over_the_same_database_is_refused(tmp_path: Path) -> None:
    run("seed", "demographic", "--state", str(tmp_path), "--persons", "10")
    code, output = run("seed", "demographic", "--state", str(tmp_path), "--persons", "10", "--seed", "2")
    assert code == 1
    assert "seed 1 " in output


def test_taken_port_is_said_and_ends_with_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "registry_adapters", "serve", "demographic", "--persons", "1"]
        done = subprocess.run(
            [*command, "--state", str(tmp_path), "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr


def test_command_line_overrides_the_environment_and_that_the_file(tmp_path: Path) -> None:
    file = tmp_path / "registries.toml"
    file.write_text('[demographic]\nport = 1\npersons = 5\nhost = "127.0.0.2"\n')
    environ = {"REGISTRY_DEMOGRAPHIC__PORT": "2", "REGISTRY_DEMOGRAPHIC__PERSONS": "6"}
    chosen = settings_of("demographic", file, environ, {"persons": 7, "seed": None})
    assert (chosen.host, chosen.port, chosen.persons, chosen.seed) == ("127.0.0.2", 2, 7, 1)


@pytest.mark.parametrize("flawed", ['language = "de"', "persons = -1", 'prot = "x"'])
def test_flawed_settings_are_refused(tmp_path: Path, flawed: str) -> None:
    file = tmp_path / "registries.toml"
    file.write_text(f"[demographic]\n{flawed}\n")
    code, _ = run("seed", "demographic", "--state", str(tmp_path), "--config", str(file))
    assert code == 2

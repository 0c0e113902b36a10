"""`surma central` as processes: init, serve, trust."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from central_services.cli import app

CONFIG = """
[admin]
host = "127.0.0.1"
port = 0
[configuration]
host = "127.0.0.1"
port = 0
[trust]
ca_port = 0
tsa_port = 0
key_algorithm = "EC"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings with free ports."""
    file = tmp_path / "central.toml"
    file.write_text(CONFIG)
    return file


@contextmanager
def started(verb: str, state: Path, config: Path) -> Iterator[dict[str, Any]]:
    """Run a verb as a process until the block ends; yields the line that says it is ready."""
    command = [sys.executable, "-m", "central_services", verb, "--state", state, "--config", config]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read().decode()
        yield json.loads(line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0, process.stderr.read().decode()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


def test_init_writes_a_key_that_only_its_owner_reads(tmp_path: Path, config: Path) -> None:
    state = tmp_path / "state"
    first = CliRunner().invoke(app, ["init", "--state", str(state), "--config", str(config)])
    key = state / "api-key"
    assert first.exit_code == 0, first.output
    assert str(key) in first.output.replace("\n", "")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().strip() not in first.output


def test_init_again_changes_nothing(tmp_path: Path, config: Path) -> None:
    state = tmp_path / "state"
    outputs = []
    for _ in range(2):
        outputs.append(CliRunner().invoke(app, ["init", "--state", str(state), "--config", str(config)]).output)
        key = (state / "api-key").read_text()
    assert "nothing was changed" in outputs[1]
    assert (state / "api-key").read_text() == key


def test_a_misspelt_setting_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "central.toml"
    config.write_text("[admin]\nprot = 4000\n")
    done = CliRunner().invoke(app, ["init", "--state", str(tmp_path / "state"), "--config", str(config)])
    assert done.exit_code == 2
    assert "prot" in done.output


def test_serve_says_when_it_is_ready_and_ends_on_a_signal(tmp_path: Path, config: Path) -> None:
    with started("serve", tmp_path / "state", config) as ready:
        assert (ready["ready"], ready["program"]) == (True, "central")
        page = httpx.get(f"http://127.0.0.1:{ready['configuration_port']}/internalconf")
        assert page.status_code == 404
        assert ready["admin_port"] > 0
    assert (tmp_path / "state" / "api-key").exists()


def test_trust_says_what_it_is_not_for(tmp_path: Path, config: Path) -> None:
    with started("trust", tmp_path / "state", config) as ready:
        page = httpx.get(f"http://127.0.0.1:{ready['ca_port']}/").text
    assert "TEST TRUST SERVICES" in page


def test_a_taken_port_ends_it_with_a_reason(tmp_path: Path, config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(CONFIG.replace("ca_port = 0", f"ca_port = {port}"))
        done = CliRunner().invoke(app, ["trust", "--state", str(tmp_path / "state"), "--config", str(config)])
    assert done.exit_code == 1
    assert f"test CA and OCSP: 127.0.0.1:{port}" in done.output

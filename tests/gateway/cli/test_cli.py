from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import build_app


def test_every_package_has_its_verbs() -> None:
    result = CliRunner().invoke(build_app(), ["--help"])
    assert result.exit_code == 0
    for verb in ("demo", "verify", "gateway", "central", "registry"):
        assert verb in result.output


def test_gateway_is_initialised_once_and_its_key_is_its_owners(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = CliRunner().invoke(build_app(), ["gateway", "init", "--state", str(state)])
    assert first.exit_code == 0, first.output
    assert "Next: surma gateway serve" in first.output
    key = (state / "api-key").read_text()
    assert stat.S_IMODE((state / "api-key").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert key.strip() not in first.output

    second = CliRunner().invoke(build_app(), ["gateway", "init", "--state", str(state)])
    assert second.exit_code == 0
    assert "already" in second.output
    assert (state / "api-key").read_text() == key


def test_misspelt_setting_ends_the_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "gateway", "init", "--state", str(tmp_path)],
        env={**os.environ, "GATEWAY_CONSUMER__HTTP_PROT": "80"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean http_port" in done.stderr
    assert "Traceback" not in done.stderr

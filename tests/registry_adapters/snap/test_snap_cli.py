from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from gateway.runtime.accounts import store_users
from gateway.runtime.accounts.model import Grant
from gateway.runtime.settings import load
from registry_adapters.cli.snap_cli import app
from registry_adapters.snap.accounts import open_accounts
from registry_adapters.snap.settings import SnapSettings
from tests.registry_adapters.shim import Shim
from tests.registry_adapters.snap.world import TYPED

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "вечірній-потяг-до-Ковеля"


def run(*arguments: str | Path, typed: str = "") -> Any:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=typed)


def users(state: Path) -> dict[str, frozenset[Grant]]:
    database = open_accounts(SnapSettings(), state)
    with database.reading() as tx:
        found = {user.name: user.grants for user in store_users.users(tx)}
    database.close()
    return found


@dataclass(frozen=True)
class Running:
    """A counter in a process of its own."""

    process: subprocess.Popen[str]
    url: str


@contextmanager
def serving(state: Path, environ: Mapping[str, str]) -> Iterator[Running]:
    command = [sys.executable, "-c", "from registry_adapters.cli.snap_cli import app; app()", "serve"]
    process = subprocess.Popen(
        [*command, "--state", str(state), "--port", "0"],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready snap "), line
        yield Running(process, line.split()[2])
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def test_clerk_is_added_granted_and_given_another_password(tmp_path: Path) -> None:
    added = run(
        "clerk", "add", "Olena", "SN12000007", "--state", tmp_path, "--password-file", "-", typed=PASSWORD + "\n"
    )
    assert added.exit_code == 0, added.output
    assert run("clerk", "grant", "olena", "SN32000001", "--role", "senior", "--state", tmp_path).exit_code == 0
    assert users(tmp_path) == {"olena": {Grant("CLERK", "SN12000007"), Grant("SENIOR", "SN32000001")}}
    changed = run("clerk", "password", "olena", "--state", tmp_path)
    assert changed.exit_code == 0
    assert len(changed.output.splitlines()[-1]) >= 12
    trail = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "audit").glob("*.log"))
    assert trail.count("Add user") == trail.count("Set password of user") == 1


@pytest.mark.parametrize(
    ("arguments", "typed", "status"),
    [
        (("clerk", "add", "olena", "SN1", "--password-file", "-"), PASSWORD, 1),
        (("clerk", "add", "olena", "SN12000007", "--role", "boss", "--password-file", "-"), PASSWORD, 1),
        (("clerk", "add", "olena", "SN12000007", "--password-file", "-"), "123", 1),
        (("clerk", "add", "taras", "SN12000007", "--password-file", "-"), PASSWORD, 3),
        (("clerk", "grant", "nobody", "SN12000007"), "", 1),
        (("clerk", "password", "nobody"), "", 1),
        (("key", "add", "Kyiv"), "", 1),
    ],
)
def test_what_cannot_be_done_is_not_done(tmp_path: Path, arguments: tuple[str, ...], typed: str, status: int) -> None:
    run("clerk", "add", "taras", "*", "--state", tmp_path)
    result = run(*arguments, "--state", tmp_path, typed=typed + "\n")
    assert result.exit_code == status, result.output
    assert users(tmp_path) == {"taras": {Grant("CLERK", "*")}}


def test_recipes_that_come_along_are_right(tmp_path: Path) -> None:
    checked = run("recipes", "check")
    assert checked.exit_code == 0
    assert len(checked.output.splitlines()) == len(TYPED)
    (tmp_path / "a.toml").write_text("purpose = 1", encoding="utf-8")
    wrong = run("recipes", "check", tmp_path)
    assert wrong.exit_code == 1
    assert "a: recipe: title_en is missing" in wrong.output


def test_settings_file_shows_the_defaults() -> None:
    assert load(SnapSettings, ROOT / "config" / "snap.toml") == SnapSettings()


@pytest.mark.parametrize(
    "changes",
    [
        {"workers": 0},
        {"workers_per_service": 99},
        {"timeout_s": 0},
        {"language": "fr"},
        {"zone": "Europe/Nowhere"},
        {"slow_s": -1},
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        SnapSettings(**changes)


def test_killed_counter_goes_on_where_it_was(shim: Shim, tmp_path: Path) -> None:
    environ = {
        "SNAP_SECURITY_SERVER__URL": shim.url,
        "SNAP_LISTEN__TLS": "false",
        "SNAP_RETRY__FIRST_S": "0.1",
        "SNAP_RETRY__LONGEST_S": "0.2",
    }
    key = run("key", "add", "SN12000007", "--state", tmp_path).output.strip()
    headers = {"Authorization": f"X-Road-ApiKey token={key}"}
    shim.slow("GOV/10000004/TAX", 3)
    with serving(tmp_path, environ) as first:
        opened = httpx.post(
            f"{first.url}/api/v1/life-events/sole-trader",
            json={"fields": dict(TYPED["sole-trader"]), "wait_s": 0.5},
            headers=headers,
            timeout=20,
        ).json()
        assert opened["status"] == "gathering"
        first.process.send_signal(signal.SIGKILL)
        first.process.wait(20)
    shim.heal()
    with serving(tmp_path, environ) as second:
        path = f"{second.url}/api/v1/cases/{opened['number']}"
        told = httpx.get(path, params={"wait_s": 15}, headers=headers, timeout=20).json()
        page = httpx.get(second.url, follow_redirects=True, timeout=20)
    assert told["complete"] is True
    cut = [one for one in told["receipt"]["exchanges"] if one["outcome"] == "interrupted"]
    assert {one["leg"] for one in cut} == {"taxpayer", "sole_trader", "arrears"}
    assert {one["answered_at"] for one in cut} == {None}
    assert page.status_code == 200


def test_counter_with_a_certificate_of_its_own_is_served_over_tls(shim: Shim, tmp_path: Path) -> None:
    begun = time.monotonic()
    with serving(tmp_path, {"SNAP_SECURITY_SERVER__URL": shim.url}) as running:
        assert running.url.startswith("https:")
        answer = httpx.get(f"{running.url}/api/v1/openapi.json", verify=False, timeout=20)
        assert answer.status_code == 200
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(20) == 0
    assert time.monotonic() - begun < 30

"""`surma citizen`: the verbs as somebody at a terminal uses them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from registry_adapters.cli.citizen_cli import app
from registry_adapters.cli.citizen_people import CitizenFile, settings_of

MEMBER = "UA-DEMO/GOV/10000004"
PASSWORD = "вечірній-потяг-до-Ковеля"
EXAMPLE = Path(__file__).parents[3] / "config" / "citizen.toml"


def a_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(verb: str, *options: str, lines: int = 1, **environ: str) -> Iterator[dict[str, str]]:
    """Run a verb until it says where it listens."""
    command = [sys.executable, "-c", "from registry_adapters.cli.citizen_cli import app; app()", verb, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environ}
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in range(lines)]
        assert all(words[:1] == ["ready"] for words in said), said
        try:
            yield {words[1]: words[2] for words in said}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


def run(*arguments: str, typed: str | None = None, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=typed, env=environ)
    return result.exit_code, result.output


def test_the_sites_and_the_provider_find_each_other(tmp_path: Path) -> None:
    site, holders, identity = a_port(), a_port(), a_port()
    clients = f'[[identity.clients]]\nclient_id = "surma-citizen"\nredirect_uris = ["http://127.0.0.1:{site}/login/callback"]\n'
    config = tmp_path / "citizen.toml"
    config.write_text(
        f'[site]\nhost = "127.0.0.1"\nport = {site}\nholders_host = "127.0.0.1"\nholders_port = {holders}\n'
        f'[site.oidc]\nissuer = "http://127.0.0.1:{identity}"\n{clients}',
        encoding="utf-8",
    )
    chosen = ("--config", str(config))
    with (
        running("identity", *chosen, "--host", "127.0.0.1", "--port", str(identity)) as provider,
        running("serve", *chosen, "--state", str(tmp_path / "state"), lines=2) as sites,
        httpx.Client(trust_env=False, follow_redirects=True) as http,
    ):
        assert (set(provider), set(sites)) == ({"identity"}, {"citizen", "holders"})
        assert "3347300028" in http.get(f"{sites['citizen']}/login/begin").text  # who can be chosen there
        assert http.get(f"{sites['holders']}/queue").url.path == "/login"


def test_a_holder_is_let_in_with_the_role_for_a_member(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path))
    code, output = run("holder", "Oksana", MEMBER, *state, "--password-file", "-", typed=PASSWORD)
    assert (code, output) == (0, f"The user oksana may answer requests to {MEMBER}.\n")
    assert run("holder", "oksana", MEMBER, *state)[0] == 3
    made = run("holder", "bohdan", "*", *state)
    assert made[0] == 0
    assert len(made[1].splitlines()[1]) >= 20
    assert "HOLDER" in (tmp_path / "audit" / "audit.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "scope", "typed"),
    [("oksana", "10000004", PASSWORD), ("-", MEMBER, PASSWORD), ("oksana", MEMBER, "короткий")],
)
def test_a_holder_that_cannot_be_is_refused(tmp_path: Path, name: str, scope: str, typed: str) -> None:
    sent = ["holder", "--state", str(tmp_path), "--password-file", "-", "--", name, scope]
    assert run(*sent, typed=typed)[0] == 2


def test_the_example_of_settings_holds_the_defaults() -> None:
    assert settings_of(EXAMPLE) == CitizenFile()


@pytest.mark.parametrize(
    "text",
    [
        "[site]\nprot = 1", "[site.oidc]\nissuer = 'http://id.example'", "[site]\nclient = 'UA-DEMO/GOV/1'",
        "[site]\nzone = 'Mars/Base'", "[site]\ncivil_status = 'x'", "[site.corrections]\nworking_days = 0",
        "[site.corrections]\nholidays = ['soon']", "[site.oidc]\nscopes = ['profile']",
        "[[site.registries]]\nname = 'a'\nservice = 'UA/GOV/1/usage'\ntitle_en = 'a'\ntitle_uk = 'a'",
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_refused_at_start(tmp_path: Path, text: str) -> None:
    config = tmp_path / "citizen.toml"
    config.write_text(text, encoding="utf-8")
    assert run("serve", "--config", str(config), "--state", str(tmp_path))[0] == 2


def test_who_let_a_holder_in_is_on_record_and_so_is_a_failure(tmp_path: Path) -> None:
    for _ in range(2):
        run("holder", "oksana", MEMBER, "--state", str(tmp_path), "--password-file", "-", typed=PASSWORD)
    lines = (tmp_path / "audit" / "audit.log").read_text(encoding="utf-8").splitlines()
    deeds = [json.loads(line[line.index("{") :]) for line in lines]
    me = pwd.getpwuid(os.getuid()).pw_name
    assert [(deed["user"], deed["data"]["name"], "reason" in deed) for deed in deeds] == [
        (me, "oksana", False), (me, "oksana", True),
    ]  # fmt: skip


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD, encoding="utf-8")
    file.chmod(0o644)
    assert run("holder", "oksana", MEMBER, "--state", str(tmp_path), "--password-file", str(file))[0] == 2
    file.chmod(0o600)
    assert run("holder", "oksana", MEMBER, "--state", str(tmp_path), "--password-file", str(file))[0] == 0


def test_the_state_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    run("holder", "oksana", MEMBER, "--state", str(state), "--password-file", "-", typed=PASSWORD)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700

from __future__ import annotations

import json
import os
import pwd
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import build_app
from gateway.initialisation import initialise
from gateway.paths import StatePaths
from gateway.runtime.accounts import api_keys, sessions, store_users
from gateway.runtime.accounts.model import AccountSettings, Principal
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn, SignInRefused
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import open_database
from gateway.settings import GatewaySettings

CLOCK = FixedClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
PASSWORD = "потяг до Ковеля о шостій"
QUICK = Passwords(memory_kib=64, passes=1, lanes=1)  # for nobody's password; a stored hash has its own parameters
SCOPE = "UA-DEMO/GOV/10000001"


class Server:
    """A state directory that nothing runs on."""

    def __init__(self, folder: Path) -> None:
        self.paths = StatePaths(folder, GatewaySettings())

    def user(self, *words: str, stdin: str | None = None) -> Result:
        command = ["gateway", "user", *words, "--state", str(self.paths.root)]
        return CliRunner().invoke(build_app(), command, input=stdin)

    def facts(self, *words: str, stdin: str | None = None) -> Any:
        result = self.user(*words, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    def check(self, *words: str) -> Result:
        return CliRunner().invoke(
            build_app(), ["gateway", "audit-log", "check", "--state", str(self.paths.root), *words]
        )

    def events(self) -> list[dict[str, Any]]:
        return Trail(self.paths.root, CLOCK).read()[::-1]

    def sign_in(self, name: str, password: str) -> Principal | None:
        database = open_database(self.paths.database_url)
        try:
            return SignIn(database, CLOCK, QUICK, AccountSettings()).sign_in(name, password, "").principal
        except SignInRefused:
            return None
        finally:
            database.close()

    def holder_of(self, key: str) -> Principal | None:
        database = open_database(self.paths.database_url)
        try:
            with database.reading() as tx:
                return api_keys.authenticate(tx, key)
        finally:
            database.close()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that was just initialised; every test has a copy."""
    folder = tmp_path_factory.mktemp("fresh") / "state"
    initialise(StatePaths(folder, GatewaySettings()), CLOCK)
    return folder


@pytest.fixture(scope="module")
def furnished(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an auditor of one member."""
    made = Server(shutil.copytree(fresh, tmp_path_factory.mktemp("furnished") / "state"))
    made.facts("add", "olena", "--role", "AUDITOR", "--scope", SCOPE, "--password-file", "-", stdin=f"{PASSWORD}\n")
    return made.paths.root


@pytest.fixture
def server(fresh: Path, tmp_path: Path) -> Server:
    return Server(shutil.copytree(fresh, tmp_path / "state"))


@pytest.fixture
def with_olena(furnished: Path, tmp_path: Path) -> Server:
    return Server(shutil.copytree(furnished, tmp_path / "state"))


def test_auditor_is_made_and_signs_in(with_olena: Server) -> None:
    found = with_olena.sign_in("olena", PASSWORD)
    assert found is not None
    assert found.scopes_of("AUDITOR") == {SCOPE}
    assert not found.has_any("XROAD_SECURITY_OFFICER")


def test_deed_is_on_record_with_the_unix_user_and_no_password(with_olena: Server) -> None:
    (event,) = with_olena.events()
    assert (event["event"], event["user"], event["auth"]) == ("Add user", pwd.getpwuid(os.getuid()).pw_name, "Unix")
    assert event["data"] == {"name": "olena", "role": "AUDITOR", "scope": SCOPE} | (
        {"sudo_user": os.environ["SUDO_USER"]} if "SUDO_USER" in os.environ else {}
    )


def test_generated_password_is_printed_once_and_works(server: Server) -> None:
    made = server.facts("add", "taras", "--role", "auditor", "--generate")
    assert server.sign_in("taras", made["password"]) is not None
    assert made["password"] not in str(server.events())
    said = server.user("add", "oksana", "--role", "auditor", "--generate").output
    assert "shown this once" in said


def test_password_comes_from_a_file_that_only_its_owner_reads(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    refused = server.user("add", "taras", "--role", "AUDITOR", "--password-file", str(file))
    assert (refused.exit_code, "0600" in refused.output) == (1, True)
    file.chmod(0o600)
    server.facts("add", "taras", "--role", "AUDITOR", "--password-file", str(file))
    assert server.sign_in("taras", PASSWORD) is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("taras", "--role", "ROOT"), "there is no role ROOT"),
        (("taras", "--role", "AUDITOR", "--scope", "UA-DEMO"), "neither * nor INSTANCE/CLASS/CODE"),
        (("taras", "--role", "XROAD_SECURITY_OFFICER", "--scope", SCOPE), "whole server"),
        (("no name", "--role", "AUDITOR"), "a user's name has 1 to 64 letters"),
        (("taras", "--role", "AUDITOR"), "it needs at least 12"),
    ],
)
def test_user_that_makes_no_sense_is_refused(server: Server, words: tuple[str, ...], said: str) -> None:
    refused = server.user("add", *words, stdin="short\n")
    assert (refused.exit_code, said in " ".join(refused.output.split())) == (1, True), refused.output
    assert server.facts("list") == {"users": []}


def test_second_user_of_a_name_is_refused_with_a_status_of_its_own(with_olena: Server) -> None:
    assert with_olena.user("add", "Olena", "--role", "AUDITOR", "--generate").exit_code == 3


def test_grants_come_and_go(with_olena: Server) -> None:
    with_olena.facts("grant", "olena", "--role", "AUDITOR", "--scope", "UA-DEMO/GOV/2/SUB")
    with_olena.facts("grant", "olena", "--role", "XROAD_SECURITY_OFFICER")
    assert with_olena.user("grant", "olena", "--role", "AUDITOR", "--scope", SCOPE).exit_code == 1
    with_olena.facts("revoke", "olena", "--role", "AUDITOR", "--scope", SCOPE)
    assert with_olena.user("revoke", "olena", "--role", "AUDITOR", "--scope", SCOPE).exit_code == 1
    (listed,) = with_olena.facts("list")["users"]
    assert listed["grants"] == [
        {"role": "AUDITOR", "scope": "UA-DEMO/GOV/2/SUB"},
        {"role": "XROAD_SECURITY_OFFICER", "scope": "*"},
    ]
    assert [event["event"] for event in with_olena.events()] == [
        "Add user",
        "Grant role to user",
        "Grant role to user",
        "Grant role to user failed",
        "Revoke role from user",
        "Revoke role from user failed",
    ]


def test_new_password_ends_every_session(with_olena: Server) -> None:
    database = open_database(with_olena.paths.database_url)
    with database.transaction() as tx:
        user = store_users.find_user(tx, "olena")
        assert user is not None
        token = sessions.begin(tx, user.id, CLOCK.now(), AccountSettings())
    made = with_olena.facts("password", "olena", "--generate")
    assert sessions.find(database, token, CLOCK.now(), AccountSettings()) is None
    database.close()
    assert with_olena.sign_in("olena", PASSWORD) is None
    assert with_olena.sign_in("olena", made["password"]) is not None


def test_locked_user_comes_in_by_no_way_until_unlocked(with_olena: Server) -> None:
    key = with_olena.facts("key", "olena")["key"]
    with_olena.facts("lock", "olena")
    assert (with_olena.sign_in("olena", PASSWORD), with_olena.holder_of(key)) == (None, None)
    assert "LOCKED" in with_olena.user("list").output
    with_olena.facts("unlock", "olena")
    assert with_olena.sign_in("olena", PASSWORD) is not None
    assert with_olena.holder_of(key) is not None


def test_key_has_the_scope_of_its_user_and_is_revoked_by_number(with_olena: Server) -> None:
    made = with_olena.facts("key", "olena")
    holder = with_olena.holder_of(made["key"])
    assert holder is not None
    assert (holder.name, holder.scopes_of("AUDITOR")) == ("olena", {SCOPE})
    assert with_olena.facts("list")["users"][0]["api_keys"] == [made["id"]]
    assert with_olena.user("key", "olena", "--revoke", "1").exit_code == 1  # the first key of the server is nobody's
    with_olena.facts("key", "olena", "--revoke", str(made["id"]))
    assert with_olena.holder_of(made["key"]) is None
    assert made["key"] not in str(with_olena.events())


def test_removed_user_is_gone_with_the_keys_and_stays_on_record(with_olena: Server) -> None:
    key = with_olena.facts("key", "olena")["key"]
    with_olena.facts("remove", "olena")
    assert with_olena.holder_of(key) is None
    assert with_olena.facts("list") == {"users": []}
    assert with_olena.events()[-1]["event"] == "Remove user"
    assert with_olena.user("remove", "olena").exit_code == 1


def test_nothing_is_changed_when_it_cannot_be_recorded(server: Server) -> None:
    (server.paths.root / "audit.pending").write_text("in the way")
    refused = server.user("add", "taras", "--role", "AUDITOR", "--generate")
    assert (refused.exit_code, "cannot be recorded" in refused.output) == (2, True)
    assert server.facts("list") == {"users": []}


def test_directory_of_another_kind_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["gateway", "user", "list", "--state", str(tmp_path)])
    assert (result.exit_code, "surma gateway init" in result.output) == (2, True)


def test_audit_log_that_holds_ends_with_0_and_its_end(with_olena: Server) -> None:
    result = with_olena.check()
    assert (result.exit_code, result.output.startswith("1 events, unbroken")) == (0, True)
    facts = json.loads(with_olena.check("--json").output)
    assert (facts["holds"], facts["events"]) == (True, 1)
    with_olena.facts("lock", "olena")
    assert with_olena.check("--noted", facts["end"]).exit_code == 0


def test_damaged_audit_log_ends_with_1_and_the_place(with_olena: Server) -> None:
    end = json.loads(with_olena.check("--json").output)["end"]
    with_olena.facts("lock", "olena")
    path = with_olena.paths.root / "audit.log"
    content = path.read_text().replace('"olena"', '"taras"', 1)
    path.write_text(content)
    result = with_olena.check()
    assert (result.exit_code, result.output.startswith("broken: audit.log line 2")) == (1, True)
    path.write_text(content.splitlines(keepends=True)[1])
    assert with_olena.check("--noted", end).exit_code == 1


def test_missing_audit_log_cannot_be_judged(server: Server) -> None:
    assert server.check().exit_code == 2
    assert server.check("--noted", "nonsense").exit_code == 2

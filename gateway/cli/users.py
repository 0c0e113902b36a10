"""`surma gateway user …`: who may sign in to a security server and what is open to them.

Works on the state directory, also beside a running server, which goes by every change at once. Each
change is on record in the audit log with the Unix user who made it; what cannot be recorded is not done.
Exit status: 0 done, 1 refused, 2 not usable here, 3 there is such a user already.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from gateway.cli.user_desk import Said, UserDesk

app = typer.Typer(help="Local users: who may sign in, and what is open to them.", no_args_is_help=True)

State = Annotated[Path, typer.Option("--state", help="Directory that holds everything this server keeps.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); the environment overrides it.")]
Name = Annotated[str, typer.Argument(help="Name of the user.")]
Role = Annotated[str, typer.Option("--role", help="A role, such as AUDITOR.")]
Scope = Annotated[str, typer.Option("--scope", help="* or, for auditors, INSTANCE/CLASS/CODE, also with /SUBSYSTEM.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File (mode 0600) that holds the password; - for standard input.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Make a random password and print it once.")]
STATE: Final = Path("/var/lib/surma/gateway")


@app.command("add")
def add(
    name: Name,
    role: Role,
    scope: Scope = "*",
    password_file: PasswordFile = None,
    generate: Generate = False,
    state: State = STATE,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a user with one grant; more with `grant`."""
    from gateway.cli.user_desk import grant_of

    def work(desk: UserDesk) -> Said:
        return desk.add(name, grant_of(role, scope), password_file, generate=generate)

    _run(work, state, config, as_json=as_json)


@app.command("list")
def list_all(state: State = STATE, config: Config = None, as_json: Json = False) -> None:
    """List users, what they are granted, and the numbers of their API keys."""
    _run(lambda desk: desk.list_all(), state, config, as_json=as_json)


@app.command("grant")
def grant(
    name: Name, role: Role, scope: Scope = "*", state: State = STATE, config: Config = None, as_json: Json = False
) -> None:
    """Grant a role within a scope; it holds from the next request on."""
    from gateway.cli.user_desk import grant_of

    _run(lambda desk: desk.grant(name, grant_of(role, scope)), state, config, as_json=as_json)


@app.command("revoke")
def revoke(
    name: Name, role: Role, scope: Scope = "*", state: State = STATE, config: Config = None, as_json: Json = False
) -> None:
    """Take a grant away; it ends with the next request."""
    from gateway.cli.user_desk import grant_of

    _run(lambda desk: desk.revoke(name, grant_of(role, scope)), state, config, as_json=as_json)


@app.command("password")
def password(
    name: Name,
    password_file: PasswordFile = None,
    generate: Generate = False,
    state: State = STATE,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Set another password; every session of the user ends."""
    _run(lambda desk: desk.set_password(name, password_file, generate=generate), state, config, as_json=as_json)


@app.command("remove")
def remove(name: Name, state: State = STATE, config: Config = None, as_json: Json = False) -> None:
    """Remove a user with sessions, grants and API keys; what the audit log tells of them stays."""
    _run(lambda desk: desk.remove(name), state, config, as_json=as_json)


@app.command("lock")
def lock(name: Name, state: State = STATE, config: Config = None, as_json: Json = False) -> None:
    """Let a user in no more, neither with the password nor with a key; sessions end."""
    _run(lambda desk: desk.set_locked(name, locked=True), state, config, as_json=as_json)


@app.command("unlock")
def unlock(name: Name, state: State = STATE, config: Config = None, as_json: Json = False) -> None:
    """Let a locked user in again."""
    _run(lambda desk: desk.set_locked(name, locked=False), state, config, as_json=as_json)


@app.command("key")
def key(
    name: Name,
    revoke_id: Annotated[int | None, typer.Option("--revoke", help="Take the key of this number away instead.")] = None,
    state: State = STATE,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make an API key that has whatever the user is granted; it is printed once."""

    def work(desk: UserDesk) -> Said:
        return desk.make_key(name) if revoke_id is None else desk.revoke_key(name, revoke_id)

    _run(work, state, config, as_json=as_json)


def _run(work: Callable[[UserDesk], Said], state: Path, config: Path | None, *, as_json: bool) -> None:
    from gateway.cli.user_desk import open_desk

    with open_desk(state, config) as desk:
        said = work(desk)
    if as_json:
        typer.echo(json.dumps(said.facts, ensure_ascii=False))
        return
    typer.echo(said.sentence, err=said.secret is not None)
    if said.secret is not None:
        typer.echo(said.secret)

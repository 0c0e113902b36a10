"""Who may do what at the counter: each change is on record, or not done."""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.runtime import settings, texts
from gateway.runtime.accounts import api_keys, store_users
from gateway.runtime.accounts.model import EVERYTHING, Grant, User
from gateway.runtime.accounts.passwords import Passwords, WeakPassword, check_password, generate_password
from gateway.runtime.accounts.sign_in import user_name
from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.clock import SystemClock
from gateway.runtime.private_files import read_private
from registry_adapters.settings import STATE_MODE
from registry_adapters.snap.accounts import COMPOSER, ROLES, open_accounts, open_trail
from registry_adapters.snap.settings import ENVIRONMENT_PREFIX, SnapSettings

EXIT_REFUSED: Final = 1
EXIT_EXISTS: Final = 3
_CENTRE: Final = re.compile("SN[0-9]{8}")


def settings_of(config: Path | None, *, host: str | None = None, port: int | None = None) -> SnapSettings:
    """Return the settings: defaults, file, environment, then what the command line says."""
    try:
        loaded = settings.load(SnapSettings, config, os.environ, prefix=ENVIRONMENT_PREFIX)
        changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        return replace(loaded, listen=replace(loaded.listen, **changes))  # type: ignore[arg-type]
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def add_clerk(chosen: SnapSettings, state: Path, name: str, role: str, centre: str, password_file: Path | None) -> None:
    """Make a user with one grant."""
    with _answering():
        wanted, granted = user_name(name), _grant(role, centre)
        password = _password(wanted, password_file)
        hashed = Passwords().hash(password)

        def do(tx: Connection) -> None:
            user = store_users.add_user(tx, wanted, hashed, SystemClock().now())
            store_users.add_grant(tx, user, granted)

        _change(chosen, state, "Add user", {"name": wanted, "role": granted.role, "scope": centre}, do)
        typer.echo(f"The user {wanted} may sign in as {granted.role} at {centre}.")
        if password_file is None:
            typer.echo(password)


def grant(chosen: SnapSettings, state: Path, name: str, role: str, centre: str) -> None:
    """Grant a role at one more centre."""
    with _answering():
        granted = _grant(role, centre)

        def do(tx: Connection) -> None:
            store_users.add_grant(tx, _user(tx, name).id, granted)

        facts = {"name": user_name(name), "role": granted.role, "scope": centre}
        _change(chosen, state, "Grant role to user", facts, do)
        typer.echo(f"{name} is {granted.role} at {centre}.")


def set_password(chosen: SnapSettings, state: Path, name: str, password_file: Path | None) -> None:
    """Replace a password and end the sessions."""
    with _answering():
        password = _password(user_name(name), password_file)
        hashed = Passwords().hash(password)

        def do(tx: Connection) -> None:
            user = _user(tx, name)
            store_users.set_password_hash(tx, user.id, hashed)
            store_users.end_sessions(tx, user.id)

        _change(chosen, state, "Set password of user", {"name": user_name(name)}, do)
        typer.echo(f"The password of {name} is set; every session has ended.")
        if password_file is None:
            typer.echo(password)


def add_key(chosen: SnapSettings, state: Path, centre: str) -> None:
    """Make an API key for the composer."""
    with _answering():
        scope = _grant(ROLES[0], centre).scope
        made: list[str] = []

        def do(tx: Connection) -> None:
            made.append(api_keys.create(tx, (COMPOSER,), SystemClock().now(), scope=scope)[1])

        _change(chosen, state, "API key create", {"role": COMPOSER, "scope": scope}, do)
        typer.echo(made[0])


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what goes wrong into a line on standard error and an exit status."""
    try:
        yield
    except IntegrityError:
        typer.echo("there is a user of that name already", err=True)
        raise typer.Exit(EXIT_EXISTS) from None
    except WeakPassword as weakness:
        typer.echo(texts.render(weakness.text_id, weakness.facts), err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except (ValueError, OSError, TrailUnavailable) as cause:
        typer.echo(str(cause), err=True)
        raise typer.Exit(EXIT_REFUSED) from None


def _change(
    chosen: SnapSettings, state: Path, event: str, facts: dict[str, str], do: Callable[[Connection], None]
) -> None:
    state.mkdir(parents=True, exist_ok=True, mode=STATE_MODE)
    database = open_accounts(chosen, state)
    try:
        trail = open_trail(state, SystemClock())
        deed = Deed(event, pwd.getpwuid(os.getuid()).pw_name, auth="Unix", data=facts)
        note = trail.begin(deed)
        try:
            with database.transaction() as tx:
                do(tx)
        except Exception as cause:
            trail.finish(note, replace(deed, reason=type(cause).__name__))
            raise
        trail.finish(note, deed)
    finally:
        database.close()


def _grant(role: str, centre: str) -> Grant:
    if role.upper() not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}")
    if centre != EVERYTHING and not _CENTRE.fullmatch(centre):
        raise ValueError("a centre is SN and eight digits, such as SN12000007; * means all")
    return Grant(role.upper(), centre)


def _user(tx: Connection, name: str) -> User:
    found = store_users.find_user(tx, user_name(name))
    if found is None:
        raise ValueError(f"there is no user {name}")
    return found


def _password(name: str, file: Path | None) -> str:
    if file is None:
        return generate_password()
    typed = sys.stdin.readline().rstrip("\r\n") if str(file) == "-" else read_private(file)
    return check_password(typed, name)

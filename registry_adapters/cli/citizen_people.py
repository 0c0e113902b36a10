"""Settings of `surma citizen`, and who answers in the holders' queue."""

from __future__ import annotations

import dataclasses
import os
import pwd
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer
from sqlalchemy.exc import IntegrityError

from gateway.runtime import settings
from gateway.runtime.accounts import store_users
from gateway.runtime.accounts.model import EVERYTHING, Grant
from gateway.runtime.accounts.passwords import Passwords, WeakPassword, check_password
from gateway.runtime.accounts.sign_in import user_name
from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database
from gateway.runtime.private_files import read_private
from gateway.runtime.texts import render
from registry_adapters.citizen.model import HOLDER
from registry_adapters.citizen.settings import CitizenSettings, client_id
from registry_adapters.citizen.store import prepare
from registry_adapters.citizen_identity.settings import IdentitySettings
from registry_adapters.settings import STATE_MODE

ENVIRONMENT_PREFIX: Final = "CITIZEN"
POOL: Final = 16


@dataclass(frozen=True, slots=True)
class CitizenFile:
    """What `citizen.toml` holds."""

    site: CitizenSettings = field(default_factory=CitizenSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)


def settings_of(config: Path | None) -> CitizenFile:
    """Return the settings: defaults, file, environment."""
    try:
        return settings.load(CitizenFile, config, os.environ, prefix=ENVIRONMENT_PREFIX)
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def add_holder(chosen: CitizenFile, state: Path, name: str, scope: str, password_file: Path | None) -> None:
    """Make a user of the holders' queue."""
    database = open_state(chosen.site, state)
    try:
        prepare(database)
        wanted, made = user_name(name), secrets.token_urlsafe(16)
        if scope != EVERYTHING:
            client_id(scope)
        password = made if password_file is None else _read(password_file)
        check_password(password, wanted)
        _add_user(database, state, wanted, scope, Passwords().hash(password))
    except WeakPassword as weakness:
        raise typer.BadParameter(render(weakness.text_id, weakness.facts)) from None
    except (ValueError, OSError, TrailUnavailable) as cause:
        raise typer.BadParameter(str(cause)) from cause
    except IntegrityError:
        typer.echo(f"there is a user {name} already", err=True)
        raise typer.Exit(3) from None
    finally:
        database.close()
    typer.echo(f"The user {wanted} may answer requests to {scope}.")
    if password_file is None:
        typer.echo(made)


def _add_user(database: Database, state: Path, name: str, scope: str, hashed: str) -> None:
    clock, folder = SystemClock(), state / "audit"
    folder.mkdir(parents=True, exist_ok=True, mode=STATE_MODE)
    trail = Trail(folder, clock)
    facts = {"name": name, "role": HOLDER, "scope": scope}
    deed = Deed("Add user", pwd.getpwuid(os.getuid()).pw_name, auth="Unix", data=facts)
    note = trail.begin(deed)
    try:
        with database.transaction() as tx:
            user = store_users.add_user(tx, name, hashed, clock.now())
            store_users.add_grant(tx, user, Grant(HOLDER, scope))
    except Exception as cause:
        trail.finish(note, dataclasses.replace(deed, reason=type(cause).__name__))
        raise
    trail.finish(note, deed)


def _read(file: Path) -> str:
    return sys.stdin.read().strip("\r\n") if str(file) == "-" else read_private(file)


def open_state(chosen: CitizenSettings, state: Path) -> Database:
    """Return the database of the citizen's pages."""
    try:
        state.mkdir(parents=True, exist_ok=True, mode=STATE_MODE)
        return open_database(chosen.database_url or f"sqlite:///{(state / 'citizen.db').absolute()}", pool_size=POOL)
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause

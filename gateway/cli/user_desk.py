"""What `surma gateway user` does: changes of users in the database of a server, each on record or not done."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from gateway.admin.roles import checked_grant
from gateway.paths import StatePaths
from gateway.runtime.accounts import api_keys, store
from gateway.runtime.accounts import store_users as users
from gateway.runtime.accounts.model import EVERYTHING, Grant, User
from gateway.runtime.accounts.passwords import Passwords, WeakPassword, check_password, generate_password
from gateway.runtime.accounts.sign_in import user_name
from gateway.runtime.audit.model import Deed, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.database import Database, open_database
from gateway.runtime.private_files import read_private
from gateway.runtime.settings import load
from gateway.runtime.texts import render
from gateway.settings import GatewaySettings

EXIT_REFUSED: Final = 1
EXIT_UNUSABLE: Final = 2
EXIT_EXISTS: Final = 3
UNIX: Final = "Unix"
STANDARD_INPUT: Final = Path("-")

Facts = dict[str, Any]
Work = Callable[[Connection], None]


class Refused(Exception):  # noqa: N818
    """What was asked for is not done; the text says why."""

    exit_status = EXIT_REFUSED


class UserExists(Refused):
    """There is a user of that name already."""

    exit_status = EXIT_EXISTS


@dataclass(frozen=True, slots=True)
class Said:
    """What a command tells: as facts, and as a sentence; `secret` is what a script wants to have alone."""

    facts: Facts
    sentence: str
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class UserDesk:
    """The users of one server."""

    database: Database
    trail: Trail
    clock: Clock

    def add(self, name: str, grant: Grant, password_file: Path | None, *, generate: bool) -> Said:
        """Make a user with one grant."""
        wanted = _name(name)
        with self.database.reading() as tx:
            if users.find_user(tx, wanted) is not None:
                raise UserExists(f"there is a user {wanted} already")
        chosen = _choose_password(wanted, password_file, generate=generate)
        hashed = Passwords().hash(chosen)

        def do(tx: Connection) -> None:
            users.add_grant(tx, users.add_user(tx, wanted, hashed, self.clock.now()), grant)

        facts = {"name": wanted, **_facts_of(grant)}
        try:
            self._change("Add user", facts, do)
        except IntegrityError:  # somebody was faster
            raise UserExists(f"there is a user {wanted} already") from None
        said = f"The user {wanted} may sign in as {_text_of(grant)}."
        return _with_password(Said(facts, said), chosen if generate else None)

    def list_all(self) -> Said:
        """Return every user with grants and the numbers of API keys."""
        with self.database.reading() as tx:
            keys = store.api_keys(tx)
            rows = [_row_of(user, [key.id for key in keys if key.user_id == user.id]) for user in users.users(tx)]
        lines = [_line_of(row) for row in rows] or ["There are no users. Make one: surma gateway user add NAME"]
        return Said({"users": rows}, "\n".join(lines))

    def grant(self, name: str, grant: Grant) -> Said:
        """Grant a role within a scope."""

        def do(tx: Connection) -> None:
            if not users.add_grant(tx, self._user(tx, name).id, grant):
                raise Refused(f"{name} is {_text_of(grant)} already")

        facts = {"name": _name(name), **_facts_of(grant)}
        self._change("Grant role to user", facts, do)
        return Said(facts, f"{name} is {_text_of(grant)}.")

    def revoke(self, name: str, grant: Grant) -> Said:
        """Take a grant away."""

        def do(tx: Connection) -> None:
            if not users.remove_grant(tx, self._user(tx, name).id, grant):
                raise Refused(f"{name} is not {_text_of(grant)}")

        facts = {"name": _name(name), **_facts_of(grant)}
        self._change("Revoke role from user", facts, do)
        return Said(facts, f"{name} is no longer {_text_of(grant)}.")

    def set_password(self, name: str, password_file: Path | None, *, generate: bool) -> Said:
        """Set another password and end every session of the user."""
        with self.database.reading() as tx:
            user = self._user(tx, name)
        chosen = _choose_password(user.name, password_file, generate=generate)
        hashed = Passwords().hash(chosen)

        def do(tx: Connection) -> None:
            users.set_password_hash(tx, user.id, hashed)
            users.end_sessions(tx, user.id)

        self._change("Set password of user", {"name": user.name}, do)
        said = Said({"name": user.name}, f"The password of {user.name} is set; every session has ended.")
        return _with_password(said, chosen if generate else None)

    def remove(self, name: str) -> Said:
        """Remove a user with sessions, grants and keys."""
        facts = {"name": _name(name)}
        self._change("Remove user", facts, lambda tx: users.delete_user(tx, self._user(tx, name).id))
        return Said(facts, f"The user {name} is removed.")

    def set_locked(self, name: str, *, locked: bool) -> Said:
        """Lock a user out, which ends every session, or let them in again."""

        def do(tx: Connection) -> None:
            user = self._user(tx, name)
            users.set_locked(tx, user.id, locked=locked)
            if locked:
                users.end_sessions(tx, user.id)

        facts = {"name": _name(name)}
        self._change("Lock user" if locked else "Unlock user", facts, do)
        return Said(facts, f"The user {name} is locked." if locked else f"The user {name} may sign in again.")

    def make_key(self, name: str) -> Said:
        """Make an API key with the grants of a user."""
        made: list[tuple[int, str]] = []

        def do(tx: Connection) -> None:
            key, secret = api_keys.create_for_user(tx, self._user(tx, name).id, self.clock.now())
            made.append((key.id, secret))

        self._change("API key create", {"name": _name(name)}, do)
        key_id, secret = made[0]
        facts = {"name": _name(name), "id": key_id, "key": secret}
        return Said(facts, f"Key {key_id} of {name}, shown this once:", secret)

    def revoke_key(self, name: str, key_id: int) -> Said:
        """Take an API key of a user away."""

        def do(tx: Connection) -> None:
            key, user = store.find_api_key(tx, key_id), self._user(tx, name)
            if key is None or key.user_id != user.id:
                raise Refused(f"{name} has no key {key_id}")
            store.delete_api_key(tx, key_id)

        facts = {"name": _name(name), "id": key_id}
        self._change("API key remove", facts, do)
        return Said(facts, f"Key {key_id} of {name} is gone.")

    @staticmethod
    def _user(tx: Connection, name: str) -> User:
        found = users.find_user(tx, _name(name))
        if found is None:
            raise Refused(f"there is no user {name}")
        return found

    def _change(self, event: str, facts: Facts, do: Work) -> None:
        deed = Deed(event, _unix_user(), auth=UNIX, data={**facts, **_sudo_user()})
        note = self.trail.begin(deed)
        try:
            with self.database.transaction() as tx:
                do(tx)
        except (Refused, SQLAlchemyError) as cause:
            self.trail.finish(note, replace(deed, reason=_reason_of(cause)))
            raise
        self.trail.finish(note, deed)


@contextmanager
def open_desk(state: Path, config: Path | None) -> Iterator[UserDesk]:
    """Open a state directory; what goes wrong inside becomes a line on standard error and an exit status."""
    paths = StatePaths(state, load(GatewaySettings, config, os.environ, prefix="GATEWAY"))
    if not paths.api_key.exists():
        typer.echo(f"{state} is no state directory of a security server; was surma gateway init run here?", err=True)
        raise typer.Exit(EXIT_UNUSABLE)
    database = open_database(paths.database_url)
    try:
        store.migrate_accounts(database)
        clock = SystemClock()
        yield UserDesk(database, Trail(paths.root, clock), clock)
    except Refused as reason:
        typer.echo(f"Not done: {reason}", err=True)
        raise typer.Exit(reason.exit_status) from None
    except TrailUnavailable as cause:
        typer.echo(f"This cannot be recorded in the audit log: {cause}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None
    except SQLAlchemyError as cause:
        typer.echo(f"Not done, the database cannot be used: {_reason_of(cause)}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None
    finally:
        database.close()


def grant_of(role: str, scope: str) -> Grant:
    """Return a grant as it was typed. Raises Refused."""
    try:
        return checked_grant(role.upper(), scope)
    except ValueError as cause:
        raise Refused(str(cause)) from None


def _name(text: str) -> str:
    try:
        return user_name(text)
    except ValueError as cause:
        raise Refused(str(cause)) from None


def _choose_password(name: str, file: Path | None, *, generate: bool) -> str:
    if generate:
        return generate_password()
    try:
        return check_password(_read_password(name, file), name)
    except WeakPassword as weakness:
        raise Refused(render(weakness.text_id, weakness.facts)) from None


def _read_password(name: str, file: Path | None) -> str:
    if file is not None and file != STANDARD_INPUT:
        try:
            return read_private(file)
        except (OSError, ValueError) as cause:
            raise Refused(f"the password cannot be read from {file}: {cause}") from cause
    if file is not None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt="The same once more")
    return typed


def _unix_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _sudo_user() -> Facts:
    """Return who became the Unix user by sudo, as far as the environment says."""
    caller = os.environ.get("SUDO_USER")
    return {"sudo_user": caller} if caller else {}


def _reason_of(cause: Exception) -> str:
    return (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0][:200]


def _facts_of(grant: Grant) -> Facts:
    return {"role": grant.role, "scope": grant.scope}


def _text_of(grant: Grant) -> str:
    return f"{grant.role} for {'everything' if grant.scope == EVERYTHING else grant.scope}"


def _row_of(user: User, keys: list[int]) -> Facts:
    return {
        "name": user.name,
        "locked": user.is_locked,
        "grants": [_facts_of(grant) for grant in sorted(user.grants, key=lambda grant: (grant.role, grant.scope))],
        "api_keys": keys,
        "created_at": user.created_at.isoformat(timespec="seconds"),
    }


def _line_of(row: Facts) -> str:
    grants = ", ".join(_text_of(Grant(**grant)) for grant in row["grants"]) or "no grants"
    keys = f"keys {', '.join(map(str, row['api_keys']))}" if row["api_keys"] else ""
    return "  ".join(part for part in (row["name"], grants, keys, "LOCKED" if row["locked"] else "") if part)


def _with_password(said: Said, secret: str | None) -> Said:
    if secret is None:
        return said
    return Said({**said.facts, "password": secret}, f"{said.sentence}\nPassword, shown this once: {secret}")

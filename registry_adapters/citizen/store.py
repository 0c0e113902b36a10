"""Queries of sign-ins, sessions and those a session speaks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from gateway.runtime.accounts.store import migrate_accounts
from gateway.runtime.database import Database, migrate
from registry_adapters.citizen import tables as t
from registry_adapters.citizen.model import Citizen, Source, Subject

MIGRATIONS = "registry_adapters.migrations.citizen"


def prepare(database: Database) -> None:
    """Bring the tables of the citizen's pages and of the holders' accounts up to date."""
    migrate_accounts(database)
    migrate(database, MIGRATIONS)


def aware(at: datetime) -> datetime:
    """Return a time out of a row with its zone, which SQLite does not keep."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


class BegunSignIn(NamedTuple):
    """A sign-in that was begun here; the browser is known by the hash of its cookie."""

    browser_sha256: str
    nonce: str
    code_verifier: str
    target: str
    begun_at: datetime


class Seen(NamedTuple):
    """When a session began and when it was last used."""

    created_at: datetime
    seen_at: datetime


def add_sign_in(tx: Connection, state_sha256: str, begun: BegunSignIn) -> None:
    """Keep a sign-in that goes to the provider now."""
    tx.execute(insert(t.sign_ins).values(state_sha256=state_sha256, **begun._asdict()))


def take_sign_in(tx: Connection, state_sha256: str) -> BegunSignIn | None:
    """Return a sign-in and forget it: it comes back once."""
    row = tx.execute(select(t.sign_ins).where(t.sign_ins.c.state_sha256 == state_sha256)).one_or_none()
    if row is None:
        return None
    tx.execute(delete(t.sign_ins).where(t.sign_ins.c.state_sha256 == state_sha256))
    return BegunSignIn(row.browser_sha256, row.nonce, row.code_verifier, row.target, aware(row.begun_at))


def forget_sign_ins(tx: Connection, *, begun_before: datetime) -> None:
    """Remove sign-ins nobody came back from."""
    tx.execute(delete(t.sign_ins).where(t.sign_ins.c.begun_at < begun_before))


def add_session(tx: Connection, token_sha256: str, at: datetime, subjects: Sequence[Subject]) -> None:
    """Insert a session with those it speaks for."""
    tx.execute(insert(t.citizen_sessions).values(token_sha256=token_sha256, created_at=at, seen_at=at))
    add_subjects(tx, token_sha256, subjects)


def add_subjects(tx: Connection, session: str, subjects: Sequence[Subject]) -> None:
    """Add persons that a session speaks for."""
    rows = [
        {"session": session, "number": one.number, "code": one.code, "name": one.name, "source": one.source.value}
        for one in subjects
    ]
    if rows:
        tx.execute(insert(t.subjects), rows)


def find_session(tx: Connection, token_sha256: str) -> tuple[Seen, Citizen] | None:
    """Return the session whose token has this hash, and whose it is."""
    sessions = t.citizen_sessions
    row = tx.execute(select(sessions).where(sessions.c.token_sha256 == token_sha256)).one_or_none()
    if row is None:
        return None
    listed = tx.execute(select(t.subjects).where(t.subjects.c.session == token_sha256).order_by(t.subjects.c.number))
    found = tuple(Subject(one.number, one.code, one.name, Source(one.source)) for one in listed)
    return Seen(aware(row.created_at), aware(row.seen_at)), Citizen(token_sha256, found)


def touch_session(tx: Connection, token_sha256: str, at: datetime) -> None:
    """Note that a session was used."""
    sessions = t.citizen_sessions
    tx.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256).values(seen_at=at))


def end_session(tx: Connection, token_sha256: str) -> None:
    """Remove a session with those it speaks for."""
    tx.execute(delete(t.citizen_sessions).where(t.citizen_sessions.c.token_sha256 == token_sha256))


def forget_sessions(tx: Connection, *, seen_before: datetime, created_before: datetime) -> None:
    """Remove sessions that ended by themselves."""
    sessions = t.citizen_sessions.c
    ended = (sessions.seen_at < seen_before) | (sessions.created_at < created_before)
    tx.execute(delete(t.citizen_sessions).where(ended))

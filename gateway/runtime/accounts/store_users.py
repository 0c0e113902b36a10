"""Queries over users, what they were granted, and their sessions."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from gateway.runtime.accounts import tables as t
from gateway.runtime.accounts.model import Grant, Session, User
from gateway.runtime.accounts.store import aware


def users(tx: Connection) -> tuple[User, ...]:
    """Return all users by name."""
    return _read(tx, None)


def find_user(tx: Connection, name: str) -> User | None:
    """Return a user by name."""
    return next(iter(_read(tx, t.users.c.name == name)), None)


def find_user_by_id(tx: Connection, user_id: int) -> User | None:
    """Return a user by number."""
    return next(iter(_read(tx, t.users.c.id == user_id)), None)


def _read(tx: Connection, where: ColumnElement[bool] | None) -> tuple[User, ...]:
    chosen, granted = select(t.users).order_by(t.users.c.name), select(t.user_grants)
    if where is not None:
        chosen, granted = chosen.where(where), granted.join(t.users).where(where)
    grants: dict[int, set[Grant]] = defaultdict(set)
    for row in tx.execute(granted):
        grants[row.user_id].add(Grant(row.role, row.scope))
    return tuple(
        User(
            row.id,
            row.name,
            row.password_hash is not None,
            row.locked,
            aware(row.created_at),
            frozenset(grants[row.id]),
        )
        for row in tx.execute(chosen)
    )


def password_hash_of(tx: Connection, user_id: int) -> str | None:
    """Return what is stored of a user's password."""
    return tx.scalar(select(t.users.c.password_hash).where(t.users.c.id == user_id))


def add_user(tx: Connection, name: str, password_hash: str | None, at: datetime) -> int:
    """Insert a user and return the number. Raises IntegrityError for a name that is taken."""
    result = tx.execute(insert(t.users).values(name=name, password_hash=password_hash, locked=False, created_at=at))
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def set_password_hash(tx: Connection, user_id: int, password_hash: str) -> None:
    """Replace what is stored of a user's password."""
    tx.execute(update(t.users).where(t.users.c.id == user_id).values(password_hash=password_hash))


def set_locked(tx: Connection, user_id: int, *, locked: bool) -> None:
    """Lock a user out, or let them in again."""
    tx.execute(update(t.users).where(t.users.c.id == user_id).values(locked=locked))


def delete_user(tx: Connection, user_id: int) -> None:
    """Remove a user with sessions, grants and keys."""
    keys = select(t.user_api_keys.c.api_key_id).where(t.user_api_keys.c.user_id == user_id)
    tx.execute(delete(t.api_keys).where(t.api_keys.c.id.in_(keys)))
    tx.execute(delete(t.users).where(t.users.c.id == user_id))


def add_grant(tx: Connection, user_id: int, grant: Grant) -> bool:
    """Grant a role within a scope; False when the user has it already."""
    known = select(t.user_grants).where(*_is(user_id, grant))
    if tx.execute(known).one_or_none() is not None:
        return False
    tx.execute(insert(t.user_grants).values(user_id=user_id, role=grant.role, scope=grant.scope))
    return True


def remove_grant(tx: Connection, user_id: int, grant: Grant) -> bool:
    """Take a grant away; False when the user does not have it."""
    return tx.execute(delete(t.user_grants).where(*_is(user_id, grant))).rowcount > 0


def _is(user_id: int, grant: Grant) -> tuple[ColumnElement[bool], ...]:
    grants = t.user_grants.c
    return grants.user_id == user_id, grants.role == grant.role, grants.scope == grant.scope


def add_session(tx: Connection, token_sha256: str, user_id: int, at: datetime) -> None:
    """Insert a session by the hash of its token."""
    tx.execute(insert(t.user_sessions).values(token_sha256=token_sha256, user_id=user_id, created_at=at, seen_at=at))


def find_session(tx: Connection, token_sha256: str) -> Session | None:
    """Return the session whose token has this hash."""
    row = tx.execute(select(t.user_sessions).where(t.user_sessions.c.token_sha256 == token_sha256)).one_or_none()
    return None if row is None else Session(row.user_id, aware(row.created_at), aware(row.seen_at))


def touch_session(tx: Connection, token_sha256: str, at: datetime) -> None:
    """Note that a session was used."""
    tx.execute(update(t.user_sessions).where(t.user_sessions.c.token_sha256 == token_sha256).values(seen_at=at))


def end_session(tx: Connection, token_sha256: str) -> bool:
    """Remove one session; False when there is none."""
    return tx.execute(delete(t.user_sessions).where(t.user_sessions.c.token_sha256 == token_sha256)).rowcount > 0


def end_sessions(tx: Connection, user_id: int) -> None:
    """Remove all sessions of a user."""
    tx.execute(delete(t.user_sessions).where(t.user_sessions.c.user_id == user_id))


def forget_sessions(tx: Connection, *, seen_before: datetime, created_before: datetime) -> None:
    """Remove sessions that ended by themselves."""
    ended = (t.user_sessions.c.seen_at < seen_before) | (t.user_sessions.c.created_at < created_before)
    tx.execute(delete(t.user_sessions).where(ended))

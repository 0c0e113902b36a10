"""Sessions: a random token in a cookie, its hash in the database, ended by time, by sign-out or by an administrator.

A token is 256 random bits, so a plain SHA-256 of it is enough, as with API keys. A session ends when it
was not used for a while, and in any case after some hours; also when its user is locked, removed or
given another password.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from gateway.runtime.accounts import store_users as store
from gateway.runtime.accounts.model import AccountSettings, Principal, Session, principal_of_user
from gateway.runtime.database import Database

TOKEN_BYTES: Final = 32
# A use is written down at most this often, so that reading pages costs no writes.
TOUCH_AFTER: Final = timedelta(seconds=60)


def hash_of(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def begin(tx: Connection, user_id: int, at: datetime, settings: AccountSettings) -> str:
    """Make a session and return its token; sessions that ended by themselves are removed."""
    store.forget_sessions(
        tx,
        seen_before=at - timedelta(seconds=settings.session_idle_s),
        created_before=at - timedelta(seconds=settings.session_lifetime_s),
    )
    token = secrets.token_urlsafe(TOKEN_BYTES)
    store.add_session(tx, hash_of(token), user_id, at)
    return token


def find(database: Database, token: str, at: datetime, settings: AccountSettings) -> Principal | None:
    """Return who is signed in with a token; None when the session has ended or its user may not come in."""
    key = hash_of(token)
    with database.reading() as tx:
        session = store.find_session(tx, key)
        user = None if session is None else store.find_user_by_id(tx, session.user_id)
    if session is None or user is None or user.is_locked or has_ended(session, at, settings):
        return None
    if at - session.seen_at >= TOUCH_AFTER:
        with database.transaction() as tx:
            store.touch_session(tx, key, at)
    return principal_of_user(user)


def end(tx: Connection, token: str) -> bool:
    """End the session of a token; False when there is none."""
    return store.end_session(tx, hash_of(token))


def has_ended(session: Session, at: datetime, settings: AccountSettings) -> bool:
    """Tell whether a session was idle for too long, or is too old."""
    idle, age = at - session.seen_at, at - session.created_at
    # TOUCH_AFTER: what was used since the last note of it shall not end early.
    return idle > timedelta(seconds=settings.session_idle_s) + TOUCH_AFTER or age > timedelta(
        seconds=settings.session_lifetime_s
    )

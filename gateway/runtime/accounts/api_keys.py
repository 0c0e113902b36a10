"""API keys: created once in the clear, kept as a hash, looked up by equality (X-Road ApiKeyService.java).

A key is a random UUID of 122 bits, so a plain SHA-256 of it can be neither guessed nor reversed, and
looking it up by equality tells an attacker nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from gateway.runtime.accounts import store, store_users
from gateway.runtime.accounts.model import EVERYTHING, ApiKey, Principal, principal_of_user


def hash_of(secret: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create(tx: Connection, roles: Iterable[str], at: datetime, *, scope: str = EVERYTHING) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which nobody can read again."""
    secret = str(uuid.uuid4())
    key_id = store.add_api_key(tx, hash_of(secret), roles, scope, at)
    found = store.find_api_key(tx, key_id)
    assert found is not None
    return found, secret


def authenticate(tx: Connection, secret: str) -> Principal | None:
    """Return who holds this key, or None."""
    found = store.find_by_hash(tx, hash_of(secret))
    if found is None:
        return None
    if found.user_id is None:
        return Principal(f"api-key-{found.id}", frozenset(found.roles), found.scope, found.id)
    user = store_users.find_user_by_id(tx, found.user_id)
    return None if user is None or user.is_locked else principal_of_user(user, api_key_id=found.id)


def create_for_user(tx: Connection, user_id: int, at: datetime) -> tuple[ApiKey, str]:
    """Make a key that has whatever its user is granted, for as long as the user is there and not locked."""
    secret = str(uuid.uuid4())
    key_id = store.add_api_key(tx, hash_of(secret), (), EVERYTHING, at, user_id=user_id)
    found = store.find_api_key(tx, key_id)
    assert found is not None
    return found, secret

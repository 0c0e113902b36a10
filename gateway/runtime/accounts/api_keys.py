"""API keys: created once in the clear, kept as a hash, looked up by equality (X-Road ApiKeyService.java).

A key is a random UUID of 122 bits, so a plain SHA-256 of it can be neither guessed nor reversed, and
looking it up by equality tells an attacker nothing.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from gateway.runtime.accounts import store
from gateway.runtime.accounts.model import EVERYTHING, ApiKey, Principal


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
    return Principal(f"api-key-{found.id}", frozenset(found.roles), found.scope, found.id)


def write_secret(path: Path, secret: str) -> None:
    """Write a secret to a new file that only its owner can read; an existing file is refused."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")


def read_secret(path: Path) -> str:
    """Read a secret from a file of ours; one that others can read is refused (PermissionError).

    A directory under the root that systemd makes for credentials is read-only to the service, so
    there group and others have no rights either.
    """
    mode = path.stat().st_mode
    if mode & 0o077:
        raise PermissionError(f"{path} may be read by others (mode {mode & 0o777:04o}); make it 0600")
    return path.read_text(encoding="utf-8").rstrip("\r\n")

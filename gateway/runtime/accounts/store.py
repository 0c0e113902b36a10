"""Queries over API keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select

from gateway.runtime.accounts import tables as t
from gateway.runtime.accounts.model import ApiKey
from gateway.runtime.database import Database, migrate

MIGRATIONS = "gateway.runtime.migrations.accounts"


def migrate_accounts(database: Database) -> None:
    """Bring the tables of accounts in `database` up to date."""
    migrate(database, MIGRATIONS)


def aware(at: datetime) -> datetime:
    """Return a time out of a row with its zone, which SQLite does not keep."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


_KEYS = select(t.api_keys, t.user_api_keys.c.user_id).outerjoin(
    t.user_api_keys, t.user_api_keys.c.api_key_id == t.api_keys.c.id
)


def _of_row(row: Row[*tuple[Any, ...]], roles: Iterable[str]) -> ApiKey:
    return ApiKey(row.id, tuple(sorted(roles)), row.scope, aware(row.created_at), row.user_id)


def api_keys(tx: Connection) -> tuple[ApiKey, ...]:
    """Return all keys, oldest first."""
    roles: dict[int, list[str]] = defaultdict(list)
    for row in tx.execute(select(t.api_key_roles)):
        roles[row.api_key_id].append(row.role)
    return tuple(_of_row(row, roles[row.id]) for row in tx.execute(_KEYS.order_by(t.api_keys.c.id)))


def find_api_key(tx: Connection, key_id: int) -> ApiKey | None:
    """Return one key by its number."""
    return _find(tx, t.api_keys.c.id == key_id)


def find_by_hash(tx: Connection, key_sha256: str) -> ApiKey | None:
    """Return the key whose secret has this hash."""
    return _find(tx, t.api_keys.c.key_sha256 == key_sha256)


def _find(tx: Connection, where: ColumnElement[bool]) -> ApiKey | None:
    row = tx.execute(_KEYS.where(where)).one_or_none()
    if row is None:
        return None
    return _of_row(row, tx.scalars(select(t.api_key_roles.c.role).where(t.api_key_roles.c.api_key_id == row.id)))


def add_api_key(
    tx: Connection, key_sha256: str, roles: Iterable[str], scope: str, at: datetime, *, user_id: int | None = None
) -> int:
    """Insert a key by the hash of its secret and return its number."""
    result = tx.execute(insert(t.api_keys).values(key_sha256=key_sha256, scope=scope, created_at=at))
    key_id = int(result.inserted_primary_key[0])  # type: ignore[index]
    _add_roles(tx, key_id, roles)
    if user_id is not None:
        tx.execute(insert(t.user_api_keys).values(api_key_id=key_id, user_id=user_id))
    return key_id


def set_roles(tx: Connection, key_id: int, roles: Iterable[str]) -> None:
    """Replace the roles of a key."""
    tx.execute(delete(t.api_key_roles).where(t.api_key_roles.c.api_key_id == key_id))
    _add_roles(tx, key_id, roles)


def set_scope(tx: Connection, key_id: int, scope: str) -> None:
    """Replace the scope of a key."""
    tx.execute(t.api_keys.update().where(t.api_keys.c.id == key_id).values(scope=scope))


def _add_roles(tx: Connection, key_id: int, roles: Iterable[str]) -> None:
    values = [{"api_key_id": key_id, "role": role} for role in sorted(set(roles))]
    if values:
        tx.execute(insert(t.api_key_roles), values)


def delete_api_key(tx: Connection, key_id: int) -> None:
    """Remove a key."""
    tx.execute(delete(t.api_keys).where(t.api_keys.c.id == key_id))

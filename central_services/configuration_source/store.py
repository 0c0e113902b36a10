"""Queries over signing keys, anchors and optional parts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from central_services.configuration_source import tables as t
from central_services.configuration_source.model import SigningKey, SourceType, StoredAnchor, StoredPart


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _key_of_row(row: Row[*tuple[Any, ...]]) -> SigningKey:
    return SigningKey(
        row.id,
        SourceType(row.source_type),
        row.label,
        row.algorithm,
        row.certificate_der,
        row.active,
        _utc(row.created_at),
    )


def signing_keys(tx: Connection) -> tuple[SigningKey, ...]:
    """Return all signing keys, oldest first."""
    table = t.configuration_signing_keys
    return tuple(map(_key_of_row, tx.execute(select(table).order_by(table.c.created_at, table.c.id))))


def add_signing_key(tx: Connection, key: SigningKey) -> None:
    """Insert a key."""
    tx.execute(
        insert(t.configuration_signing_keys).values(
            id=key.id,
            source_type=key.source.value,
            label=key.label,
            algorithm=key.algorithm,
            certificate_der=key.certificate_der,
            active=key.active,
            created_at=key.created_at,
        )
    )


def activate_signing_key(tx: Connection, key: SigningKey) -> None:
    """Make this key the active one of its source."""
    table = t.configuration_signing_keys
    tx.execute(update(table).where(table.c.source_type == key.source.value).values(active=table.c.id == key.id))


def delete_signing_key(tx: Connection, key_id: str) -> None:
    """Remove a key."""
    table = t.configuration_signing_keys
    tx.execute(delete(table).where(table.c.id == key_id))


def find_anchor(tx: Connection, source: SourceType) -> StoredAnchor | None:
    """Return the anchor of a source as it was last made."""
    table = t.configuration_anchors
    row = tx.execute(select(table).where(table.c.source_type == source.value)).one_or_none()
    return None if row is None else StoredAnchor(row.file, row.hash, _utc(row.generated_at))


def set_anchor(tx: Connection, source: SourceType, anchor: StoredAnchor) -> None:
    """Replace the anchor of a source."""
    table = t.configuration_anchors
    tx.execute(delete(table).where(table.c.source_type == source.value))
    tx.execute(
        insert(table).values(
            source_type=source.value, file=anchor.file, hash=anchor.hash, generated_at=anchor.generated_at
        )
    )


def parts(tx: Connection) -> tuple[StoredPart, ...]:
    """Return the uploaded optional parts by identifier."""
    table = t.configuration_parts
    rows = tx.execute(select(table).order_by(table.c.content_id))
    return tuple(StoredPart(row.content_id, row.file_name, row.data, _utc(row.updated_at)) for row in rows)


def set_part(tx: Connection, part: StoredPart) -> None:
    """Replace an optional part."""
    table = t.configuration_parts
    tx.execute(delete(table).where(table.c.content_id == part.content_id))
    tx.execute(
        insert(table).values(
            content_id=part.content_id, file_name=part.file_name, data=part.data, updated_at=part.updated_at
        )
    )

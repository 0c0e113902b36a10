"""Queries over what the test authority issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from central_services.trust import tables as t


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate with its state."""

    serial_number: int
    usage: str
    certificate_der: bytes
    issued_at: datetime
    revoked_at: datetime | None


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _of_row(row: Row[*tuple[Any, ...]]) -> IssuedCertificate:
    revoked = None if row.revoked_at is None else _utc(row.revoked_at)
    return IssuedCertificate(int(row.serial, 16), row.usage, row.certificate_der, _utc(row.issued_at), revoked)


def _hex(serial_number: int) -> str:
    return f"{serial_number:X}"


def next_numbers(tx: Connection, name: str, count: int = 1) -> int:
    """Reserve `count` numbers of a sequence and return the first; none is ever given out again."""
    table = t.counters
    if tx.execute(update(table).where(table.c.name == name).values(value=table.c.value + count)).rowcount == 0:
        tx.execute(insert(table).values(name=name, value=count))
    return int(tx.scalars(select(table.c.value).where(table.c.name == name)).one()) - count + 1


def add_certificate(tx: Connection, serial_number: int, usage: str, certificate_der: bytes, at: datetime) -> None:
    """Insert an issued certificate."""
    values = {"serial": _hex(serial_number), "usage": usage, "certificate_der": certificate_der, "issued_at": at}
    tx.execute(insert(t.issued_certificates).values(**values))


def find_certificate(tx: Connection, serial_number: int) -> IssuedCertificate | None:
    """Return an issued certificate by its serial number."""
    table = t.issued_certificates
    row = tx.execute(select(table).where(table.c.serial == _hex(serial_number))).one_or_none()
    return None if row is None else _of_row(row)


def certificates(tx: Connection) -> tuple[IssuedCertificate, ...]:
    """Return everything issued, oldest first."""
    return tuple(map(_of_row, tx.execute(select(t.issued_certificates).order_by(t.issued_certificates.c.id))))


def revoke(tx: Connection, serial_number: int, at: datetime) -> bool:
    """Revoke a certificate that is not revoked yet; whether there was one."""
    table = t.issued_certificates
    where = (table.c.serial == _hex(serial_number)) & table.c.revoked_at.is_(None)
    return tx.execute(update(table).where(where).values(revoked_at=at)).rowcount == 1

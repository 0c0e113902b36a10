"""Access log: who asked for whose record, when, for which case and on what ground.

A look is noted before its answer leaves, once, in the registry's own database; when it cannot be
noted there is no answer. It holds the fact, never the content. Lookers that come together share one
durable transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    false,
    insert,
    select,
)

from gateway.runtime.database import Database
from registry_adapters.sdk.context import RequestContext
from registry_adapters.sdk.errors import UnavailableError

NAMES_LENGTH: Final = 1024  # an identifier of five parts


class Outcome(StrEnum):
    """How a look ended."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one record; `subject` is the registry's own record number, None when there was none."""

    outcome: Outcome
    matched_by: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A look with all that is known about the looker."""

    noted_at: datetime
    operation: str
    context: RequestContext
    look: Look
    sealed: bool = False  # by law: the person is told that there was a look, and no more


def access_log_table(metadata: MetaData) -> Table:
    """Add the table to a registry's schema."""
    return Table(
        "access_log",
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("noted_at", DateTime(timezone=True), nullable=False),
        Column("operation", String(255), nullable=False),
        Column("outcome", String(16), nullable=False),
        Column("matched_by", String(32), nullable=False),
        Column("subject", String(64)),
        Column("dialect", String(8), nullable=False),
        Column("client", String(NAMES_LENGTH), nullable=False),
        Column("service", String(NAMES_LENGTH)),
        Column("message_id", String(255), nullable=False),
        Column("request_id", String(255)),
        Column("user_id", String(255)),
        Column("issue", String(255)),
        Column("represented_party", String(255)),
        Column("purposes", String(255), nullable=False),
        Column("legal_ground", String(255)),
        Column("sealed", Boolean, nullable=False, server_default=false()),
        Index("access_log_subject", "subject", "noted_at"),
        Index("access_log_noted_at", "noted_at"),
    )


ACCESS_LOG: Final = access_log_table(MetaData())


@dataclass(slots=True)
class _Ticket:
    rows: list[dict[str, Any]]
    settled: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class AccessLog:
    """The writer of one registry's access log; used from many threads."""

    database: Database
    table: Table = ACCESS_LOG
    _waiting: list[_Ticket] = field(default_factory=list)
    _queue: threading.Lock = field(default_factory=threading.Lock)
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def note(self, entries: Sequence[Entry]) -> None:
        """Return when the entries are durable; UnavailableError when they cannot be."""
        ticket = _Ticket([_row(entry) for entry in entries])
        with self._queue:
            self._waiting.append(ticket)
        with self._writing:  # whoever holds it writes for all who wait
            if not ticket.settled:
                self._write_waiting()
        if ticket.error is not None:
            raise UnavailableError("registry.access_log_unavailable") from ticket.error

    def _write_waiting(self) -> None:
        with self._queue:
            tickets, self._waiting = self._waiting, []
        error: Exception | None = None
        try:
            with self.database.transaction() as connection:
                connection.execute(insert(self.table), [row for ticket in tickets for row in ticket.rows])
        except Exception as cause:  # whatever it is, nobody who waits may take it for written
            error = cause
        for ticket in tickets:
            ticket.error, ticket.settled = error, True

    def looks_at(self, subject: str) -> list[dict[str, Any]]:
        """Return the entries about one record, newest first."""
        query = select(self.table).where(self.table.c.subject == subject).order_by(self.table.c.id.desc())
        with self.database.reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]


def _row(entry: Entry) -> dict[str, Any]:
    context = entry.context
    return {
        "noted_at": entry.noted_at,
        "operation": entry.operation,
        "outcome": entry.look.outcome.value,
        "matched_by": entry.look.matched_by,
        "subject": entry.look.subject,
        "dialect": context.dialect.value,
        "client": str(context.client),
        "service": str(context.service) if context.service else None,
        "message_id": context.message_id,
        "request_id": context.request_id,
        "user_id": context.user_id,
        "issue": context.issue,
        "represented_party": context.represented_party,
        "purposes": ",".join(context.purposes),
        "legal_ground": context.legal_ground,
        "sealed": entry.sealed,
    }

"""Slow answers: the question is handed in for a ticket, and the answer is fetched with it, once.

    tickets = Tickets(ticket_table(metadata), IncomeQuestion, IncomeAnswer, delay=timedelta(minutes=1))
    ticket = tickets.submit(call, asked)                     # at once
    fetched = tickets.fetch(call, identifier, answer)        # pending, ready with its answer, given, expired, failed

A ticket is a row in the registry's own database: it survives a restart, and any process of the registry
answers for it. Nothing sleeps or runs meanwhile; a ticket is ready when the clock says so, and its answer
is made when it is fetched. It belongs to the client that handed the question in, as the security server
names it: to anybody else there is no such ticket, since even that somebody asked is a fact about a person. Which of
the client's people fetches does not matter, but it is for the purpose the question was handed in for.

The rules of the room:

- The answer is given exactly once. Of those who fetch at the same time one update of the row wins, the
  others are told that it has been given.
- An answer can be given and lost on its way: our access log, either security server or the line may fail after
  we have committed. So for `GRACE` after that, the same client gets the very same answer again for the same message
  id. That id is chosen by the asker for one request, and both security servers hold it in their logs: who
  repeats it repeats a request that is on record, and the person's data go where they have already gone. A request
  with another id is another request, and a request without one cannot be told from another.
- A question the registry refuses to answer has failed, and stays so: the reason is kept, asking again does not
  help. What may succeed later (UnavailableError) leaves the ticket as it was.
- Tickets nobody fetches expire. What is over is swept by whoever comes next, some rows at a time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Index,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from registry_adapters.sdk.access_log import NAMES_LENGTH
from registry_adapters.sdk.errors import RefusedError, RegistryError, RequestError, UnavailableError
from registry_adapters.sdk.fields import from_json, to_json
from registry_adapters.sdk.operations import Call

Q = TypeVar("Q")
A = TypeVar("A")

GRACE: Final = timedelta(minutes=15)  # an answer lost on its way can be had again: longer than any client's retries
LIFETIME: Final = timedelta(days=3)  # a ready answer waits that long: a case opened on Friday goes on on Monday
KEPT: Final = timedelta(days=7)  # what became of a ticket is told that long after its end, then it is forgotten
MAX_OPEN: Final = 10_000  # tickets of one client that wait to be fetched
SWEEP_ROWS: Final = 100  # that one request clears away at most


class TicketState(StrEnum):
    """How far a ticket has come."""

    PENDING = "pending"
    READY = "ready"
    GIVEN = "given"
    EXPIRED = "expired"
    FAILED = "failed"


class NoSuchTicketError(RequestError):
    """The client has no such ticket: it never had, it is another's, or it is forgotten."""

    status = 404


def ticket_table(metadata: MetaData) -> Table:
    """Add the table to a registry's schema."""
    return Table(
        "ticket",
        metadata,
        Column("id", String(36), primary_key=True),
        Column("client", String(NAMES_LENGTH), nullable=False),
        Column("message_id", String(255), nullable=False),
        Column("purposes", String(255), nullable=False),
        Column("question", Text, nullable=False),
        Column("submitted_at", DateTime(timezone=True), nullable=False),
        Column("ready_at", DateTime(timezone=True), nullable=False),
        Column("expires_at", DateTime(timezone=True), nullable=False),
        Column("closed_at", DateTime(timezone=True)),  # when it was given or failed
        Column("given_to", String(255)),  # the message id of the request that got the answer
        Column("failure", String(255)),  # the name of the error
        Column("answer", Text),  # as given, while it may be asked for again
        Column("answer_until", DateTime(timezone=True)),
        Index("ticket_open", "client", "closed_at", "expires_at"),
        Index("ticket_expires_at", "expires_at"),
        Index("ticket_answer_until", "answer_until"),
    )


@dataclass(frozen=True, slots=True)
class Ticket(Generic[Q]):
    """A question handed in."""

    id: str
    question: Q
    submitted_at: datetime
    ready_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Q, A]):
    """What a ticket was good for: the answer if the state is READY, the error's name if it is FAILED."""

    ticket: Ticket[Q]
    state: TicketState
    answer: A | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Tickets(Generic[Q, A]):
    """The tickets of one kind of question."""

    table: Table
    question: type[Q]
    answer: type[A]
    delay: timedelta
    lifetime: timedelta = LIFETIME
    max_open: int = MAX_OPEN

    def submit(self, call: Call, question: Q) -> Ticket[Q]:
        """Return a ticket for a question, durable. UnavailableError while the client has too many open ones."""
        now = call.clock.now()
        ticket = Ticket(str(uuid.uuid4()), question, now, now + self.delay, now + self.delay + self.lifetime)
        with call.database.transaction() as connection:
            self._sweep(connection, now)
            if self._open_tickets(connection, str(call.context.client), now) >= self.max_open:
                raise UnavailableError("registry.too_many_tickets", limit=self.max_open)
            connection.execute(insert(self.table), self._row(call, ticket))
        return ticket

    def fetch(self, call: Call, identifier: str, make: Callable[[Q], A]) -> Fetched[Q, A]:
        """Return what has become of a ticket; if it is ready, the answer that `make` gives to its question.

        Raises NoSuchTicketError, RefusedError for another purpose, and whatever UnavailableError `make` raises.
        """
        now = call.clock.now()
        fetched = self._look_up(call, call.connection, identifier, now)
        if fetched.state is not TicketState.READY or fetched.answer is not None:
            return fetched
        try:
            answer = make(fetched.ticket.question)
        except (RequestError, RefusedError) as cause:
            return self._fail(call, fetched.ticket, cause)
        return self._give(call, fetched.ticket, answer)

    def _give(self, call: Call, ticket: Ticket[Q], answer: A) -> Fetched[Q, A]:
        now = call.clock.now()
        given = {
            "closed_at": now,
            "given_to": call.context.message_id or None,
            "answer": json.dumps(to_json(answer), ensure_ascii=False) if call.context.message_id else None,
            "answer_until": now + GRACE if call.context.message_id else None,
        }
        if self._close(call, ticket, given):
            return Fetched(ticket, TicketState.READY, answer)
        return self._afresh(call, ticket)

    def _fail(self, call: Call, ticket: Ticket[Q], cause: RegistryError) -> Fetched[Q, A]:
        self._close(call, ticket, {"closed_at": call.clock.now(), "failure": cause.name[:255]})
        return self._afresh(call, ticket)

    def _close(self, call: Call, ticket: Ticket[Q], values: dict[str, Any]) -> bool:
        """Close an open ticket; False when another request did so first."""
        still_open = self.table.c.closed_at.is_(None)
        with call.database.transaction() as connection:
            self._sweep(connection, values["closed_at"])
            closing = update(self.table).where(self.table.c.id == ticket.id, still_open).values(**values)
            return connection.execute(closing).rowcount == 1

    def _afresh(self, call: Call, ticket: Ticket[Q]) -> Fetched[Q, A]:
        """Return what another request has made of the ticket; the call's own connection may see an older state."""
        with call.database.reading() as connection:
            return self._look_up(call, connection, ticket.id, call.clock.now())

    def _look_up(self, call: Call, connection: Connection, identifier: str, now: datetime) -> Fetched[Q, A]:
        mine = self.table.c.client == str(call.context.client)
        row = connection.execute(select(self.table).where(self.table.c.id == identifier.lower(), mine)).one_or_none()
        if row is None or _utc(row.expires_at) + KEPT < now:
            raise NoSuchTicketError("registry.no_such_ticket")
        if row.purposes != _purposes(call):
            raise RefusedError("registry.ticket_purpose", purpose=row.purposes or "-")
        ticket = Ticket(
            row.id,
            from_json(self.question, json.loads(row.question)),
            _utc(row.submitted_at),
            _utc(row.ready_at),
            _utc(row.expires_at),
        )
        if row.failure is not None:
            return Fetched(ticket, TicketState.FAILED, failure=row.failure)
        if row.closed_at is not None:
            return self._given(ticket, row, call.context.message_id, now)
        if now >= ticket.expires_at:
            return Fetched(ticket, TicketState.EXPIRED)
        return Fetched(ticket, TicketState.READY if now >= ticket.ready_at else TicketState.PENDING)

    def _given(self, ticket: Ticket[Q], row: Row[Any], message_id: str, now: datetime) -> Fetched[Q, A]:
        repeated = row.given_to is not None and row.given_to == message_id
        if repeated and row.answer is not None and now < _utc(row.answer_until):
            return Fetched(ticket, TicketState.READY, from_json(self.answer, json.loads(row.answer)))
        return Fetched(ticket, TicketState.GIVEN)

    def _open_tickets(self, connection: Connection, client: str, now: datetime) -> int:
        columns = self.table.c
        waiting: tuple[ColumnElement[bool], ...] = (
            columns.client == client,
            columns.closed_at.is_(None),
            columns.expires_at > now,
        )
        return connection.execute(select(func.count()).select_from(self.table).where(*waiting)).scalar_one()

    def _sweep(self, connection: Connection, now: datetime) -> None:
        """Take answers out whose time of grace is over, and forget tickets that ended long ago."""
        columns = self.table.c
        stale = select(columns.id).where(columns.answer_until < now).limit(SWEEP_ROWS)
        connection.execute(update(self.table).where(columns.id.in_(stale)).values(answer=None, answer_until=None))
        old = select(columns.id).where(columns.expires_at < now - KEPT).limit(SWEEP_ROWS)
        connection.execute(delete(self.table).where(columns.id.in_(old)))

    def _row(self, call: Call, ticket: Ticket[Q]) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "client": str(call.context.client),
            "message_id": call.context.message_id,
            "purposes": _purposes(call),
            "question": json.dumps(to_json(ticket.question), ensure_ascii=False),
            "submitted_at": ticket.submitted_at,
            "ready_at": ticket.ready_at,
            "expires_at": ticket.expires_at,
        }


def _purposes(call: Call) -> str:
    return ",".join(sorted(call.context.purposes))


def _utc(at: datetime) -> datetime:
    """Return a stored moment as aware: SQLite gives back naive what it was given in UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

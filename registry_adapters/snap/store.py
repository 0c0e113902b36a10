"""Queries over cases, legs, exchanges and events; nothing decides here."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from registry_adapters.snap import tables as t
from registry_adapters.snap.model import CaseRow, CaseStatus, Event, Exchange, Fault, FaultKind, LegAnswer, LegState

MIGRATIONS = "registry_adapters.migrations.snap"


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case as its row holds it."""

    number: str
    recipe: str
    centre: str
    clerk: str
    status: CaseStatus
    fields: Mapping[str, str]
    edits: Mapping[str, Mapping[str, str]]
    settled: Mapping[str, Mapping[str, str]]
    decision: Mapping[str, str] | None
    opened_at: datetime
    changed_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class StoredLeg:
    """A leg as its row holds it; `failures` counts attempts in a row that brought nothing."""

    answer: LegAnswer
    failures: int = 0


def aware(at: datetime | None) -> datetime | None:
    """Return a time out of a row with its zone, which SQLite does not keep."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _moment(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def namespace(tx: Connection) -> uuid.UUID:
    """Return what message identifiers of this installation are made from; made once."""
    found = tx.scalar(select(t.installation.c.namespace))
    if found is None:
        found = str(uuid.uuid4())
        tx.execute(insert(t.installation).values(id=1, namespace=found))
    return uuid.UUID(found)


def next_number(tx: Connection, centre: str, year: int) -> str:
    """Return the number of a new case: centre, year, a running number."""
    mine = (t.numbering.c.centre == centre) & (t.numbering.c.year == year)
    if tx.execute(update(t.numbering).where(mine).values(last=t.numbering.c.last + 1)).rowcount == 0:
        tx.execute(insert(t.numbering).values(centre=centre, year=year, last=1))
    return f"{centre}-{year}-{tx.scalar(select(t.numbering.c.last).where(mine)):06d}"


def add_case(tx: Connection, case: StoredCase, person: str, leg_ids: Iterable[str]) -> None:
    """Insert a case with its legs, all waiting."""
    tx.execute(
        insert(t.cases).values(
            number=case.number, recipe=case.recipe, centre=case.centre, clerk=case.clerk, status=case.status,
            person=person, fields=dict(case.fields), edits={}, settled={}, decision=None,
            opened_at=case.opened_at, changed_at=case.changed_at, revision=0,
        )
    )  # fmt: skip
    add_legs(tx, case.number, leg_ids)


def find_case(tx: Connection, number: str) -> StoredCase | None:
    """Return a case's row."""
    row = tx.execute(select(t.cases).where(t.cases.c.number == number)).one_or_none()
    return None if row is None else _case(row)


def _case(row: Row[Any]) -> StoredCase:
    return StoredCase(
        row.number, row.recipe, row.centre, row.clerk, CaseStatus(row.status), row.fields, row.edits, row.settled,
        row.decision, _moment(row.opened_at), _moment(row.changed_at), row.revision,
    )  # fmt: skip


def set_case(tx: Connection, number: str, at: datetime, **values: Any) -> None:
    """Change columns of a case."""
    changed = {**values, "changed_at": at, "revision": t.cases.c.revision + 1}
    tx.execute(update(t.cases).where(t.cases.c.number == number).values(**changed))


def legs_of(tx: Connection, number: str) -> dict[str, StoredLeg]:
    """Return the legs of a case by id."""
    return {row.leg: _leg(row) for row in tx.execute(select(t.legs).where(t.legs.c.number == number))}


def _leg(row: Row[Any]) -> StoredLeg:
    fault = None if row.fault is None else Fault(FaultKind(row.fault["kind"]), row.fault["code"], row.fault["text"])
    answer = LegAnswer(
        row.leg, LegState(row.state), row.attempt, aware(row.asked_at), row.took_ms, row.answers, row.message_id,
        fault, next_at=aware(row.next_at),
    )  # fmt: skip
    return StoredLeg(answer, row.failures)


def set_leg(tx: Connection, number: str, leg: StoredLeg) -> None:
    """Replace what is known of a leg."""
    answer, fault = leg.answer, leg.answer.fault
    tx.execute(
        update(t.legs)
        .where(t.legs.c.number == number, t.legs.c.leg == answer.leg)
        .values(
            state=answer.state,
            attempt=answer.attempt,
            failures=leg.failures,
            asked_at=answer.asked_at,
            took_ms=answer.took_ms,
            message_id=answer.message_id,
            answers=dict(answer.values),
            fault=None if fault is None else {"kind": fault.kind, "code": fault.code, "text": fault.text},
            next_at=answer.next_at,
        )
    )


def unfinished(tx: Connection, *states: LegState) -> list[tuple[str, StoredLeg]]:
    """Return the legs of undecided cases that are in one of `states`, with the case's number."""
    closed = [status for status in CaseStatus if status.is_closed]
    rows = tx.execute(
        select(t.legs)
        .join(t.cases)
        .where(t.legs.c.state.in_(states), t.cases.c.status.not_in(closed))
        .order_by(t.legs.c.number)
    )
    return [(row.number, _leg(row)) for row in rows]


def add_exchange(tx: Connection, number: str, exchange: Exchange) -> None:
    """Insert an exchange before it is sent."""
    tx.execute(
        insert(t.exchanges).values(
            number=number, leg=exchange.leg, attempt=exchange.attempt, service=exchange.service,
            operation=exchange.operation, message_id=exchange.message_id, asked_at=exchange.asked_at,
            answered_at=None, outcome="", purpose=exchange.purpose, ground=exchange.ground, clerk=exchange.clerk,
        )
    )  # fmt: skip


def end_exchange(
    tx: Connection, message_id: str, outcome: str, answered_at: datetime | None, sent_at: datetime | None = None
) -> None:
    """Note what became of an exchange, and when it was really sent; without `answered_at` no answer came."""
    values = {"outcome": outcome, "answered_at": answered_at} | ({} if sent_at is None else {"asked_at": sent_at})
    tx.execute(update(t.exchanges).where(t.exchanges.c.message_id == message_id).values(**values))


def add_legs(tx: Connection, number: str, leg_ids: Iterable[str]) -> None:
    """Insert legs, all waiting."""
    rows = [
        {"number": number, "leg": leg, "state": LegState.WAITING, "attempt": 0, "failures": 0, "answers": {}}
        for leg in leg_ids
    ]
    if rows:
        tx.execute(insert(t.legs), rows)


def exchanges_of(tx: Connection, number: str) -> tuple[Exchange, ...]:
    """Return the exchanges of a case as they were sent."""
    rows = tx.execute(select(t.exchanges).where(t.exchanges.c.number == number).order_by(t.exchanges.c.id))
    return tuple(
        Exchange(
            row.leg, row.attempt, row.service, row.operation, row.message_id, _moment(row.asked_at),
            aware(row.answered_at), row.outcome, row.purpose, row.ground, row.clerk,
        )
        for row in rows
    )  # fmt: skip


def add_event(tx: Connection, number: str, event: Event) -> None:
    """Note what happened."""
    tx.execute(
        insert(t.events).values(number=number, at=event.at, by=event.by, kind=event.kind, facts=dict(event.facts))
    )


def events_of(tx: Connection, number: str) -> tuple[Event, ...]:
    """Return what happened to a case, the oldest first."""
    rows = tx.execute(select(t.events).where(t.events.c.number == number).order_by(t.events.c.id))
    return tuple(Event(_moment(row.at), row.by, row.kind, row.facts) for row in rows)


def set_subjects(tx: Connection, number: str, keys: frozenset[str]) -> None:
    """Replace by what the persons of a case are found."""
    known = set(tx.scalars(select(t.subjects.c.key).where(t.subjects.c.number == number)))
    if known - keys:
        tx.execute(delete(t.subjects).where(t.subjects.c.number == number, t.subjects.c.key.in_(known - keys)))
    if keys - known:
        tx.execute(insert(t.subjects), [{"number": number, "key": key} for key in sorted(keys - known)])


def find_rows(
    tx: Connection,
    *,
    centres: tuple[str, ...],
    clerk: str | None,
    statuses: tuple[CaseStatus, ...],
    number: str | None,
    keys: frozenset[str],
    offset: int,
    limit: int,
) -> tuple[tuple[CaseRow, ...], int]:
    """Return cases that fit, the last changed first, and how many there are; by number or any of `keys`, if given."""
    c = t.cases.c
    where: list[ColumnElement[bool]] = []
    if centres:
        where.append(c.centre.in_(centres))
    if clerk is not None:
        where.append(c.clerk == clerk)
    if statuses:
        where.append(c.status.in_(statuses))
    if number is not None or keys:
        by_person = c.number.in_(select(t.subjects.c.number).where(t.subjects.c.key.in_(keys)))
        where.append(by_person if number is None else (c.number == number) | by_person)
    count = tx.scalar(select(func.count()).select_from(t.cases).where(*where)) or 0
    rows = tx.execute(
        select(c.number, c.recipe, c.centre, c.clerk, c.status, c.person, c.opened_at, c.changed_at)
        .where(*where)
        .order_by(c.changed_at.desc(), c.number.desc())
        .offset(offset)
        .limit(limit)
    )
    listed = tuple(
        CaseRow(
            row.number, row.recipe, row.centre, row.clerk, CaseStatus(row.status), row.person, _moment(row.opened_at),
            _moment(row.changed_at),
        )
        for row in rows
    )  # fmt: skip
    return listed, count

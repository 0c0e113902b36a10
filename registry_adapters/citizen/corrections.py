"""Requests for correction, from the person to the holder of a registry and back (law of Ukraine 2297-VI, art. 8, 20).

A person, or a parent for a child, says which field of which registry is wrong and what it should be. The
request has a number and a deadline from then on. The holder answers once: accepted, or refused with a reason.
Every step stays in the history; a request that is late is shown as such to both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, false, func, insert, or_, select, update

from gateway.runtime.accounts.model import EVERYTHING
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from registry_adapters.citizen import tables as t
from registry_adapters.citizen.deadlines import countdown, due_on
from registry_adapters.citizen.model import Citizen, Correction, Countdown, State, Step, Subject, Wish
from registry_adapters.citizen.settings import AskedRegistry, CorrectionSettings
from registry_adapters.citizen.store import aware

PAGE: Final = 100
_C: Final = t.corrections.c


class TooManyError(Exception):
    """The person has as many requests waiting as one may have."""


class AnsweredError(Exception):
    """The request has its answer already."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """The requests in one database; calls wait for a disk."""

    database: Database
    clock: Clock
    zone: tzinfo
    settings: CorrectionSettings

    def open(self, citizen: Citizen, subject: Subject, registry: AskedRegistry, wish: Wish) -> Correction:
        """Take a request and return it with its number. Raises TooManyError."""
        now, asker = self.clock.now(), citizen.oneself
        due = due_on(now.astimezone(self.zone).date(), self.settings.working_days, self.settings.days_off)
        with self.database.transaction() as tx:
            waiting = select(func.count()).where(_C.asker_code == asker.code, _C.state == State.WAITING.value)
            if (tx.scalar(waiting) or 0) >= self.settings.open_at_once:
                raise TooManyError
            added = tx.execute(
                insert(t.corrections).values(
                    asker_code=asker.code,
                    asker_name=asker.name,
                    subject_code=subject.code,
                    subject_name=subject.name,
                    registry=registry.name,
                    holder=registry.holder,
                    field=wish.field,
                    wrong=wish.wrong,
                    right=wish.right,
                    reason=wish.reason,
                    state=State.WAITING.value,
                    opened_at=now,
                    due_on=due,
                )
            )
            number = int(added.inserted_primary_key[0])  # type: ignore[index]
            _add_step(tx, number, now, State.WAITING, asker.name, "")
            return _of_row(tx.execute(select(t.corrections).where(_C.id == number)).one())

    def of_asker(self, code: str) -> list[Correction]:
        """Return a person's requests, newest first."""
        return self._read(select(t.corrections).where(_C.asker_code == code).order_by(_C.id.desc()))

    def find_of_asker(self, code: str, number: int) -> Correction | None:
        """Return one request of a person."""
        return next(iter(self._read(select(t.corrections).where(_C.asker_code == code, _C.id == number))), None)

    def queue(self, scopes: Iterable[str], *, waiting: bool, offset: int = 0) -> list[Correction]:
        """Return a page of the requests to holders within `scopes`: waiting ones by deadline, others newest first."""
        order = (_C.due_on, _C.id) if waiting else (_C.id.desc(),)
        state = _C.state == State.WAITING.value if waiting else _C.state != State.WAITING.value
        query = select(t.corrections).where(_within(scopes), state).order_by(*order)
        return self._read(query.limit(PAGE + 1).offset(offset))

    def find_in(self, scopes: Iterable[str], number: int) -> Correction | None:
        """Return one request to a holder within `scopes`."""
        return next(iter(self._read(select(t.corrections).where(_within(scopes), _C.id == number))), None)

    def answer(self, correction: Correction, state: State, by: str, text: str) -> None:
        """Give the one answer a request gets. Raises AnsweredError when there is one."""
        with self.database.transaction() as tx:
            open_still = update(t.corrections).where(_C.id == correction.id, _C.state == State.WAITING.value)
            if tx.execute(open_still.values(state=state.value)).rowcount != 1:
                raise AnsweredError
            _add_step(tx, correction.id, self.clock.now(), state, by, text)

    def history(self, correction: Correction) -> list[Step]:
        """Return every step, oldest first."""
        steps = t.correction_steps
        query = select(steps).where(steps.c.correction == correction.id).order_by(steps.c.id)
        with self.database.reading() as tx:
            return [Step(aware(row.at), State(row.state), row.by, row.text) for row in tx.execute(query)]

    def countdown(self, correction: Correction) -> Countdown | None:
        """Return how a waiting request stands against its deadline; None for one that is answered."""
        if correction.state is not State.WAITING:
            return None
        return countdown(correction.due_on, self.clock.now().astimezone(self.zone).date(), self.settings.days_off)

    def _read(self, query: Select[Any]) -> list[Correction]:
        with self.database.reading() as tx:
            return [_of_row(row) for row in tx.execute(query)]


def _within(scopes: Iterable[str]) -> Any:
    """Return the condition that a request's holder is a scope's member or subsystem."""
    listed = list(scopes)
    if EVERYTHING in listed:
        return _C.holder.is_not(None)
    return or_(
        false(), *(or_(_C.holder == scope, _C.holder.startswith(f"{scope}/", autoescape=True)) for scope in listed)
    )


def _add_step(tx: Connection, number: int, at: datetime, state: State, by: str, text: str) -> None:
    tx.execute(insert(t.correction_steps).values(correction=number, at=at, state=state.value, by=by, text=text))


def _of_row(row: Row[Any]) -> Correction:
    return Correction(
        row.id,
        row.asker_code,
        row.asker_name,
        row.subject_code,
        row.subject_name,
        row.holder,
        Wish(row.registry, row.field, row.wrong, row.right, row.reason),
        State(row.state),
        aware(row.opened_at),
        row.due_on,
    )

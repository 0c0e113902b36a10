"""Declared incomes that wait for the tax service: handed in for a ticket, compared once, then only a flag."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from registry_adapters.crosscheck.asking import Asker, Registries, UnheardError
from registry_adapters.crosscheck.attempts import give_back
from registry_adapters.crosscheck.comparing import TOLERANCES, Person, compare_income
from registry_adapters.crosscheck.model import DeclaredIncome, Flag, Outcome, PendingAnswer, Unheard
from registry_adapters.crosscheck.tables import awaited
from registry_adapters.sdk.access_log import Look
from registry_adapters.sdk.access_log import Outcome as Seen
from registry_adapters.sdk.operations import Call

KEPT: Final = timedelta(days=10)  # longer than the tax service keeps a ticket


@dataclass(slots=True)
class Submission:
    """The tax service's ticket for a declared income, once it has come."""

    ticket: str = ""
    ready_at: datetime | None = None

    def submit(self, ask: Asker, person: Person, declared: DeclaredIncome) -> Outcome:
        """Hand the question in."""
        period = {
            "from_year": declared.from_year, "from_quarter": declared.from_quarter,
            "to_year": declared.to_year, "to_quarter": declared.to_quarter,
        }  # fmt: skip
        answer = ask.post("tax", "/income-requests", **period, **person.criterion)
        self.ready_at = datetime.fromisoformat(answer["ready_at"])
        self.ticket = str(answer["ticket"])
        return Outcome.PENDING


def keep(call: Call, person: Person, attempt: str, declared: DeclaredIncome, submission: Submission, flag: Flag) -> str:
    """Keep a declared income until its answer is fetched; return what to ask by."""
    number, now = str(uuid.uuid4()), call.clock.now()
    with call.database.transaction() as connection:
        connection.execute(delete(awaited).where(awaited.c.submitted_at < now - KEPT))
        connection.execute(
            insert(awaited).values(
                id=number, client=str(call.context.client), subject=person.rnokpp or person.document,
                matched_by="rnokpp" if person.rnokpp else "document", attempt=attempt, ticket=submission.ticket,
                declared=str(declared.total), submitted_at=now, ready_at=submission.ready_at or now,
                exchanges=",".join(flag.exchanges),
            )
        )  # fmt: skip
    return number


def tell(registries: Registries, call: Call, number: str) -> PendingAnswer:
    """Return the flag of a declared income, comparing it if the answer can be fetched now."""
    mine = (awaited.c.id == number.lower(), awaited.c.client == str(call.context.client))
    row = call.connection.execute(select(awaited).where(*mine)).one_or_none()
    if row is None:
        return PendingAnswer(found=False)
    call.note(Look(Seen.FOUND, row.matched_by, row.subject))
    ready_at = row.ready_at if row.ready_at.tzinfo else row.ready_at.replace(tzinfo=UTC)
    flag = _kept_flag(row)
    if flag.outcome is Outcome.PENDING and call.clock.now() >= ready_at:
        flag = _fetch(registries, call, row, flag)
    return PendingAnswer(True, ready_at if flag.outcome is Outcome.PENDING else None, flag)


def _fetch(registries: Registries, call: Call, row: Row[Any], pending: Flag) -> Flag:
    message_id = f"income-{row.id}"  # the same each time: an answer lost on its way is given again

    def compare(ask: Asker) -> Outcome:
        answer = ask.fetch("tax", f"/income-requests/{row.ticket}", message_id)
        if answer["status"] == "pending":
            return Outcome.PENDING
        if answer["status"] != "ready":
            raise UnheardError(Unheard.REFUSED)
        return compare_income(answer, Decimal(row.declared))

    flag = registries.ask_all(call.context, {"income": compare})["income"]
    exchanges = (*pending.exchanges, *flag.exchanges)
    if flag.outcome is Outcome.PENDING or flag.reason is Unheard.SILENT:
        return Flag(flag.outcome, flag.reason, TOLERANCES["income"], exchanges)  # it can be asked again
    with call.database.transaction() as connection:
        connection.execute(
            update(awaited)
            .where(awaited.c.id == row.id)
            .values(
                outcome=flag.outcome.value, reason=flag.reason.value if flag.reason else None, declared=None,
                exchanges=",".join(exchanges),
            )
        )  # fmt: skip
    if flag.outcome is not Outcome.DIFFERS:
        give_back(call, [row.attempt])
    return Flag(flag.outcome, flag.reason, TOLERANCES["income"], exchanges)


def _kept_flag(row: Row[Any]) -> Flag:
    outcome = Outcome(row.outcome) if row.outcome else Outcome.PENDING
    reason = Unheard(row.reason) if row.reason else None
    return Flag(outcome, reason, TOLERANCES["income"], tuple(row.exchanges.split(",")) if row.exchanges else ())

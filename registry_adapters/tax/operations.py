"""What the tax registry does, whatever form it is asked in.

Every question names the clerk (`user_id`), as the tax service requires. A request for incomes is looked
at twice: when it is handed in, since that somebody asks is a fact about the person, and when its answer
is fetched, since then the data go out; asking how far it has come is no look. A repeated answer is
noted again: it left twice. Looks are at the taxpayer's number, or at the document of who has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from registry_adapters.population.work import Income
from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.matching import Match, Question, match_of, question_of
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import PersonCriterion, question_of_person
from registry_adapters.sdk.tickets import Tickets, TicketState
from registry_adapters.tax.model import (
    ArrearsAnswer,
    IncomeAnswer,
    IncomeQuestion,
    IncomeSource,
    IncomeTicket,
    NumberQuestion,
    SoleTraderAnswer,
    SoleTraderStatus,
    TaxpayerAnswer,
    TaxpayerStatus,
    TicketQuestion,
)
from registry_adapters.tax.store import Held, Quarter, find_incomes, find_sole_trader, find_taxpayers

MAX_QUARTERS: Final = 12
FIRST_QUARTER: Final[Quarter] = (2015, 1)

IncomeTickets = Tickets[IncomeQuestion, IncomeAnswer]


def find_taxpayer(asked: PersonCriterion, call: Call) -> TaxpayerAnswer:
    """Return the one taxpayer the criterion fits, and note the look."""
    require_clerk(call)
    question = question_of_person(asked)
    match = look_up(question, call)
    return TaxpayerAnswer(
        found=match.found is not None,
        matched_by=match.matched_by,
        count=match.count,
        ambiguous=match.count > 1,
        confidence=match.confidence,
        warnings=question.warnings,
        taxpayer=match.found.taxpayer if match.found else None,
    )


def tell_arrears(asked: NumberQuestion, call: Call) -> ArrearsAnswer:
    """Return whether a taxpayer owes anything."""
    require_clerk(call)
    question = question_of(rnokpp=asked.rnokpp)
    match = look_up(question, call)
    return ArrearsAnswer(
        match.found is not None,
        match.count,
        match.count > 1,
        question.warnings,
        match.found.has_arrears if match.found else None,
    )


def tell_sole_trader(asked: NumberQuestion, call: Call) -> SoleTraderAnswer:
    """Return what there is to say of a taxpayer as a sole trader."""
    require_clerk(call)
    question = question_of(rnokpp=asked.rnokpp)
    match = look_up(question, call)
    answer = SoleTraderAnswer(match.found is not None, match.count, match.count > 1, question.warnings)
    if match.found is None:
        return answer
    row = find_sole_trader(call.connection, match.found.number)
    if row is None:
        return replace(answer, is_sole_trader=False)
    return replace(
        answer,
        is_sole_trader=row.ended_on is None,
        status=SoleTraderStatus.ENDED if row.ended_on else SoleTraderStatus.ACTIVE,
        registered_on=row.registered_on,
        ended_on=row.ended_on,
        tax_group=row.tax_group,
        activity_codes=tuple(row.activity_codes.split(",")),
    )


def take_in(tickets: IncomeTickets, asked: IncomeQuestion, call: Call) -> IncomeTicket:
    """Return the ticket for a question about incomes, and note the look at the person."""
    require_clerk(call)
    check_period(asked, call.clock.now())
    look_up(question_of_incomes(asked), call)
    ticket = tickets.submit(call, asked)
    return IncomeTicket(ticket.id, ticket.submitted_at, ticket.ready_at)


def hand_out(tickets: IncomeTickets, asked: TicketQuestion, call: Call) -> IncomeAnswer:
    """Return how far a question about incomes has come; with its answer, once, if that is ready."""
    require_clerk(call)
    fetched = tickets.fetch(call, asked.ticket, lambda question: incomes_of(question, call))
    if fetched.answer is None:
        return IncomeAnswer(fetched.state, fetched.ticket.ready_at, failure=fetched.failure)
    look_up(question_of_incomes(fetched.ticket.question), call)
    return replace(fetched.answer, ready_at=fetched.ticket.ready_at)


def incomes_of(asked: IncomeQuestion, call: Call) -> IncomeAnswer:
    """Return the answer to a question about incomes, as of now; the quarter that is running has none yet."""
    now = call.clock.now()
    question = question_of_incomes(asked)
    match = match_found(question, find_taxpayers(call.connection, question.criterion))
    answer = IncomeAnswer(
        TicketState.READY, now, match.found is not None, match.count, match.count > 1, question.warnings
    )
    if match.found is None:
        return answer
    last = min((asked.to_year, asked.to_quarter), _before(_quarter_of(now)))
    incomes = find_incomes(call.connection, match.found.number, (asked.from_year, asked.from_quarter), last)
    return replace(
        answer,
        sources=tuple(_source(income) for income in incomes),
        total_accrued=_sum([income.accrued for income in incomes]),
        total_paid=_sum([income.paid for income in incomes]),
        total_tax_charged=_sum([income.tax_charged for income in incomes]),
        total_tax_transferred=_sum([income.tax_transferred for income in incomes]),
    )


def require_clerk(call: Call) -> None:
    """Raise RequestError when the request does not name the clerk behind it."""
    if not (call.context.user_id or "").strip():
        raise RequestError("registry.user_missing")


def question_of_incomes(asked: IncomeQuestion) -> Question:
    """Return the one criterion of a question about incomes. Raises RequestError when there is not exactly one."""
    if not (asked.rnokpp or asked.document):
        raise RequestError("registry.field_missing", field="rnokpp / document")
    return question_of(rnokpp=asked.rnokpp, document=asked.document)


def check_period(asked: IncomeQuestion, now: datetime) -> None:
    """Raise RequestError for a period that runs backwards, is too long, too old or yet to come."""
    first, last = (asked.from_year, asked.from_quarter), (asked.to_year, asked.to_quarter)
    present = _quarter_of(now)
    length = (last[0] - first[0]) * 4 + last[1] - first[1] + 1
    in_year = all(1 <= quarter <= 4 for _, quarter in (first, last))
    if not in_year or not FIRST_QUARTER <= first <= last <= present or length > MAX_QUARTERS:
        shown = {name: f"{year}-{quarter}" for name, (year, quarter) in (("first", FIRST_QUARTER), ("last", present))}
        raise RequestError("registry.period_invalid", limit=MAX_QUARTERS, **shown)


def look_up(question: Question, call: Call) -> Match[Held]:
    """Return what the registry has for a question, and note the look."""
    found = find_taxpayers(call.connection, question.criterion)
    match = match_found(question, found)
    subjects = {held.subject for held in found}
    subject = subjects.pop() if len(subjects) == 1 else None
    if match.count > 1 and subject is not None:  # held twice under one number: a look at the one person who has it
        call.note(Look(Outcome.AMBIGUOUS, match.matched_by.value, subject))
    else:
        call.note(match.look(subject))
    return match


def match_found(question: Question, found: Sequence[Held]) -> Match[Held]:
    """Return what the taxpayers found amount to.

    Whether a passport is in force is known here only of those whose number it stands for.
    """
    instead = any(held.taxpayer.status is TaxpayerStatus.REFUSED_NUMBER for held in found)
    return match_of(question.criterion, found, document_in_force=instead)


def _source(income: Income) -> IncomeSource:
    source = income.source
    return IncomeSource(
        source.employer.code, source.employer.name, income.year, income.quarter, income.accrued, income.paid,
        income.tax_charged, income.tax_transferred, source.kind,
    )  # fmt: skip


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    return sum(amounts, start=Decimal("0.00"))


def _quarter_of(moment: datetime) -> Quarter:
    return moment.year, (moment.month + 2) // 3


def _before(quarter: Quarter) -> Quarter:
    return (quarter[0] - 1, 4) if quarter[1] == 1 else (quarter[0], quarter[1] - 1)

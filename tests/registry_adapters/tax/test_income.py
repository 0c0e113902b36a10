"""Incomes: a question for a ticket, and its answer once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from registry_adapters.population.work import TOLD, income_of
from registry_adapters.sdk.identifiers import flaw_of_edrpou
from registry_adapters.sdk.tickets import GRACE, TicketState
from registry_adapters.tax.model import IncomeAnswer, IncomeQuestion, IncomeSource, TicketQuestion
from tests.factories.tax import SNAP, Asker, TaxOffice, refusal

HALF_YEAR: dict[str, Any] = {"from_year": 2025, "from_quarter": 3, "to_year": 2025, "to_quarter": 4}


def ticket_for(asker: Asker, **fields: Any) -> str:
    submitted = asker.by_rest("SubmitIncomeRequest", **{**HALF_YEAR, **fields})
    ticket: str = submitted.ticket
    return ticket


def incomes_for(asker: Asker, **fields: Any) -> IncomeAnswer:
    ticket = ticket_for(asker, **fields)
    asker.office.clock.advance(seconds=60)
    answer: IncomeAnswer = asker.by_rest("GetIncome", ticket=ticket)
    assert answer.status is TicketState.READY
    return answer


def test_answer_is_pending_then_ready_and_then_has_been_given(investigator: Asker, office: TaxOffice) -> None:
    submitted = investigator.by_rest("SubmitIncomeRequest", rnokpp="3347300028", **HALF_YEAR)
    assert submitted.ready_at - submitted.submitted_at == timedelta(seconds=60)
    pending = investigator.by_rest("GetIncome", ticket=submitted.ticket)
    assert pending == IncomeAnswer(TicketState.PENDING, submitted.ready_at)
    office.clock.advance(seconds=60)
    ready = investigator.by_rest("GetIncome", ticket=submitted.ticket)
    assert (ready.status, ready.ready_at, ready.found) == (TicketState.READY, submitted.ready_at, True)
    given = investigator.by_rest("GetIncome", ticket=submitted.ticket)
    assert given == IncomeAnswer(TicketState.GIVEN, submitted.ready_at)


def test_incomes_are_those_of_the_persons_sources_by_quarter(investigator: Asker) -> None:
    answer = incomes_for(investigator, rnokpp="3347300028")
    reported = [income_of(source, 2025, quarter) for quarter in (3, 4) for source in TOLD[1].sources]
    assert [(s.year, s.quarter, s.accrued, s.tax_charged) for s in answer.sources] == [
        (i.year, i.quarter, i.accrued, i.tax_charged) for i in reported if i
    ]
    assert [flaw_of_edrpou(source.agent_code or "") for source in answer.sources] == [None, None]
    assert {source.agent_name for source in answer.sources} == {"Комунальний заклад «Ліцей «Світанок»"}
    assert {source.kind for source in answer.sources} == {"101"}


def test_totals_are_the_sums_to_the_kopiyka(investigator: Asker) -> None:
    answer = incomes_for(investigator, rnokpp="3288701236", from_year=2023, from_quarter=1)
    assert len(answer.sources) == 12
    for name in ("accrued", "paid", "tax_charged", "tax_transferred"):
        amounts = [getattr(source, name) for source in answer.sources]
        assert getattr(answer, f"total_{name}") == sum(amounts)
        assert {amount.as_tuple().exponent for amount in amounts} == {-2}


def test_who_refused_a_number_is_asked_for_by_document(investigator: Asker, office: TaxOffice) -> None:
    answer = incomes_for(investigator, document="ме 000777")
    assert (answer.found, len(answer.sources)) == (True, 2)
    assert {look["subject"] for look in office.looks()[-2:]} == {"МЕ 000777"}


def test_quarter_that_is_not_over_has_no_income_yet(investigator: Asker) -> None:
    answer = incomes_for(investigator, rnokpp="3347300028", to_year=2026, to_quarter=1)
    assert [(source.year, source.quarter) for source in answer.sources] == [(2025, 3), (2025, 4)]


def test_who_earns_nothing_has_a_total_of_nought(investigator: Asker) -> None:
    answer = incomes_for(investigator, rnokpp="4541200105")
    assert (answer.found, answer.sources, answer.total_accrued) == (True, (), Decimal(0))


def test_nobody_is_an_answer_without_total(investigator: Asker) -> None:
    answer = incomes_for(investigator, rnokpp="0000000017")
    assert (answer.found, answer.count, answer.sources, answer.total_accrued) == (False, 0, (), None)


@pytest.mark.parametrize(
    "period",
    [
        {"from_year": 2025, "from_quarter": 4, "to_year": 2025, "to_quarter": 3},  # backwards
        {"from_year": 2022, "from_quarter": 4, "to_year": 2025, "to_quarter": 4},  # thirteen quarters
        {"from_year": 2025, "from_quarter": 0, "to_year": 2025, "to_quarter": 4},
        {"from_year": 2025, "from_quarter": 1, "to_year": 2025, "to_quarter": 5},
        {"from_year": 2026, "from_quarter": 1, "to_year": 2026, "to_quarter": 2},  # yet to come
        {"from_year": 2014, "from_quarter": 4, "to_year": 2015, "to_quarter": 4},  # too old
        {"from_year": -1, "from_quarter": 1, "to_year": -1, "to_quarter": 1},
        {"from_year": 10**17, "from_quarter": 1, "to_year": 10**17, "to_quarter": 1},
    ],
)
def test_impossible_period_is_refused_and_nobody_looked_at(
    investigator: Asker, office: TaxOffice, period: dict[str, Any]
) -> None:
    before = len(office.looks())
    response = investigator.rest("SubmitIncomeRequest", rnokpp="3347300028", **period)
    assert refusal(response) == (400, "period_invalid")
    assert len(office.looks()) == before


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({}, "field_missing"),
        ({"rnokpp": "3347300028", "document": "000000001"}, "several_criteria"),
        ({"rnokpp": "334730002"}, "rnokpp_invalid"),
        ({"document": "XX"}, "document_invalid"),
        ({"rnokpp": ""}, "field_missing"),
    ],
)
def test_question_for_no_one_person_is_refused(investigator: Asker, person: dict[str, Any], name: str) -> None:
    assert refusal(investigator.rest("SubmitIncomeRequest", **person, **HALF_YEAR)) == (400, name)


def test_another_client_has_no_such_ticket(investigator: Asker, snap: Asker, cross_check: Asker) -> None:
    ticket = ticket_for(snap, rnokpp="3347300028")
    snap.office.clock.advance(seconds=60)
    for other in (investigator, cross_check):
        assert refusal(other.rest("GetIncome", ticket=ticket)) == (404, "no_such_ticket")
        assert refusal(other.soap("GetIncome", TicketQuestion(ticket))) == (500, "no_such_ticket")
    assert snap.by_rest("GetIncome", ticket=ticket).status is TicketState.READY


def test_ticket_belongs_to_the_client_and_not_to_the_purpose(snap: Asker) -> None:
    ticket = ticket_for(snap, rnokpp="3347300028")
    response = replace(snap, purpose="SOLE-TRADER").rest("GetIncome", ticket=ticket)
    assert refusal(response) == (403, "purpose_operation")


def test_lost_answer_comes_again_for_the_same_message_in_either_form(snap: Asker, office: TaxOffice) -> None:
    ticket = ticket_for(snap, rnokpp="3288701236")
    office.clock.advance(seconds=60)
    first = snap.by_rest("GetIncome", "lost-1", ticket=ticket)
    assert snap.by_rest("GetIncome", "lost-1", ticket=ticket) == first
    assert snap.by_soap("GetIncome", TicketQuestion(ticket), "lost-1") == first
    assert snap.by_rest("GetIncome", "another", ticket=ticket).status is TicketState.GIVEN
    office.clock.advance(seconds=GRACE.total_seconds())
    assert snap.by_rest("GetIncome", "lost-1", ticket=ticket).status is TicketState.GIVEN


def test_answer_kept_back_by_a_broken_access_log_is_not_lost(snap: Asker, office: TaxOffice) -> None:
    ticket = ticket_for(snap, rnokpp="3347300028")
    office.clock.advance(seconds=60)
    rename(office, "access_log", "elsewhere")
    assert refusal(snap.rest("GetIncome", "kept-back", ticket=ticket)) == (503, "access_log_unavailable")
    rename(office, "elsewhere", "access_log")
    assert snap.by_rest("GetIncome", "kept-back", ticket=ticket).total_accrued == Decimal("135792.00")
    assert (office.looks()[-1]["message_id"], office.looks()[-1]["subject"]) == ("kept-back", "3347300028")


def rename(office: TaxOffice, table: str, name: str) -> None:
    with office.database.transaction() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")


def test_submission_and_answer_are_looks_and_waiting_is_none(snap: Asker, office: TaxOffice) -> None:
    before = len(office.looks())
    ticket = ticket_for(snap, rnokpp="3347300028")
    snap.by_rest("GetIncome", ticket=ticket)
    office.clock.advance(seconds=60)
    snap.by_rest("GetIncome", ticket=ticket)
    snap.by_rest("GetIncome", ticket=ticket)
    looks = [(k["operation"], k["outcome"], k["matched_by"], k["subject"]) for k in office.looks()[before:]]
    assert looks == [
        ("SubmitIncomeRequest", "found", "rnokpp", "3347300028"),
        ("GetIncome", "found", "rnokpp", "3347300028"),
    ]


def test_one_of_many_who_fetch_at_once_gets_the_incomes(snap: Asker, office: TaxOffice) -> None:
    before = len(office.looks())
    ticket = ticket_for(snap, rnokpp="3347300028")
    office.clock.advance(seconds=60)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: snap.by_rest("GetIncome", ticket=ticket), range(6)))
    assert sorted(answer.status.value for answer in answers) == ["given"] * 5 + ["ready"]
    assert [answer.total_accrued is not None for answer in answers].count(True) == 1
    assert [k["operation"] for k in office.looks()[before:]].count("GetIncome") == 1


def test_housing_subsidy_gets_incomes_without_taxes(snap: Asker) -> None:
    answer = incomes_for(snap, rnokpp="3347300028")
    assert answer.total_accrued == sum(source.accrued or 0 for source in answer.sources)
    withheld = {"sources.agent_code", "sources.paid", "sources.tax_charged", "sources.tax_transferred", "total_paid",
                "total_tax_charged", "total_tax_transferred"}  # fmt: skip
    assert set(answer.withheld) == withheld
    assert {source.tax_charged for source in answer.sources} == {None}


def test_cross_check_gets_no_agents(cross_check: Asker) -> None:
    answer = incomes_for(cross_check, rnokpp="3347300028")
    assert answer.total_accrued
    assert [IncomeSource(year=s.year, quarter=s.quarter, accrued=s.accrued) for s in answer.sources] == list(
        answer.sources
    )


def test_soap_takes_the_question_and_tells_the_same_moment(snap: Asker, office: TaxOffice) -> None:
    asked = IncomeQuestion(2025, 3, 2025, 4, rnokpp="3347300028")
    by_soap, by_rest = snap.by_soap("SubmitIncomeRequest", asked), ticket_for(snap, rnokpp="3347300028")
    assert by_soap.submitted_at == office.clock.now()
    office.clock.advance(seconds=60)
    answers = [snap.by_soap("GetIncome", TicketQuestion(ticket)) for ticket in (by_soap.ticket, by_rest)]
    assert answers[0] == answers[1]
    assert isinstance(answers[0].ready_at, datetime)


def test_member_without_subsystem_is_another_client(snap: Asker) -> None:
    ticket = ticket_for(snap, rnokpp="3347300028")
    response = replace(snap, client=SNAP.member).rest("GetIncome", ticket=ticket)
    assert refusal(response) == (403, "purpose_client")

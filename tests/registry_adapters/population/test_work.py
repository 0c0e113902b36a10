"""Who works where, earns what and trades on their own account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.population.model import Record
from registry_adapters.population.people import AS_OF, people
from registry_adapters.population.work import (
    ACTIVITIES,
    EMPLOYERS,
    TOLD,
    Income,
    IncomeKind,
    Source,
    Work,
    income_of,
    withheld_from,
    work_of,
)
from registry_adapters.sdk.identifiers import flaw_of_edrpou

Known = Sequence[tuple[Record, Work]]
JOB = Source(EMPLOYERS[0], IncomeKind.WAGE, date(2020, 2, 10), None, 20_000)
QUARTERS = [(year, quarter) for year in range(2019, 2027) for quarter in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def known() -> Known:
    return [(record, work_of(1, record)) for record in islice(people(1), 8000)]


def years(record: Record) -> float:
    return (AS_OF - record.person.birth_date).days / 365.2425


def reported(source: Source, year: int, quarter: int) -> Income:
    income = income_of(source, year, quarter)
    assert income is not None
    return income


def total(source: Source, name: str) -> Decimal:
    incomes = [income for quarter in QUARTERS if (income := income_of(source, *quarter))]
    return sum((getattr(income, name) for income in incomes), start=Decimal(0))


def test_facts_depend_on_seed_and_person_alone(known: Known) -> None:
    backwards = [work_of(1, record) for record, _ in reversed(known[:500])]
    assert backwards[::-1] == [work for _, work in known[:500]]
    assert [work_of(2, record) for record, _ in known[10:500]] != [work for _, work in known[10:500]]


def test_employer_has_a_flawless_code_of_its_own() -> None:
    assert [employer for employer in EMPLOYERS if flaw_of_edrpou(employer.code)] == []
    assert len({employer.code for employer in EMPLOYERS}) == len({employer.name for employer in EMPLOYERS})
    assert len(EMPLOYERS) == len({employer.code for employer in EMPLOYERS})


def test_activity_code_has_the_form_of_the_classification() -> None:
    assert [a for a in ACTIVITIES if len(a.code) != 5 or a.code[2] != "." or a.tax_group not in (1, 2, 3)] == []
    assert len({activity.code for activity in ACTIVITIES}) == len(ACTIVITIES)


def test_most_adults_work_and_some_trade_or_owe(known: Known) -> None:
    adults = [work for record, work in known if 20 < years(record) < 60]
    shares = [
        sum(map(fits, adults)) / len(adults)
        for fits in (
            lambda work: bool(work.sources),
            lambda work: work.sole_trader is not None,
            lambda work: work.has_arrears,
        )
    ]
    assert shares == [pytest.approx(0.64, abs=0.05), pytest.approx(0.1, abs=0.02), pytest.approx(0.04, abs=0.015)]


def test_children_and_who_is_unknown_to_the_tax_service_have_nothing(known: Known) -> None:
    unknown = [(r, w) for r, w in known if years(r) < 19 or not (r.person.rnokpp or r.person.rnokpp_refused)]
    assert len(unknown) > 500
    assert {work for _, work in unknown} == {Work()}


def test_who_refused_a_number_works_but_is_no_sole_trader(known: Known) -> None:
    refused = [work for record, work in known if record.person.rnokpp_refused]
    assert any(work.sources for work in refused)
    assert [work for work in refused if work.sole_trader] == []


def test_sole_trader_came_of_age_first_and_ended_after_beginning(known: Known) -> None:
    traders = [(record.person, work.sole_trader) for record, work in known if work.sole_trader]
    assert [t for p, t in traders if t and (t.registered_on - p.birth_date).days < 18 * 365] == []
    assert [t for _, t in traders if t and t.ended_on and not t.registered_on <= t.ended_on < AS_OF] == []
    assert {t.activities[0].tax_group == t.tax_group for _, t in traders if t} == {True}
    assert [t for _, t in traders if t and len(set(t.activities)) != len(t.activities)] == []


def test_work_and_trade_end_when_life_does(known: Known) -> None:
    dead = [(record.person.died_on, work) for record, work in known if record.person.died_on]
    ends = [(died, source.until) for died, work in dead for source in work.sources]
    ends += [(died, work.sole_trader.ended_on) for died, work in dead if work.sole_trader]
    assert ends
    assert [pair for pair in ends if pair[1] is None or pair[0] is None or pair[1] > pair[0]] == []


def test_what_is_paid_for_an_account_of_ones_own_comes_while_it_is_registered(known: Known) -> None:
    pairs = [
        (work.sole_trader, source)
        for _, work in known
        for source in work.sources
        if source.kind is IncomeKind.SOLE_TRADER
    ]
    assert len(pairs) > 100
    outside = [s for t, s in pairs if t is None or s.since < t.registered_on or s.until != t.ended_on]
    assert outside == []


@pytest.mark.parametrize(
    ("month", "withheld"),
    [((2024, 11), "1950.00"), ((2024, 12), "2300.00"), ((2026, 1), "2300.00"), ((2019, 12), "1950.00")],
)
def test_military_levy_is_five_percent_since_december_2024(month: tuple[int, int], withheld: str) -> None:
    assert withheld_from(Decimal("10000.00"), *month) == Decimal(withheld)


def test_quarter_in_which_the_levy_rose_is_taxed_by_months() -> None:
    income = reported(JOB, 2024, 4)
    assert income.accrued == Decimal("50400.00")  # three months of 16 800
    assert income.tax_charged == Decimal("10416.00")  # twice 19.5 %, once 23 %


@given(wage=st.decimals(1, 10**7, places=2), year=st.integers(2015, 2030), month=st.integers(1, 12))
def test_withheld_is_whole_kopiyky_between_the_two_rates(wage: Decimal, year: int, month: int) -> None:
    withheld = withheld_from(wage, year, month)
    assert withheld == withheld.quantize(Decimal("0.01"))
    assert wage * Decimal("0.195") - 1 < withheld < wage * Decimal("0.23") + 1


def test_there_is_no_income_before_the_first_month_and_after_the_last() -> None:
    ended = replace(JOB, until=date(2021, 5, 3))
    told = [quarter for quarter in QUARTERS if income_of(ended, *quarter)]
    assert (told[0], told[-1], len(told)) == ((2020, 1), (2021, 2), 6)
    first, last = reported(ended, 2020, 1), reported(ended, 2021, 2)
    assert (first.accrued, last.accrued) == (Decimal("20800.00"), Decimal("24000.00"))  # two months of each


def test_who_pays_late_pays_and_transfers_all_of_it_in_the_end() -> None:
    late = replace(JOB, until=date(2021, 6, 30), pays_late=True, variation=17)
    first, after = reported(late, 2020, 1), reported(late, 2021, 3)
    assert first.paid < first.accrued
    assert first.tax_transferred < first.tax_charged
    assert {after.accrued, after.tax_charged} == {Decimal(0)}
    assert after.paid > 0
    assert total(late, "paid") == total(late, "accrued")
    assert total(late, "tax_transferred") == total(late, "tax_charged")


def test_what_is_paid_to_a_sole_trader_is_not_taxed_by_the_payer() -> None:
    income = reported(replace(JOB, kind=IncomeKind.SOLE_TRADER), 2025, 3)
    assert income.accrued > 0
    assert {income.tax_charged, income.tax_transferred} == {Decimal(0)}


def test_every_income_is_in_whole_kopiyky(known: Known) -> None:
    kopiyka = Decimal("0.01")
    incomes = [income_of(source, 2025, 3) for _, work in known[:2000] for source in work.sources]
    amounts = [getattr(i, name) for i in incomes if i for name in ("accrued", "paid", "tax_charged", "tax_transferred")]
    assert len(amounts) > 1000
    assert [amount for amount in amounts if amount.quantize(kopiyka) != amount or amount < 0] == []


def test_well_known_persons_have_the_facts_that_examples_name() -> None:
    assert set(TOLD) == set(range(1, 10))
    assert [number for number, work in TOLD.items() if work.has_arrears] == [2]
    traders = {number: work.sole_trader for number, work in TOLD.items() if work.sole_trader}
    assert list(traders) == [8]
    assert (traders[8].registered_on.year, traders[8].ended_on) == (2019, None)
    assert [bool(TOLD[number].sources) for number in (1, 3, 5)] == [True, False, True]
    for seed in (1, 99):
        assert [work_of(seed, record) for record in islice(people(seed), 9)] == [TOLD[n] for n in range(1, 10)]

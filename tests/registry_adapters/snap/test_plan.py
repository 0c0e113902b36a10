from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.snap.model import (
    CaseStatus,
    Fallback,
    Fault,
    FaultKind,
    LegAnswer,
    LegState,
    Recipe,
)
from registry_adapters.snap.plan import (
    Facts,
    blocks,
    dependants,
    inputs_of,
    keys_of,
    next_legs,
    period_before,
    status_of,
)
from registry_adapters.snap.recipes import load_recipes
from tests.registry_adapters.snap.world import TYPED

RECIPES = load_recipes()
TRADER, BIRTH = RECIPES["sole-trader"], RECIPES["birth-of-child"]
FIELDS = {"applicant": "2836000078", "activity": "62.01"}
PERSON = {"rnokpp": "2836000078", "surname": "Лисенко", "given_name": "Тарас", "birth_date": "1977-08-24"}


def some_facts(recipe: Recipe = TRADER, fields: dict[str, str] | None = None, **answers: LegAnswer) -> Facts:
    legs = {leg.id: answers.get(leg.id, LegAnswer(leg.id, LegState.WAITING)) for leg in recipe.legs}
    return Facts(FIELDS if fields is None else fields, legs, date(2026, 1, 15))


def an_answer(leg: str, values: dict[str, str] | None = None, state: LegState = LegState.ANSWERED) -> LegAnswer:
    return LegAnswer(leg, state, 1, values=values or {})


@pytest.mark.parametrize(
    ("day", "period"),
    [
        (date(2026, 1, 1), (2025, 3, 2025, 4)),
        (date(2026, 6, 30), (2025, 4, 2026, 1)),
        (date(2026, 7, 1), (2026, 1, 2026, 2)),
        (date(2026, 12, 31), (2026, 2, 2026, 3)),
    ],
)
def test_period_is_the_two_full_quarters_before(day: date, period: tuple[int, ...]) -> None:
    assert tuple(period_before(day).values()) == period


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_period_never_reaches_into_the_present_quarter(day: date) -> None:
    period = period_before(day)
    first = period["from_year"] * 4 + period["from_quarter"]
    last = period["to_year"] * 4 + period["to_quarter"]
    assert last - first == 1
    assert last == day.year * 4 + (day.month + 2) // 3 - 1


def test_first_legs_need_fields_only() -> None:
    due, changed = next_legs(TRADER, some_facts())
    assert (set(due), changed) == ({"applicant"}, {})


def test_legs_are_due_when_what_they_build_on_is_answered() -> None:
    due, _ = next_legs(TRADER, some_facts(applicant=an_answer("applicant", PERSON)))
    assert set(due) == {"taxpayer", "sole_trader", "subjects", "arrears"}
    assert due["taxpayer"].values == {"rnokpp": "2836000078"}


@pytest.mark.parametrize(
    ("known", "criterion"),
    [
        ({**PERSON, "document": "000000008"}, {"rnokpp": "2836000078"}),
        ({**PERSON, "rnokpp": "", "document": "000000008"}, {"document": "000000008"}),
        (
            {**PERSON, "rnokpp": ""},
            {"surname": "Лисенко", "given_name": "Тарас", "birth_date": "1977-08-24"},
        ),
        (
            {**PERSON, "rnokpp": "", "patronymic": "Богданович"},
            {"surname": "Лисенко", "given_name": "Тарас", "patronymic": "Богданович", "birth_date": "1977-08-24"},
        ),
        ({"surname": "Лисенко"}, {}),
    ],
)
def test_person_is_passed_on_by_the_surest_of_what_is_known(known: dict[str, str], criterion: dict[str, str]) -> None:
    inputs = inputs_of(TRADER.leg("taxpayer"), some_facts(applicant=an_answer("applicant", known)))
    assert (inputs.values, inputs.is_missing) == (criterion, not criterion)


def test_leg_whose_input_will_not_come_is_skipped_and_taken_up_when_it_does() -> None:
    nobody = some_facts(applicant=an_answer("applicant", state=LegState.NOT_FOUND))
    due, changed = next_legs(TRADER, nobody)
    assert due == {}
    assert {answer.state for answer in changed.values()} == {LegState.SKIPPED}
    there = Facts(FIELDS, {**changed, "applicant": an_answer("applicant", PERSON)}, nobody.opened_on)
    assert set(next_legs(TRADER, there)[0]) == {"taxpayer", "sole_trader", "subjects", "arrears"}
    asked_again = Facts(
        FIELDS, {**changed, "applicant": an_answer("applicant", state=LegState.ASKING)}, nobody.opened_on
    )
    due, waiting = next_legs(TRADER, asked_again)
    assert (due, {answer.state for answer in waiting.values()}) == ({}, {LegState.WAITING})


def test_optional_field_left_empty_skips_its_leg() -> None:
    _, changed = next_legs(BIRTH, some_facts(BIRTH, {"mother": "3347300028", "child_born": "2024-05-01"}))
    assert changed["father"].fault == Fault(FaultKind.INPUT_MISSING)


@pytest.mark.parametrize(
    ("state", "required", "silent", "missing", "blocked"),
    [
        (LegState.PARKED, True, Fallback.PARK, Fallback.PAPER, True),
        (LegState.PARKED, True, Fallback.PAPER, Fallback.PAPER, True),
        (LegState.PARKED, True, Fallback.GO_ON, Fallback.PAPER, False),
        (LegState.PARKED, False, Fallback.PARK, Fallback.PAPER, False),
        (LegState.NOT_FOUND, True, Fallback.GO_ON, Fallback.PAPER, True),
        (LegState.NOT_FOUND, True, Fallback.PARK, Fallback.GO_ON, False),
        (LegState.AMBIGUOUS, True, Fallback.GO_ON, Fallback.GO_ON, True),
        (LegState.REFUSED, True, Fallback.PARK, Fallback.GO_ON, True),
        (LegState.FAILED, False, Fallback.PARK, Fallback.PAPER, False),
        (LegState.SKIPPED, True, Fallback.PARK, Fallback.PAPER, False),
        (LegState.ANSWERED, True, Fallback.PARK, Fallback.PAPER, False),
    ],
)
def test_case_waits_for_what_its_recipe_cannot_do_without(
    state: LegState, required: bool, silent: Fallback, missing: Fallback, blocked: bool
) -> None:
    leg = replace(TRADER.leg("arrears"), required=required, when_silent=silent, when_missing=missing)
    assert blocks(leg, LegAnswer(leg.id, state)) is blocked


@given(st.lists(st.sampled_from(sorted(LegState)), min_size=5, max_size=5))
def test_case_is_ready_exactly_when_nobody_is_asked_and_nothing_is_waited_for(states: list[LegState]) -> None:
    answers = {leg.id: LegAnswer(leg.id, state) for leg, state in zip(TRADER.legs, states, strict=True)}
    status = status_of(TRADER, answers)
    if {LegState.ASKING, LegState.SLOW} & set(states):
        assert status is CaseStatus.GATHERING
    else:
        waits = any(blocks(leg, answers[leg.id]) for leg in TRADER.legs)
        assert status is (CaseStatus.PARKED if waits else CaseStatus.READY)


def test_dependants_are_found_through_others() -> None:
    subsidy = RECIPES["housing-subsidy"]
    assert dependants(subsidy, frozenset({"income_request"})) == {"income_request", "income"}
    assert dependants(subsidy, frozenset({"applicant"})) == {leg.id for leg in subsidy.legs}


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_some_leg_of_every_recipe_can_be_asked_at_once(recipe: str) -> None:
    event = RECIPES[recipe]
    fields = {name: value for name, value in TYPED[recipe].items() if value}
    fields |= {"child_born": "2024-05-01"} if "child_born" in fields else {}
    assert next_legs(event, some_facts(event, fields))[0]


def test_persons_are_found_by_what_was_typed_and_by_what_came() -> None:
    keys = keys_of(TRADER, some_facts(applicant=an_answer("applicant", {**PERSON, "unzr": "19770824-00026"})))
    assert keys == {"2836000078", "19770824-00026", "лисенко тарас"}


def test_key_of_a_person_is_never_longer_than_its_column() -> None:
    long = {"rnokpp": "1" * 1000, "surname": "К" * 1000, "given_name": "Т"}
    keys = keys_of(TRADER, some_facts(fields={}, applicant=an_answer("applicant", long)))
    assert sorted(len(key) for key in keys) == [300, 300]

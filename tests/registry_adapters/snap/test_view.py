"""What a clerk is shown: masks, values, and whether the screen goes on asking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime import texts
from gateway.runtime.console.formats import Formats
from registry_adapters.cadastre.classifier import LandCategory
from registry_adapters.cadastre.model import ParcelStatus
from registry_adapters.cadastre.model import RightKind as ParcelRight
from registry_adapters.population.model import DocumentStatus
from registry_adapters.population.parcels import Ownership
from registry_adapters.simulators.business import SubjectKind
from registry_adapters.simulators.civil_status import ActKind, ActStatus
from registry_adapters.simulators.displaced import CertificateStatus as DisplacedStatus
from registry_adapters.simulators.property_rights import ObjectKind
from registry_adapters.simulators.property_rights import State as ObjectState
from registry_adapters.snap.model import Case, CaseStatus, Fault, FaultKind, FieldKind, LegAnswer, LegState
from registry_adapters.snap.recipes import load_recipes
from registry_adapters.snap.view import (
    QUEUE,
    UNDER_WAY_MS,
    WAITING_MS,
    Reader,
    carried,
    fingerprint,
    legs_of,
    mask,
    poll_ms,
    questions_of,
)
from registry_adapters.tax.model import SoleTraderStatus, TaxpayerStatus

NOON = datetime(2026, 2, 2, 12, tzinfo=UTC)
RECIPES = load_recipes()
texts.register("registry_adapters")


def a_reader(language: str = "en") -> Reader:
    return Reader(language, Formats(language), lambda text_id, **facts: texts.render(text_id, facts, language))


def a_case(status: CaseStatus = CaseStatus.GATHERING, **states: LegAnswer) -> Case:
    recipe = RECIPES["sole-trader"]
    legs = tuple(states.get(leg.id, LegAnswer(leg.id, LegState.ANSWERED)) for leg in recipe.legs)
    return Case("n", recipe, "SN12000007", "olena", status, {}, legs, (), (), NOON, NOON)


@pytest.mark.parametrize(
    ("person", "shown"),
    [
        ("3347300028", "33••••••28"),
        ("19910824-00026", "19••••••-•••26"),
        ("АА 123456", "АА ••••56"),
        ("Шевчук Іван Іванович, 1985-05-05", "Шевчук І. І."),
        ("8000000000:90:999:0012", "80••••••••:••:•••:••12"),
        ("", ""),
    ],
)
def test_a_list_shows_enough_to_recognise_and_too_little_to_use(person: str, shown: str) -> None:
    assert mask(person) == shown


@given(st.from_regex(r"[0-9]{8,14}", fullmatch=True))
def test_no_number_is_shown_whole(number: str) -> None:
    assert sum(sign.isdecimal() for sign in mask(number)) == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "yes"),
        ("2024-05-01", "2024-05-01"),
        ("2024-13-01", "2024-13-01"),
        ("in_force", "in force"),
        ("unheard_of", "unheard_of"),
        (["a", "b"], "a; b"),
        (None, ""),
        (0, "0"),
    ],
)
def test_values_are_told_as_people_read_them(value: Any, shown: str) -> None:
    assert a_reader().value(value).text == shown


def test_a_list_of_records_is_a_table_with_named_columns() -> None:
    shown = a_reader("uk").value([{"surname": "Лисенко", "birth_date": "1977-08-24"}, {"surname": "Бондар"}])
    assert shown.columns == ("Прізвище", "Дата народження")
    assert shown.rows == (("Лисенко", "24.08.1977"), ("Бондар", ""))


def test_a_code_that_was_chosen_is_told_by_its_title_also_within_a_line() -> None:
    reader = a_reader("uk").of(RECIPES["displaced-status"])
    assert reader.value("UA80000000000093317, вул. Соборна").text == "м. Київ, вул. Соборна"


def test_the_screen_asks_again_only_while_something_may_change() -> None:
    asking, parked = LegAnswer("taxpayer", LegState.ASKING), LegAnswer("taxpayer", LegState.PARKED, next_at=NOON)
    assert poll_ms(a_case(taxpayer=asking)) == UNDER_WAY_MS
    assert poll_ms(a_case(CaseStatus.PARKED, taxpayer=parked)) == WAITING_MS
    assert poll_ms(a_case(CaseStatus.PARKED, taxpayer=replace(parked, next_at=None))) == 0
    assert poll_ms(a_case(CaseStatus.READY)) == 0
    for status in CaseStatus:
        if status not in QUEUE or status is CaseStatus.OPEN:
            assert poll_ms(a_case(status, taxpayer=asking)) == 0


def test_an_answer_that_is_being_prepared_is_not_called_silence() -> None:
    pending = LegAnswer("arrears", LegState.PARKED, fault=Fault(FaultKind.PENDING), next_at=NOON)
    view = next(one for one in legs_of(a_case(arrears=pending), a_reader()) if one.leg.id == "arrears")
    assert (view.state, view.mark) == ("pending", "open")


def test_a_closed_case_offers_nothing_to_do_about_a_leg() -> None:
    failed = LegAnswer("arrears", LegState.FAILED, fault=Fault(FaultKind.ANSWER))
    open_one, closed = (legs_of(a_case(status, arrears=failed), a_reader())[-1] for status in
                        (CaseStatus.PARKED, CaseStatus.DECIDED))  # fmt: skip
    assert (open_one.can_retry, open_one.takes_paper) == (True, True)
    assert (closed.can_retry, closed.takes_paper) == (False, False)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_every_question_is_told_in_words_before_it_is_asked(recipe: str, language: str) -> None:
    reader = a_reader(language)
    questions = questions_of(RECIPES[recipe], {field.name: "3347300028" for field in RECIPES[recipe].fields}, reader)
    assert len(questions) == len(RECIPES[recipe].legs)
    for question in questions:
        assert not question.registry.isupper(), "a registry without a name"
        assert question.gives
        assert question.asks
        assert not [name for name in (*question.asks, *(name for name, _ in question.gives)) if "_" in name]


def test_nobody_is_asked_about_a_person_who_was_not_named() -> None:
    questions = questions_of(RECIPES["birth-of-child"], {"mother": "3347300028"}, a_reader())
    assert [question.leg.id for question in questions] == ["mother", "birth", "mother_tax", "marriage"]


def test_what_is_known_fills_each_field_of_its_kind_once() -> None:
    known = [(FieldKind.PERSON.value, "3347300028"), (FieldKind.PERSON.value, "3288701236")]
    assert carried(RECIPES["birth-of-child"], known) == {"mother": "3347300028", "father": "3288701236"}
    assert carried(RECIPES["sole-trader"], known) == {"applicant": "3347300028"}


def test_a_part_of_the_page_is_known_by_what_it_says() -> None:
    assert fingerprint("a") == fingerprint("a") != fingerprint("b")


@pytest.mark.parametrize(
    "codes",
    [
        LandCategory, ParcelStatus, ParcelRight, Ownership, DocumentStatus, TaxpayerStatus, SoleTraderStatus, ActKind,
        ActStatus, ObjectKind, ObjectState, SubjectKind, DisplacedStatus,
    ],
)  # fmt: skip
def test_every_code_that_registries_answer_is_told_in_words(codes: type[StrEnum]) -> None:
    untold = [code.value for code in codes if f"snap.value.{code.value}" not in texts.catalogue()]
    assert untold == []


def test_a_paper_is_told_as_a_paper_and_a_prepared_answer_as_prepared() -> None:
    legs = {
        "taxpayer": LegAnswer("taxpayer", LegState.SKIPPED, fault=Fault(FaultKind.PAPER, "")),
        "arrears": LegAnswer("arrears", LegState.PARKED, fault=Fault(FaultKind.PENDING, "")),
        "subjects": LegAnswer("subjects", LegState.SKIPPED, fault=Fault(FaultKind.INPUT_MISSING, "")),
    }
    told = {view.leg.id: view.state for view in legs_of(a_case(CaseStatus.GATHERING, **legs), a_reader())}
    assert (told["taxpayer"], told["arrears"], told["subjects"]) == ("paper", "pending", "skipped")

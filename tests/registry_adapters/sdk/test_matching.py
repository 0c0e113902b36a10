from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.identifiers import DocumentKind
from registry_adapters.sdk.matching import (
    ByDocument,
    ByName,
    ByRnokpp,
    ByUnzr,
    Confidence,
    MatchedBy,
    match_of,
    name_key,
    question_of,
)

BORN = date(1985, 5, 5)


def name_of_error(**given: Any) -> str:
    with pytest.raises(RequestError) as caught:
        question_of(**given)
    return caught.value.name


def test_no_criterion_is_refused() -> None:
    assert name_of_error() == "no_criterion"


def test_empty_texts_are_no_criterion() -> None:
    assert name_of_error(unzr="", document="") == "no_criterion"


@pytest.mark.parametrize(
    "given", [{"unzr": "19910824-00026", "rnokpp": "3347300028"}, {"rnokpp": "3347300028", "birth_date": BORN}]
)
def test_two_criteria_are_refused_even_when_they_agree(given: dict[str, Any]) -> None:
    assert name_of_error(**given) == "several_criteria"


@pytest.mark.parametrize(
    "given",
    [
        {"surname": "Шевчук"},
        {"surname": "Шевчук", "given_name": "Іван"},
        {"birth_date": BORN},
        {"patronymic": "Іванович", "birth_date": BORN},
    ],
)
def test_half_a_name_is_refused(given: dict[str, Any]) -> None:
    assert name_of_error(**given) == "name_incomplete"


@pytest.mark.parametrize(
    ("given", "error"),
    [({"unzr": "1991"}, "unzr_invalid"), ({"rnokpp": "12"}, "rnokpp_invalid"), ({"document": "x"}, "document_invalid")],
)
def test_ill_formed_identifier_is_refused_by_its_name(given: dict[str, Any], error: str) -> None:
    assert name_of_error(**given) == error


def test_wrong_check_digit_is_looked_up_with_a_warning() -> None:
    question = question_of(rnokpp="1234567036")
    assert (question.criterion, question.warnings) == (ByRnokpp("1234567036"), ("rnokpp_check_digit",))


def test_document_is_normalised() -> None:
    assert question_of(document="aa123456").criterion == ByDocument(DocumentKind.BOOKLET, "АА 123456")


def test_name_is_compared_without_case_apostrophe_and_keyboard() -> None:
    typed = question_of(surname=" ТКАЧЕНКО ", given_name="Мар’янa", patronymic="Іванівна", birth_date=BORN)
    assert typed.criterion == ByName("ткаченко", "мар'яна", "іванівна", BORN)


def test_capitals_of_the_latin_keyboard_are_read_as_ukrainian() -> None:
    assert name_key("HОВАК") == name_key("Новак")  # the first letter is Latin


def test_double_surname_has_one_form() -> None:
    assert name_key("Нечуй – Левицький") == name_key("НЕЧУЙ-ЛЕВИЦЬКИЙ")


def test_latin_name_stays_latin() -> None:
    assert name_key("Smith") == "smith"


@pytest.mark.parametrize(
    ("criterion", "in_force", "confidence"),
    [
        (ByUnzr("x"), True, Confidence.EXACT),
        (ByRnokpp("x"), True, Confidence.EXACT),
        (ByDocument(DocumentKind.ID_CARD, "x"), True, Confidence.HIGH),
        (ByDocument(DocumentKind.ID_CARD, "x"), False, Confidence.MEDIUM),
        (ByName("a", "b", "c", BORN), True, Confidence.HIGH),
        (ByName("a", "b", None, BORN), True, Confidence.MEDIUM),
    ],
)
def test_confidence_depends_on_the_criterion(criterion: Any, in_force: bool, confidence: Confidence) -> None:
    assert match_of(criterion, ["one"], document_in_force=in_force).confidence is confidence


def test_several_candidates_are_a_number_and_nobody() -> None:
    match = match_of(ByName("a", "b", None, BORN), ["one", "two"])
    assert (match.count, match.found, match.confidence) == (2, None, None)


def test_nobody_is_an_answer() -> None:
    match = match_of(ByUnzr("x"), [])
    assert (match.matched_by, match.count, match.found) == (MatchedBy.UNZR, 0, None)


@given(st.text(max_size=30))
def test_form_of_a_name_is_stable(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)

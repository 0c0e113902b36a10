from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.snap.errors import FieldsError
from registry_adapters.snap.fields import criterion_of, read_fields, text_of_criterion, warnings_of
from registry_adapters.snap.recipes import load_recipes

RECIPES = load_recipes()
BIRTH = RECIPES["birth-of-child"]


@pytest.mark.parametrize(
    ("typed", "criterion"),
    [
        ("19910824-00026", {"unzr": "19910824-00026"}),
        ("1991082400026", {"unzr": "19910824-00026"}),
        (" 3347300028 ", {"rnokpp": "3347300028"}),
        ("000000001", {"document": "000000001"}),
        ("аа123456", {"document": "АА 123456"}),
        ("AA 123456", {"document": "АА 123456"}),
        (
            "Шевчук Іван Петрович 05.05.1985",
            {"surname": "Шевчук", "given_name": "Іван", "patronymic": "Петрович", "birth_date": "1985-05-05"},
        ),
        ("Шевчук Іван, 1985-05-05", {"surname": "Шевчук", "given_name": "Іван", "birth_date": "1985-05-05"}),
    ],
)
def test_whatever_is_typed_of_a_person_is_recognised(typed: str, criterion: dict[str, str]) -> None:
    assert criterion_of(typed) == criterion


@pytest.mark.parametrize("typed", ["", "Шевчук", "Шевчук Іван", "12345", "Шевчук 05.05.1985", "Іван 5 31.02.1985"])
def test_what_is_no_person_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        criterion_of(typed)


@given(st.text(max_size=60))
def test_any_text_is_a_criterion_that_can_be_read_again_or_refused(typed: str) -> None:
    try:
        criterion = criterion_of(typed)
    except ValueError:
        return
    assert criterion_of(text_of_criterion(criterion)) == criterion


def test_fields_are_kept_in_one_form() -> None:
    typed = {"mother": "3347300028", "father": " ", "child_born": "1.5.2024", "iban": "UA" + "1" * 27}
    assert read_fields(BIRTH, typed) == {
        "mother": "3347300028",
        "child_born": "2024-05-01",
        "iban": "UA" + "1" * 27,
    }


def test_every_field_that_cannot_be_used_is_named() -> None:
    with pytest.raises(FieldsError) as refused:
        read_fields(BIRTH, {"child_born": "31.02.2024", "iban": "UA1", "other": "x", "father": "a\x00b"})
    assert refused.value.fields == {
        "mother": "snap_case.field_missing",
        "child_born": "snap_case.field_date",
        "iban": "snap_case.field_text",
        "other": "snap_case.field_unknown",
        "father": "snap_case.field_text",
    }


@pytest.mark.parametrize("number", ["8000000000:90:999:12", "8000000000:90:999:00121", "x"])
def test_ill_formed_cadastral_number_is_refused(number: str) -> None:
    with pytest.raises(FieldsError):
        read_fields(RECIPES["land-extract"], {"cadastral_number": number, "applicant": "3347300028"})


def test_wrong_check_digit_is_a_warning_only() -> None:
    fields = read_fields(BIRTH, {"mother": "3347300029", "child_born": "2024-05-01"})
    assert warnings_of(BIRTH, fields) == {"mother": "snap_case.check_digit"}
    assert warnings_of(BIRTH, {**fields, "mother": "3347300028"}) == {}


def test_choice_must_be_one_of_its_values() -> None:
    typed = {"person": "3347300028", "katottg": "Київ", "street": "вул. Садова", "building": "1"}
    with pytest.raises(FieldsError) as refused:
        read_fields(RECIPES["residence-registration"], typed)
    assert refused.value.fields == {"katottg": "snap_case.field_choice"}

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.sdk.identifiers import (
    DocumentKind,
    Flaw,
    Sex,
    birth_date_of_rnokpp,
    birth_date_of_unzr,
    build_rnokpp,
    build_unzr,
    flaw_of_edrpou,
    flaw_of_katottg,
    flaw_of_rnokpp,
    flaw_of_unzr,
    normalise_cadastral_number,
    normalise_document,
    sex_of_rnokpp,
)

BIRTH_DATES = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize("text", ["19910824-00026", "19770824-00026", "20170221-31678"])
def test_published_unzr_numbers_have_no_flaw(text: str) -> None:
    assert flaw_of_unzr(text) is None


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("19910824-00025", Flaw.CHECK_DIGIT),
        ("20151102-17444", Flaw.CHECK_DIGIT),
        ("19730716-19409", Flaw.CHECK_DIGIT),
        ("19911324-00026", Flaw.DATE),
        ("1991082400026", Flaw.FORMAT),
        ("19910824-0002６", Flaw.FORMAT),
        ("", Flaw.FORMAT),
    ],
)
def test_flaw_of_unzr_is_named(text: str, flaw: Flaw) -> None:
    assert flaw_of_unzr(text) is flaw


@pytest.mark.parametrize(
    "text", ["1759013776", "3184710691", "0000000017", "3347300028", "3288701236", "4541200105", "2380804560"]
)
def test_published_rnokpp_numbers_have_no_flaw(text: str) -> None:
    assert flaw_of_rnokpp(text) is None


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("1759013770", Flaw.CHECK_DIGIT),
        ("1234567036", Flaw.CHECK_DIGIT),
        ("1111111111", Flaw.CHECK_DIGIT),
        ("175901377", Flaw.FORMAT),
        ("175901377a", Flaw.FORMAT),
    ],
)
def test_flaw_of_rnokpp_is_named(text: str, flaw: Flaw) -> None:
    assert flaw_of_rnokpp(text) is flaw


@pytest.mark.parametrize(
    ("text", "born", "sex"),
    [
        ("3347300028", date(1991, 8, 24), Sex.FEMALE),
        ("3288701236", date(1990, 1, 15), Sex.MALE),
        ("4541200105", date(2024, 5, 1), Sex.FEMALE),
        ("2380804560", date(1965, 3, 8), Sex.FEMALE),
        ("1759013776", date(1948, 2, 28), Sex.MALE),
        ("3184710691", date(1987, 3, 12), Sex.MALE),
    ],
)
def test_rnokpp_tells_birth_date_and_sex(text: str, born: date, sex: Sex) -> None:
    assert (birth_date_of_rnokpp(text), sex_of_rnokpp(text)) == (born, sex)


@pytest.mark.parametrize(
    "text",
    [
        "00015622",
        "43395033",
        "32855961",
        "43005393",
        "21616582",
        "05391130",
        "99000011",
        "99000028",
        "99000034",
        "99000040",
    ],
)
def test_edrpou_codes_of_every_branch_have_no_flaw(text: str) -> None:
    assert flaw_of_edrpou(text) is None


@pytest.mark.parametrize("text", ["11110014", "00000088"])
def test_edrpou_codes_of_test_networks_fail_the_check(text: str) -> None:
    assert flaw_of_edrpou(text) is Flaw.CHECK_DIGIT


@pytest.mark.parametrize("text", ["UA80000000000093317", "UA71020000000057292", "UA71020010000037786"])
def test_codes_of_the_codifier_have_no_flaw(text: str) -> None:
    assert flaw_of_katottg(text) is None


def test_old_code_of_settlements_is_no_katottg() -> None:
    assert flaw_of_katottg("8000000000") is Flaw.FORMAT


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("АА 123456", (DocumentKind.BOOKLET, "АА 123456")),
        ("аа123456", (DocumentKind.BOOKLET, "АА 123456")),
        ("AA 123456", (DocumentKind.BOOKLET, "АА 123456")),
        ("  кн   654321 ", (DocumentKind.BOOKLET, "КН 654321")),
        ("KH №654321", (DocumentKind.BOOKLET, "КН 654321")),
        ("000000001", (DocumentKind.ID_CARD, "000000001")),
        ("000 000 001", (DocumentKind.ID_CARD, "000000001")),
        ("FC449752", None),
        ("12345678", None),
        ("АА 12345", None),
        ("", None),
    ],
)
def test_document_number_is_brought_to_its_stored_form(typed: str, stored: tuple[DocumentKind, str] | None) -> None:
    assert normalise_document(typed) == stored


@given(BIRTH_DATES, st.integers(1, 9999))
def test_built_unzr_is_flawless_and_tells_the_birth_date(born: date, serial: int) -> None:
    number = build_unzr(born, serial)
    assert (flaw_of_unzr(number), birth_date_of_unzr(number)) == (None, born)


@given(BIRTH_DATES, st.sampled_from(Sex), st.integers(0, 4999))
def test_built_rnokpp_is_flawless_and_tells_birth_date_and_sex(born: date, sex: Sex, serial: int) -> None:
    number = build_rnokpp(born, sex, serial)
    assert (flaw_of_rnokpp(number), birth_date_of_rnokpp(number), sex_of_rnokpp(number)) == (None, born, sex)


@given(BIRTH_DATES, st.integers(1, 9999), st.integers(1, 9))
def test_any_other_check_digit_of_a_unzr_is_a_flaw(born: date, serial: int, shift: int) -> None:
    number = build_unzr(born, serial)
    assert flaw_of_unzr(number[:-1] + str((int(number[-1]) + shift) % 10)) is Flaw.CHECK_DIGIT


@given(st.text(max_size=20))
def test_any_text_has_a_verdict(text: str) -> None:
    for verdict in (flaw_of_unzr, flaw_of_rnokpp, flaw_of_edrpou, flaw_of_katottg, normalise_document):
        verdict(text)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("5322080400:00:001:1205", "5322080400:00:001:1205"),
        (" 5322080400 : 00 : 001 : 1205 ", "5322080400:00:001:1205"),
        ("5322080400:00:001:\u00a01205", "5322080400:00:001:1205"),
        ("5322080400 00 001 1205", "5322080400:00:001:1205"),
        ("5322080400000011205", "5322080400:00:001:1205"),
        ("5322080400:00:001:120", None),
        ("5322080400:00:0011205", None),
        ("5322080400-00-001-1205", None),
        ("532208040x:00:001:1205", None),
        ("\u0665322080400:00:001:1205", None),
        ("", None),
    ],
)
def test_cadastral_number_is_brought_to_its_stored_form(typed: str, stored: str | None) -> None:
    assert normalise_cadastral_number(typed) == stored


@given(st.text(max_size=25) | st.text("0123456789: ", max_size=25))
def test_normalised_cadastral_number_is_of_its_form_and_stays_as_it_is(text: str) -> None:
    number = normalise_cadastral_number(text)
    if number is not None:
        assert re.fullmatch("[0-9]{10}:[0-9]{2}:[0-9]{3}:[0-9]{4}", number)
        assert normalise_cadastral_number(number) == number

from __future__ import annotations

import time

import pytest

from gateway.auditing.masking import MASK, MOST_ALIKE, Veil, rules_of
from gateway.auditing.model import MaskingSettings
from gateway.runtime.settings import SettingsError, load
from gateway.settings import GatewaySettings


def a_veil(**settings: object) -> Veil:
    return Veil(rules_of(MaskingSettings(**settings)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "surname", "lastName", "FIRST_NAME", "Patronym", "fullName", "ownerName", "LNAME", "ExecutorFullName", "name",
        "prizvyshche", "imia", "pobatkovi", "PIB", "прізвище", "RNOKPP", "ExecutorRNOKPP", "IPN", "unzr", "sbjCode",
        "dateOfBirth", "DateBirth", "date_birth", "data_narodzhennia", "birthPlace", "passportNumber", "PasSerial",
        "CertNumber", "series", "address", "registr_place", "ulica_adresa", "street", "vulytsia", "building", "phone",
        "telefon", "eMail", "photo", "gender", "citizenship", "iban", "bankAccounts", "katottg", "AuthorizationToken",
    ],
)  # fmt: skip
def test_field_of_a_person_is_known_by_its_name_in_either_language(name: str) -> None:
    assert a_veil().covers(name)


@pytest.mark.parametrize(
    "name",
    [
        "status", "state", "result", "resultCode", "serviceName", "fileName", "typeName", "count", "total", "error",
        "errorMsg", "applicationDate", "period", "version", "code", "operation", "statusName", "requestId", "area",
    ],
)  # fmt: skip
def test_field_of_an_office_stays_open(name: str) -> None:
    assert not a_veil().covers(name)


@pytest.mark.parametrize(
    "value",
    [
        "19900101-00017", "1759013776", "000000001", "АА 123456", "АА123456", "FC449752", "І-БК 123456",
        "UA213223130000026007233566001", "+380441234567", "0441234567", "(044) 123-45-67", "taras@example.org",
        "Шевченко Тарас Григорович", "КОСАЧ Лариса Петрівна", "Шевченко-Косач  Іван  Іванович", "A" * 64,
    ],
)  # fmt: skip
def test_value_of_a_person_is_known_by_its_look(value: str) -> None:
    veil = a_veil()
    assert veil.look("note", f"see {value}, please") == f"see {MASK}, please"
    assert veil.fields == ("note",)


@pytest.mark.parametrize(
    "value",
    [
        "active", "2024-01-01", "2024-01-01T10:00:00.000Z", "12345678", "5322080400:00:001:1205", "1.5", "42",
        "Держгеокадастр України", "http://example.org/a", "3.1415926535", "UA80000000000093317",
    ],
)  # fmt: skip
def test_value_of_an_office_stays_open(value: str) -> None:
    assert a_veil().look("note", value) == value


@pytest.mark.parametrize("inner", ["<person>x</person>", '{"a": 1}', " [1]"])
def test_document_within_a_document_is_hidden_whole(inner: str) -> None:
    assert a_veil().look("data", inner) == MASK


def test_what_was_hidden_is_found_again_in_other_texts() -> None:
    veil = a_veil()
    for value in ("Шевченко", "Шевченко Тарас", "abc", "2024", "123456"):
        veil.hide("field", value)
    assert veil.look_again("від Шевченко Тарас до Шевченко") == f"від {MASK} до {MASK}"
    assert veil.look_again("abc in 2024") == "abc in 2024"  # too short to be told from any other
    assert veil.look_again("no 0123456789") == f"no 0{MASK}789"


def test_settings_add_names_and_values_and_take_names_away() -> None:
    veil = a_veil(names=("^hobby$",), values=(r"K-\d+",), shown_names=("Region",))
    assert veil.covers("HOBBY")
    assert not veil.covers("region")
    assert veil.look("x", "K-77") == MASK
    assert a_veil(every_value=True).covers("status")


def test_pattern_that_is_none_is_refused_with_the_setting() -> None:
    with pytest.raises(SettingsError, match="no regular expression"):
        load(GatewaySettings, None, {"GATEWAY_MASKING__VALUES": '["(["]'}, "GATEWAY")


def test_more_hidden_values_than_can_be_sought_hide_everything() -> None:
    veil = a_veil()
    for number in range(MOST_ALIKE + 2):
        veil.hide("field", f"same{number:06d}")
    assert veil.look_again("anything") == MASK


@pytest.mark.parametrize("text", ["А" * 200_000, "А " * 100_000, "a@" * 100_000, "0" * 200_000, "<" * 200_000])
def test_no_text_takes_long(text: str) -> None:
    veil = a_veil()
    veil.hide("field", "АААА")
    began = time.process_time()
    veil.look_again(veil.look("note", text))
    assert time.process_time() - began < 5

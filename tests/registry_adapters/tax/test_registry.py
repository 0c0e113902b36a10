"""Taxpayers, arrears and sole traders: as asked by REST, whose answers SOAP's equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import islice
from typing import Any

import pytest

from gateway.runtime.settings import load
from registry_adapters.population.people import people
from registry_adapters.population.work import work_of
from registry_adapters.sdk.contract import check_registry
from registry_adapters.sdk.matching import Confidence, MatchedBy
from registry_adapters.sdk.tickets import TicketState
from registry_adapters.settings import ENVIRONMENT_PREFIX, RegistriesSettings, TaxSettings
from registry_adapters.tax.model import IncomeQuestion, NumberQuestion, SoleTraderStatus, TaxpayerStatus
from registry_adapters.tax.registry import declare
from registry_adapters.tax.seed import Mistake, mistake_in
from tests.factories.tax import FEW, Asker, TaxOffice, refusal


def test_what_the_registry_declares_holds() -> None:
    results = check_registry(declare(TaxSettings()), TaxSettings())
    assert [str(result) for result in results if result.problems] == []
    assert sum(not result.skipped for result in results) > 12


@pytest.mark.parametrize(
    ("fields", "matched_by", "confidence"),
    [
        ({"rnokpp": "3347300028"}, MatchedBy.RNOKPP, Confidence.EXACT),
        ({"unzr": "19910824-00026"}, MatchedBy.UNZR, Confidence.EXACT),
        (
            {"surname": "ткаченко", "given_name": "Мар’яна", "patronymic": "Іванівна", "birth_date": "1991-08-24"},
            MatchedBy.NAME_AND_BIRTH_DATE,
            Confidence.HIGH,
        ),
        (
            {"surname": "Ткаченко", "given_name": "Мар'яна", "birth_date": "1991-08-24"},
            MatchedBy.NAME_AND_BIRTH_DATE,
            Confidence.MEDIUM,
        ),
        ({"document": "000000001"}, MatchedBy.DOCUMENT, Confidence.MEDIUM),
    ],
)
def test_taxpayer_is_found_by_each_criterion(
    investigator: Asker, fields: dict[str, str], matched_by: MatchedBy, confidence: Confidence
) -> None:
    answer = investigator.by_rest("GetTaxpayer", **fields)
    assert (answer.found, answer.matched_by, answer.confidence) == (True, matched_by, confidence)
    assert (answer.taxpayer.rnokpp, answer.taxpayer.surname) == ("3347300028", "Ткаченко")
    assert answer.taxpayer.status is TaxpayerStatus.REGISTERED


def test_who_refused_a_number_is_known_by_document(investigator: Asker) -> None:
    answer = investigator.by_rest("GetTaxpayer", document="МЕ 000777")
    assert (answer.found, answer.confidence, answer.taxpayer.rnokpp) == (True, Confidence.HIGH, None)
    assert answer.taxpayer.status is TaxpayerStatus.REFUSED_NUMBER


def test_two_with_one_name_and_birth_date_are_only_counted(investigator: Asker) -> None:
    asked = {"surname": "Шевчук", "given_name": "Іван", "patronymic": "Іванович", "birth_date": "1985-05-05"}
    answer = investigator.by_rest("GetTaxpayer", **asked)
    assert (answer.found, answer.ambiguous, answer.count, answer.taxpayer) == (False, True, 2, None)


def test_nobody_is_an_answer(investigator: Asker) -> None:
    answer = investigator.by_rest("GetTaxpayer", rnokpp="0000000017")
    assert (answer.found, answer.count, answer.taxpayer) == (False, 0, None)
    assert investigator.by_rest("GetArrears", rnokpp="0000000017").has_arrears is None
    assert investigator.by_rest("GetSoleTrader", rnokpp="0000000017").is_sole_trader is None


def test_wrong_check_digit_is_told_and_looked_up_all_the_same(investigator: Asker) -> None:
    answer = investigator.by_rest("GetArrears", rnokpp="3347300029")
    assert (answer.found, answer.warnings) == (False, ("rnokpp_check_digit",))


def test_arrears_are_yes_or_no(investigator: Asker) -> None:
    assert investigator.by_rest("GetArrears", rnokpp="3288701236").has_arrears is True
    assert investigator.by_rest("GetArrears", rnokpp="3347300028").has_arrears is False


def test_sole_trader_is_told_with_group_and_activities(investigator: Asker) -> None:
    answer = investigator.by_rest("GetSoleTrader", rnokpp="2836000078")
    assert (answer.is_sole_trader, answer.status, answer.tax_group) == (True, SoleTraderStatus.ACTIVE, 3)
    assert (answer.registered_on, answer.ended_on) == (date(2019, 4, 15), None)
    assert answer.activity_codes == ("62.01", "62.02")


def test_who_never_was_a_sole_trader_is_none(investigator: Asker) -> None:
    answer = investigator.by_rest("GetSoleTrader", rnokpp="3347300028")
    assert (answer.found, answer.is_sole_trader, answer.status, answer.activity_codes) == (True, False, None, ())


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("GetTaxpayer", {"rnokpp": "3347300028"}),
        ("GetArrears", {"rnokpp": "3347300028"}),
        ("GetSoleTrader", {"rnokpp": "3347300028"}),
        ("SubmitIncomeRequest", {"rnokpp": "3347300028", "from_year": 2025, "from_quarter": 3, "to_year": 2025,
                                 "to_quarter": 4}),
        ("GetIncome", {"ticket": "3f0c8a52-9d1e-4d55-8a64-0a5a3a9f0c11"}),
    ],
)  # fmt: skip
def test_clerk_must_be_named(investigator: Asker, office: TaxOffice, operation: str, fields: dict[str, Any]) -> None:
    before = len(office.looks())
    response = replace(investigator, user_id=None).rest(operation, **fields)
    assert refusal(response) == (400, "user_missing")
    assert "X-Road-UserId" in response.json()["detail"]
    assert len(office.looks()) == before


def test_blank_names_no_clerk(investigator: Asker) -> None:
    response = replace(investigator, user_id="  ").soap("GetArrears", NumberQuestion("3347300028"))
    assert refusal(response) == (500, "user_missing")


def test_each_look_is_in_the_access_log_with_the_persons_number(snap: Asker, office: TaxOffice) -> None:
    before = len(office.looks())
    sole_trader = replace(snap, purpose="SOLE-TRADER")
    sole_trader.by_rest("GetTaxpayer", document="000000008")
    sole_trader.by_rest("GetSoleTrader", rnokpp="2836000078")
    sole_trader.by_rest("GetArrears", rnokpp="0000000017")
    looks = [(k["operation"], k["outcome"], k["subject"], k["purposes"]) for k in office.looks()[before:]]
    assert looks == [
        ("GetTaxpayer", "found", "2836000078", "SOLE-TRADER"),
        ("GetSoleTrader", "found", "2836000078", "SOLE-TRADER"),
        ("GetArrears", "not_found", None, "SOLE-TRADER"),
    ]


def test_look_at_who_refused_a_number_is_at_the_document(investigator: Asker, office: TaxOffice) -> None:
    investigator.by_rest("GetTaxpayer", surname="Мельник", given_name="Петро", birth_date="1978-06-30")
    assert (office.looks()[-1]["subject"], office.looks()[-1]["sealed"]) == ("МЕ 000777", True)


@pytest.mark.parametrize(("code", "subjects"), [("3347300028", ["3347300028"]), ("19910824-00026", ["3347300028"]),
                                                ("0000000017", []), ("МЕ 000777", [])])  # fmt: skip
def test_access_log_knows_a_person_by_either_code(office: TaxOffice, code: str, subjects: list[str]) -> None:
    assert office.registry.subjects_of is not None
    with office.database.reading() as connection:
        assert office.registry.subjects_of(connection, code) == subjects


def test_access_log_knows_by_document_who_has_a_unzr_and_refused_a_number(office: TaxOffice) -> None:
    persons = (record.person for record in islice(people(FEW.seed), FEW.persons))
    person = next(person for person in persons if person.unzr and person.rnokpp_refused)
    assert office.registry.subjects_of is not None
    with office.database.reading() as connection:
        subjects = office.registry.subjects_of(connection, person.unzr or "")
    assert subjects == [person.documents[0].number]


def test_person_who_stands_twice_is_not_told_and_yet_looked_at(investigator: Asker, office: TaxOffice) -> None:
    records = islice(people(FEW.seed), FEW.persons)
    twice = next(r for r in records if mistake_in(FEW.seed, r, work_of(FEW.seed, r)) is Mistake.DUPLICATE)
    answer = investigator.by_rest("GetArrears", rnokpp=twice.person.rnokpp)
    assert (answer.found, answer.ambiguous, answer.count, answer.has_arrears) == (False, True, 2, None)
    look = office.looks()[-1]
    assert (look["outcome"], look["subject"]) == ("ambiguous", twice.person.rnokpp)
    asked = IncomeQuestion(2025, 3, 2025, 4, rnokpp=twice.person.rnokpp)
    ticket = investigator.by_soap("SubmitIncomeRequest", asked).ticket
    office.clock.advance(seconds=60)
    income = investigator.by_rest("GetIncome", ticket=ticket)
    assert (income.status, income.ambiguous, income.sources) == (TicketState.READY, True, ())


def test_purpose_gets_the_fields_it_needs_and_the_names_of_the_others(snap: Asker) -> None:
    answer = replace(snap, purpose="BIRTH-OF-CHILD").by_rest("GetTaxpayer", rnokpp="3347300028")
    assert (answer.taxpayer.surname, answer.taxpayer.registered_on) == ("Ткаченко", None)
    withheld = {"taxpayer.patronymic", "taxpayer.birth_date", "taxpayer.registered_on", "taxpayer.status"}
    assert set(answer.withheld) == withheld


@pytest.mark.parametrize(
    ("purpose", "operation", "name"),
    [
        ("", "GetArrears", "purpose_missing"),
        ("CROSS-CHECK", "GetArrears", "purpose_client"),
        ("BIRTH-OF-CHILD", "GetArrears", "purpose_operation"),
        ("CURIOSITY", "GetArrears", "purpose_unknown"),
    ],
)
def test_registry_answers_only_for_a_declared_purpose(snap: Asker, purpose: str, operation: str, name: str) -> None:
    response = replace(snap, purpose=purpose).rest(operation, rnokpp="3347300028")
    assert refusal(response) == (403, name)


def test_delay_of_incomes_is_a_setting() -> None:
    assert RegistriesSettings().tax.income_delay_s == 60.0
    given = load(RegistriesSettings, None, {"REGISTRY_TAX__INCOME_DELAY_S": "1.5"}, prefix=ENVIRONMENT_PREFIX)
    assert (given.tax.income_delay_s, given.tax.port) == (1.5, 8092)
    with pytest.raises(ValueError, match="income_delay_s"):
        TaxSettings(income_delay_s=-1)

"""Incomes come later: a ticket, then a flag, and never an amount."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from registry_adapters.crosscheck.tables import awaited
from tests.registry_adapters.crosscheck.conftest import Checks
from tests.registry_adapters.world import CROSS_CHECK

ONE = "3347300028"
REGISTERED = "135792.00"  # of two quarters
HALF_YEAR = {"from_year": 2025, "from_quarter": 3, "to_year": 2025, "to_quarter": 4}


def handed_in(checks: Checks, total: str, person: str = ONE) -> str:
    """The check of a declared income, pending."""
    answer = checks.send(rnokpp=person, income={**HALF_YEAR, "total": total}).json()
    assert (answer["income"]["outcome"], answer["income"]["tolerance"]) == ("pending", "1 %")
    assert answer["ready_at"] == "2026-02-10T09:01:00Z"
    return str(answer["check"])


def outcome(checks: Checks, check: str) -> str:
    told: str = checks.later(check)["income"]["outcome"]
    return told


@pytest.mark.parametrize(
    ("total", "expected"),
    [("135792.00", "match"), ("137149", "match"), ("134435", "match"), ("137151", "differs"), ("0", "differs")],
)
def test_income_matches_within_one_percent(checks: Checks, total: str, expected: str) -> None:
    check = handed_in(checks, total)
    checks.clock.advance(minutes=1)
    assert outcome(checks, check) == expected


def test_flag_is_pending_until_it_is_ready_and_then_stays(checks: Checks) -> None:
    check = handed_in(checks, REGISTERED)
    assert checks.later(check)["ready_at"] == "2026-02-10T09:01:00Z"
    assert outcome(checks, check) == "pending"
    checks.clock.advance(minutes=1)
    first, second = checks.later(check), checks.later(check)
    assert first == second
    assert (first["income"]["outcome"], first.get("ready_at")) == ("match", None)


def test_declared_amount_is_forgotten_once_it_is_compared(checks: Checks) -> None:
    check = handed_in(checks, REGISTERED)
    checks.clock.advance(minutes=1)
    checks.later(check)
    with checks.world.databases["crosscheck"].reading() as connection:
        row = connection.execute(select(awaited).where(awaited.c.id == check)).one()
    assert (row.declared, row.outcome) == (None, "match")
    assert [value for value in row if isinstance(value, str) and "135792" in value] == []


def test_who_has_no_income_matches_zero(checks: Checks) -> None:
    check = handed_in(checks, "0", "4541200105")
    checks.clock.advance(minutes=1)
    assert outcome(checks, check) == "match"


def test_person_the_tax_service_does_not_know_has_no_record(checks: Checks) -> None:
    check = handed_in(checks, "0", "3000000005")
    checks.clock.advance(minutes=1)
    assert outcome(checks, check) == "no_record"


def test_silent_tax_service_can_be_asked_again(checks: Checks) -> None:
    check = handed_in(checks, REGISTERED)
    checks.clock.advance(minutes=1)
    checks.world.shim.down("GOV/10000004/TAX")
    flag = checks.later(check)["income"]
    assert (flag["outcome"], flag["reason"]) == ("unknown", "silent")
    checks.world.shim.heal()
    assert outcome(checks, check) == "match"


def test_answer_lost_on_its_way_is_had_again(checks: Checks) -> None:
    def lose(_: Any) -> Any:
        raise ConnectionError

    check = handed_in(checks, REGISTERED)
    checks.clock.advance(minutes=1)
    checks.world.shim.contradict("GOV/10000004/TAX", lose)
    assert checks.later(check)["income"]["reason"] == "silent"
    checks.world.shim.heal()
    assert outcome(checks, check) == "match"


def test_answer_that_cannot_be_read_is_the_last_word(checks: Checks) -> None:
    check = handed_in(checks, REGISTERED)
    checks.clock.advance(minutes=1)
    checks.world.shim.contradict("GOV/10000004/TAX", lambda answer: {**answer, "total_accrued": "much"})
    assert checks.later(check)["income"]["reason"] == "unclear"
    checks.world.shim.heal()
    assert checks.later(check)["income"]["reason"] == "unclear"


def test_check_belongs_to_who_made_it(checks: Checks) -> None:
    check = handed_in(checks, REGISTERED)
    assert checks.later("00000000-0000-0000-0000-000000000000") == {"found": False, "withheld": []}
    refused = checks.world.ask("crosscheck", f"/checks/{check}", "HOUSING-SUBSIDY", client=CROSS_CHECK)
    assert refused.status == 403


@pytest.mark.parametrize(
    ("income", "name"),
    [
        ({**HALF_YEAR, "total": "much"}, "field_invalid"),
        ({**HALF_YEAR}, "field_missing"),
        ({**HALF_YEAR, "total": 5}, "field_invalid"),
    ],
)
def test_flawed_income_is_refused(checks: Checks, income: dict[str, Any], name: str) -> None:
    answer = checks.send(rnokpp=ONE, income=income)
    assert (answer.status, answer.json()["type"]) == (400, f"urn:surma:registry:{name}")


def test_period_the_tax_service_refuses_is_unknown(checks: Checks) -> None:
    income = {"from_year": 2025, "from_quarter": 4, "to_year": 2025, "to_quarter": 3, "total": "1"}
    flag = checks.send(rnokpp=ONE, income=income).json()["income"]
    assert (flag["outcome"], flag["reason"]) == ("unknown", "refused")

"""Flags only: no data in an answer, and no way to find them by trying."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from registry_adapters.crosscheck.model import Flag, Outcome, Unheard
from registry_adapters.crosscheck.tables import attempt, awaited
from registry_adapters.sdk.fields import describe
from tests.registry_adapters.crosscheck.conftest import NOW, Checks

ONE, TWO = "3347300028", "3288701236"
HALF_YEAR = {"from_year": 2025, "from_quarter": 3, "to_year": 2025, "to_quarter": 4}
REGISTERED = Decimal("135792.00")


def refused(answer: Any) -> bool:
    if answer.status == 200:
        return False
    assert (answer.status, answer.json()["type"]) == (403, "urn:surma:registry:check_attempts")
    return True


def test_flag_has_no_field_that_could_hold_data() -> None:
    fields = {spec.name: spec for spec in describe(Flag).fields}
    assert set(fields) == {"outcome", "reason", "tolerance", "exchanges"}
    assert fields["outcome"].type is Outcome
    assert fields["reason"].type is Unheard


def test_answers_that_differ_are_alike_whatever_was_declared(checks: Checks) -> None:
    answers = []
    for building, children in (("1", 0), ("99", 9)):
        address = {"katottg": "UA80000000000093317", "street": "вул. Лісова", "building": building}
        answer = checks.send(rnokpp=ONE, address=address, children=children).json()
        for kind in ("address", "children"):
            answer[kind].pop("exchanges")
        answers.append(answer)
    assert answers[0] == answers[1]


def test_no_registered_value_is_in_any_answer_or_kept(checks: Checks) -> None:
    answers = [
        checks.send(rnokpp=ONE, children=5, displaced=True, income={**HALF_YEAR, "total": "1"}).content.decode(),
        checks.send(rnokpp=ONE, ownership={"dwellings": 7}, marital_status="widowed").content.decode(),
    ]
    checks.clock.advance(minutes=1)
    answers.append(json.dumps(checks.later(json.loads(answers[0])["check"])))
    with checks.world.databases["crosscheck"].reading() as connection:
        compared = select(awaited).where(awaited.c.id == json.loads(answers[0])["check"])
        held = str([*connection.execute(compared), *connection.execute(select(attempt))])
    held += str([look for look in checks.world.looks("crosscheck") if look["message_id"] in checks.sent])
    for secret in ("135792", "Ткаченко", "Коваленко", TWO, "Українки", "64.2"):
        assert [answer for answer in answers if secret in answer] == []
        assert secret not in held


def test_income_cannot_be_found_by_halving(checks: Checks) -> None:
    low, high, tries = Decimal(0), Decimal(1_000_000), 0
    while True:
        middle = (low + high) / 2
        answer = checks.send(rnokpp=ONE, income={**HALF_YEAR, "total": f"{middle:.2f}"})
        if refused(answer):
            break
        tries += 1
        checks.clock.advance(minutes=1)
        assert checks.later(answer.json()["check"])["income"]["outcome"] == "differs"
        low, high = (middle, high) if middle < REGISTERED else (low, middle)  # as if it knew the direction
    assert tries == 3
    assert high - low >= 125_000


def test_requests_that_come_together_get_no_more_attempts(checks: Checks) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda count: checks.send(rnokpp=ONE, children=count), range(10, 22)))
    assert sum(not refused(answer) for answer in answers) <= 3


def test_match_uses_up_no_attempt(checks: Checks) -> None:
    assert {checks.send(rnokpp=ONE, children=1).json()["children"]["outcome"] for _ in range(6)} == {"match"}


def test_unknown_uses_up_no_attempt(checks: Checks) -> None:
    checks.world.shim.down("GOV/10000005/CIVIL-STATUS")
    assert {checks.send(rnokpp=ONE, children=7).json()["children"]["outcome"] for _ in range(5)} == {"unknown"}
    checks.world.shim.heal()
    assert not refused(checks.send(rnokpp=ONE, children=7))


def test_attempts_are_counted_by_kind_and_person_and_come_back_the_next_day(checks: Checks) -> None:
    for children in (5, 6, 7):
        assert not refused(checks.send(rnokpp=ONE, children=children))
    assert refused(checks.send(rnokpp=ONE, children=1))
    assert not refused(checks.send(rnokpp=ONE, displaced=True))
    assert not refused(checks.send(rnokpp=TWO, children=5))
    checks.clock.set(NOW + timedelta(days=1))
    assert not refused(checks.send(rnokpp=ONE, children=1))


def test_pending_income_holds_its_attempt(checks: Checks) -> None:
    income = {**HALF_YEAR, "total": str(REGISTERED)}
    pending = [checks.send(rnokpp=ONE, income=income).json()["check"] for _ in range(3)]
    assert refused(checks.send(rnokpp=ONE, income=income))
    checks.clock.advance(minutes=1)
    assert checks.later(pending[0])["income"]["outcome"] == "match"
    assert not refused(checks.send(rnokpp=ONE, income=income))


def test_refusal_asks_no_registry(checks: Checks) -> None:
    for children in (5, 6, 7):
        checks.send(rnokpp=ONE, children=children)
    checks.world.shim.exchanges.clear()
    assert refused(checks.send(rnokpp=ONE, children=8))
    assert checks.world.shim.asked("GOV/10000005/CIVIL-STATUS") == []

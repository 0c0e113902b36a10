"""How the service asks, what it notes, whom it answers."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from registry_adapters.sdk.contract import check_registry
from registry_adapters.settings import CrossCheckSettings
from tests.registry_adapters.crosscheck.conftest import Checks
from tests.registry_adapters.shim import listening
from tests.registry_adapters.world import CROSS_CHECK, SNAP, a_client

ONE = "3347300028"
HOME = {"katottg": "UA80000000000093317", "street": "вул. Лесі Українки", "building": "12", "apartment": "34"}
REGISTRIES = {"address": "GOV/10000002/DEMOGRAPHIC", "children": "GOV/10000005/CIVIL-STATUS"}


@pytest.mark.parametrize("silent", REGISTRIES)
def test_registry_that_is_down_is_unknown_and_the_others_are_heard(checks: Checks, silent: str) -> None:
    checks.world.shim.down(REGISTRIES[silent])
    answer = checks.send(rnokpp=ONE, address=HOME, children=1).json()
    (heard,) = set(REGISTRIES) - {silent}
    assert (answer[silent]["outcome"], answer[silent]["reason"]) == ("unknown", "silent")
    assert answer[heard]["outcome"] == "match"


def test_slow_registry_is_unknown_in_time(checks: Checks) -> None:
    checks.world.shim.slow("GOV/10000005/CIVIL-STATUS", 6)
    begun = time.monotonic()
    answer = checks.send(rnokpp=ONE, address=HOME, children=1).json()
    assert time.monotonic() - begun < 5.5
    assert (answer["children"]["outcome"], answer["address"]["outcome"]) == ("unknown", "match")


def test_registries_are_asked_at_the_same_time(checks: Checks) -> None:
    for registry in ("GOV/10000002/DEMOGRAPHIC", "GOV/10000005/CIVIL-STATUS", "GOV/10000006/DISPLACED"):
        checks.world.shim.slow(registry, 1)
    begun = time.monotonic()
    checks.flags(rnokpp=ONE, address=HOME, children=1, displaced=False)
    assert time.monotonic() - begun < 2.5


def test_registry_that_may_not_be_asked_is_said_to_refuse(checks: Checks) -> None:
    app = checks.world.shim.apps.pop("GOV/10000006/DISPLACED")
    try:
        flag = checks.send(rnokpp=ONE, displaced=False).json()["displaced"]
    finally:
        checks.world.shim.apps["GOV/10000006/DISPLACED"] = app
    assert (flag["outcome"], flag["reason"]) == ("unknown", "silent")  # no server provides it
    checks.world.shim.deny("GOV/10000006/DISPLACED")
    flag = checks.send(rnokpp=ONE, displaced=False).json()["displaced"]
    assert (flag["outcome"], flag["reason"]) == ("unknown", "refused")


@pytest.mark.parametrize("edit", [lambda _: [], lambda _: {"found": True}, lambda answer: {**answer, "acts": 5}])
def test_answer_of_another_form_is_unclear(checks: Checks, edit: Any) -> None:
    checks.world.shim.contradict("GOV/10000005/CIVIL-STATUS", edit)
    flag = checks.send(rnokpp=ONE, children=1).json()["children"]
    assert (flag["outcome"], flag["reason"]) == ("unknown", "unclear")


def test_contradicting_registry_differs(checks: Checks) -> None:
    def childless(answer: dict[str, Any]) -> dict[str, Any]:
        return {**answer, "acts": [act for act in answer["acts"] if act["kind"] != "birth"]}

    checks.world.shim.contradict("GOV/10000005/CIVIL-STATUS", childless)
    assert checks.flags(rnokpp=ONE, children=1) == {"children": "differs"}


def test_each_registry_is_asked_as_the_service_for_its_purpose_and_the_clerks_case(checks: Checks) -> None:
    answer = checks.send(rnokpp=ONE, address=HOME, displaced=False).json()
    (asked,) = checks.world.shim.asked("GOV/10000002/DEMOGRAPHIC")
    assert asked.client == str(a_client(CROSS_CHECK))
    assert [asked.headers[name] for name in ("uxp-purpose-ids", "x-road-userid", "x-road-issue")] == [
        "CROSS-CHECK", "clerk", "case-7",
    ]  # fmt: skip
    assert answer["address"]["exchanges"] == [asked.message_id]


def test_look_is_noted_here_and_at_the_registry_once(checks: Checks) -> None:
    answer = checks.send(rnokpp=ONE, displaced=False).json()
    here = [look for look in checks.world.looks("crosscheck") if look["message_id"] == checks.sent[-1]]
    assert [(look["subject"], look["client"], look["purposes"]) for look in here] == [
        (ONE, str(a_client(SNAP)), "HOUSING-SUBSIDY")
    ]
    there = [look for look in checks.world.looks("displaced") if look["message_id"] in answer["displaced"]["exchanges"]]
    assert [(look["subject"], look["client"], look["purposes"]) for look in there] == [
        (ONE, str(a_client(CROSS_CHECK)), "CROSS-CHECK")
    ]


def test_flag_the_purpose_does_not_cover_is_withheld_and_nobody_is_asked(checks: Checks) -> None:
    answer = checks.send("SOLE-TRADER", rnokpp=ONE, address=HOME, children=1).json()
    assert "children" not in answer
    assert answer["address"]["outcome"] == "match"
    assert "children" in answer["withheld"]
    assert checks.world.shim.asked("GOV/10000005/CIVIL-STATUS") == []


def test_check_of_nothing_the_purpose_covers_is_refused(checks: Checks) -> None:
    answer = checks.send("SOLE-TRADER", rnokpp=ONE, children=1)
    assert (answer.status, answer.json()["type"]) == (403, "urn:surma:registry:purpose_operation")


@pytest.mark.parametrize("purpose", ["", "CROSS-CHECK", "LOST-PASSPORT"])
def test_other_purpose_is_refused(checks: Checks, purpose: str) -> None:
    assert checks.send(purpose, client=SNAP, rnokpp=ONE, displaced=True).status == 403


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ({"rnokpp": ONE}, "nothing_declared"),
        ({"displaced": True}, "no_criterion"),
        ({"rnokpp": ONE, "document": "МЕ 000777", "displaced": True}, "several_criteria"),
        ({"rnokpp": "33", "displaced": True}, "rnokpp_invalid"),
        ({"document": "?", "displaced": True}, "document_invalid"),
        ({"rnokpp": ONE, "displaced": "yes"}, "field_invalid"),
        ({"rnokpp": ONE, "marital_status": "happy"}, "field_invalid"),
        ({"rnokpp": ONE, "address": {"street": "вул. Садова"}}, "field_missing"),
        ({"rnokpp": ONE, "salary": 1}, "field_unknown"),
    ],
)
def test_flawed_question_is_refused(checks: Checks, declared: dict[str, Any], name: str) -> None:
    answer = checks.send(**declared)
    assert (answer.status, answer.json()["type"]) == (400, f"urn:surma:registry:{name}")


@pytest.mark.parametrize("flawed", [{"client": "GOV/1/X"}, {"timeout_s": 0.0}, {"max_differing": 0}, {"persons": -1}])
def test_flawed_settings_are_refused(flawed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        CrossCheckSettings(**flawed)


def test_what_the_service_declares_holds(checks: Checks) -> None:
    results = check_registry(checks.world.registries["crosscheck"])
    assert [str(result) for result in results if result.problems] == []


def test_zeep_loads_the_description(checks: Checks) -> None:
    zeep = pytest.importorskip("zeep", reason="zeep is not installed")
    logging.getLogger("zeep").setLevel(logging.WARNING)
    with listening(checks.world.apps["crosscheck"]) as url:
        loaded = zeep.Client(f"{url}/soap?wsdl", settings=zeep.Settings(strict=True))
        assert set(next(iter(loaded.wsdl.bindings.values()))._operations) == {"Check", "GetCheck"}
        loaded.transport.session.close()

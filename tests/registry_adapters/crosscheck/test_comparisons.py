"""Each declared value against what the registries hold."""

from __future__ import annotations

from datetime import date
from itertools import islice
from typing import Any

import pytest

from registry_adapters.population.families import Family, with_families
from registry_adapters.population.model import Record
from registry_adapters.population.people import people
from registry_adapters.simulators.civil_status_seed import MAKER
from tests.registry_adapters.crosscheck.conftest import NOW, Checks

ONE, TWO, CHILD, DISPLACED, TRADER = "3347300028", "3288701236", "4541200105", "2380804560", "2836000078"
NOBODY = "3000000005"
HOME = {"katottg": "UA80000000000093317", "street": "вул. Лесі Українки", "building": "12", "apartment": "34"}


def compared(checks: Checks, person: str, **declared: Any) -> str:
    """The outcome of the one value declared about a person with that RNOKPP."""
    (outcome,) = checks.flags(rnokpp=person, **declared).values()
    return outcome


def test_all_that_is_true_matches_at_once(checks: Checks) -> None:
    flags = checks.flags(
        rnokpp=ONE,
        address=HOME,
        marital_status="married",
        children=1,
        ownership={"dwellings": 1, "parcels": 1, "dwelling_area_m2": "64.2"},
        displaced=False,
    )
    assert flags == dict.fromkeys(("address", "marital_status", "children", "ownership", "displaced"), "match")


def test_all_that_is_false_differs(checks: Checks) -> None:
    flags = checks.flags(
        rnokpp=ONE,
        address={**HOME, "building": "13"},
        marital_status="single",
        children=2,
        ownership={"dwellings": 0},
        displaced=True,
    )
    assert set(flags.values()) == {"differs"}


def test_only_what_is_declared_is_asked_about(checks: Checks) -> None:
    checks.flags(rnokpp=DISPLACED, displaced=True)
    assert [exchange.service for exchange in checks.world.shim.exchanges if "CROSS-CHECK" not in exchange.service] == [
        "GOV/10000006/DISPLACED/displaced"
    ]


@pytest.mark.parametrize(
    ("person", "declared", "outcome"),
    [
        (DISPLACED, {"displaced": True}, "match"),
        (DISPLACED, {"displaced": False}, "differs"),
        (ONE, {"address": {**HOME, "street": "ВУЛ. ЛЕСІ  УКРАЇНКИ"}}, "match"),
        (ONE, {"address": {name: HOME[name] for name in ("katottg", "street", "building")}}, "differs"),
        (ONE, {"ownership": {"dwellings": 1, "dwelling_area_m2": "64.7"}}, "match"),
        (ONE, {"ownership": {"dwellings": 1, "dwelling_area_m2": "64.8"}}, "differs"),
        (ONE, {"ownership": {"dwellings": 1, "parcels": 2}}, "differs"),
        (NOBODY, {"address": HOME}, "no_record"),
        (NOBODY, {"marital_status": "single"}, "no_record"),
        (NOBODY, {"children": 0}, "no_record"),
        (NOBODY, {"displaced": False}, "match"),
        (NOBODY, {"ownership": {"dwellings": 0, "parcels": 0}}, "match"),
        (NOBODY, {"ownership": {"dwellings": 1}}, "differs"),
    ],
)
def test_value_is_compared_with_its_registry(
    checks: Checks, person: str, declared: dict[str, Any], outcome: str
) -> None:
    assert compared(checks, person, **declared) == outcome


@pytest.mark.parametrize(
    ("person", "declared", "outcome"),
    [(TRADER, True, "match"), (TRADER, False, "differs"), (ONE, False, "match"), (NOBODY, False, "no_record")],
)
def test_sole_trader_is_compared_for_the_purpose_that_needs_it(
    checks: Checks, person: str, declared: bool, outcome: str
) -> None:
    answer = checks.send("SOLE-TRADER", rnokpp=person, sole_trader=declared).json()
    assert answer["sole_trader"]["outcome"] == outcome


def test_person_without_number_is_compared_by_document(checks: Checks) -> None:
    answer = checks.send(
        document="ме000777", ownership={"dwellings": 0, "parcels": 1}, marital_status="single", children=0
    ).json()
    assert [answer[kind]["outcome"] for kind in ("ownership", "marital_status", "children")] == ["match"] * 3
    trader = checks.send("SOLE-TRADER", document="МЕ 000777", sole_trader=False).json()["sole_trader"]
    assert (trader["outcome"], trader["reason"]) == ("unknown", "not_asked")


def _marital_status(family: Family) -> str:
    if family.spouse is None:
        return "single"
    if family.divorced_on:
        return "divorced"
    return "widowed" if family.spouse.person.died_on and family.spouse.person.rnokpp else "married"


def _is_minor(child: Record) -> bool:
    return child.person.birth_date > date(NOW.year - 18, NOW.month, NOW.day)


def test_families_of_the_population_match_where_the_acts_have_no_error(checks: Checks) -> None:
    wrong = {given.record.number for given in islice(MAKER.given(1), 100) if given.error}
    seen: set[str] = set()
    for record, family in islice(with_families(people(1)), 100):
        kin = {one.number for one in (record, family.spouse, *family.children) if one}
        if record.person.rnokpp is None or kin & wrong or _is_minor(record):
            continue
        status = _marital_status(family)
        declared = {"marital_status": status, "children": sum(map(_is_minor, family.children))}
        if status in seen and not declared["children"]:
            continue
        seen.add(status)
        outcomes = checks.flags(rnokpp=record.person.rnokpp, **declared)
        assert outcomes == {"marital_status": "match", "children": "match"}, (record, declared)
    assert {"single", "married", "divorced"} <= seen

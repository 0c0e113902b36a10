from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from registry_adapters.population.families import with_families
from registry_adapters.population.people import people
from registry_adapters.simulators.civil_status import certificate_key
from tests.registry_adapters.world import PERSONS, World

MOTHER, FATHER, CHILD = "3347300028", "3288701236", "4541200105"
GRANDFATHER = "1909400190"


def acts(world: World, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.ask("civil_status", "/acts", **query).json()["acts"]
    return found


def test_birth_of_the_child_names_both_parents(world: World) -> None:
    (birth,) = acts(world, rnokpp=CHILD)
    assert (birth["kind"], birth["event_on"], birth["person"]["given_name"]) == ("birth", "2024-05-01", "Софія")
    assert (birth["father"]["rnokpp"], birth["mother"]["rnokpp"]) == (FATHER, MOTHER)


def test_birth_of_a_child_is_found_by_either_parent(world: World) -> None:
    for parent in (MOTHER, FATHER):
        born = [act["person"]["rnokpp"] for act in acts(world, rnokpp=parent, kind="birth")]
        assert born == [parent, CHILD]


def test_marriage_is_found_by_either_spouse_with_the_husband_first(world: World) -> None:
    for spouse in (MOTHER, FATHER):
        (marriage,) = acts(world, rnokpp=spouse, kind="marriage")
        assert (marriage["person"]["rnokpp"], marriage["spouse"]["rnokpp"]) == (FATHER, MOTHER)
        assert marriage["event_on"] == "2020-06-20"


def test_death_is_told_and_the_daughter_by_her_birth(world: World) -> None:
    found = acts(world, rnokpp=GRANDFATHER)
    assert [(act["kind"], act["event_on"]) for act in found] == [
        ("birth", "1952-04-11"), ("birth", "1991-08-24"), ("death", "2025-11-02"),
    ]  # fmt: skip
    assert found[1]["person"]["rnokpp"] == MOTHER
    assert found[1]["father"]["rnokpp"] == GRANDFATHER


def test_parents_who_are_not_in_the_population_have_names_that_fit(world: World) -> None:
    (birth,) = acts(world, rnokpp="2380804560")
    assert birth["father"]["given_name"] == "Василь"
    assert "rnokpp" not in birth["father"]
    assert birth["mother"]["patronymic"].endswith("на")


@pytest.mark.parametrize(
    "query",
    [
        {"unzr": "19910824-00026"},
        {"document": "000000001"},
        {"surname": "ТКАЧЕНКО", "given_name": "Мар’яна", "birth_date": "1991-08-24"},
        {"surname": "Ткаченко", "given_name": "Мар'яна", "patronymic": "Іванівна", "birth_date": "1991-08-24"},
    ],
)
def test_acts_are_found_by_any_criterion(world: World, query: dict[str, str]) -> None:
    assert acts(world, **query) == acts(world, rnokpp=MOTHER)


def test_person_without_number_is_found_by_document(world: World) -> None:
    assert [act["person"]["surname"] for act in acts(world, document="ме000777")] == ["Мельник"]


def test_namesakes_are_counted_and_no_act_is_told(world: World) -> None:
    question = {"surname": "Шевчук", "given_name": "Іван", "birth_date": "1985-05-05"}
    answer = world.ask("civil_status", "/acts", **question).json()
    assert (answer["ambiguous"], answer["count"], answer["acts"]) == (True, 0, [])


def test_document_no_longer_in_force_says_so_by_confidence(world: World) -> None:
    confidence = [
        world.ask("civil_status", "/acts", document=number).json()["confidence"]
        for number in ("000000008", "СН 111222")
    ]
    assert confidence == ["high", "medium"]


def test_wrong_check_digit_is_looked_up_and_told(world: World) -> None:
    answer = world.ask("civil_status", "/acts", rnokpp="3347300029").json()
    assert (answer["count"], answer["warnings"]) == (0, ["rnokpp_check_digit"])


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "no_criterion"),
        ({"rnokpp": MOTHER, "unzr": "19910824-00026"}, "several_criteria"),
        ({"rnokpp": "1"}, "rnokpp_invalid"),
        ({"rnokpp": MOTHER, "kind": "wedding"}, "field_invalid"),
        ({"rnokpp": MOTHER, "sex": "female"}, "field_unknown"),
    ],
)
def test_flawed_question_is_refused(world: World, query: dict[str, str], name: str) -> None:
    answer = world.ask("civil_status", "/acts", **query)
    assert (answer.status, answer.json()["type"]) == (400, f"urn:surma:registry:{name}")


def test_certificate_leads_to_its_act_however_its_series_is_typed(world: World) -> None:
    (birth,) = acts(world, rnokpp=CHILD)
    series, number = birth["certificate_series"], birth["certificate_number"]
    assert series.startswith("ІІІ-")
    for typed in (series, series.lower(), series.replace("І", "I"), f"3{series[3:]}", series.replace("-", " ")):
        answer = world.ask("civil_status", "/certificates", series=typed, number=number).json()
        assert (answer["found"], answer["act"]) == (True, birth)


def test_unknown_certificate_is_not_found(world: World) -> None:
    assert world.ask("civil_status", "/certificates", series="І-АА", number="000000").json()["found"] is False


def test_flawed_certificate_is_refused(world: World) -> None:
    for series, number in (("Х-БК", "123456"), ("І-БК", "12345"), ("", "123456")):
        assert world.ask("civil_status", "/certificates", series=series, number=number).status == 400


def test_latin_and_cyrillic_series_are_the_same_key() -> None:
    assert certificate_key("II-BK", "000001") == certificate_key("ІІ-ВК", "000001") == "certificate:ІІ-ВК 000001"


def test_divorce_names_the_common_children_under_age(world: World) -> None:
    families = list(islice(with_families(people(1)), PERSONS))
    expected = {
        record.person.rnokpp: sorted(
            child.person.given_name
            for child in family.common_children
            if child.person.birth_date <= family.divorced_on
            and (family.divorced_on - child.person.birth_date).days < 18 * 365
        )
        for record, family in families
        if family.divorced_on and record.person.rnokpp
    }
    told = {}
    for rnokpp in expected:
        for act in acts(world, rnokpp=rnokpp, kind="divorce"):
            told[rnokpp] = sorted(child["given_name"] for child in act["children"])
    assert len(told) >= 10
    assert {rnokpp: expected[rnokpp] for rnokpp in told} == told

from __future__ import annotations

import pytest

from registry_adapters.population.settlements import COMPANIES
from registry_adapters.sdk.identifiers import flaw_of_edrpou
from registry_adapters.simulators.business_seed import ORGANISATIONS
from tests.registry_adapters.world import World

TRADER = "2836000078"


def test_sole_trader_is_found_by_number(world: World) -> None:
    (found,) = world.ask("business", "/subjects", code=TRADER).json()["subjects"]
    assert (found["kind"], found["state"], found["name"]) == ("sole_trader", 1, "ЛИСЕНКО ТАРАС БОГДАНОВИЧ")
    assert found["registered_on"] == "2019-04-15"


def test_sole_trader_is_found_by_name_whatever_its_case(world: World) -> None:
    assert world.ask("business", "/subjects", name="Лисенко  Тарас Богданович").json()["count"] == 1


def test_company_is_found_by_name_with_any_quotation_marks(world: World) -> None:
    codes = [
        world.ask("business", "/subjects", name=name).json()["subjects"][0]["code"]
        for name in ("ТОВ «Золотий лан»", 'тов "золотий лан"', "ТОВ Золотий лан")
    ]
    assert codes == [COMPANIES[0].edrpou] * 3


def test_record_of_a_subject_is_had_by_the_number_a_search_gives(world: World) -> None:
    (found,) = world.ask("business", "/subjects", code=TRADER).json()["subjects"]
    subject = world.ask("business", f"/subjects/{found['id']}").json()["subject"]
    assert subject["activities"][0] == {"code": "62.01", "title": "Комп'ютерне програмування", "main": True}
    assert subject["address"]["settlement"] == "м. Київ"


def test_company_names_its_head_and_founder(world: World) -> None:
    (found,) = world.ask("business", "/subjects", code=COMPANIES[0].edrpou).json()["subjects"]
    subject = world.ask("business", f"/subjects/{found['id']}").json()["subject"]
    assert subject["heads"][0]["position"] == "керівник"
    assert subject["founders"][0] == {"person": subject["heads"][0]["person"], "share_percent": "100"}


def test_codes_of_organisations_are_flawless_and_different() -> None:
    codes = [code for code, _ in ORGANISATIONS]
    assert [code for code in codes if flaw_of_edrpou(code)] == []
    assert len(set(codes)) == len(codes) > 400


def test_nobody_is_an_answer(world: World) -> None:
    assert world.ask("business", "/subjects", code="3347300028").json()["subjects"] == []
    assert world.ask("business", "/subjects/5").json()["found"] is False


def test_wrong_check_digit_is_looked_up_and_told(world: World) -> None:
    assert world.ask("business", "/subjects", code="99010511").json()["warnings"] == ["code_check_digit"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "one_of"),
        ({"code": TRADER, "name": "a"}, "one_of"),
        ({"code": "123"}, "field_invalid"),
        ({"code": "12345678901"}, "field_too_long"),
    ],
)
def test_flawed_question_is_refused(world: World, query: dict[str, str], name: str) -> None:
    answer = world.ask("business", "/subjects", **query)
    assert (answer.status, answer.json()["type"]) == (400, f"urn:surma:registry:{name}")

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

import pytest

from registry_adapters.population.land import PARCEL_OF_1, PARCEL_OF_6_AND_7, Holding, dwellings_of, parcels_of
from registry_adapters.population.people import people
from registry_adapters.simulators.property_rights_seed import MAKER
from tests.registry_adapters.world import PERSONS, World

HOME = {"katottg": "UA80000000000093317", "street": "вул. Лесі Українки", "building": "12", "apartment": "34"}


def objects(world: World, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.ask("property_rights", "/rights", **query).json()["objects"]
    return found


def test_holder_owns_a_parcel_and_a_flat(world: World) -> None:
    parcel, flat = objects(world, rnokpp="3347300028")
    assert (parcel["kind"], parcel["cadastral_number"]) == ("parcel", PARCEL_OF_1)
    assert (flat["kind"], flat["area_m2"], flat["address"]["apartment"]) == ("flat", "64.2", "34")
    assert flat["rights"][0]["holder_code"] == "3347300028"


def test_flat_is_found_by_its_address_whatever_its_case(world: World) -> None:
    assert objects(world, **HOME) == objects(world, **{**HOME, "street": "ВУЛ.  ЛЕСІ УКРАЇНКИ"})
    assert [one["kind"] for one in objects(world, **HOME)] == ["flat"]


def test_other_apartment_is_another_address(world: World) -> None:
    assert objects(world, **{**HOME, "apartment": "35"}) == []
    assert objects(world, **{name: HOME[name] for name in ("katottg", "street", "building")}) == []


def test_parcel_of_two_tells_both_whoever_is_asked_by(world: World) -> None:
    (parcel,) = objects(world, cadastral_number=PARCEL_OF_6_AND_7.replace(":", ""))
    assert [right["share"] for right in parcel["rights"]] == ["1/2", "1/2"]
    for right in parcel["rights"]:
        assert objects(world, rnokpp=right["holder_code"]) == [parcel]


def test_holder_without_number_is_found_by_document(world: World) -> None:
    (parcel,) = objects(world, document="ме 000777")
    assert parcel["rights"][0]["holder_code"] == "МЕ 000777"


def test_the_deceased_still_holds_what_is_to_be_inherited(world: World) -> None:
    (parcel,) = objects(world, rnokpp="1909400190")
    assert (parcel["kind"], parcel["rights"][0]["state"]) == ("parcel", "registered")


def test_organisation_is_found_by_its_code(world: World) -> None:
    found = objects(world, edrpou="99010512")
    assert found
    assert {one["rights"][0]["holder_name"] for one in found} == {"ТОВ «Золотий лан»"}


def test_rights_are_those_the_land_says_but_for_errors(world: World) -> None:
    wrong = {given.record.number for given in islice(MAKER.given(1), PERSONS) if given.error}
    compared = 0
    for record in islice(people(1), 180):
        held: list[Holding[Any]] = [*parcels_of(1, record), *dwellings_of(1, record)]
        concerned = {record.number, *(number for holding in held for number in holding.holders)}
        if record.person.rnokpp is None or concerned & wrong:
            continue
        expected = {(one.object.registration_number, one.share, one.right_number) for one in held}
        told = {
            (one["registration_number"], right["share"], right["number"])
            for one in objects(world, rnokpp=record.person.rnokpp)
            for right in one["rights"]
            if right["holder_code"] == record.person.rnokpp
        }
        assert told == expected
        compared += len(expected)
    assert compared > 60


def test_shares_of_every_object_add_up_to_one(world: World) -> None:
    seen = 0
    for record in islice(people(1), 80):
        for one in objects(world, rnokpp=record.person.rnokpp) if record.person.rnokpp else []:
            assert sum(Fraction(right["share"]) for right in one["rights"]) == 1
            assert Decimal(one["area_m2"]) > 0
            seen += 1
    assert seen > 30


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "one_of"),
        ({"rnokpp": "3347300028", "edrpou": "99010512"}, "one_of"),
        ({"rnokpp": "3347300028", **HOME}, "one_of"),
        ({"katottg": "UA80000000000093317", "street": "вул. Садова"}, "field_missing"),
        ({"rnokpp": "33473"}, "field_invalid"),
        ({"edrpou": "9901051A"}, "field_invalid"),
        ({"document": "паспорт"}, "document_invalid"),
        ({"cadastral_number": "8000000000:90:999"}, "field_invalid"),
    ],
)
def test_flawed_question_is_refused(world: World, query: dict[str, str], name: str) -> None:
    answer = world.ask("property_rights", "/rights", **query)
    assert (answer.status, answer.json()["type"]) == (400, f"urn:surma:registry:{name}")

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import islice

import pytest

from registry_adapters.population.land import (
    PARCEL_OF_1,
    PARCEL_OF_5,
    PARCEL_OF_6_AND_7,
    PARCEL_OF_9,
    dwellings_of,
    organisation_parcels,
    parcels_of,
)
from registry_adapters.population.model import Record
from registry_adapters.population.parcels import (
    Dwelling,
    DwellingKind,
    Holding,
    LandParcel,
    beside,
    cadastral_number,
    lot_of,
)
from registry_adapters.population.people import AS_OF, people
from registry_adapters.population.settlements import BY_KOATUU, COMPANIES, SETTLEMENTS, STATE_BODY
from registry_adapters.sdk.identifiers import flaw_of_edrpou, flaw_of_katottg, normalise_cadastral_number

SEED = 1


@pytest.fixture(scope="module")
def population() -> list[Record]:
    return list(islice(people(SEED), 10_000))


@pytest.fixture(scope="module")
def parcels(population: list[Record]) -> list[tuple[Record, Holding[LandParcel]]]:
    return [(record, holding) for record in population for holding in parcels_of(SEED, record)]


@pytest.fixture(scope="module")
def dwellings(population: list[Record]) -> list[tuple[Record, Holding[Dwelling]]]:
    return [(record, holding) for record in population for holding in dwellings_of(SEED, record)]


def test_same_seed_and_person_give_the_same_land(population: list[Record]) -> None:
    some = population[:500]
    assert [parcels_of(SEED, record) for record in some] == [parcels_of(SEED, record) for record in some]


def test_another_seed_gives_other_land(population: list[Record]) -> None:
    some = population[10:300]
    assert [parcels_of(SEED, record) for record in some] != [parcels_of(2, record) for record in some]


def test_shares_of_all_holders_sum_to_one(
    parcels: list[tuple[Record, Holding[LandParcel]]], dwellings: list[tuple[Record, Holding[Dwelling]]]
) -> None:
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for _, holding in (*parcels, *dwellings):
        sums[holding.object.registration_number] += Fraction(holding.share)
    assert set(sums.values()) == {Fraction(1)}


def test_holders_of_a_shared_parcel_agree_on_it(parcels: list[tuple[Record, Holding[LandParcel]]]) -> None:
    seen: dict[str, set[LandParcel]] = defaultdict(set)
    holders: dict[str, list[int]] = defaultdict(list)
    for record, holding in parcels:
        seen[holding.object.cadastral_number].add(holding.object)
        holders[holding.object.cadastral_number].append(record.number)
        assert record.number in holding.holders
    assert {len(told) for told in seen.values()} == {1}
    assert [numbers for numbers in holders.values() if len(numbers) == 2 and numbers[1] != numbers[0] + 1] == []
    assert sum(len(numbers) == 2 for numbers in holders.values()) > 200


def test_no_number_belongs_to_two_objects_or_rights(
    population: list[Record],
    parcels: list[tuple[Record, Holding[LandParcel]]],
    dwellings: list[tuple[Record, Holding[Dwelling]]],
) -> None:
    of_persons = {holding.object for _, holding in parcels}
    of_organisations = [parcel for r in population for parcel, _ in organisation_parcels(SEED, r.number)]
    numbers = [parcel.cadastral_number for parcel in (*of_persons, *of_organisations)]
    objects = [each.registration_number for each in (*of_persons, *of_organisations, *{h.object for _, h in dwellings})]
    rights = [holding.right_number for _, holding in (*parcels, *dwellings)]
    for each in (numbers, objects, rights):
        assert [number for number, count in Counter(each).items() if count > 1] == []


def test_every_number_and_code_is_well_formed(parcels: list[tuple[Record, Holding[LandParcel]]]) -> None:
    for _, holding in parcels:
        parcel = holding.object
        assert normalise_cadastral_number(parcel.cadastral_number) == parcel.cadastral_number
        assert flaw_of_katottg(parcel.katottg) is None
        assert BY_KOATUU[parcel.cadastral_number[:10]].katottg == parcel.katottg


def test_codes_of_organisations_have_valid_check_digits() -> None:
    organisations = (*COMPANIES, STATE_BODY, *(settlement.council for settlement in SETTLEMENTS))
    assert [one for one in organisations if flaw_of_edrpou(one.edrpou)] == []
    assert len({one.edrpou for one in organisations}) == len(organisations)


def test_days_are_in_order(
    parcels: list[tuple[Record, Holding[LandParcel]]], dwellings: list[tuple[Record, Holding[Dwelling]]]
) -> None:
    for record, holding in (*parcels, *dwellings):
        assert date(2005, 1, 1) <= holding.object.registered_on <= holding.since < (record.person.died_on or AS_OF)
        assert holding.since >= record.person.birth_date


def test_a_third_of_adults_hold_land_and_few_children_do(population: list[Record]) -> None:
    grown = [record for record in population if record.person.birth_date < date(2007, 12, 1)]
    young = [record for record in population if record.person.birth_date > date(2008, 2, 1)]
    assert sum(bool(parcels_of(SEED, r)) for r in grown) / len(grown) == pytest.approx(0.38, abs=0.03)
    assert 0 < sum(len(parcels_of(SEED, r)) for r in young) / len(young) < 0.1


def test_residence_that_is_owned_has_the_residences_address(dwellings: list[tuple[Record, Holding[Dwelling]]]) -> None:
    at_home = [(record.person.residence, h.object) for record, h in dwellings if h.object.cadastral_number is None]
    assert len(at_home) > 3000
    for home, dwelling in at_home:
        assert home is not None
        assert (home.katottg, home.street, home.building, home.apartment) == (
            dwelling.katottg,
            dwelling.street,
            dwelling.building,
            dwelling.apartment,
        )
        assert dwelling.kind is (DwellingKind.FLAT if home.apartment else DwellingKind.HOUSE)


def test_house_on_a_plot_is_held_as_the_plot_is(
    parcels: list[tuple[Record, Holding[LandParcel]]], dwellings: list[tuple[Record, Holding[Dwelling]]]
) -> None:
    plots = {(record.number, holding.object.cadastral_number): holding for record, holding in parcels}
    houses = [(record, holding) for record, holding in dwellings if holding.object.cadastral_number]
    assert len(houses) > 500
    for record, house in houses:
        plot = plots[record.number, house.object.cadastral_number or ""]
        assert plot.object.purpose_code == "02.01"
        assert (house.share, house.holders, house.since) == (plot.share, plot.holders, plot.since)
        assert (house.object.street, house.object.building) == (plot.object.street, plot.object.building)


def test_no_two_houses_on_plots_have_one_address(dwellings: list[tuple[Record, Holding[Dwelling]]]) -> None:
    houses = {holding.object for _, holding in dwellings if holding.object.cadastral_number}
    assert len({(house.katottg, house.street, house.building) for house in houses}) == len(houses)


@pytest.mark.parametrize(
    ("number", "parcel", "share"),
    [
        (1, PARCEL_OF_1, "1"),
        (5, PARCEL_OF_5, "1"),
        (6, PARCEL_OF_6_AND_7, "1/2"),
        (7, PARCEL_OF_6_AND_7, "1/2"),
        (9, PARCEL_OF_9, "1"),
    ],
)
def test_well_known_person_holds_the_parcel_that_is_told(
    population: list[Record], number: int, parcel: str, share: str
) -> None:
    (holding,) = parcels_of(SEED, population[number - 1])
    assert (holding.object.cadastral_number, holding.share) == (parcel, share)


def test_well_known_couple_each_hold_the_flat_they_live_in(population: list[Record]) -> None:
    for number, area in ((1, Decimal("64.2")), (2, Decimal("58.3"))):
        home = population[number - 1].person.residence
        (flat,) = dwellings_of(SEED, population[number - 1])
        assert home is not None
        assert (flat.object.apartment, flat.object.area_m2, flat.share) == (home.apartment, area, "1")


@pytest.mark.parametrize("number", [11, 99, 100, 9_999, 100_000, 4_999_999, 9_000_000])
def test_cadastral_number_tells_stand_and_slot(number: int) -> None:
    lot = lot_of(cadastral_number(number, 3))
    assert (lot.stand, lot.slot) == (number % 100, 3)
    assert normalise_cadastral_number(cadastral_number(number, 9)) == cadastral_number(number, 9)


def test_quarters_of_a_settlement_are_counted_without_gap() -> None:
    ranks: dict[str, list[int]] = defaultdict(list)
    for quarter in range(200):
        lot = lot_of(cadastral_number(quarter * 100, 0))
        ranks[lot.settlement.katottg].append(lot.rank)
    assert {name: sorted(found) for name, found in ranks.items()} == {
        settlement.katottg: list(range(1, 1 + 5 * settlement.share)) for settlement in SETTLEMENTS
    }


def test_number_beside_is_on_the_same_stand() -> None:
    assert beside("8000000000:90:999:0012", 5) == "8000000000:90:999:0016"

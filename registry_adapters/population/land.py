"""Who owns which land parcels, flats and houses: facts that several registries must agree on.

A pure function of the seed and one person. What a person owns lies on the stand of the person's number, or (part of
a shared parcel) on that of the one before: 11 and 12 may share one, 13 and 14, and so on, and from either alone
comes the same parcel.

    for holding in parcels_of(seed, record): ...      the person's share of a land parcel
    for holding in dwellings_of(seed, record): ...    of a flat or house
    organisation_parcels(seed, record.number)         what councils and companies own on the same stand
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from registry_adapters.population.land_told import (
    PARCEL_OF_1,
    PARCEL_OF_5,
    PARCEL_OF_6_AND_7,
    PARCEL_OF_9,
    told_dwellings,
    told_neighbours,
    told_parcels,
)
from registry_adapters.population.model import Record
from registry_adapters.population.parcels import (
    FIELD,
    JOINT,
    LOTS,
    RESIDENCE,
    STANDS,
    Dwelling,
    DwellingKind,
    Holding,
    LandParcel,
    Ownership,
    RightOf,
    cadastral_number,
    lot_of,
    registration_number,
    right_number,
    settlement_of,
    stand_of,
)
from registry_adapters.population.people import AS_OF
from registry_adapters.population.settlements import COMPANIES, STATE_BODY, Organisation, Settlement

__all__ = [
    "FIRST_DRAWN",
    "PARCEL_OF_1",
    "PARCEL_OF_5",
    "PARCEL_OF_6_AND_7",
    "PARCEL_OF_9",
    "Dwelling",
    "DwellingKind",
    "Holding",
    "LandParcel",
    "Ownership",
    "dwellings_of",
    "organisation_parcels",
    "parcels_of",
]

FIRST_DRAWN: Final = 11  # who comes before is well known, or has the well-known for a neighbour
_DAY: Final = timedelta(days=1)
_ADULT: Final = timedelta(days=round(18 * 365.2425))
_FIRST_REGISTERED: Final = date(2005, 1, 1)
_DAYS_REGISTERED: Final = (date(2024, 12, 1) - _FIRST_REGISTERED).days
# None of them among those the population lives in: a house has one address.
_STREETS: Final = ("вул. Польова", "вул. Яблунева", "вул. Лугова", "вул. Нова", "вул. Озерна", "вул. Степова")

# Purpose, how many of hundred, least and greatest area in square metres.
_FRONT: Final = (("02.01", 55, 600, 1500), ("01.03", 70, 800, 1700), ("01.05", 88, 400, 1200), ("02.05", 100, 24, 60))
_FIELDS: Final = (
    ("01.03", 45, 4000, 9500), ("01.01", 80, 6000, 9500), ("01.02", 88, 6000, 9500), ("01.08", 100, 4000, 9500),
)  # fmt: skip
_PRIVATE, _COMMUNAL, _STATE = Ownership.PRIVATE, Ownership.COMMUNAL, Ownership.STATE
_FRONT_OF_ORGANISATIONS: Final = (
    ("03.07", _PRIVATE, 400, 1600), ("02.03", _COMMUNAL, 900, 1700), ("03.02", _COMMUNAL, 900, 1700),
    ("18.00", _COMMUNAL, 300, 1700), ("03.01", _STATE, 500, 1500),
)  # fmt: skip
_FIELDS_OF_ORGANISATIONS: Final = (
    ("01.01", _PRIVATE, 6000, 9500), ("11.02", _PRIVATE, 4000, 9500), ("01.08", _COMMUNAL, 4000, 9500),
    ("01.01", _STATE, 6000, 9500),
)  # fmt: skip
_SHARES: Final = (("1/2", "1/2"), ("1/2", "1/2"), ("1/3", "2/3"), ("1/4", "3/4"))
_JOINT_SHARE: Final = 0.06
_ORGANISATION_SHARE: Final = 0.15
_HOUSE_SHARE: Final = 0.8  # of building plots
_OWNED_FLATS: Final = 0.45
_OWNED_HOUSES: Final = 0.6

# What is drawn for a number, in this order; then four for each lot.
_TURN, _JOINT, _SHARING, _ORGANISED, _HOLDER, _COUNT, _DWELLS, _SIZE, _SINCE, _LOT = range(10)
_PURPOSE, _AREA, _REGISTERED, _HOUSE = range(4)


def parcels_of(seed: int, record: Record) -> tuple[Holding[LandParcel], ...]:
    """Return the parcels a person holds, alone or with another."""
    number = record.number
    if number < FIRST_DRAWN:
        return told_parcels(number)
    draws = _draws(seed, number)
    own = tuple(
        Holding(_parcel(number, draws, slot), "1", (number,), right_number(RightOf.PARCEL, number, slot), since)
        for slot, since in _own_slots(record, draws)
    )
    first = number - 1 + number % 2
    stand = draws if first == number else _draws(seed, first)
    if stand[_JOINT] >= _JOINT_SHARE:
        return own
    parcel = _parcel(first, stand, _slot(stand, 3))
    share = _SHARES[int(stand[_SHARING] * len(_SHARES))][number - first]
    since = _since(record, draws[_SINCE], parcel.registered_on)
    return (*own, Holding(parcel, share, (first, first + 1), right_number(RightOf.PARCEL, number, JOINT), since))


def dwellings_of(seed: int, record: Record) -> tuple[Holding[Dwelling], ...]:
    """Return the flats and houses a person holds: the residence, and what stands on the person's building plots."""
    home = record.person.residence
    if record.number < FIRST_DRAWN:
        return told_dwellings(record)
    draws = _draws(seed, record.number)
    owned = [
        _house(holding)
        for holding in parcels_of(seed, record)
        if holding.object.purpose_code == "02.01" and _has_house(seed, holding.object)
    ]
    chance = _OWNED_FLATS if home is not None and home.apartment else _OWNED_HOUSES
    if home is not None and draws[_DWELLS] < chance and _is_adult(record):
        owned.insert(0, _residence(record, draws))
    return tuple(owned)


def organisation_parcels(seed: int, number: int) -> tuple[tuple[LandParcel, Organisation], ...]:
    """Return what councils, companies and the state hold on the stand of a person's number."""
    if number < FIRST_DRAWN:
        return told_neighbours(number)
    draws = _draws(seed, number)
    if draws[_ORGANISED] >= _ORGANISATION_SHARE:
        return ()
    slot = _slot(draws, 4)
    kinds = _FIELDS_OF_ORGANISATIONS if slot == FIELD else _FRONT_OF_ORGANISATIONS
    purpose, ownership, least, most = kinds[int(_lot(draws, slot, _PURPOSE) * len(kinds))]
    area = _area(least, most, _lot(draws, slot, _AREA))
    holder = _organisation(settlement_of(number), ownership, draws[_HOLDER])
    return ((_parcel_at(number, slot, draws, purpose, area, ownership), holder),)


@lru_cache(maxsize=16)  # the same few stands are asked about one after the other
def _draws(seed: int, number: int) -> tuple[float, ...]:
    draw = random.Random(f"{seed}/land/{number}").random  # noqa: S311  reproducible on purpose
    return tuple([draw() for _ in range(_LOT + 4 * LOTS)])


def _slot(draws: tuple[float, ...], step: int) -> int:
    """Return a lot of the stand; five steps from a drawn beginning meet each once."""
    return (int(draws[_TURN] * LOTS) + step) % LOTS


def _lot(draws: tuple[float, ...], slot: int, what: int) -> float:
    return draws[_LOT + 4 * slot + what]


def _is_adult(record: Record) -> bool:
    return record.person.birth_date + _ADULT < AS_OF


def _own_slots(record: Record, draws: tuple[float, ...]) -> list[tuple[int, date]]:
    chance = draws[_COUNT]
    if _is_adult(record):
        count = 0 if chance < 0.66 else 1 if chance < 0.9 else 2 if chance < 0.97 else 3
    else:
        count = int(chance >= 0.985)
    slots = [_slot(draws, step) for step in range(count)]
    return [(slot, _since(record, draws[_SINCE], _registered_on(draws, slot))) for slot in slots]


def _since(record: Record, chance: float, registered_on: date) -> date:
    """Return a day between the parcel's registration or the person's majority, and death or now."""
    born, until = record.person.birth_date, (record.person.died_on or AS_OF) - _DAY
    first = max(registered_on, born + _ADULT if _is_adult(record) else born)
    return min(first + _DAY * int(chance * max((until - first).days, 0)), until)


def _registered_on(draws: tuple[float, ...], slot: int) -> date:
    return _FIRST_REGISTERED + _DAY * int(_lot(draws, slot, _REGISTERED) * _DAYS_REGISTERED)


def _area(least: int, most: int, chance: float) -> int:
    return least + int(chance * (most - least))


def _parcel(number: int, draws: tuple[float, ...], slot: int) -> LandParcel:
    chance = _lot(draws, slot, _PURPOSE) * 100
    kinds = _FIELDS if slot == FIELD else _FRONT
    purpose, _, least, most = next(kind for kind in kinds if chance < kind[1])
    return _parcel_at(number, slot, draws, purpose, _area(least, most, _lot(draws, slot, _AREA)), _PRIVATE)


def _parcel_at(
    number: int, slot: int, draws: tuple[float, ...], purpose: str, area_m2: int, ownership: Ownership
) -> LandParcel:
    settlement = settlement_of(number)
    in_street = slot != FIELD
    name = cadastral_number(number, slot)
    return LandParcel(
        name,
        registration_number(number, slot, settlement.katottg),
        Decimal(area_m2).scaleb(-4),
        purpose,
        settlement.katottg,
        settlement.region,
        settlement.name,
        _STREETS[number // STANDS % len(_STREETS)] if in_street else None,
        f"{number % STANDS * 4 + slot + 1}/{lot_of(name).rank}" if in_street else None,
        _registered_on(draws, slot),
        ownership,
    )


def _organisation(settlement: Settlement, ownership: Ownership, chance: float) -> Organisation:
    if ownership is _COMMUNAL:
        return settlement.council
    return STATE_BODY if ownership is _STATE else COMPANIES[int(chance * len(COMPANIES))]


def _has_house(seed: int, plot: LandParcel) -> bool:
    number, slot = stand_of(plot.registration_number)
    return _lot(_draws(seed, number), slot, _HOUSE) < _HOUSE_SHARE


def _house(holding: Holding[LandParcel]) -> Holding[Dwelling]:
    """Return the house on a building plot, held as the plot is."""
    plot = holding.object
    number, slot = stand_of(plot.registration_number)
    area = Decimal(400 + int(plot.area_ha * 10_000) % 1400).scaleb(-1)
    place = (plot.katottg, plot.region, plot.settlement, plot.street or "", plot.building or "", None)
    house = Dwelling(
        registration_number(number, slot + 8, plot.katottg),
        DwellingKind.HOUSE, area, *place, plot.cadastral_number, plot.registered_on,
    )  # fmt: skip
    return Holding(
        house, holding.share, holding.holders, f"{RightOf.HOUSE.value}{holding.right_number[1:]}", holding.since
    )


def _residence(record: Record, draws: tuple[float, ...]) -> Holding[Dwelling]:
    home = record.person.residence
    assert home is not None
    kind, least, most = (DwellingKind.FLAT, 280, 1100) if home.apartment else (DwellingKind.HOUSE, 450, 2200)
    since = _since(record, draws[_SINCE], _FIRST_REGISTERED)
    dwelling = Dwelling(
        registration_number(record.number, RESIDENCE, home.katottg),
        kind, Decimal(_area(least, most, draws[_SIZE])).scaleb(-1), home.katottg, home.region, home.settlement,
        home.street, home.building, home.apartment, None, since,
    )  # fmt: skip
    return Holding(dwelling, "1", (record.number,), right_number(RightOf.RESIDENCE, record.number, RESIDENCE), since)

"""Land parcels, flats and houses of the synthetic population, and how they are numbered.

Each person's number has a stand, a strip of a cadastral quarter with five lots; quarters go round among the
settlements. So a cadastral number says whose stand it lies on and where that is, and nobody has to remember
which numbers are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final, Generic, TypeVar

from registry_adapters.population.settlements import BY_KOATUU, SETTLEMENTS, Settlement

STANDS: Final = 100  # persons of one quarter
LOTS: Final = 5  # of one stand: four along the street, and a field behind them
FIELD: Final = 4
SLOTS: Final = 10  # parcel numbers of one stand; those that are no lots are for parcels that are no more
RESERVED_QUARTER: Final = 999  # in each zone, for what is written down and not drawn
_QUARTERS: Final = 998
_NUMBERS: Final = 16  # of objects and rights for each person
RESIDENCE: Final = 7  # among these: the person's flat or house
JOINT: Final = 9  # the right in a shared parcel


class Ownership(StrEnum):
    """The form of property of a parcel (Land Code, article 78)."""

    PRIVATE = "private"
    COMMUNAL = "communal"
    STATE = "state"


class DwellingKind(StrEnum):
    """What a person lives in."""

    FLAT = "flat"
    HOUSE = "house"


@dataclass(frozen=True, slots=True)
class LandParcel:
    """A registered parcel; `purpose_code` is of the classifier KVCPZ."""

    cadastral_number: str
    registration_number: str  # of the object in the register of real-property rights
    area_ha: Decimal
    purpose_code: str
    katottg: str
    region: str
    settlement: str
    street: str | None
    building: str | None
    registered_on: date  # in the cadastre
    ownership: Ownership = Ownership.PRIVATE


@dataclass(frozen=True, slots=True)
class Dwelling:
    """A flat or house; `cadastral_number` is of the parcel a house stands on, where that is registered."""

    registration_number: str
    kind: DwellingKind
    area_m2: Decimal
    katottg: str
    region: str
    settlement: str
    street: str
    building: str
    apartment: str | None
    cadastral_number: str | None
    registered_on: date


T = TypeVar("T", LandParcel, Dwelling)


@dataclass(frozen=True, slots=True)
class Holding(Generic[T]):
    """One person's share of an object; `holders` are the numbers of all who hold it, in order."""

    object: T
    share: str  # "1", "1/2": the shares of all holders sum to one
    holders: tuple[int, ...]
    right_number: str
    since: date  # the day the right was registered


@dataclass(frozen=True, slots=True)
class Lot:
    """Where a cadastral number lies: the `rank`-th quarter of its settlement from the centre, stand and slot."""

    settlement: Settlement
    rank: int
    stand: int
    slot: int


class RightOf(StrEnum):
    """What a right is in: the first digit of its number."""

    PARCEL = "1"
    RESIDENCE = "2"
    HOUSE = "3"


def _order() -> tuple[tuple[Settlement, int], ...]:
    spread = [(settlement, count) for settlement in SETTLEMENTS for count in range(settlement.share)]
    return tuple(spread[index * 7 % len(spread)] for index in range(len(spread)))


_ORDER: Final = _order()  # of settlements among consecutive quarters, with which of their quarters in the round it is
_KOATUU_OF: Final[Mapping[str, str]] = {settlement.katottg: settlement.koatuu for settlement in SETTLEMENTS}


def settlement_of(number: int) -> Settlement:
    """Return the settlement in which the stand of a person's number lies."""
    return _ORDER[number // STANDS % len(_ORDER)][0]


def cadastral_number(number: int, slot: int) -> str:
    """Return the number of a parcel on a person's stand."""
    place, stand = divmod(number, STANDS)
    zone, quarter = divmod(place, _QUARTERS)
    return f"{settlement_of(number).koatuu}:{zone + 1:02d}:{quarter + 1:03d}:{stand * SLOTS + slot + 1:04d}"


@lru_cache(maxsize=64)  # the same few are asked about one after the other
def lot_of(cadastral_number: str) -> Lot:
    """Return where a parcel of the synthetic cadastre lies."""
    koatuu, zone, quarter, parcel = cadastral_number.split(":")
    settlement = BY_KOATUU[koatuu]
    stand, slot = divmod(int(parcel) - 1, SLOTS)
    if int(quarter) == RESERVED_QUARTER:
        return Lot(settlement, 0, stand, slot)
    place = (int(zone) - 1) * _QUARTERS + int(quarter) - 1
    rounds, turn = divmod(place, len(_ORDER))
    return Lot(settlement, 1 + rounds * settlement.share + _ORDER[turn][1], stand, slot)


def beside(cadastral_number: str, slot: int) -> str:
    """Return another number of the same stand; slots from 5 on are no lots, but for parcels that are no more."""
    stand = (int(cadastral_number[-4:]) - 1) // SLOTS
    return f"{cadastral_number[:-4]}{stand * SLOTS + slot + 1:04d}"


def registration_number(number: int, slot: int, katottg: str) -> str:
    """Return the number of an object of a person in the register of rights; it ends in the settlement's code."""
    return f"{number * _NUMBERS + slot}{_KOATUU_OF.get(katottg, '0' * 10)[:5]}"


def right_number(kind: RightOf, number: int, slot: int) -> str:
    """Return the number of a person's right in an object."""
    return f"{kind.value}{number * _NUMBERS + slot:09d}"


def stand_of(registration_number: str) -> tuple[int, int]:
    """Return the person's number and slot that an object's registration number was made of."""
    return divmod(int(registration_number[:-5]), _NUMBERS)

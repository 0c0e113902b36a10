"""Land and flats of the well-known persons: written down and not drawn, so that documents can name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from registry_adapters.population.model import Record
from registry_adapters.population.parcels import (
    FIELD,
    RESIDENCE,
    Dwelling,
    DwellingKind,
    Holding,
    LandParcel,
    Ownership,
    RightOf,
    beside,
    lot_of,
    registration_number,
    right_number,
)
from registry_adapters.population.settlements import Organisation

PARCEL_OF_1: Final = "8000000000:90:999:0012"  # Ткаченко Мар'яна: garden
PARCEL_OF_5: Final = "4610100000:06:999:0055"  # Мельник Петро, who has no RNOKPP: field
PARCEL_OF_6_AND_7: Final = "5310100000:16:999:0063"  # Шевчук Іван and Шевчук Іван: half of a building plot each
PARCEL_OF_9: Final = "8000000000:75:999:0095"  # Ткаченко Іван, who died: field


@dataclass(frozen=True, slots=True)
class _Told:
    cadastral_number: str
    share: str
    holders: tuple[int, ...]
    purpose_code: str
    area_m2: int
    address: tuple[str, str] | None
    registered_on: date
    since: date


_NAMESAKES: Final = _Told(
    PARCEL_OF_6_AND_7, "1/2", (6, 7), "02.01", 982, ("вул. Яблунева", "14"), date(2011, 5, 17), date(2014, 2, 11)
)
PARCELS: Final[Mapping[int, _Told]] = {
    1: _Told(PARCEL_OF_1, "1", (1,), "01.05", 612, ("вул. Яблунева", "27"), date(2013, 6, 20), date(2020, 9, 3)),
    5: _Told(PARCEL_OF_5, "1", (5,), "01.03", 8450, None, date(2009, 10, 8), date(2016, 4, 12)),
    6: _NAMESAKES,
    7: _NAMESAKES,
    9: _Told(PARCEL_OF_9, "1", (9,), "01.03", 7325, None, date(2007, 3, 15), date(2007, 11, 29)),
}
# Square metres times ten, and since when.
FLATS: Final[Mapping[int, tuple[int, date]]] = {1: (642, date(2019, 3, 1)), 2: (583, date(2012, 10, 18))}


def told_parcels(number: int) -> tuple[Holding[LandParcel], ...]:
    """Return the parcels of a well-known person."""
    told = PARCELS.get(number)
    if told is None:
        return ()
    slot = lot_of(told.cadastral_number).slot
    parcel = _parcel(told, told.cadastral_number, told.purpose_code, told.area_m2, Ownership.PRIVATE, told.address)
    return (
        Holding(parcel, told.share, told.holders, right_number(RightOf.PARCEL, number, slot), told.since),
    )  # fmt: skip


def told_dwellings(record: Record) -> tuple[Holding[Dwelling], ...]:
    """Return the flats of a well-known person: the residence."""
    home = record.person.residence
    if record.number not in FLATS or home is None:
        return ()
    area, since = FLATS[record.number]
    flat = Dwelling(
        registration_number(record.number, RESIDENCE, home.katottg), DwellingKind.FLAT, Decimal(area).scaleb(-1),
        home.katottg, home.region, home.settlement, home.street, home.building, home.apartment, None, since,
    )  # fmt: skip
    return (Holding(flat, "1", (record.number,), right_number(RightOf.RESIDENCE, record.number, RESIDENCE), since),)


def told_neighbours(number: int) -> tuple[tuple[LandParcel, Organisation], ...]:
    """Return the street and the school's plot beside the parcel of a well-known person."""
    told = PARCELS.get(number)
    if told is None or number != told.holders[0]:
        return ()
    lot = lot_of(told.cadastral_number)
    slots = (2, 3) if lot.slot == FIELD else (lot.slot - 1, lot.slot + 1)
    return tuple(
        (
            _parcel(
                told, beside(told.cadastral_number, slot), purpose, area, Ownership.COMMUNAL,
                (told.address[0], str(slot)) if told.address else None,
            ),
            lot.settlement.council,
        )
        for slot, purpose, area in zip(slots, ("18.00", "03.02"), (1310, 1640), strict=True)
    )  # fmt: skip


def _parcel(
    told: _Told, cadastral_number: str, purpose: str, area_m2: int, form: Ownership, address: tuple[str, str] | None
) -> LandParcel:
    lot = lot_of(cadastral_number)
    place = lot.settlement
    street, building = address or (None, None)
    return LandParcel(
        cadastral_number,
        registration_number(told.holders[0], lot.slot, place.katottg),
        Decimal(area_m2).scaleb(-4),
        purpose,
        place.katottg,
        place.region,
        place.name,
        street,
        building,
        told.registered_on,
        form,
    )

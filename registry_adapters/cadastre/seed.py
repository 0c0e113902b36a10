"""The synthetic cadastre: whose land is whose comes from the population, what became of it from here.

Of a hundred owners some two have a parcel that disagrees with what they or the register of rights would say: the area,
the holder's name, a right that is missing or there twice. Which ones is a pure function, so that a test can count them;
the parcels of the well-known persons are as they should be. A few parcels were divided, merged or cancelled; some
fields are let to companies.

A shared parcel is made when the last of its holders streams by.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from gateway.runtime.database import Database
from registry_adapters.cadastre import tables
from registry_adapters.cadastre.classifier import RESTRICTIONS
from registry_adapters.cadastre.geometry import write_ring
from registry_adapters.cadastre.layout import front_of, ring_of, width_m
from registry_adapters.cadastre.model import ParcelStatus, RightKind
from registry_adapters.cadastre.valuation import VALUED_ON, valuation_of
from registry_adapters.population.land import (
    FIRST_DRAWN,
    organisation_parcels,
    parcels_of,
)
from registry_adapters.population.loading import insert_rows, load_rows
from registry_adapters.population.model import Record
from registry_adapters.population.parcels import FIELD, LOTS, Holding, LandParcel, Lot, Ownership, beside, lot_of
from registry_adapters.population.people import people
from registry_adapters.population.seeding import Progress
from registry_adapters.population.settlements import COMPANIES, Organisation
from registry_adapters.settings import RegistrySettings

GENERATOR: Final = "cadastre-1"  # changes when the same seed would give other rows
ERROR_SHARE: Final = 0.02
_DIVIDED_SHARE: Final = 0.3  # of those who hold neighbouring parcels
_MERGED_SHARE: Final = 0.02
_CANCELLED_SHARE: Final = 0.01
_RESTRICTED_SHARE: Final = 0.1
_LEASED_SHARE: Final = 0.4
_DAY: Final = timedelta(days=1)
_ADDRESS_OF_FIELD: Final = "за межами населеного пункту"


Row = tuple[Any, ...]  # in the order of the table's columns; dates as ISO texts


class ErrorKind(StrEnum):
    """How a parcel's record is wrong."""

    OTHER_AREA = "other_area"  # seven per cent less than the register of rights says
    MISSING_RIGHT = "missing_right"  # of the last holder
    MISSPELT_NAME = "misspelt_name"
    DUPLICATE_RIGHT = "duplicate_right"


_ERROR_KINDS: Final = tuple(ErrorKind)


@dataclass(frozen=True, slots=True)
class Fate:
    """What chance does to the parcels of one person."""

    error: ErrorKind | None
    divided: bool
    merged: bool
    cancelled: bool
    restricted: bool
    leased: bool
    draw: float  # picks one of whatever there is to pick from


class _RightRow(NamedTuple):
    """A row of a right: the columns of its table but the id."""

    parcel: str
    kind: str
    holder_kind: str
    holder_code: str | None
    holder_name: str
    holder_unzr: str | None
    holder_document: str | None
    share: str | None
    registered_on: str


@dataclass(slots=True)
class _Rows:
    """Rows to be added, table by table."""

    parcels: list[Row] = field(default_factory=list)
    successions: list[Row] = field(default_factory=list)
    rights: list[Row] = field(default_factory=list)
    restrictions: list[Row] = field(default_factory=list)


_UNTOUCHED: Final = Fate(None, False, False, False, False, False, 0.0)


def fate_of(seed: int, number: int) -> Fate:
    """Return what becomes of the parcels a person is the last holder of; an error is in the first of them."""
    if number < FIRST_DRAWN:
        return _UNTOUCHED
    rng = random.Random(f"{seed}/cadastre/{number}")  # noqa: S311  reproducible on purpose
    error, divided, merged, cancelled, restricted, leased, draw, kind = (rng.random() for _ in range(8))
    return Fate(
        _ERROR_KINDS[int(kind * len(_ERROR_KINDS))] if error < ERROR_SHARE else None,
        divided < _DIVIDED_SHARE,
        merged < _MERGED_SHARE,
        cancelled < _CANCELLED_SHARE,
        restricted < _RESTRICTED_SHARE,
        leased < _LEASED_SHARE,
        draw,
    )


def fill(database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
    """Make what is missing of the parcels of a population; return for how many persons."""
    write = partial(_write, settings.seed)
    return load_rows(
        database, tables.seeding, tables.LOOKUPS, GENERATOR, settings.seed, settings.persons, write, progress
    )


def _write(seed: int, records: Sequence[Record], connection: Connection) -> None:
    known = {record.number: record for record in records}
    rows = _Rows()
    for record in records:
        for index, holding in enumerate(_finished(seed, record)):
            others = [_known(seed, known, number) for number in holding.holders[:-1]]
            held = [(other, _share_of(seed, other, holding)) for other in others]
            fate = fate_of(seed, record.number) if index == 0 else _UNTOUCHED
            _add_held(rows, seed, [*held, (record, holding)], fate)
        for parcel, organisation in organisation_parcels(seed, record.number):
            _add_organisations(rows, parcel, organisation)
    insert_rows(connection, tables.parcel, rows.parcels)
    insert_rows(connection, tables.succession, rows.successions)
    insert_rows(connection, tables.right, rows.rights)
    insert_rows(connection, tables.restriction, rows.restrictions)


def _finished(seed: int, record: Record) -> list[Holding[LandParcel]]:
    """Return the holdings whose last holder a person is."""
    return [holding for holding in parcels_of(seed, record) if holding.holders[-1] == record.number]


def _known(seed: int, known: Mapping[int, Record], number: int) -> Record:
    """Return a person; the other holder of a shared parcel may have come before a pause."""
    return known[number] if number in known else next(islice(people(seed), number - 1, None))


def _share_of(seed: int, record: Record, shared: Holding[LandParcel]) -> Holding[LandParcel]:
    """Return what another holder of a shared parcel has of it."""
    return next(holding for holding in parcels_of(seed, record) if holding.object == shared.object)


def _add_held(rows: _Rows, seed: int, held: Sequence[tuple[Record, Holding[LandParcel]]], fate: Fate) -> None:
    """Add a parcel with the rights of all who hold it, the last holder last."""
    record, holding = held[-1]
    parcel = holding.object
    area_m2 = _square_metres(parcel)
    if fate.error is ErrorKind.OTHER_AREA:
        area_m2 = area_m2 * 93 // 100
    rows.parcels.append(_parcel_row(parcel, area_m2))
    rights = [_right_of_person(holder, part) for holder, part in held]
    if fate.error is ErrorKind.MISSING_RIGHT:
        rights.pop()
    elif fate.error is ErrorKind.MISSPELT_NAME:
        rights[-1] = rights[-1]._replace(holder_name=_misspelt(rights[-1].holder_name))
    elif fate.error is ErrorKind.DUPLICATE_RIGHT:
        rights.append(rights[-1])
    if fate.leased and parcel.purpose_code == "01.01":
        rights.append(_right_of_organisation(parcel, _one_of(COMPANIES, fate.draw), RightKind.LEASE, None))
    rows.rights += rights
    if fate.restricted:
        code = _one_of(tuple(RESTRICTIONS), fate.draw)
        rows.restrictions.append((parcel.cadastral_number, code, parcel.registered_on.isoformat()))
    if len(held) == 1:  # a shared parcel lies on another's stand, whose numbers that one's own history uses
        _add_history(rows, seed, record, parcel, area_m2, fate)


def _add_organisations(rows: _Rows, parcel: LandParcel, organisation: Organisation) -> None:
    rows.parcels.append(_parcel_row(parcel, _square_metres(parcel)))
    rows.rights.append(_right_of_organisation(parcel, organisation, RightKind.OWNERSHIP, "1"))


def _add_history(rows: _Rows, seed: int, record: Record, parcel: LandParcel, area_m2: int, fate: Fate) -> None:
    """Add parcels that are no more: what was divided or merged into this one, or never came to be."""
    lot, former_until = lot_of(parcel.cadastral_number), parcel.registered_on - _DAY
    if fate.merged and lot.slot != FIELD and area_m2 > 400:
        half = area_m2 // 2
        for slot, area, skip in ((LOTS, half, 0.0), (LOTS + 1, area_m2 - half, width_m(lot, half))):
            number = beside(parcel.cadastral_number, slot)
            text = write_ring(ring_of(lot, area, skip_m=skip))
            rows.parcels.append(_former_row(parcel, number, area, text, ParcelStatus.ARCHIVED, former_until))
            rows.successions.append((number, parcel.cadastral_number))
    elif fate.divided:
        _add_divided(rows, seed, record, parcel)
    if fate.cancelled and lot.slot != FIELD:
        number = beside(parcel.cadastral_number, LOTS + 2)
        field = Lot(lot.settlement, lot.rank, lot.stand, FIELD)
        text = write_ring(ring_of(field, 6200))
        row = _former_row(parcel, number, 6200, text, ParcelStatus.CANCELLED, parcel.registered_on)
        rows.parcels.append(row)


def _add_divided(rows: _Rows, seed: int, record: Record, parcel: LandParcel) -> None:
    """Add the parcel that was divided into those its only owner has side by side in the street."""
    parts = [
        one.object
        for one in _finished(seed, record)
        if len(one.holders) == 1 and lot_of(one.object.cadastral_number).slot != FIELD
    ]
    if len(parts) < 2:
        return
    lots = {lot_of(part.cadastral_number).slot: part for part in parts}
    first, last = min(lots), max(lots)
    lot = lot_of(parts[0].cadastral_number)
    end = front_of(lot, last)
    area = round((last - first) * 50 * 36 + width_m(end, _square_metres(lots[last])) * 36)
    number = beside(parcel.cadastral_number, LOTS + 3)
    text = write_ring(ring_of(front_of(lot, first), area))
    until = min(part.registered_on for part in parts) - _DAY
    rows.parcels.append(_former_row(parcel, number, area, text, ParcelStatus.ARCHIVED, until))
    rows.successions += [(number, part.cadastral_number) for part in parts]


def _square_metres(parcel: LandParcel) -> int:
    return int(parcel.area_ha.scaleb(4))


def _parcel_row(parcel: LandParcel, area_m2: int) -> Row:
    number = parcel.cadastral_number
    ring_text = write_ring(ring_of(lot_of(number), area_m2))
    return (
        *_description(parcel, number, area_m2, parcel.ownership),
        parcel.registered_on.isoformat(),
        ParcelStatus.REGISTERED.value,
        None,
        ring_text,
    )


def _former_row(
    parcel: LandParcel, number: str, area_m2: int, ring_text: str, status: ParcelStatus, ended_on: date
) -> Row:
    registered_on = min(parcel.registered_on, ended_on) - _DAY * 365
    return (
        *_description(parcel, number, area_m2, Ownership.PRIVATE),
        registered_on.isoformat(),
        status.value,
        ended_on.isoformat(),
        ring_text,
    )


def _description(parcel: LandParcel, number: str, area_m2: int, ownership: Ownership) -> Row:
    """Return what the row of a parcel begins with."""
    value = valuation_of(Decimal(area_m2).scaleb(-4), parcel.purpose_code, number[:10])
    return (
        number,
        number[:17],
        area_m2,
        parcel.purpose_code,
        ownership.value,
        parcel.katottg,
        _address(parcel),
        int(value.scaleb(2)),
        VALUED_ON.isoformat(),
    )


def _address(parcel: LandParcel) -> str:
    region = () if parcel.region == parcel.settlement else (parcel.region,)
    place = (parcel.street, parcel.building) if parcel.street and parcel.building else (_ADDRESS_OF_FIELD,)
    return ", ".join((*region, parcel.settlement, *place))


def _right_of_person(holder: Record, held: Holding[LandParcel]) -> _RightRow:
    person = holder.person
    document = person.documents[0].number if person.documents else None
    names = (person.surname, person.given_name, person.patronymic)
    return _RightRow(
        held.object.cadastral_number,
        RightKind.OWNERSHIP.value,
        "person",
        person.rnokpp or document or person.unzr,
        " ".join(name for name in names if name),
        person.unzr,
        document,
        held.share,
        held.since.isoformat(),
    )


def _right_of_organisation(
    parcel: LandParcel, organisation: Organisation, kind: RightKind, share: str | None
) -> _RightRow:
    return _RightRow(
        parcel.cadastral_number,
        kind.value,
        "organisation",
        organisation.edrpou,
        organisation.name,
        None,
        None,
        share,
        parcel.registered_on.isoformat(),
    )


def _misspelt(name: str) -> str:
    """Return a name with two letters of the surname in each other's place."""
    place = next((at for at in range(1, len(name) - 1) if name[at] != name[at + 1]), 0)
    return name[:place] + name[place + 1] + name[place] + name[place + 2 :]


def _one_of(choices: Sequence[Any], draw: float) -> Any:
    return choices[int(draw * len(choices))]

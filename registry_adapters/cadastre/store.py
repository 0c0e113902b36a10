"""Queries of the land cadastre: numbers and holders in, parcels out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select

from registry_adapters.cadastre.classifier import PURPOSES, RESTRICTIONS, category_of
from registry_adapters.cadastre.geometry import Ring, geojson_of, read_ring
from registry_adapters.cadastre.model import HeldParcel, Parcel, ParcelStatus, Restriction, Right, RightKind
from registry_adapters.cadastre.tables import parcel, restriction, right, succession
from registry_adapters.population.parcels import Ownership

MAX_NEIGHBOURS: Final = 300  # parcels of one quarter that are looked at for a picture

# Built once: SQLAlchemy spends more on building a statement than SQLite on running it.
_PARCEL: Final = select(parcel).where(parcel.c.cadastral_number == bindparam("number"))
_RIGHTS: Final = select(right).where(right.c.parcel == bindparam("number")).order_by(right.c.id)
_RESTRICTIONS: Final = (
    select(restriction).where(restriction.c.parcel == bindparam("number")).order_by(restriction.c.code)
)
_SUCCESSORS: Final = (
    select(succession.c.successor).where(succession.c.former == bindparam("number")).order_by(succession.c.successor)
)
_QUARTER: Final = (
    select(parcel.c.cadastral_number, parcel.c.ring)
    .where(parcel.c.quarter == bindparam("quarter"), parcel.c.status == ParcelStatus.REGISTERED.value)
    .order_by(parcel.c.cadastral_number)
    .limit(MAX_NEIGHBOURS)
)


def _held_queries(criterion: ColumnElement[bool]) -> tuple[Select[Any], Select[Any]]:
    """Return the queries that count a holder's rights and give one page of them with their parcels."""
    cut = (  # out of the index, before parcels are looked up: a state body holds a hundred thousand
        select(right.c.id, right.c.parcel)
        .where(criterion)
        .order_by(right.c.parcel, right.c.id)
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
        .subquery()
    )
    page = (
        select(parcel, right.c.kind, right.c.share, right.c.registered_on.label("right_registered_on"))
        .select_from(cut)
        .join(right, right.c.id == cut.c.id)
        .join(parcel, parcel.c.cadastral_number == cut.c.parcel)
        .order_by(cut.c.parcel, cut.c.id)
    )
    return select(func.count()).select_from(right).where(criterion), page


_HELD_BY_CODE: Final = _held_queries(right.c.holder_code == bindparam("holder"))
_HELD_BY_DOCUMENT: Final = _held_queries(right.c.holder_document == bindparam("holder"))
_CODES: Final = select(right.c.holder_code).distinct().order_by(right.c.holder_code)
_CODES_OF_UNZR: Final = _CODES.where(right.c.holder_unzr == bindparam("unzr"))
_CODES_OF_DOCUMENT: Final = _CODES.where(right.c.holder_document == bindparam("document"))


@dataclass(frozen=True, slots=True)
class StoredParcel:
    """A parcel with what only the registry itself needs of it."""

    parcel: Parcel
    ring: Ring
    quarter: str
    natural_holders: tuple[str, ...]  # codes of the persons with a right in it


@dataclass(frozen=True, slots=True)
class Held:
    """One page of a holder's parcels."""

    count: int
    parcels: tuple[HeldParcel, ...]


def find_parcel(connection: Connection, cadastral_number: str) -> StoredParcel | None:
    """Return a parcel, whatever became of it, without its picture."""
    asked = {"number": cadastral_number}
    row = connection.execute(_PARCEL, asked).one_or_none()
    if row is None:
        return None
    rights = connection.execute(_RIGHTS, asked).all()
    found = Parcel(
        row.cadastral_number,
        _hectares(row.area_m2),
        row.purpose_code,
        PURPOSES[row.purpose_code],
        category_of(row.purpose_code),
        Ownership(row.ownership),
        row.katottg,
        row.address,
        _hryvnias(row.valuation_kopiyky),
        row.valued_on,
        row.registered_on,
        ParcelStatus(row.status),
        row.ended_on,
        tuple(connection.execute(_SUCCESSORS, asked).scalars()),
        tuple(_restriction(one) for one in connection.execute(_RESTRICTIONS, asked)),
        tuple(_right(one) for one in rights),
        geojson_of(row.ring),
    )
    natural = dict.fromkeys(one.holder_code for one in rights if one.holder_kind == "person" and one.holder_code)
    return StoredParcel(found, read_ring(row.ring), row.quarter, tuple(natural))


def find_quarter(connection: Connection, quarter: str) -> list[tuple[str, Ring]]:
    """Return the registered parcels of a quarter with their boundaries."""
    return [(row.cadastral_number, read_ring(row.ring)) for row in connection.execute(_QUARTER, {"quarter": quarter})]


def find_held_by_code(connection: Connection, code: str, limit: int, offset: int) -> Held:
    """Return the parcels in which the holder of an RNOKPP or EDRPOU has a right, by cadastral number."""
    return _held(connection, _HELD_BY_CODE, {"holder": code, "limit": limit, "offset": offset})


def find_held_by_document(connection: Connection, document: str, limit: int, offset: int) -> Held:
    """Return the parcels in which the holder of a passport has a right, by cadastral number."""
    return _held(connection, _HELD_BY_DOCUMENT, {"holder": document, "limit": limit, "offset": offset})


def codes_of_unzr(connection: Connection, unzr: str) -> list[str]:
    """Return the codes under which the person of a UNZR holds land."""
    return list(connection.execute(_CODES_OF_UNZR, {"unzr": unzr}).scalars())


def codes_of_document(connection: Connection, document: str) -> list[str]:
    """Return the codes under which the person of a passport holds land."""
    return list(connection.execute(_CODES_OF_DOCUMENT, {"document": document}).scalars())


def _held(connection: Connection, queries: tuple[Select[Any], Select[Any]], asked: dict[str, Any]) -> Held:
    counting, page = queries
    count = connection.execute(counting, {"holder": asked["holder"]}).scalar_one()
    return Held(count, tuple(_held_parcel(row) for row in connection.execute(page, asked)))


def _held_parcel(row: Row[Any]) -> HeldParcel:
    return HeldParcel(
        row.cadastral_number,
        RightKind(row.kind),
        row.share,
        row.right_registered_on,
        _hectares(row.area_m2),
        row.purpose_code,
        PURPOSES[row.purpose_code],
        row.katottg,
        row.address,
        _hryvnias(row.valuation_kopiyky),
        row.valued_on,
        ParcelStatus(row.status),
    )


def _right(row: Row[Any]) -> Right:
    return Right(RightKind(row.kind), row.holder_name, row.holder_code, row.share, row.registered_on)


def _restriction(row: Row[Any]) -> Restriction:
    return Restriction(row.code, RESTRICTIONS[row.code], row.registered_on)


def _hectares(area_m2: int) -> Decimal:
    return Decimal(area_m2).scaleb(-4)


def _hryvnias(kopiyky: int) -> Decimal:
    return Decimal(kopiyky).scaleb(-2)

"""A parcel as the land cadastre knows one, and the messages that ask for and tell it.

These are the wire's types too. What a purpose may not need is optional, so that it can be withheld.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from registry_adapters.cadastre.classifier import LandCategory
from registry_adapters.population.parcels import Ownership
from registry_adapters.sdk.fields import Declared

CADASTRAL_NUMBER = "8000000000:90:999:0012"


class ParcelStatus(StrEnum):
    """What became of a parcel."""

    REGISTERED = "registered"
    ARCHIVED = "archived"  # divided or merged: others took its place
    CANCELLED = "cancelled"  # nobody registered a right within a year (Law on the State Land Cadastre, article 24)


class RightKind(StrEnum):
    """Kinds of rights in land."""

    OWNERSHIP = "ownership"
    LEASE = "lease"
    PERMANENT_USE = "permanent_use"


@dataclass(frozen=True, slots=True)
class Right:
    """A right in a parcel and its holder."""

    kind: Annotated[RightKind, Declared("Kind of right.")]
    holder_name: Annotated[str | None, Declared("Name of the person or organisation.", max_length=302)] = None
    holder_code: Annotated[
        str | None, Declared("RNOKPP, document of who has none, or EDRPOU.", max_length=14, example="3347300028")
    ] = None
    share: Annotated[
        str | None,
        Declared("Share of the ownership; those of all owners sum to one.", max_length=9, pattern="1|[0-9]+/[0-9]+"),
    ] = None
    registered_on: Annotated[date | None, Declared("Day the right was registered.")] = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """A restriction of the use of a parcel."""

    code: Annotated[str, Declared("Code in the list of restrictions.", max_length=5, example="01.05")]
    text: Annotated[str, Declared("Its name in the list.", max_length=300)]
    registered_on: Annotated[date | None, Declared("Day it was entered.")] = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A land parcel."""

    cadastral_number: Annotated[
        str, Declared("Settlement, zone, quarter, parcel.", max_length=22, example=CADASTRAL_NUMBER)
    ]
    area_ha: Annotated[Decimal | None, Declared("Area in hectares, four digits after the point.")] = None
    purpose_code: Annotated[str | None, Declared("Purpose in the classifier КВЦПЗ.", max_length=5, example="02.01")] = (
        None
    )
    purpose_text: Annotated[str | None, Declared("The purpose in words.", max_length=300)] = None
    category: Annotated[LandCategory | None, Declared("Category of land.")] = None
    ownership: Annotated[Ownership | None, Declared("Form of property.")] = None
    katottg: Annotated[str | None, Declared("Code of the settlement in the national codifier.", max_length=19)] = None
    address: Annotated[str | None, Declared("Where it lies, in words.", max_length=300)] = None
    valuation_uah: Annotated[Decimal | None, Declared("Normative value in hryvnias, rounded to kopiyky.")] = None
    valued_on: Annotated[date | None, Declared("Day of the valuation.")] = None
    registered_on: Annotated[date | None, Declared("Day the parcel was entered in the cadastre.")] = None
    status: Annotated[ParcelStatus | None, Declared("Whether the parcel still is.")] = None
    ended_on: Annotated[date | None, Declared("Day it was archived or cancelled.")] = None
    successors: Annotated[tuple[str, ...], Declared("Parcels that took its place.", max_length=22)] = ()
    restrictions: Annotated[tuple[Restriction, ...], Declared("Restrictions of its use.")] = ()
    rights: Annotated[tuple[Right, ...], Declared("Rights in it, owners first.")] = ()
    boundary_geojson: Annotated[
        str | None, Declared("Boundary: a GeoJSON Polygon (RFC 7946), WGS 84.", max_length=20_000)
    ] = None
    picture_svg: Annotated[
        str | None, Declared("A small map with the neighbours: SVG without script.", max_length=100_000)
    ] = None


@dataclass(frozen=True, slots=True)
class ParcelQuestion:
    """A parcel by its number."""

    cadastral_number: Annotated[
        str,
        Declared("Cadastral number; spaces in it do not matter.", max_length=60, example=CADASTRAL_NUMBER),
    ]


@dataclass(frozen=True, slots=True)
class ParcelAnswer:
    """The parcel, or that there is none of this number."""

    found: Annotated[bool, Declared("Whether there is such a parcel.")]
    parcel: Annotated[Parcel | None, Declared("The parcel.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class HolderQuestion:
    """Exactly one of: `rnokpp`, `edrpou`, `document`."""

    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    edrpou: Annotated[str | None, Declared("Code of a legal person.", max_length=8, example="99010512")] = None
    document: Annotated[
        str | None, Declared("Number of an ID card or booklet.", max_length=20, example="МЕ 000777")
    ] = None
    limit: Annotated[int, Declared("How many parcels at most, 1 to 100.", max_length=3)] = 20
    offset: Annotated[int, Declared("How many parcels to pass over.", max_length=9)] = 0


@dataclass(frozen=True, slots=True)
class HeldParcel:
    """A parcel in which the holder has a right."""

    cadastral_number: Annotated[str, Declared("Settlement, zone, quarter, parcel.", max_length=22)]
    right: Annotated[RightKind | None, Declared("Kind of the holder's right.")] = None
    share: Annotated[str | None, Declared("The holder's share of the ownership.", max_length=9)] = None
    right_registered_on: Annotated[date | None, Declared("Day the right was registered.")] = None
    area_ha: Annotated[Decimal | None, Declared("Area in hectares.")] = None
    purpose_code: Annotated[str | None, Declared("Purpose in the classifier КВЦПЗ.", max_length=5)] = None
    purpose_text: Annotated[str | None, Declared("The purpose in words.", max_length=300)] = None
    katottg: Annotated[str | None, Declared("Code of the settlement in the national codifier.", max_length=19)] = None
    address: Annotated[str | None, Declared("Where it lies, in words.", max_length=300)] = None
    valuation_uah: Annotated[Decimal | None, Declared("Normative value in hryvnias.")] = None
    valued_on: Annotated[date | None, Declared("Day of the valuation.")] = None
    status: Annotated[ParcelStatus | None, Declared("Whether the parcel still is.")] = None


@dataclass(frozen=True, slots=True)
class ParcelsAnswer:
    """The holder's parcels, by cadastral number: as many as asked for, and how many there are."""

    count: Annotated[int, Declared("How many there are.")]
    limit: Annotated[int, Declared("How many come at most.")]
    offset: Annotated[int, Declared("How many were passed over.")]
    warnings: Annotated[tuple[str, ...], Declared("What looked odd: `rnokpp_check_digit`, `edrpou_check_digit`.")] = ()
    parcels: Annotated[tuple[HeldParcel, ...], Declared("The parcels.")] = ()
    withheld: Annotated[tuple[str, ...], Declared("Fields the purpose does not cover.")] = ()

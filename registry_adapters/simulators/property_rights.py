"""Rights to land parcels, flats and houses (law of Ukraine 1952-IV): by holder, parcel or address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.identifiers import (
    Flaw,
    flaw_of_edrpou,
    flaw_of_rnokpp,
    normalise_cadastral_number,
    normalise_document,
)
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.registry import Registry
from registry_adapters.simulators.filling import filled_by
from registry_adapters.simulators.places import Place, address_key
from registry_adapters.simulators.store import MAX_RECORDS, one_of, records_by_key, subjects_of

registry = Registry(
    name="property_rights",
    title="Register of real-property rights",
    doc="Who holds which parcels, flats and houses. Synthetic data.",
    migrations="registry_adapters.migrations.simulators",
    fill=filled_by("registry_adapters.simulators.property_rights_seed:MAKER"),
    subjects_of=subjects_of,
    purposes="registry_adapters.simulators:purposes_property_rights.toml",
)


class ObjectKind(StrEnum):
    """What an object is."""

    PARCEL = "parcel"
    FLAT = "flat"
    HOUSE = "house"


class State(StrEnum):
    """Whether an object or a right is registered now."""

    REGISTERED = "registered"
    TERMINATED = "terminated"


class RightKind(StrEnum):
    """What a right is."""

    OWNERSHIP = "ownership"


@dataclass(frozen=True, slots=True)
class Right:
    """One holder's right to an object."""

    number: Annotated[str | None, Declared("Number of the record.", max_length=20)] = None
    kind: Annotated[RightKind | None, Declared("What right it is.")] = None
    share: Annotated[str | None, Declared("Part of the right: `1`, `1/2`.", max_length=16)] = None
    registered_on: Annotated[date | None, Declared("Day it was registered.")] = None
    state: Annotated[State | None, Declared("Whether it is registered now.")] = None
    holder_name: Annotated[str | None, Declared("Name of the holder.", max_length=300)] = None
    holder_code: Annotated[
        str | None, Declared("RNOKPP, EDRPOU code, or document of who has no number.", max_length=10)
    ] = None


@dataclass(frozen=True, slots=True)
class PropertyObject:
    """A parcel, flat or house with the rights to it."""

    registration_number: Annotated[str, Declared("Number of the object.", max_length=20)]
    kind: Annotated[ObjectKind, Declared("What it is.")]
    cadastral_number: Annotated[str | None, Declared("Of the parcel, or the one a house stands on.", max_length=22)] = (
        None
    )
    address: Annotated[Place | None, Declared("Where it is.")] = None
    area_m2: Annotated[Decimal | None, Declared("Area in square metres.")] = None
    state: Annotated[State | None, Declared("Whether it is registered now.")] = None
    registered_on: Annotated[date | None, Declared("Day the object was registered.")] = None
    rights: Annotated[tuple[Right, ...], Declared("The rights to it.")] = ()


@dataclass(frozen=True, slots=True)
class RightsQuestion:
    """Exactly one of: `rnokpp`, `document`, `edrpou`, `cadastral_number`, or an address."""

    rnokpp: Annotated[str | None, Declared("Taxpayer's number of a holder.", max_length=10, example="3347300028")] = (
        None
    )
    document: Annotated[
        str | None, Declared("Document of a holder without number.", max_length=20, example="МЕ 000777")
    ] = None
    edrpou: Annotated[str | None, Declared("Code of an organisation.", max_length=8, example="99010512")] = None
    cadastral_number: Annotated[
        str | None,
        Declared("Number of a parcel.", max_length=40, example="8000000000:90:999:0012"),
    ] = None
    katottg: Annotated[str | None, Declared("Settlement of an address.", max_length=19)] = None
    street: Annotated[str | None, Declared("Street of an address, with its kind.", max_length=128)] = None
    building: Annotated[str | None, Declared("Building of an address.", max_length=16)] = None
    apartment: Annotated[str | None, Declared("Apartment of an address, where there is one.", max_length=16)] = None


@dataclass(frozen=True, slots=True)
class RightsAnswer:
    """The objects a question leads to, with all rights to them."""

    count: Annotated[int, Declared("How many objects there are.")]
    objects: Annotated[tuple[PropertyObject, ...], Declared("The objects.")] = ()
    truncated: Annotated[bool, Declared("Whether there are more than are told.")] = False
    warnings: Annotated[tuple[str, ...], Declared("What looked odd about the code.")] = ()
    withheld: Annotated[tuple[str, ...], Declared("Fields that the purpose does not cover.")] = ()


@registry.operation("FindRights", "GET /rights", "POST /rights/search")
def find_rights(asked: RightsQuestion, call: Call) -> RightsAnswer:
    """Find real property and the rights to it.

    Give exactly one of a holder's RNOKPP, document or EDRPOU code, a cadastral number, or an address.
    """
    keys, subject, warnings = _keys_for(asked)
    objects = records_by_key(call, PropertyObject, *keys, subject=subject)
    return RightsAnswer(len(objects), tuple(objects), len(objects) >= MAX_RECORDS, warnings)


def _keys_for(asked: RightsQuestion) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """Return what to look up, the person meant, and what looked odd."""
    place = asked.katottg or asked.street or asked.building or asked.apartment
    criteria = {"rnokpp": asked.rnokpp, "document": asked.document, "edrpou": asked.edrpou}
    given = one_of(**criteria, cadastral_number=asked.cadastral_number, address=place)
    match given:
        case "rnokpp" | "edrpou":
            code = criteria[given] or ""
            flaw = flaw_of_rnokpp(code) if given == "rnokpp" else flaw_of_edrpou(code)
            if flaw is Flaw.FORMAT:
                expected = "[0-9]{10}" if given == "rnokpp" else "[0-9]{8}"
                raise RequestError("registry.field_invalid", field=given, expected=expected)
            subject = code if given == "rnokpp" else None
            return (f"{given}:{code}",), subject, () if flaw is None else (f"{given}_{flaw}",)
        case "document":
            normalised = normalise_document(asked.document or "")
            if normalised is None:
                raise RequestError("registry.document_invalid")
            number = normalised[1]
            return (f"document:{number}", f"former-document:{number}"), number, ()
        case "cadastral_number":
            cadastral_number = normalise_cadastral_number(asked.cadastral_number or "")
            if cadastral_number is None:
                raise RequestError(
                    "registry.field_invalid", field="cadastral_number", expected="8000000000:90:999:0012"
                )
            return (f"cadastral_number:{cadastral_number}",), None, ()
        case _:
            return (_address_of(asked),), None, ()


def _address_of(asked: RightsQuestion) -> str:
    katottg, street, building = asked.katottg, asked.street, asked.building
    if not (katottg and street and building):
        missing = next(name for name in ("katottg", "street", "building") if not getattr(asked, name))
        raise RequestError("registry.field_missing", field=missing)
    return address_key(katottg, street, building, asked.apartment)

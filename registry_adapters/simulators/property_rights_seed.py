"""Synthetic rights: what the population owns, as the cadastre knows it too, with errors of this register's own.

A thing that two own is there as soon as both are in the population.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from registry_adapters.population.land import (
    Dwelling,
    DwellingKind,
    Holding,
    LandParcel,
    dwellings_of,
    organisation_parcels,
    parcels_of,
)
from registry_adapters.population.model import Person, Record
from registry_adapters.population.settlements import Organisation
from registry_adapters.simulators.filling import Given, Made, Maker
from registry_adapters.simulators.persons import Key, code_of, full_name, keys_of, misspelt
from registry_adapters.simulators.places import Place, address_key
from registry_adapters.simulators.property_rights import ObjectKind, PropertyObject, Right, RightKind, State

OTHER_AREA, MISSPELT, MISSING, DUPLICATE = "other_area", "misspelt_holder", "missing_object", "duplicate_object"

_Held = tuple[Record, Holding[Any]]


def make(given: Given) -> Iterator[Made]:
    """Yield what a person owns, alone or as the second of two, and what organisations own beside it."""
    for place, holders in enumerate(_holdings(given)):
        flaw = given.error if place == 0 else None
        if flaw == MISSING:
            continue
        made = _object(given, holders, flaw)
        yield made
        if flaw == DUPLICATE:
            number = f"9{made.told.registration_number}"
            yield replace(made, told=replace(made.told, registration_number=number))
    for place, (parcel, owner) in enumerate(organisation_parcels(given.seed, given.record.number)):
        yield _of_organisation(parcel, owner, f"7{given.record.number * 16 + place:09d}")


MAKER: Final = Maker("property_rights", 1, (OTHER_AREA, MISSPELT, MISSING, DUPLICATE), make)


def _holdings(given: Given) -> Iterator[Sequence[_Held]]:
    """Yield the holders of each thing of which the person is the only or the second holder."""
    record, previous = given.record, given.previous
    held: list[Holding[Any]] = [*parcels_of(given.seed, record), *dwellings_of(given.seed, record)]
    before: list[Holding[Any]] = []
    if previous and any(len(holding.holders) > 1 for holding in held):
        before = [*parcels_of(given.seed, previous), *dwellings_of(given.seed, previous)]
    for holding in held:
        if holding.holders[-1] != record.number:
            continue
        number = holding.object.registration_number
        others = [(previous, other) for other in before if other.object.registration_number == number]
        yield [*((other, kept) for other, kept in others if other), (record, holding)]


def _object(given: Given, holders: Sequence[_Held], flaw: str | None) -> Made:
    thing: LandParcel | Dwelling = holders[0][1].object
    persons = [holder.person for holder, _ in holders]
    if flaw == MISSPELT:
        persons[-1] = misspelt(persons[-1], given.draw)
    rights = tuple(
        Right(
            holding.right_number, RightKind.OWNERSHIP, holding.share, holding.since, State.REGISTERED,
            full_name(person), _code(person),
        )
        for person, (_, holding) in zip(persons, holders, strict=True)
    )  # fmt: skip
    told = _told(thing, rights)
    if flaw == OTHER_AREA and told.area_m2 is not None:
        told = replace(told, area_m2=(told.area_m2 * Decimal("1.1")).quantize(Decimal("0.1")))
    keys = [key for person in persons for key in keys_of(person)]
    return Made(told, tuple(code_of(person) for person in persons), (*_keys(told), *keys))


def _of_organisation(parcel: LandParcel, owner: Organisation, number: str) -> Made:
    right = Right(number, RightKind.OWNERSHIP, "1", parcel.registered_on, State.REGISTERED, owner.name, owner.edrpou)
    told = _told(parcel, (right,))
    return Made(told, (), (*_keys(told), (f"edrpou:{owner.edrpou}", "")))


def _told(thing: LandParcel | Dwelling, rights: tuple[Right, ...]) -> PropertyObject:
    if isinstance(thing, LandParcel):
        kind, apartment, area = ObjectKind.PARCEL, None, (thing.area_ha * 10_000).quantize(Decimal(1))
    else:
        flat = thing.kind is DwellingKind.FLAT
        kind, apartment, area = ObjectKind.FLAT if flat else ObjectKind.HOUSE, thing.apartment, thing.area_m2
    place = Place(thing.katottg, thing.settlement, thing.street, thing.building, apartment)
    return PropertyObject(
        thing.registration_number, kind, thing.cadastral_number, place, area, State.REGISTERED, thing.registered_on,
        rights,
    )  # fmt: skip


def _keys(told: PropertyObject) -> list[Key]:
    keys: list[Key] = [(f"number:{told.registration_number}", "")]
    if told.cadastral_number:
        keys.append((f"cadastral_number:{told.cadastral_number}", ""))
    place = told.address
    if place and place.katottg and place.street and place.building:
        keys.append((address_key(place.katottg, place.street, place.building, place.apartment), ""))
    return keys


def _code(person: Person) -> str | None:
    return person.rnokpp or (person.documents[0].number if person.documents else None)

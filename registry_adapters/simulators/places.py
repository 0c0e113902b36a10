"""An address as simulators tell it, and the key it is looked up by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from registry_adapters.population.model import Address
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.matching import name_key


@dataclass(frozen=True, slots=True)
class Place:
    """An address."""

    katottg: Annotated[str | None, Declared("Code of the settlement in the national codifier.", max_length=19)] = None
    settlement: Annotated[str | None, Declared("City, settlement or village.", max_length=64)] = None
    street: Annotated[str | None, Declared("Street with its kind.", max_length=128)] = None
    building: Annotated[str | None, Declared("Number of the building.", max_length=16)] = None
    apartment: Annotated[str | None, Declared("Number of the apartment.", max_length=16)] = None


def place_of(address: Address) -> Place:
    """Return what records say of a person's address."""
    return Place(address.katottg, address.settlement, address.street, address.building, address.apartment)


def address_key(katottg: str, street: str, building: str, apartment: str | None) -> str:
    """Return what an object is looked up by: without regard to case and spaces."""
    parts = (katottg, name_key(street), name_key(building), name_key(apartment or ""))
    return f"address:{'|'.join(parts)}"

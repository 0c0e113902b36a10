"""What somebody declares about a person, and the flags that come back.

Flags say whether a declared value agrees with a registry and nothing else: no value, no difference, no direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from registry_adapters.sdk.fields import Declared


class Outcome(StrEnum):
    """What a comparison came to."""

    MATCH = "match"
    DIFFERS = "differs"
    NO_RECORD = "no_record"  # the registry does not know the person
    UNKNOWN = "unknown"  # the registry was not heard, or what it said could not be used
    PENDING = "pending"  # the registry answers later


class Unheard(StrEnum):
    """Why a registry's word is missing."""

    SILENT = "silent"  # it, or a security server on the way, did not answer in time
    REFUSED = "refused"  # it does not answer this question of ours
    UNCLEAR = "unclear"  # it answered what cannot be compared: several persons, or a form we do not read
    NOT_ASKED = "not_asked"  # it has no question by the identifier given


class MaritalStatus(StrEnum):
    """Marital status as people declare it."""

    SINGLE = "single"
    MARRIED = "married"
    DIVORCED = "divorced"
    WIDOWED = "widowed"


@dataclass(frozen=True, slots=True)
class DeclaredIncome:
    """Income of some quarters, before tax."""

    from_year: Annotated[int, Declared("Year of the first quarter.", example="2025")]
    from_quarter: Annotated[int, Declared("The first quarter, 1 to 4.", example="3")]
    to_year: Annotated[int, Declared("Year of the last quarter.", example="2025")]
    to_quarter: Annotated[int, Declared("The last quarter, 1 to 4.", example="4")]
    total: Annotated[Decimal, Declared("Sum of all sources, in hryvnias.", example="73800.00")]


@dataclass(frozen=True, slots=True)
class DeclaredAddress:
    """A registered residence."""

    katottg: Annotated[str, Declared("Code of the settlement in the national codifier.", max_length=19)]
    street: Annotated[str, Declared("Street with its kind.", max_length=128)]
    building: Annotated[str, Declared("Number of the building.", max_length=16)]
    apartment: Annotated[str | None, Declared("Number of the apartment, where there is one.", max_length=16)] = None


@dataclass(frozen=True, slots=True)
class DeclaredOwnership:
    """Real property: how many objects, and how much of flats and houses, with the person's share of each."""

    dwellings: Annotated[int, Declared("How many flats and houses.")]
    parcels: Annotated[int | None, Declared("How many land parcels; without it they are not compared.")] = None
    dwelling_area_m2: Annotated[
        Decimal | None, Declared("Area of flats and houses in square metres; without it it is not compared.")
    ] = None


@dataclass(frozen=True, slots=True)
class CheckQuestion:
    """A person, by RNOKPP or else by document, and what was declared; only that is compared."""

    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    document: Annotated[str | None, Declared("Document of a person without number.", max_length=20)] = None
    income: Annotated[DeclaredIncome | None, Declared("Income, compared with the tax service's.")] = None
    address: Annotated[DeclaredAddress | None, Declared("Residence, compared with the demographic registry's.")] = None
    marital_status: Annotated[MaritalStatus | None, Declared("Compared with civil status acts.")] = None
    children: Annotated[int | None, Declared("Children under 18, compared with acts of birth.")] = None
    ownership: Annotated[DeclaredOwnership | None, Declared("Compared with rights to real property.")] = None
    displaced: Annotated[bool | None, Declared("Whether the person is registered as displaced.")] = None
    sole_trader: Annotated[bool | None, Declared("Whether the person is a sole trader.")] = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What one comparison came to."""

    outcome: Annotated[Outcome, Declared("Whether the declared value agrees.")]
    reason: Annotated[Unheard | None, Declared("Why it is unknown.")] = None
    tolerance: Annotated[str | None, Declared("Within what two values count as equal.", max_length=100)] = None
    exchanges: Annotated[
        tuple[str, ...], Declared("Message ids of the requests, by which the evidence is found.", max_length=64)
    ] = ()


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """A flag for each declared value."""

    check: Annotated[str | None, Declared("What to ask again by while a flag is pending.", max_length=36)] = None
    ready_at: Annotated[datetime | None, Declared("From when on to ask again.")] = None
    income: Annotated[Flag | None, Declared("About the income.")] = None
    address: Annotated[Flag | None, Declared("About the residence.")] = None
    marital_status: Annotated[Flag | None, Declared("About the marital status.")] = None
    children: Annotated[Flag | None, Declared("About the children.")] = None
    ownership: Annotated[Flag | None, Declared("About the real property.")] = None
    displaced: Annotated[Flag | None, Declared("About the registration as displaced.")] = None
    sole_trader: Annotated[Flag | None, Declared("About the registration as a sole trader.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Flags that the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """A check whose flag was pending."""

    check: Annotated[str, Declared("As the check's answer named it.", max_length=36)]


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """The flag that was pending."""

    found: Annotated[bool, Declared("Whether the asker has such a check.")]
    ready_at: Annotated[datetime | None, Declared("From when on to ask again, while it is pending.")] = None
    income: Annotated[Flag | None, Declared("About the income.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Flags that the purpose does not cover.")] = ()

"""A person as the demographic registry tells one, and the messages that ask for and tell it.

What a purpose may do without is optional; surname, given name and birth date always go with a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from registry_adapters.population.model import DocumentStatus
from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.identifiers import DocumentKind, Sex
from registry_adapters.sdk.matching import Confidence
from registry_adapters.sdk.persons import PersonCriterion


class MatchedBy(StrEnum):
    """The criterion an answer was found by."""

    UNZR = "unzr"
    RNOKPP = "rnokpp"
    DOCUMENT = "document"
    NAME_AND_BIRTH_DATE = "name_and_birth_date"
    TEMPORARY_NUMBER = "temporary_number"


@dataclass(frozen=True, slots=True)
class Document:
    """A citizen's passport."""

    kind: Annotated[DocumentKind, Declared("ID card or booklet.")]
    number: Annotated[
        str, Declared("Nine digits, or two letters, a space and six digits.", max_length=9, example="АА 123456")
    ]
    issued_on: Annotated[date | None, Declared("Day of issue.")] = None
    expires_on: Annotated[date | None, Declared("Last day of validity; booklets have none.")] = None
    issuer: Annotated[str | None, Declared("Code of the issuing office.", max_length=8, example="8021")] = None
    status: Annotated[DocumentStatus | None, Declared("Whether it counts.")] = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person is registered."""

    katottg: Annotated[str, Declared("Code of the settlement in the national codifier.", max_length=19)]
    region: Annotated[str, Declared("Oblast; the city itself where the city has that rank.", max_length=64)]
    settlement: Annotated[str, Declared("City, settlement or village.", max_length=64)]
    street: Annotated[str, Declared("Street with its kind.", max_length=128)]
    building: Annotated[str, Declared("Number of the building.", max_length=16)]
    apartment: Annotated[str | None, Declared("Number of the apartment.", max_length=16)] = None
    registered_on: Annotated[date | None, Declared("Since when.")] = None


@dataclass(frozen=True, slots=True)
class Person:
    """A natural person."""

    unzr: Annotated[str | None, Declared("Number in the demographic registry; most have none yet.", max_length=14)]
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10)]
    surname: Annotated[str, Declared("Surname.", max_length=100)]
    given_name: Annotated[str, Declared("Given name.", max_length=100)]
    patronymic: Annotated[str | None, Declared("Patronymic.", max_length=100)]
    sex: Annotated[Sex | None, Declared("Sex.")]
    birth_date: Annotated[date, Declared("Birth date.")]
    birth_place: Annotated[str | None, Declared("Settlement of birth.", max_length=128)] = None
    citizenship: Annotated[str | None, Declared("ISO 3166-1 alpha-3.", max_length=3, example="UKR")] = None
    rnokpp_refused: Annotated[bool | None, Declared("Whether the person refused a taxpayer's number.")] = None
    died_on: Annotated[date | None, Declared("Day of death.")] = None
    residence: Annotated[Address | None, Declared("Registered residence.")] = None
    documents: Annotated[tuple[Document, ...], Declared("Passports, the newest first.")] = ()
    temporary_number: Annotated[
        str | None,
        Declared("Of who has neither UNZR nor taxpayer's number.", max_length=12, example="TN-090169945"),
    ] = None
    temporary_number_issued_on: Annotated[date | None, Declared("Since when it counts.")] = None


@dataclass(frozen=True, slots=True)
class Holding:
    """A person with the registry's own number for the record, which never leaves it."""

    number: int
    person: Person


@dataclass(frozen=True, slots=True)
class PersonQuestion(PersonCriterion):
    """Exactly one of: `unzr`, `rnokpp`, `document`, `temporary_number`, or surname, given name and birth date."""

    temporary_number: Annotated[
        str | None,
        Declared("Temporary number.", max_length=12, pattern="TN-[0-9]{9}", example="TN-090169945"),
    ] = None


@dataclass(frozen=True, slots=True)
class UnzrQuestion:
    """A person by UNZR."""

    unzr: Annotated[str, Declared("Number in the demographic registry.", max_length=14, example="19910824-00026")]


@dataclass(frozen=True, slots=True)
class PersonAnswer:
    """The person, nobody, or how many it could be: several are never narrowed down by a guess."""

    found: Annotated[bool, Declared("Whether exactly one person was found.")]
    matched_by: Annotated[MatchedBy, Declared("The criterion that was used.")]
    count: Annotated[int, Declared("How many persons fit.")]
    ambiguous: Annotated[bool, Declared("Whether several fit; none of them is told.")]
    confidence: Annotated[Confidence | None, Declared("How sure it is that this is the person asked for.")] = None
    warnings: Annotated[
        tuple[str, ...], Declared("What looked odd: `unzr_check_digit`, `rnokpp_check_digit`, `unzr_date`.")
    ] = ()
    person: Annotated[Person | None, Declared("The person found.")] = None
    withheld: Annotated[tuple[str, ...], Declared("Paths of the fields the purpose does not cover.")] = ()


@dataclass(frozen=True, slots=True)
class AddressQuestion:
    """A building, or an apartment in it."""

    katottg: Annotated[
        str,
        Declared("Code of the settlement.", max_length=19, pattern="UA[0-9]{17}", example="UA80000000000093317"),
    ]
    street: Annotated[str, Declared("Street with its kind.", max_length=128, example="вул. Лесі Українки")]
    building: Annotated[str, Declared("Number of the building.", max_length=16, example="12")]
    apartment: Annotated[
        str | None, Declared("Number of the apartment; without it the whole building is meant.", max_length=16)
    ] = None


@dataclass(frozen=True, slots=True)
class Resident:
    """A living person registered at an address."""

    surname: Annotated[str, Declared("Surname.", max_length=100)]
    given_name: Annotated[str, Declared("Given name.", max_length=100)]
    patronymic: Annotated[str | None, Declared("Patronymic.", max_length=100)]
    birth_date: Annotated[date, Declared("Birth date.")]
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10)] = None
    unzr: Annotated[str | None, Declared("Number in the demographic registry.", max_length=14)] = None
    registered_on: Annotated[date | None, Declared("Since when.")] = None


@dataclass(frozen=True, slots=True)
class ResidentsAnswer:
    """Who is registered at an address."""

    count: Annotated[int, Declared("How many are told.")]
    truncated: Annotated[bool, Declared("Whether there are more than that; name the apartment.")]
    residents: Annotated[tuple[Resident, ...], Declared("By apartment, in the order of the registry.")] = ()
    withheld: Annotated[tuple[str, ...], Declared("Paths of the fields the purpose does not cover.")] = ()

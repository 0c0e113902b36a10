"""A person as the demographic registry knows one, and the messages that ask for and tell it.

These are the wire's types too: what a field is called here is what SOAP and REST call it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from registry_adapters.sdk.fields import Declared
from registry_adapters.sdk.identifiers import DocumentKind, Sex
from registry_adapters.sdk.matching import Confidence, MatchedBy


class DocumentStatus(StrEnum):
    """Whether a passport counts."""

    IN_FORCE = "in_force"
    REPLACED = "replaced"
    LOST = "lost"
    VOID = "void"  # its holder died


@dataclass(frozen=True, slots=True)
class Document:
    """A citizen's passport."""

    kind: Annotated[DocumentKind, Declared("ID card or booklet.")]
    number: Annotated[
        str, Declared("Nine digits, or two letters, a space and six digits.", max_length=9, example="АА 123456")
    ]
    issued_on: Annotated[date, Declared("Day of issue.")]
    expires_on: Annotated[date | None, Declared("Last day of validity; booklets have none.")]
    issuer: Annotated[str, Declared("Code of the issuing office.", max_length=8, example="8021")]
    status: Annotated[DocumentStatus, Declared("Whether it counts.")]


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
    sex: Annotated[Sex, Declared("Sex.")]
    birth_date: Annotated[date, Declared("Birth date.")]
    birth_place: Annotated[str, Declared("Settlement of birth.", max_length=128)]
    citizenship: Annotated[str, Declared("ISO 3166-1 alpha-3.", max_length=3, example="UKR")]
    rnokpp_refused: Annotated[bool, Declared("Whether the person refused a taxpayer's number.")] = False
    died_on: Annotated[date | None, Declared("Day of death.")] = None
    residence: Annotated[Address | None, Declared("Registered residence.")] = None
    documents: Annotated[tuple[Document, ...], Declared("Passports, the newest first.")] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A person with the registry's own number, which never leaves it."""

    number: int
    person: Person


@dataclass(frozen=True, slots=True)
class PersonQuestion:
    """Exactly one of: `unzr`, `rnokpp`, `document`, or surname, given name and birth date."""

    unzr: Annotated[
        str | None, Declared("Number in the demographic registry.", max_length=14, example="19910824-00026")
    ] = None
    rnokpp: Annotated[str | None, Declared("Taxpayer's number.", max_length=10, example="3347300028")] = None
    document: Annotated[
        str | None, Declared("Number of an ID card or booklet.", max_length=20, example="АА 123456")
    ] = None
    surname: Annotated[str | None, Declared("Surname.", max_length=100)] = None
    given_name: Annotated[str | None, Declared("Given name.", max_length=100)] = None
    patronymic: Annotated[str | None, Declared("Patronymic; without it any is meant.", max_length=100)] = None
    birth_date: Annotated[date | None, Declared("Birth date.")] = None


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

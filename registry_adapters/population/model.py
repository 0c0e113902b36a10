"""Facts about synthetic persons: the truth that each registry holds a part of, with errors of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from registry_adapters.sdk.identifiers import DocumentKind, Sex


class DocumentStatus(StrEnum):
    """Whether a passport counts."""

    IN_FORCE = "in_force"
    REPLACED = "replaced"
    LOST = "lost"
    VOID = "void"  # its holder died


@dataclass(frozen=True, slots=True)
class Document:
    """A citizen's passport; booklets do not expire."""

    kind: DocumentKind
    number: str
    issued_on: date
    expires_on: date | None
    issuer: str
    status: DocumentStatus


@dataclass(frozen=True, slots=True)
class Address:
    """Where a person is registered: a building in a city of the national codifier (KATOTTG)."""

    katottg: str
    region: str
    settlement: str
    street: str
    building: str
    apartment: str | None
    registered_on: date


@dataclass(frozen=True, slots=True)
class Person:
    """A natural person; the newest document comes first."""

    unzr: str | None
    rnokpp: str | None
    surname: str
    given_name: str
    patronymic: str | None
    sex: Sex
    birth_date: date
    birth_place: str
    citizenship: str
    rnokpp_refused: bool
    died_on: date | None
    residence: Address
    documents: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A person with the number all generators know them by; it never leaves a registry."""

    number: int
    person: Person

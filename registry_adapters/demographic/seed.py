"""What the demographic registry holds of the synthetic population, and how it gets there.

It knows every person, with documents, residence and a temporary number for who has no other; and it
makes mistakes (`mistakes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, select

from gateway.runtime.database import Database
from registry_adapters.demographic import tables
from registry_adapters.demographic.mistakes import as_recorded
from registry_adapters.demographic.store import number_key
from registry_adapters.population.loading import insert_rows, load_rows
from registry_adapters.population.model import Address, Document, Person, Record
from registry_adapters.population.seeding import Progress
from registry_adapters.sdk.matching import name_key

GENERATOR: Final = "demographic-2"  # changes when the same seed would give other records
TEMPORARY_SINCE: Final = date(2024, 1, 1)  # the first temporary number

Row = tuple[Any, ...]
_key: Final = lru_cache(maxsize=4096)(name_key)  # there are few names and streets


def seed_persons(database: Database, seed: int, persons: int, progress: Progress | None = None) -> int:
    """Make what is missing of a population and return how many persons were added.

    Raises SeedMismatchError over another seed's persons.
    """
    write = _Writer(seed).write
    return load_rows(database, tables.seeding, tables.LOOKUPS, GENERATOR, seed, persons, write, progress)


def temporary_number(record: Record) -> str | None:
    """Return the number given to who has neither UNZR nor RNOKPP; scattered, since it must not count persons."""
    if record.person.unzr or record.person.rnokpp or record.number < 0:
        return None
    return f"TN-{record.number * 618_033_989 % 1_000_000_000:09d}"


@dataclass(slots=True)
class _Writer:
    """Writes chunks of persons; knows the buildings that are there already."""

    seed: int
    buildings: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def write(self, truth: Sequence[Record], connection: Connection) -> None:
        if not self.buildings and truth[0].number > 1:  # the load goes on after a pause
            known = tables.building.c
            for row in connection.execute(select(known.katottg, known.street, known.number, known.id)):
                self.buildings[row.katottg, row.street, row.number] = row.id
        buildings: list[Row] = []
        persons: list[Row] = []
        documents: list[Row] = []
        temporary: list[Row] = []
        for record in as_recorded(self.seed, truth):
            number, person = record.number, record.person
            persons.append(_person_row(number, person, self._building(person.residence, buildings)))
            documents.extend(_document_row(number, held) for held in person.documents)
            given = temporary_number(record)
            if given:
                issued_on = max(person.residence.registered_on, TEMPORARY_SINCE)
                temporary.append((number, given, issued_on.isoformat()))
        insert_rows(connection, tables.building, buildings)
        insert_rows(connection, tables.person, persons)
        insert_rows(connection, tables.document, documents)
        insert_rows(connection, tables.temporary_number, temporary)

    def _building(self, home: Address, new: list[Row]) -> int:
        key = (home.katottg, home.street, home.building)
        known = self.buildings.get(key)
        if known is None:
            known = self.buildings[key] = len(self.buildings) + 1
            names = (home.region, home.settlement, home.street, home.building, _key(home.street))
            new.append((known, home.katottg, *names, number_key(home.building)))
        return known


def _person_row(number: int, person: Person, building: int) -> Row:
    patronymic = person.patronymic
    return (
        number,
        person.unzr,
        person.rnokpp,
        person.surname,
        person.given_name,
        patronymic,
        f"{_key(person.surname)}|{_key(person.given_name)}",
        _key(patronymic) if patronymic else None,
        person.sex.value,
        person.birth_date.isoformat(),
        person.birth_place,
        person.citizenship,
        person.rnokpp_refused,
        person.died_on.isoformat() if person.died_on else None,
        building,
        person.residence.apartment,
        person.residence.registered_on.isoformat(),
    )


def _document_row(number: int, held: Document) -> Row:
    expires_on = held.expires_on.isoformat() if held.expires_on else None
    kind, status = held.kind.value, held.status.value
    return number, held.number, kind, held.issued_on.isoformat(), expires_on, held.issuer, status

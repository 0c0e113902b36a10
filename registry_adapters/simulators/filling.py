"""How a simulator is filled: with the records that a maker derives from each person of the population.

A maker draws from a source of chance of its own for each person, so what it makes of one does not depend on
how many there are. A known share of persons gets an error; the well-known persons never.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from sqlalchemy import Connection

from gateway.runtime.database import Database
from registry_adapters.population.families import TOLD, Family, with_families
from registry_adapters.population.model import Record
from registry_adapters.population.people import people
from registry_adapters.population.seeding import Progress, seed_rows
from registry_adapters.settings import RegistrySettings
from registry_adapters.simulators.persons import Key
from registry_adapters.simulators.store import add_records
from registry_adapters.simulators.tables import seeding

ERROR_SHARE: Final = 0.02
RECORDS_PER_PERSON: Final = 32


@dataclass(frozen=True, slots=True)
class Made:
    """A record to be held; `told` is its declaration's type."""

    told: Any
    subjects: tuple[str, ...]
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """What a maker derives records from."""

    seed: int
    record: Record
    family: Family
    previous: Record | None  # the person before, with whom some things are shared
    draw: Random
    error: str | None  # the kind of error this person's records shall have

    @property
    def is_well_known(self) -> bool:
        """Whether facts about the person are told and not drawn."""
        return self.record.number in TOLD


@dataclass(frozen=True, slots=True)
class Maker:
    """Derives a registry's records from persons; `version` changes when the same seed would give others."""

    name: str
    version: int
    errors: tuple[str, ...]
    make: Callable[[Given], Iterator[Made]]

    def given(self, seed: int) -> Iterator[Given]:
        """Yield what is derived from, person by person, without end."""
        previous = None
        for record, family in with_families(people(seed)):
            draw = Random(f"{self.name}/{seed}/{record.number}")  # noqa: S311  reproducible on purpose
            flawed = draw.random() < ERROR_SHARE
            kind = draw.choice(self.errors)
            told = record.number in TOLD
            yield Given(seed, record, family, previous, draw, kind if flawed and not told else None)
            previous = record

    def fill(self, database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
        """Make what is missing of the records of a population; return for how many persons."""
        generator = f"{self.name}-{self.version}"
        return seed_rows(
            database, seeding, generator, settings.seed, settings.persons, self._write, progress, self.given
        )

    def _write(self, chunk: Sequence[Given], connection: Connection) -> None:
        add_records(connection, (row for given in chunk for row in self._rows(given)))

    def _rows(self, given: Given) -> Iterator[tuple[int, Any, Sequence[str], Sequence[Key]]]:
        for place, made in enumerate(islice(self.make(given), RECORDS_PER_PERSON)):
            yield given.record.number * RECORDS_PER_PERSON + place, made.told, made.subjects, made.keys


def filled_by(place: str) -> Callable[[Database, RegistrySettings, Progress | None], int]:
    """Return the filling of a registry by the maker at `package.module:name`, which is imported only then."""
    module, _, name = place.partition(":")

    def fill(database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
        maker: Maker = getattr(importlib.import_module(module), name)
        return maker.fill(database, settings, progress)

    return fill

"""Rows come in bulk, and the lookups after them: whatever stops a load in between."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import date

import pytest
from sqlalchemy import Boolean, Column, Connection, Date, Index, Integer, MetaData, String, Table, inspect, select

from gateway.runtime.database import Database
from registry_adapters.population.loading import insert_rows, load_rows
from registry_adapters.population.model import Record
from registry_adapters.population.seeding import CHUNK, Progress, SeedMismatchError, seed_table

METADATA = MetaData()
NAMES = Table(
    "names",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("person", Integer, nullable=False),
    Column("surname", String(100)),
    Column("born", Date, nullable=False),
    Column("dead", Boolean, nullable=False),
)
LOOKUPS = (Index("names_person", NAMES.c.person, unique=True), Index("names_surname", NAMES.c.surname))
SEEDING = seed_table(METADATA)
KNOWN = {index.name for index in LOOKUPS}


@pytest.fixture
def empty(database: Database) -> Database:
    with database.transaction() as connection:
        METADATA.create_all(connection)
    return database


def lookups_of(connection: Connection) -> set[str | None]:
    return {found["name"] for found in inspect(connection).get_indexes("names")}


class Load:
    """Loads persons and remembers which lookups there were while their rows came."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.met: list[set[str | None]] = []

    def of(self, persons: int, progress: Progress | None = None, *, seed: int = 1) -> int:
        return load_rows(self.database, SEEDING, LOOKUPS, "test-1", seed, persons, self._write, progress)

    def _write(self, records: Sequence[Record], connection: Connection) -> None:
        self.met.append(lookups_of(connection))
        rows = [(r.number, r.person.surname, r.person.birth_date.isoformat(), False) for r in records]
        insert_rows(connection, NAMES, rows)


def there(database: Database) -> set[str | None]:
    with database.reading() as connection:
        return lookups_of(connection)


def test_empty_table_is_filled_without_its_lookups_and_has_them_after(empty: Database) -> None:
    load = Load(empty)
    assert there(empty) == KNOWN
    assert load.of(300) == 300
    assert (load.met, there(empty)) == ([set()], KNOWN)


def test_persons_added_to_those_who_are_there_find_the_lookups_in_place(empty: Database) -> None:
    load = Load(empty)
    load.of(120)
    assert load.of(300) == 180
    assert load.met == [set(), KNOWN]


def test_killed_load_goes_on_without_lookups_and_makes_them_at_its_end(empty: Database) -> None:
    load = Load(empty)

    def die(done: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load.of(CHUNK + 10, die)
    assert there(empty) == set()
    assert load.of(CHUNK + 10) == 10
    assert (load.met, there(empty)) == ([set(), set()], KNOWN)
    with empty.reading() as connection:
        assert len(set(connection.execute(select(NAMES.c.person)).scalars())) == CHUNK + 10


def test_lookup_that_is_missing_is_made_though_nobody_is_added(empty: Database) -> None:
    load = Load(empty)
    load.of(50)
    with empty.transaction() as connection:
        LOOKUPS[1].drop(connection)
    assert load.of(50) == 0
    assert there(empty) == KNOWN


def test_lookup_keeps_what_it_was_declared_to_be(empty: Database) -> None:
    Load(empty).of(50)
    with empty.reading() as connection:
        unique = {found["name"]: bool(found["unique"]) for found in inspect(connection).get_indexes("names")}
    assert unique == {"names_person": True, "names_surname": False}


def test_collector_rests_while_rows_come_and_goes_on_after_a_killed_load(empty: Database) -> None:
    met: list[bool] = []

    def die(done: int, wanted: int) -> None:
        met.append(gc.isenabled())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Load(empty).of(10, die)
    assert (met, gc.isenabled()) == ([False], True)


def test_other_population_is_refused_and_leaves_the_lookups(empty: Database) -> None:
    load = Load(empty)
    load.of(50)
    with pytest.raises(SeedMismatchError):
        load.of(50, seed=2)
    assert there(empty) == KNOWN


def test_rows_come_back_as_what_they_were_and_ids_count_up(empty: Database) -> None:
    odd = "Tab\there, \\N, ʼ and\nnew line"
    with empty.transaction() as connection:
        insert_rows(connection, NAMES, [(7, odd, "2024-02-29", True), (8, None, "1999-12-31", False)])
        insert_rows(connection, NAMES, [])
        insert_rows(connection, NAMES, [(9, "", "2000-01-01", False)])
    with empty.reading() as connection:
        rows = [tuple(row) for row in connection.execute(select(NAMES).order_by(NAMES.c.id))]
    assert rows == [
        (1, 7, odd, date(2024, 2, 29), True),
        (2, 8, None, date(1999, 12, 31), False),
        (3, 9, "", date(2000, 1, 1), False),
    ]

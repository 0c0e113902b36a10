from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from sqlalchemy import func, inspect, select

from gateway.runtime.database import Database, migrate
from registry_adapters.demographic import tables
from registry_adapters.demographic.mistakes import ERROR_SHARE, Mistake, mistake_about
from registry_adapters.demographic.registry import registry
from registry_adapters.demographic.seed import seed_persons, temporary_number
from registry_adapters.demographic.store import find_by_temporary_number, find_persons
from registry_adapters.demographic.tables import person
from registry_adapters.population.model import Record
from registry_adapters.population.people import people
from registry_adapters.population.seeding import CHUNK, SeedMismatchError
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.matching import ByRnokpp, ByUnzr
from tests.factories.registry import rows_of

SEED = 1
FEW = 600


@pytest.fixture(scope="module")
def population() -> list[Record]:
    return list(islice(people(SEED), FEW))


@pytest.fixture
def empty(database: Database) -> Database:
    assert registry.migrations is not None
    migrate(database, registry.migrations)
    return database


def lookups_of(database: Database) -> set[str | None]:
    with database.reading() as connection:
        known = inspect(connection)
        return {found["name"] for name in known.get_table_names() for found in known.get_indexes(name)}


def truth(record: Record) -> dict[str, object]:
    """What the registry tells of a person, if it is right."""
    person = record.person
    home = person.residence
    told = {
        name: getattr(person, name)
        for name in ("unzr", "rnokpp", "surname", "given_name", "patronymic", "birth_place", "citizenship")
    }
    told |= {"sex": person.sex.value, "birth_date": str(person.birth_date), "rnokpp_refused": person.rnokpp_refused}
    told["residence"] = {
        "katottg": home.katottg,
        "region": home.region,
        "settlement": home.settlement,
        "street": home.street,
        "building": home.building,
        "apartment": home.apartment,
        "registered_on": str(home.registered_on),
    }
    told["residence"] = {name: value for name, value in told["residence"].items() if value is not None}
    told["documents"] = [
        {name: str(getattr(held, name)) for name in ("kind", "number", "issued_on", "issuer", "status")}
        | ({"expires_on": str(held.expires_on)} if held.expires_on else {})
        for held in person.documents
    ]
    told |= {"died_on": str(person.died_on)} if person.died_on else {}
    return {name: value for name, value in told.items() if value is not None}


def test_seeding_fills_the_database_once(empty: Database) -> None:
    assert (seed_persons(empty, SEED, 300), seed_persons(empty, SEED, 300)) == (300, 0)
    twice = sum(mistake_about(SEED, number) is Mistake.RECORDED_TWICE for number in range(1, 301))
    with empty.reading() as connection:
        assert rows_of(connection, person) == 300 + twice


def test_person_is_told_as_generated(empty: Database, population: list[Record]) -> None:
    seed_persons(empty, SEED, FEW)
    right = [r for r in population if r.person.unzr and mistake_about(SEED, r.number) is None]
    with empty.reading() as connection:
        for record in right[:60]:
            (held,) = find_persons(connection, ByUnzr(record.person.unzr or ""))
            assert (held.number, to_json(held.person)) == (record.number, truth(record))


def test_known_share_of_the_records_is_wrong_in_every_way() -> None:
    counted = Counter(mistake_about(SEED, number) for number in range(1, 100_001))
    assert 1 - counted[None] / 100_000 == pytest.approx(ERROR_SHARE, rel=0.05)
    for mistake in Mistake:
        assert counted[mistake] / 100_000 == pytest.approx(ERROR_SHARE / len(Mistake), rel=0.15)


def test_well_known_persons_are_recorded_as_they_are() -> None:
    known = range(1, len(WELL_KNOWN) + 1)
    assert [number for seed in range(300) for number in known if mistake_about(seed, number)] == []


def test_each_mistake_is_stored_and_only_that(empty: Database, population: list[Record]) -> None:
    seed_persons(empty, SEED, FEW)
    changed: dict[Mistake, set[str]] = {mistake: set() for mistake in Mistake}
    with empty.reading() as connection:
        for record in population:
            mistake = mistake_about(SEED, record.number)
            if mistake is None or not record.person.rnokpp:
                continue
            held = find_persons(connection, ByRnokpp(record.person.rnokpp))
            if mistake is Mistake.RECORDED_TWICE:
                assert sorted(one.number for one in held) == [-record.number, record.number]
            else:
                told, right = to_json(held[0].person), truth(record)
                changed[mistake] |= {name for name in right if told.get(name) != right[name]}
    assert changed[Mistake.SURNAME] == {"surname"}
    assert changed[Mistake.BIRTH_DATE] == {"birth_date"}
    assert changed[Mistake.RESIDENCE] == {"residence"}


def test_who_has_no_other_number_is_given_a_temporary_one(empty: Database, population: list[Record]) -> None:
    seed_persons(empty, SEED, FEW)
    without = [r for r in population if not r.person.unzr and not r.person.rnokpp]
    with empty.reading() as connection:
        numbers = set(connection.execute(select(tables.temporary_number.c.number)).scalars())
        assert numbers == {temporary_number(record) for record in without}
        held = find_by_temporary_number(connection, temporary_number(without[0]) or "")
    assert held is not None
    assert (held.number, held.person.temporary_number) == (without[0].number, temporary_number(without[0]))
    issued_on = held.person.temporary_number_issued_on
    assert issued_on is not None
    assert issued_on >= without[0].person.residence.registered_on


def test_more_persons_are_added_to_what_is_there(empty: Database) -> None:
    assert (seed_persons(empty, SEED, 120), seed_persons(empty, SEED, 300)) == (120, 180)
    assert lookups_of(empty) >= {index.name for index in tables.LOOKUPS}


def test_two_loads_make_what_one_would_have(
    tmp_path_factory: pytest.TempPathFactory, sqlite_database: Database
) -> None:
    assert registry.migrations is not None
    migrate(sqlite_database, registry.migrations)
    seed_persons(sqlite_database, SEED, 120)
    seed_persons(sqlite_database, SEED, 300)
    with sqlite_database.reading() as connection:
        dump = [
            sorted(map(tuple, connection.execute(select(table))), key=str) for table in tables.metadata.sorted_tables
        ]
    from gateway.runtime.database import open_database

    other = open_database(f"sqlite:///{tmp_path_factory.mktemp('other')}/other.db")
    migrate(other, registry.migrations)
    seed_persons(other, SEED, 300)
    with other.reading() as connection:
        assert dump == [
            sorted(map(tuple, connection.execute(select(table))), key=str) for table in tables.metadata.sorted_tables
        ]
    other.close()


def test_killed_seeding_goes_on_where_it_stopped_and_makes_the_lookups(sqlite_database: Database) -> None:
    assert registry.migrations is not None
    migrate(sqlite_database, registry.migrations)

    def die(there: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed_persons(sqlite_database, SEED, CHUNK + 10, die)
    assert not lookups_of(sqlite_database) & {index.name for index in tables.LOOKUPS}
    assert seed_persons(sqlite_database, SEED, CHUNK + 10) == 10
    assert lookups_of(sqlite_database) >= {index.name for index in tables.LOOKUPS}


def test_lookups_that_a_killed_load_left_out_are_made_at_the_next_start(empty: Database) -> None:
    seed_persons(empty, SEED, 50)
    with empty.transaction() as connection:
        tables.LOOKUPS[0].drop(connection)
        tables.LOOKUPS[-1].drop(connection)
    assert seed_persons(empty, SEED, 50) == 0
    assert lookups_of(empty) >= {index.name for index in tables.LOOKUPS}


def test_other_population_than_the_one_there_is_refused(empty: Database) -> None:
    seed_persons(empty, SEED, 20)
    with pytest.raises(SeedMismatchError, match="seed 1 "):
        seed_persons(empty, 2, 20)


def test_schema_of_the_migrations_is_that_of_the_tables(empty: Database) -> None:
    with empty.reading() as connection:
        for table in tables.metadata.sorted_tables:
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
    assert lookups_of(empty) >= {index.name for index in tables.LOOKUPS}

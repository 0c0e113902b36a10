"""The synthetic taxpayers: what agrees with the population, and what is known to be wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import Table, func, inspect, select

from gateway.runtime.database import Database, migrate
from registry_adapters.population.model import Record
from registry_adapters.population.people import people
from registry_adapters.population.seeding import CHUNK, SeedMismatchError
from registry_adapters.population.wellknown import WELL_KNOWN
from registry_adapters.population.work import EMPLOYERS, income_of, work_of
from registry_adapters.sdk.matching import ByRnokpp
from registry_adapters.settings import TaxSettings
from registry_adapters.tax import tables
from registry_adapters.tax.seed import ERROR_SHARE, Mistake, fill, is_taxpayer, misspelt, mistake_in, month_off, rows_of
from registry_adapters.tax.store import find_incomes, find_taxpayers, subjects_of

MIGRATIONS = "registry_adapters.migrations.tax"
COLUMNS = ("rnokpp", "unzr", "surname", "given_name", "patronymic", "birth_date")
QUARTERS = [(2024, 3), (2024, 4), (2025, 1), (2025, 2), (2025, 3), (2025, 4)]
Named = dict[Table, list[dict[str, Any]]]
Made = tuple[Record, Mistake | None, Named]


@pytest.fixture(scope="module")
def made() -> list[Made]:
    records = [record for record in islice(people(1), 12_000) if is_taxpayer(record)]
    return [(record, mistake_in(1, record, work_of(1, record)), named_rows_of(record)) for record in records]


def named_rows_of(record: Record) -> Named:
    """The rows that a person gives the registry, with the names of their columns."""
    return {
        table: [dict(zip(columns_of(table), row, strict=True)) for row in rows]
        for table, rows in rows_of(1, [record]).items()
    }


def columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "id"]


def truth(record: Record) -> dict[str, Any]:
    told = {name: getattr(record.person, name) for name in COLUMNS}
    return told | {"birth_date": record.person.birth_date.isoformat()}


def wrong(made: Sequence[Made], mistake: Mistake) -> list[tuple[Record, list[dict[str, Any]]]]:
    return [(record, rows[tables.taxpayer]) for record, found, rows in made if found is mistake]


def test_known_share_of_taxpayers_stands_with_a_mistake_of_each_kind(made: list[Made]) -> None:
    kinds = Counter(mistake for _, mistake, _ in made if mistake)
    assert sum(kinds.values()) / len(made) == pytest.approx(ERROR_SHARE, abs=0.004)
    assert set(kinds) == set(Mistake)


def test_who_stands_without_a_mistake_agrees_with_the_population(made: list[Made]) -> None:
    for record, mistake, rows in made:
        if mistake is None:
            (row,) = rows[tables.taxpayer]
            assert {name: row[name] for name in COLUMNS} == truth(record)
            assert row["document"] == (record.person.documents[0].number if record.person.documents else None)
            assert [source["quarters_off"] for source in rows[tables.income_source] if source["quarters_off"]] == []


def test_mistake_is_the_only_thing_that_differs(made: list[Made]) -> None:
    def differing(record: Record, row: dict[str, Any]) -> list[str]:
        return [name for name, right in truth(record).items() if row[name] != right]

    expected = {Mistake.MISSPELT_NAME: ["surname"], Mistake.OTHER_BIRTH_DATE: ["birth_date"]}
    for mistake in Mistake:
        for record, rows in wrong(made, mistake):
            assert differing(record, rows[0]) == expected.get(mistake, [])


def test_former_document_is_one_the_person_had_before(made: list[Made]) -> None:
    for record, (row,) in wrong(made, Mistake.FORMER_DOCUMENT):
        assert row["document"] == record.person.documents[1].number


def test_duplicate_has_the_same_number_and_another_name(made: list[Made]) -> None:
    for record, (row, second) in wrong(made, Mistake.DUPLICATE):
        assert (second["rnokpp"], second["number"]) == (row["rnokpp"], row["number"] + 1)
        assert second["surname"] == misspelt(record.person.surname) != row["surname"]


def test_well_known_persons_stand_without_mistakes(made: list[Made]) -> None:
    known = [mistake for record, mistake, _ in made if record.number <= len(WELL_KNOWN)]
    assert known == [None] * len(WELL_KNOWN)
    again = [mistake_in(seed, r, work_of(seed, r)) for seed in range(60) for r in islice(people(seed), len(WELL_KNOWN))]
    assert set(again) == {None}


@pytest.mark.parametrize(("surname", "wrongly"), [("Ткаченко", "Такченко"), ("Жук", "Жку"), ("Ля", "Ляя")])
def test_misspelt_surname_is_another(surname: str, wrongly: str) -> None:
    assert misspelt(surname) == wrongly


def test_no_surname_of_the_population_survives_misspelling(made: list[Made]) -> None:
    assert [record for record, *_ in made if misspelt(record.person.surname) == record.person.surname] == []
    assert [record for record, *_ in made if month_off(record.person.birth_date) == record.person.birth_date] == []


def test_who_has_neither_number_nor_refused_one_is_no_taxpayer() -> None:
    records = list(islice(people(1), 3000))
    unknown = [record for record in records if not (record.person.rnokpp or record.person.rnokpp_refused)]
    assert unknown
    assert rows_of(1, unknown) == {tables.taxpayer: [], tables.sole_trader: [], tables.income_source: []}


@pytest.fixture
def empty(database: Database) -> Database:
    migrate(database, MIGRATIONS)
    return database


def lookups_of(database: Database) -> set[str | None]:
    with database.reading() as connection:
        known = inspect(connection)
        return {found["name"] for name in known.get_table_names() for found in known.get_indexes(name)}


def counted(database: Database, table: Table) -> int:
    with database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_filling_happens_once_and_more_persons_are_added(empty: Database) -> None:
    few, more = TaxSettings(persons=300), TaxSettings(persons=700)
    assert [fill(empty, settings) for settings in (few, few, more, few)] == [300, 0, 400, 0]
    assert counted(empty, tables.agent) == len(EMPLOYERS)
    rows = rows_of(1, list(islice(people(1), 700)))
    for table, expected in rows.items():
        assert counted(empty, table) == len(expected)


def test_stored_taxpayer_has_the_persons_incomes(empty: Database) -> None:
    fill(empty, TaxSettings(persons=400))
    compared = 0
    with empty.reading() as connection:
        for record in islice(people(1), 400):
            work = work_of(1, record)
            if record.person.rnokpp and not mistake_in(1, record, work):
                (held,) = find_taxpayers(connection, ByRnokpp(record.person.rnokpp))
                incomes = find_incomes(connection, held.number, (2024, 3), (2025, 4))
                expected = [income_of(s, y, q) for y, q in QUARTERS for s in work.sources]
                assert incomes == [income for income in expected if income]
                compared += len(incomes)
                assert subjects_of(connection, record.person.rnokpp) == [record.person.rnokpp]
    assert compared > 400


def test_reports_booked_too_late_stand_a_quarter_on(sqlite_database: Database, made: list[Made]) -> None:
    migrate(sqlite_database, MIGRATIONS)
    record = next(r for r, m, _ in made if m is Mistake.OTHER_QUARTER and r.person.rnokpp and r.number < 6000)
    fill(sqlite_database, TaxSettings(persons=record.number))
    with sqlite_database.reading() as connection:
        (held,) = find_taxpayers(connection, ByRnokpp(record.person.rnokpp or ""))
        booked = find_incomes(connection, held.number, (2016, 1), (2026, 4))
    earned = [income_of(s, y, q) for y in range(2016, 2027) for q in (1, 2, 3, 4) for s in work_of(1, record).sources]
    expected = [income for income in earned if income]
    assert expected
    later = [replace(i, year=i.year + i.quarter // 4, quarter=i.quarter % 4 + 1) for i in expected]
    assert booked == [income for income in later if income.year < 2027]


def test_person_who_stands_twice_is_known_under_one_subject(sqlite_database: Database, made: list[Made]) -> None:
    migrate(sqlite_database, MIGRATIONS)
    record = next(r for r, m, _ in made if m is Mistake.DUPLICATE and r.person.rnokpp and r.number < 6000)
    fill(sqlite_database, TaxSettings(persons=record.number))
    with sqlite_database.reading() as connection:
        assert len(find_taxpayers(connection, ByRnokpp(record.person.rnokpp or ""))) == 2
        assert subjects_of(connection, record.person.rnokpp or "") == [record.person.rnokpp]


def test_killed_filling_goes_on_where_it_stopped_and_makes_the_lookups(sqlite_database: Database) -> None:
    migrate(sqlite_database, MIGRATIONS)
    settings = TaxSettings(persons=CHUNK + 10)

    def die(there: int, wanted: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(sqlite_database, settings, die)
    assert not lookups_of(sqlite_database) & {index.name for index in tables.LOOKUPS}
    assert fill(sqlite_database, settings) == 10
    assert lookups_of(sqlite_database) >= {index.name for index in tables.LOOKUPS}
    assert counted(sqlite_database, tables.taxpayer) == len(
        rows_of(1, list(islice(people(1), CHUNK + 10)))[tables.taxpayer]
    )


def test_other_population_than_the_one_there_is_refused(sqlite_database: Database) -> None:
    migrate(sqlite_database, MIGRATIONS)
    fill(sqlite_database, TaxSettings(persons=20))
    with pytest.raises(SeedMismatchError, match="seed 1 "):
        fill(sqlite_database, TaxSettings(persons=20, seed=2))


def test_schema_of_the_migrations_is_that_of_the_tables(empty: Database) -> None:
    found = inspect(empty.engine)
    for table in tables.metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == {column.name for column in table.columns}
        indexes = {index["name"]: index["column_names"] for index in found.get_indexes(table.name)}
        assert indexes == {index.name: [column.name for column in index.columns] for index in table.indexes}

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from gateway.runtime.database import Database, open_database
from registry_adapters.sdk.errors import UnavailableError
from registry_adapters.sdk.fields import describe
from registry_adapters.sdk.sources.base import SourceError
from registry_adapters.sdk.sources.sql import SqlTable

SCHEMA = """
CREATE TABLE tree (
    id INTEGER PRIMARY KEY, number VARCHAR(12) NOT NULL, species VARCHAR(60), planted_on DATE, height_m DECIMAL(4, 1),
    felled BOOLEAN NOT NULL, seen_at TIMESTAMP, remarks TEXT, picture {blob});
INSERT INTO tree VALUES
    (1, 'T-1', 'Липа', '1987-04-12', 14.5, FALSE, '2024-07-01 10:00:00', ' x ', NULL),
    (2, 'T-2', 'Клен', NULL, NULL, TRUE, NULL, '', NULL),
    (3, 'T-3', 'Липа', '1990-01-01', 3, FALSE, NULL, NULL, NULL);
CREATE VIEW standing AS
    SELECT number, species, height_m * 2 AS doubled, upper(number) AS loud FROM tree WHERE NOT felled
"""


class Species(StrEnum):
    LIME = "Липа"
    MAPLE = "Клен"


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree."""

    number: str
    species: Species
    height_m: Decimal | None = None


@pytest.fixture
def filled(database_url: str) -> str:
    """The URL of a database with a table and a view of it, once of each kind."""
    with closing(open_database(database_url)) as database, database.transaction() as tx:
        for statement in SCHEMA.format(blob="BLOB" if database.is_sqlite else "BYTEA").split(";"):
            tx.exec_driver_sql(statement)
    return database_url


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    """A SQLite database with the same."""
    path = tmp_path / "trees.db"
    with closing(open_database(f"sqlite:///{path}")) as database, database.transaction() as tx:
        for statement in SCHEMA.format(blob="BLOB").split(";"):
            tx.exec_driver_sql(statement)
    return path


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def test_columns_are_those_of_the_database_that_have_a_form_outside(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number")) as source:
        specs = describe(source.record).fields
        (record,) = source.find({"number": "T-1"}, limit=2).records
    assert {spec.name: spec.type for spec in specs} == {
        "id": int, "number": str, "species": str, "planted_on": date, "height_m": Decimal, "felled": bool,
        "seen_at": datetime, "remarks": str,
    }  # fmt: skip
    assert next(spec for spec in specs if spec.name == "species").declaration.max_length == 60
    assert (record.id, record.planted_on, record.height_m, record.felled) == (
        1,
        date(1987, 4, 12),
        Decimal("14.5"),
        False,
    )
    assert (record.seen_at, record.remarks) == (datetime(2024, 7, 1, 7, tzinfo=UTC), "x")


def test_view_is_a_source_like_a_table(filled: str) -> None:
    with closing(SqlTable(filled, "standing", key="number", types={"doubled": Decimal})) as source:
        page = source.find({"species": "Липа"}, limit=10)
        loud = source.find({"loud": "T-3"}, limit=10)
        doubled = source.find({"doubled": Decimal(29)}, limit=10)
    assert [(one.number, one.doubled) for one in page.records] == [("T-1", Decimal(29)), ("T-3", Decimal(6))]
    assert [one.number for one in loud.records] == ["T-3"]
    assert [one.number for one in doubled.records] == ["T-1"]


def test_pages_are_ordered_by_the_key_and_count_all(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number")) as source:
        pages = [source.find({"species": "Липа"}, limit=1, offset=offset) for offset in range(3)]
        everything = source.find({}, limit=2)
    assert [[one.number for one in page.records] for page in pages] == [["T-1"], ["T-3"], []]
    assert {page.count for page in pages} == {2}
    assert (everything.count, [one.number for one in everything.records]) == (3, ["T-1", "T-2"])


def test_values_of_every_type_can_be_asked_for(filled: str) -> None:
    wanted = {
        "id": 1, "planted_on": date(1987, 4, 12), "height_m": Decimal("14.5"), "felled": False, "remarks": " x ",
    }  # fmt: skip
    with closing(SqlTable(filled, "tree", key="number")) as source:
        for name, value in wanted.items():
            assert "T-1" in [one.number for one in source.find({name: value}, limit=9).records], name


def test_value_cannot_become_part_of_the_query(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number")) as source:
        assert source.find({"number": "' OR '1'='1"}, limit=9).count == 0


def test_declared_record_chooses_columns_and_their_types(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number", record=Tree)) as source:
        found = source.find({"species": Species.MAPLE}, limit=9).records
    assert found == (Tree("T-2", Species.MAPLE, None),)


def test_columns_are_chosen_and_renamed(filled: str) -> None:
    columns = ("number", "height_m")
    with closing(SqlTable(filled, "tree", key="code", columns=columns, names={"number": "code"})) as source:
        assert [spec.name for spec in describe(source.record).fields] == ["code", "height_m"]
        assert source.find({"code": "T-3"}, limit=1).records[0].height_m == 3


def test_empty_text_is_nothing_and_null_where_it_may_not_be_is_a_wrong_source(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number")) as source:
        assert source.find({"number": "T-2"}, limit=1).records[0].remarks is None
    with (
        closing(SqlTable(filled, "tree", key="planted_on")) as source,
        pytest.raises(UnavailableError, match="unusable"),
    ):
        source.find({"id": 2}, limit=1)


def test_source_cannot_write(filled: str) -> None:
    with closing(SqlTable(filled, "tree", key="number")) as source:
        with pytest.raises(DBAPIError, match=r"readonly|read-only"), source._engine.begin() as connection:
            connection.execute(sqlalchemy.text("DELETE FROM tree"))
        assert source.find({}, limit=9).count == 3


def test_connection_that_the_server_ended_is_replaced(postgres_database: Database) -> None:
    with postgres_database.transaction() as tx:
        tx.exec_driver_sql("CREATE TABLE tree (number VARCHAR(9))")
    with closing(SqlTable(url_of(postgres_database), "tree", key="number")) as source:
        with postgres_database.transaction() as tx:
            others = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            tx.exec_driver_sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity {others}")
        assert source.find({}, limit=1).count == 0


def test_table_that_went_away_is_a_source_that_does_not_answer(filled: str) -> None:
    with closing(SqlTable(filled, "standing", key="number")) as source:
        with closing(open_database(filled)) as database, database.transaction() as tx:
            tx.exec_driver_sql("DROP VIEW standing")
        with pytest.raises(UnavailableError, match="source_unavailable"):
            source.find({}, limit=1)


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////nowhere/none.db"])
def test_database_that_is_not_there_is_said_at_start(url: str) -> None:
    with pytest.raises(SourceError, match=r"check URL|no such SQLite file"):
        SqlTable(url, "tree", key="number", timeout_s=2)


@pytest.mark.parametrize(
    ("url", "said"),
    [("nonsense", "looks like"), ("nosuch://x/y", "looks like"), ("mssql+pyodbc://x/y", "pyodbc|pymssql")],
)
def test_url_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        SqlTable(url, "tree", key="number")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"table": "bush", "key": "number"}, "no such table or view"),
        ({"key": "nmuber"}, "'nmuber' is no column; there are id, number"),
        ({"key": ""}, "say with key"),
        ({"key": "number", "columns": ["number", "age"]}, "no column 'age'"),
        ({"key": "number", "columns": ["number", "picture"]}, "picture of type BLOB has no form outside"),
        ({"key": "number", "types": {"age": int}}, "types says 'age'"),
        ({"key": "number", "record": Tree, "columns": ["number", "height_m"]}, "no column for species"),
    ],
)
def test_wrong_declaration_is_refused(sqlite: Path, options: dict[str, object], said: str) -> None:
    arguments: dict[str, object] = {"table": "tree", **options}
    with pytest.raises(SourceError, match=said):
        SqlTable(f"sqlite:///{sqlite}", **arguments)  # type: ignore[arg-type]


def test_password_of_a_url_is_in_no_error() -> None:
    with pytest.raises(SourceError) as caught:
        SqlTable("postgresql://reader:hunter2@127.0.0.1:1/none", "tree", key="number", timeout_s=2)
    assert "hunter2" not in str(caught.value)


def test_slow_query_is_ended(sqlite: Path) -> None:
    slow = """CREATE VIEW slow AS WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 100000000)
        SELECT CAST(max(n) AS VARCHAR(10)) AS number FROM up"""
    with closing(open_database(f"sqlite:///{sqlite}")) as database, database.transaction() as tx:
        tx.exec_driver_sql(slow)
    with closing(SqlTable(f"sqlite:///{sqlite}", "slow", key="number", timeout_s=0.2)) as source:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="source_unavailable"):
            source.find({}, limit=1)
    assert time.monotonic() - began < 5


def test_slow_query_is_ended_by_the_server_too(postgres_database: Database) -> None:
    with postgres_database.transaction() as tx:
        tx.exec_driver_sql("CREATE VIEW slow AS SELECT 'x' || pg_sleep(20)::text AS number")
    source = SqlTable(url_of(postgres_database), "public.slow", key="number", timeout_s=0.3)
    with closing(source), pytest.raises(UnavailableError, match="source_unavailable"):
        source.find({}, limit=1)


def test_value_that_is_not_of_its_column_is_a_source_that_does_not_answer(sqlite: Path) -> None:
    with closing(open_database(f"sqlite:///{sqlite}")) as database, database.transaction() as tx:
        tx.exec_driver_sql("UPDATE tree SET planted_on = 'навесні' WHERE id = 1")
    with closing(SqlTable(f"sqlite:///{sqlite}", "tree", key="number")) as source:
        with pytest.raises(UnavailableError):
            source.find({"number": "T-1"}, limit=1)
        assert source.find({"number": "T-2"}, limit=1).count == 1

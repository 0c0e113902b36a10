"""Many rows at once: by the driver's own means, and with the lookups made when the rows are there.

An index that grows with its table in no order costs more than one that is sorted once. So tables that
are empty are filled without their lookups; persons added to those who are there find them in place. A
load that was killed leaves some out: what is missing is made at the end of the next one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Index, Table, inspect

from gateway.runtime.database import Database
from registry_adapters.population.model import Record
from registry_adapters.population.seeding import Progress, RowsOf, seed_rows

SORTING_KIB: Final = 64 * 1024  # memory SQLite sorts an index in, and no other connection has

Rows = Sequence[tuple[Any, ...]]  # in the order of the table's columns; dates as ISO texts
Lookups = Sequence[Index]


def load_rows(
    database: Database,
    table: Table,
    lookups: Lookups,
    generator: str,
    seed: int,
    persons: int,
    write: RowsOf,
    progress: Progress | None = None,
) -> int:
    """Make what is missing of the first `persons` persons as `seed_rows` does, then the lookups; return for how many.

    Raises SeedMismatchError over another seed's persons.
    """

    def write_chunk(chunk: Sequence[Record], connection: Connection) -> None:
        if chunk[0].number == 1:
            _drop_lookups(connection, lookups)
        write(chunk, connection)

    with _without_collector():
        added = seed_rows(database, table, generator, seed, persons, write_chunk, progress)
    _make_lookups(database, lookups)
    return added


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows by COPY where there is one, else by one prepared statement; ids that count up are left out."""
    if not rows:
        return
    columns = [column.name for column in table.columns if column is not table.autoincrement_column]
    names = ", ".join(columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in columns)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _drop_lookups(connection: Connection, lookups: Lookups) -> None:
    for index in lookups:
        index.drop(connection, checkfirst=True)


def _make_lookups(database: Database, lookups: Lookups) -> None:
    """Make the lookups that are missing, one transaction each."""
    with database.reading() as connection:
        known = inspect(connection)
        there = {found["name"] for table in known.get_table_names() for found in known.get_indexes(table)}
    missing = [index for index in lookups if index.name not in there]
    for index in missing:
        with database.transaction() as connection, _room_to_sort(connection):
            index.create(connection, checkfirst=True)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Persons and rows make no cycles: looking for some would take a tenth of the time."""
    usual = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if usual:
            gc.enable()


@contextmanager
def _room_to_sort(connection: Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    usual = connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    connection.exec_driver_sql(f"PRAGMA cache_size = -{SORTING_KIB}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA cache_size = {usual}")

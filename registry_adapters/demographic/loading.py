"""Many rows at once: by the driver's own means, and with the lookups made when the rows are there.

An index that grows with its table in no order costs more than one that is sorted once. A load that
was killed leaves some out; `make_lookups` makes what is missing at the next start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Table, inspect

from gateway.runtime.database import Database
from registry_adapters.demographic.tables import LOOKUPS

SORTING_KIB: Final = 64 * 1024  # memory SQLite sorts an index in, and no other connection has

Rows = Sequence[tuple[Any, ...]]  # in the order of the table's columns; dates as ISO texts


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows by COPY where there is one, else by one prepared statement."""
    if not rows:
        return
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in table.columns)
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def drop_lookups(connection: Connection) -> None:
    """Take the lookups away, before a table that is empty is filled."""
    for index in LOOKUPS:
        index.drop(connection, checkfirst=True)


def make_lookups(database: Database) -> None:
    """Make the lookups that are missing, one transaction each."""
    with database.reading() as connection:
        known = inspect(connection)
        there = {found["name"] for table in known.get_table_names() for found in known.get_indexes(table)}
    missing = [index for index in LOOKUPS if index.name not in there]
    for index in missing:
        with database.transaction() as connection, _room_to_sort(connection):
            index.create(connection, checkfirst=True)


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

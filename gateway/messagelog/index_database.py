"""The database of the search index: opened, asked and written, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from gateway.runtime.database import Database, open_database
from gateway.xroad.faults import LoggingUnavailable

SCRIPTS: Final = "gateway.migrations.index"
_CACHE_KIB: Final = 8 * 1024  # of each connection; the rest is the operating system's


def open_index(url: str) -> Database:
    """Return the database of an index; its schema is brought up by whoever indexes first.

    A power loss may take its last moments, never its consistency: they are read from the log again.
    """
    database = open_database(url)
    if database.is_sqlite:
        event.listen(database.engine, "connect", _prepare)
    return database


@contextmanager
def asking(database: Database) -> Iterator[Connection]:
    """Read the index. Raises LoggingUnavailable (index.unusable) when it cannot be read."""
    try:
        with database.reading() as connection:
            yield connection
    except SQLAlchemyError as cause:
        reason = (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0][:200]
        raise LoggingUnavailable("internal_error", "index.unusable", reason=reason) from cause


def run(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> Any:
    """Run a statement in which `?` marks a value."""
    return connection.exec_driver_sql(_spelled(connection, statement), values)


def run_many(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement for each row; no rows, no statement."""
    if rows:
        connection.exec_driver_sql(_spelled(connection, statement), list(rows))


def is_damaged(cause: DatabaseError) -> bool:
    """Tell whether a SQLite file is no longer one, and not merely its disk in trouble."""
    code = getattr(cause.orig, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _spelled(connection: Connection, statement: str) -> str:
    return statement if connection.dialect.name == "sqlite" else statement.replace("?", "%s")


def _prepare(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    finally:
        cursor.close()

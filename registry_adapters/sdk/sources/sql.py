"""A table or view of a database as a source: its columns are read from the database itself.

It is only read, by a connection that cannot write where the database knows such (SQLite, PostgreSQL).
Values travel as bound parameters. A query that takes too long is ended, and then, as when the database
does not answer, the registry says that it is unavailable.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, MetaData, Table, event, func, select
from sqlalchemy import types as sql_types
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from registry_adapters.sdk.errors import UnavailableError
from registry_adapters.sdk.fields import MAX_LENGTH, describe
from registry_adapters.sdk.sources.answers import value_of
from registry_adapters.sdk.sources.base import (
    Column,
    Page,
    SourceError,
    check_key,
    make_record,
    name_columns,
    plain_fields,
)
from registry_adapters.sdk.sources.cells import MAX_CELL_LENGTH

_log: Final = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
CONNECTIONS: Final = 8  # as many as the registry has threads
_STEPS: Final = 20_000  # of SQLite's machine between two looks at the clock

# Which field a column makes, the special types before the general ones. SQLite views have columns of no type.
_KINDS: Final[tuple[tuple[type[sql_types.TypeEngine[Any]], type], ...]] = (
    (sql_types.Boolean, bool),
    (sql_types.Integer, int),
    (sql_types.Numeric, Decimal),
    (sql_types.DateTime, datetime),
    (sql_types.Date, date),
    (sql_types.LargeBinary, bytes),
    (sql_types.String, str),
    (sql_types.Uuid, str),
    (sql_types.NullType, str),
)
_CASTS: Final[Mapping[type, sql_types.TypeEngine[Any]]] = {
    str: sql_types.String(),
    int: sql_types.BigInteger(),
    Decimal: sql_types.Numeric(),
}
_DATES: Final[Mapping[type, sql_types.TypeEngine[Any]]] = {
    bool: sql_types.Boolean(),
    date: sql_types.Date(),
    datetime: sql_types.DateTime(),
}


class SqlTable:
    """The records of a table or view, `kennels` or `schema.kennels`, of the database at `url`.

    `url` is SQLAlchemy's: `sqlite:////path/file.db`, `postgresql://reader@host/name`. `columns` chooses
    what is shown; without it everything is that has a form outside the database. `names` gives a column
    another field name, `types` says the type of one whose database does not. `record` is a dataclass whose
    fields are the columns to show.
    """

    def __init__(
        self,
        url: str,
        table: str,
        *,
        key: str,
        columns: Sequence[str] | None = None,
        record: type | None = None,
        names: Mapping[str, str] | None = None,
        types: Mapping[str, type] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.key = key
        self.timeout_s = timeout_s
        self._engine = _engine_of(url, timeout_s)
        self._where = f"table {table} of {make_url(url).render_as_string(hide_password=True)}"
        reflected = self._reflect(table)
        chosen = self._chosen(reflected, columns, names or {}, types or {})
        names_there = [column.name for column in chosen]
        check_key(key, names_there, self._where)
        self.record = record or make_record(reflected.name, chosen, key)
        missing = [spec.name for spec in plain_fields(self.record, self._where) if spec.name not in names_there]
        if missing:
            raise SourceError(f"{self._where}: there is no column for {missing[0]}; there are {', '.join(names_there)}")
        self._columns = {column.name: reflected.c[column.said] for column in chosen}
        self._specs = describe(self.record).fields

    def find(self, wanted: Mapping[str, Any], *, limit: int, offset: int = 0) -> Page:
        """Return the records whose fields have these values, ordered by the key; without any, all."""
        conditions = [self._equals(name, value) for name, value in wanted.items()]
        shown = [self._columns[spec.name].label(spec.name) for spec in self._specs]
        query = select(*shown).where(*conditions).order_by(self._columns[self.key]).limit(limit).offset(offset)
        with self._reading() as connection:
            rows = connection.execute(query).all()
            count = offset + len(rows)
            if len(rows) == limit or (offset and not rows):
                counted = select(func.count()).select_from(self._columns[self.key].table).where(*conditions)
                count = connection.execute(counted).scalar_one()
        return Page(count, tuple(self._record_of(row._mapping) for row in rows))

    def samples(self, limit: int) -> Sequence[Any]:
        """Return the first records."""
        return self.find({}, limit=limit).records

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _equals(self, name: str, value: Any) -> Any:
        column = self._columns[name]
        wanted = str(value.value) if isinstance(value, Enum) else value
        if type(wanted) is _kind_of(column.type) and not isinstance(column.type, sql_types.NullType | sql_types.Uuid):
            return column == wanted
        cast = _CASTS.get(type(wanted))  # the declaration knows better than the database
        return (
            sqlalchemy.cast(column, cast) if cast else sqlalchemy.type_coerce(column, _DATES[type(wanted)])
        ) == wanted

    def _reflect(self, table: str) -> Table:
        schema, _, name = table.rpartition(".")
        try:
            return Table(name, MetaData(), schema=schema or None, autoload_with=self._engine, resolve_fks=False)
        except NoSuchTableError as cause:
            raise SourceError(f"{self._where}: there is no such table or view, or no right to read it") from cause
        except SQLAlchemyError as cause:
            raise SourceError(f"{self._where}: {_reason(cause)}; check URL, network and right to read") from cause

    def _chosen(
        self, table: Table, columns: Sequence[str] | None, names: Mapping[str, str], types: Mapping[str, type]
    ) -> list[Column]:
        there = [column.name for column in table.columns]
        said = list(columns) if columns is not None else [name for name in there if _kind_of(table.c[name].type)]
        for name in said:
            if name not in there:
                raise SourceError(f"{self._where}: there is no column {name!r}; there are {', '.join(there)}")
            if _kind_of(table.c[name].type) is None:
                raise SourceError(f"{self._where}: column {name} of type {table.c[name].type} has no form outside")
        fields = dict(zip(said, name_columns(said, names, self._where), strict=True))
        unknown = sorted(set(types) - set(fields.values()))
        if unknown:
            raise SourceError(f"{self._where}: types says {unknown[0]!r}, which is no field of {', '.join(said)}")
        return [_column_of(table.c[name], field, types.get(field)) for name, field in fields.items()]

    def _record_of(self, row: Mapping[Any, Any]) -> Any:
        try:
            return self.record(**{spec.name: value_of(spec, row[spec.name]) for spec in self._specs})
        except ValueError as cause:
            _log.error("a row cannot be shown", extra={"source": self._where, "reason": str(cause)})
            raise UnavailableError("registry.source_unusable") from cause

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                if self._engine.dialect.name == "sqlite":
                    _limit_sqlite(connection, self.timeout_s)
                yield connection
        except (SQLAlchemyError, ValueError) as cause:  # ValueError: SQLite held what its column's type is not
            reason = _reason(cause) if isinstance(cause, SQLAlchemyError) else type(cause).__name__
            _log.error("the database failed", extra={"source": self._where, "reason": reason})
            raise UnavailableError("registry.source_unavailable") from cause


def _engine_of(url: str, timeout_s: float) -> Engine:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            return _sqlite_engine(parsed, timeout_s)
        if backend in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
            milliseconds = round(timeout_s * 1000)
            options = f"-c default_transaction_read_only=on -c statement_timeout={milliseconds}"
            arguments: dict[str, Any] = {"connect_timeout": max(2, round(timeout_s)), "options": options}
        else:
            arguments = {}
        pool = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": timeout_s, "pool_pre_ping": True}
        return sqlalchemy.create_engine(parsed, connect_args=arguments, **pool)
    except (ArgumentError, NoSuchModuleError) as cause:
        raise SourceError("a database URL looks like sqlite:////path/file.db or postgresql://host/name") from cause
    except ImportError as cause:
        raise SourceError(f"the driver for {backend} is not installed: {cause.name}") from cause


def _sqlite_engine(url: URL, timeout_s: float) -> Engine:
    path = Path(url.database or "")
    if not path.is_file():
        raise SourceError(f"{path.absolute()}: there is no such SQLite file")
    read_only = URL.create("sqlite", database=f"file:{path.absolute()}", query={"mode": "ro", "uri": "true"})
    engine = sqlalchemy.create_engine(
        read_only,
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=timeout_s,
        connect_args={"timeout": timeout_s, "check_same_thread": False},
    )
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only=ON"))
    return engine


def _limit_sqlite(connection: Connection, timeout_s: float) -> None:
    """Have SQLite end what runs longer; it has no such setting of its own."""
    end = time.monotonic() + timeout_s
    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)


def _kind_of(column_type: sql_types.TypeEngine[Any]) -> type | None:
    """Return the type of a column's field; None when it has no form outside the database."""
    kind = next((kind for sql_type, kind in _KINDS if isinstance(column_type, sql_type)), None)
    return None if kind is bytes else kind


def _column_of(column: sqlalchemy.Column[Any], name: str, kind: type | None) -> Column:
    found = kind or _kind_of(column.type) or str
    length = getattr(column.type, "length", None) if found is str else None
    return Column(
        said=column.name,
        name=name,
        kind=found,
        doc=column.comment or "",
        max_length=length or (MAX_CELL_LENGTH if found is str else MAX_LENGTH),
    )


def _reason(cause: BaseException) -> str:
    """Return the driver's own words without the statement, which may hold values."""
    return str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0][:300]

"""Databases: one engine per file or server, transactions as a `with` block, migrations at start.

SQLite runs with a write-ahead log and `synchronous=FULL`: NORMAL would lose acknowledged commits on
power loss. A transaction that may write takes the write lock at once (BEGIN IMMEDIATE), so two
writers queue instead of deadlocking; `reading()` never waits for a writer. PostgreSQL is spoken
through psycopg 3. Schemas live as Alembic scripts inside the packages and need no alembic.ini.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, MetaData, event, inspect
from sqlalchemy.engine import URL, make_url

BUSY_TIMEOUT_S: Final = 10.0
_READ_ONLY: Final = "surma_read_only"
_MIGRATION_LOCK: Final = 0x53_55_52_4D_41  # "SURMA": the advisory lock PostgreSQL migrations queue on

_REVISION: Final = re.compile(r"""^revision(?:\s*:[^=]+)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)
_DOWN_REVISION: Final = re.compile(r"""^down_revision(?:\s*:[^=]+)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)

# Alembic's `context` is one per process; two threads must not run it at the same time.
_alembic = threading.Lock()


@dataclass(frozen=True, slots=True)
class Database:
    """An engine with the two ways to use it."""

    engine: Engine

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def driver(self) -> Any:
        """The driver's module, for its exceptions (PEP 249): sqlite3 or psycopg, of which only one is imported."""
        return self.engine.dialect.loaded_dbapi

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(str(self.engine.url.database)) if self.is_sqlite else None

    def transaction(self) -> AbstractContextManager[Connection]:
        """Open a transaction that may write: committed at the end of the block, rolled back on an exception."""
        return self.engine.begin()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads and never waits for a writer."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(**{_READ_ONLY: True})
            with connection.begin() as transaction:
                yield connection
                transaction.rollback()

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


def open_database(url: str, *, pool_size: int = 5) -> Database:
    """Return the database at `url`: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    The parent folder of a SQLite file is made. Nothing is connected yet; raises ValueError for a URL
    that cannot be used.
    """
    parsed = _driver_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_sqlite_engine(parsed, pool_size))
    return Database(
        sqlalchemy.create_engine(
            parsed, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, hide_parameters=True
        )
    )


def _driver_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as cause:
        raise ValueError("a database URL looks like sqlite:////path/file.db or postgresql://host/name") from cause
    backend = parsed.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ValueError(f"database {backend} is not supported; use sqlite or postgresql")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("a SQLite database needs a file: sqlite:////path/file.db")
    return parsed


def _sqlite_engine(url: URL, pool_size: int) -> Engine:
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        hide_parameters=True,  # they are facts about people, and errors are logged
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def migrate(database: Database, scripts: str | Path) -> None:
    """Bring the schema to the newest revision; `scripts` is a package (`gateway.migrations.x`) or its folder.

    Several stores may share a database: each keeps its revision in `alembic_version_<last name>`.
    Programs that start at the same time wait for each other, and find the work done.
    """
    if isinstance(scripts, str):
        with resources.as_file(resources.files(scripts)) as folder:
            _upgrade(database, folder)
    else:
        _upgrade(database, scripts)


def _upgrade(database: Database, folder: Path) -> None:
    if not (folder / "env.py").is_file():
        raise ValueError(f"{folder} holds no Alembic environment (env.py)")
    if _is_current(database, folder):
        return
    import alembic.command  # ten megabytes that a process which migrates nothing does without
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with _alembic, database.transaction() as connection:
        if not database.is_sqlite:  # SQLite's BEGIN IMMEDIATE is such a lock already
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        config.attributes["version_table"] = _version_table(folder)
        alembic.command.upgrade(config, "head")


def _version_table(folder: Path) -> str:
    return f"alembic_version_{folder.name}"


def _is_current(database: Database, folder: Path) -> bool:
    """Tell whether the schema is at the newest revision that the scripts hold."""
    with database.reading() as connection:
        if not inspect(connection).has_table(_version_table(folder)):
            return False
        revision = connection.exec_driver_sql(f"SELECT version_num FROM {_version_table(folder)}").scalar()  # noqa: S608
    return revision is not None and revision == _newest_revision(folder)


def _newest_revision(folder: Path) -> str | None:
    """Return the one revision that no other follows; None when the scripts do not tell."""
    scripts = [path.read_text(encoding="utf-8") for path in (folder / "versions").glob("*.py")]
    revisions = {found[1] for text in scripts if (found := _REVISION.search(text))}
    followed = {found[1] for text in scripts if (found := _DOWN_REVISION.search(text))}
    heads = revisions - followed
    return heads.pop() if len(heads) == 1 else None


def run_migrations(metadata: MetaData | None = None) -> None:
    """Run the revisions on the connection `migrate` opened: all that an `env.py` has to call."""
    from alembic import context as alembic_context

    attributes = alembic_context.config.attributes
    alembic_context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table=attributes["version_table"],
        transactional_ddl=True,  # SQLite can, once the driver leaves transactions alone
        render_as_batch=True,
    )
    with alembic_context.begin_transaction():
        alembic_context.run_migrations()

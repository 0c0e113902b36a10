from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from gateway.runtime.database import Database, migrate, open_database

REVISION = """
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

from alembic import op
import sqlalchemy as sa


def upgrade():
    op.create_table("thing", sa.Column("name", sa.Text, primary_key=True))
    op.execute("INSERT INTO thing VALUES ('first')")
    {extra}
"""

ENVIRONMENT = "from gateway.runtime.database import run_migrations\nrun_migrations()\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    return make_scripts(tmp_path / "things")


def make_scripts(folder: Path, extra: str = "") -> Path:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENVIRONMENT)
    (folder / "versions" / "0001_first.py").write_text(REVISION.replace("{extra}", extra))
    return folder


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row.name for row in connection.exec_driver_sql("SELECT name FROM thing ORDER BY name")]


def test_migrating_makes_the_schema(database: Database, scripts: Path) -> None:
    migrate(database, scripts)
    assert names(database) == ["first"]


def test_migrating_again_changes_nothing(database: Database, scripts: Path) -> None:
    migrate(database, scripts)
    migrate(database, scripts)
    assert names(database) == ["first"]


def test_programs_that_start_together_migrate_once(database_url: str, scripts: Path) -> None:
    databases = [open_database(database_url) for _ in range(4)]
    threads = [threading.Thread(target=migrate, args=(database, scripts)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(databases[0]) == ["first"]
    for database in databases:
        database.close()


def test_failed_migration_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    broken = make_scripts(tmp_path / "broken", extra='raise RuntimeError("half way")')
    with pytest.raises(RuntimeError, match="half way"):
        migrate(database, broken)
    assert inspect(database.engine).get_table_names() == []


def test_two_stores_share_a_database(database: Database, tmp_path: Path) -> None:
    migrate(database, make_scripts(tmp_path / "one"))
    other = make_scripts(tmp_path / "two")
    version = other / "versions" / "0001_first.py"
    version.write_text(version.read_text().replace("thing", "other"))
    migrate(database, other)
    tables = set(inspect(database.engine).get_table_names())
    assert {"thing", "other", "alembic_version_one", "alembic_version_two"} <= tables


def test_folder_without_environment_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"env\.py"):
        migrate(database, tmp_path)


def test_transaction_is_rolled_back_by_an_exception(database: Database, scripts: Path) -> None:
    migrate(database, scripts)
    with contextlib.suppress(ZeroDivisionError), database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES ('second')")
        raise ZeroDivisionError
    assert names(database) == ["first"]


def test_reader_does_not_wait_for_a_writer(database: Database, scripts: Path) -> None:
    migrate(database, scripts)
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES ('second')")
        assert names(database) == ["first"]
    assert names(database) == ["first", "second"]


def test_writers_queue_and_lose_no_update(database: Database, scripts: Path) -> None:
    migrate(database, scripts)

    def add(number: int) -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql(f"INSERT INTO thing VALUES ('n{number}')")

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 9


def test_sqlite_is_durable_and_keeps_foreign_keys(sqlite_database: Database) -> None:
    with sqlite_database.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "nonsense"])
def test_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        open_database(url)


def test_database_at_the_newest_revision_is_not_migrated_again(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from gateway.runtime.database import migrate, open_database\n"
        f"database = open_database('sqlite:///{tmp_path}/x.db')\n"
        "migrate(database, 'gateway.migrations.serverconf')\n"
        "print('alembic' in sys.modules)\n"
    )
    said = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]


def test_error_of_a_statement_holds_no_values(database: Database, scripts: Path) -> None:
    migrate(database, scripts)
    with pytest.raises(DBAPIError) as refused, database.transaction() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:code)"), {"code": "3347300028"})
    assert "3347300028" not in str(refused.value)

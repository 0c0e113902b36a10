"""The schemas that the migrations make are those of the tables."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from gateway.runtime.database import Database, migrate
from registry_adapters.crosscheck import tables as crosscheck
from registry_adapters.simulators import tables as simulators


@pytest.mark.parametrize(
    ("package", "metadata"), [("simulators", simulators.metadata), ("crosscheck", crosscheck.metadata)]
)
def test_schema_of_the_migrations_is_that_of_the_tables(database: Database, package: str, metadata: MetaData) -> None:
    migrate(database, f"registry_adapters.migrations.{package}")
    version_table = f"alembic_version_{package}"
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": version_table, "compare_type": True})
        assert compare_metadata(context, metadata) == []

"""The revisions make exactly the tables that the code speaks of."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.runtime.database import Database, migrate
from registry_adapters.cadastre.tables import metadata


def test_revisions_lead_to_the_tables(database: Database) -> None:
    migrate(database, "registry_adapters.migrations.cadastre")
    with database.reading() as connection:
        options = {"version_table": "alembic_version_cadastre"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []

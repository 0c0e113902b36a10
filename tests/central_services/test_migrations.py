"""The revisions make exactly the tables that the code speaks of."""

from __future__ import annotations

from types import ModuleType

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import central_services.configuration_source.tables
import central_services.management.tables
import central_services.registry.tables
import central_services.trust.tables
import gateway.runtime.accounts.tables
from gateway.runtime.database import Database, migrate

STORES = {
    "central_services.migrations.registry": central_services.registry.tables,
    "central_services.migrations.management": central_services.management.tables,
    "central_services.migrations.configuration_source": central_services.configuration_source.tables,
    "central_services.migrations.trust": central_services.trust.tables,
    "gateway.runtime.migrations.accounts": gateway.runtime.accounts.tables,
}


@pytest.mark.parametrize(("scripts", "tables"), STORES.items(), ids=[name.rpartition(".")[2] for name in STORES])
def test_revisions_lead_to_the_tables(database: Database, scripts: str, tables: ModuleType) -> None:
    migrate(database, scripts)
    version = f"alembic_version_{scripts.rpartition('.')[2]}"
    with database.reading() as tx:
        context = MigrationContext.configure(tx, opts={"version_table": version})
        assert compare_metadata(context, tables.metadata) == []
        constraints = inspect(tx)
        for table in tables.metadata.tables.values():
            declared = [item for item in table.constraints if type(item).__name__ == "CheckConstraint"]
            assert len(constraints.get_check_constraints(table.name)) == len(declared)


def test_all_stores_share_one_database(database: Database) -> None:
    for scripts in STORES:
        migrate(database, scripts)
    with database.reading() as tx:
        assert len(inspect(tx).get_table_names()) == len(STORES) + sum(
            len(tables.metadata.tables) for tables in STORES.values()
        )

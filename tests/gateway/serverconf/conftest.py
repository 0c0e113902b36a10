"""The store of either kind, and a filled one."""

from __future__ import annotations

import pytest

from gateway.runtime.database import Database, migrate


@pytest.fixture
def migrated(database: Database) -> Database:
    """An empty configuration in a database of either kind, made by its migrations."""
    migrate(database, "gateway.migrations.serverconf")
    return database

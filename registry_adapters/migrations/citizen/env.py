"""Alembic environment of the citizen's pages."""

from gateway.runtime.database import run_migrations
from registry_adapters.citizen.tables import metadata

run_migrations(metadata)

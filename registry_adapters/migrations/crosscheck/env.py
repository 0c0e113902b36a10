"""Alembic environment of the cross-check service."""

from gateway.runtime.database import run_migrations
from registry_adapters.crosscheck.tables import metadata

run_migrations(metadata)

"""Alembic environment of the counter."""

from gateway.runtime.database import run_migrations
from registry_adapters.snap.tables import metadata

run_migrations(metadata)

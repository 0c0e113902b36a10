"""Alembic environment of the demographic registry."""

from gateway.runtime.database import run_migrations
from registry_adapters.demographic.tables import metadata

run_migrations(metadata)

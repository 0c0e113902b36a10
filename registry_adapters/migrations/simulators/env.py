"""Alembic environment of a simulator."""

from gateway.runtime.database import run_migrations
from registry_adapters.simulators.tables import metadata

run_migrations(metadata)

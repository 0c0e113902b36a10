"""Alembic environment of the tax registry."""

from gateway.runtime.database import run_migrations
from registry_adapters.tax.tables import metadata

run_migrations(metadata)

"""Alembic environment of the land cadastre."""

from gateway.runtime.database import run_migrations
from registry_adapters.cadastre.tables import metadata

run_migrations(metadata)

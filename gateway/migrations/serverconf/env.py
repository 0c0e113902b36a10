"""Alembic environment of this server's configuration tables."""

from gateway.runtime.database import run_migrations
from gateway.serverconf.tables import metadata

run_migrations(metadata)

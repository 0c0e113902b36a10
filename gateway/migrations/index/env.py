"""Alembic environment of the search index."""

from gateway.messagelog.index_tables import metadata
from gateway.runtime.database import run_migrations

run_migrations(metadata)

"""Alembic's way in; `gateway.runtime.database.migrate` has opened the connection."""

from gateway.messagelog.tables import metadata
from gateway.runtime.database import run_migrations

run_migrations(metadata)

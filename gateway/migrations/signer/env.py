"""Alembic environment of the signer's tables."""

from gateway.runtime.database import run_migrations
from gateway.signer.tables import metadata

run_migrations(metadata)

"""Alembic environment of the access log."""

from gateway.runtime.database import run_migrations
from registry_adapters.sdk.access_log import ACCESS_LOG

run_migrations(ACCESS_LOG.metadata)

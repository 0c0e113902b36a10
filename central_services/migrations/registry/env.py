"""Runs the revisions of this store."""

from __future__ import annotations

from central_services.registry.tables import metadata
from gateway.runtime.database import run_migrations

run_migrations(metadata)

"""Composition of the demographic registry: database, schema, synthetic population, services."""

from __future__ import annotations

from fastapi import FastAPI

from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.database import Database, migrate
from registry_adapters.demographic import rest, soap
from registry_adapters.demographic.seed import Progress, seed_persons
from registry_adapters.demographic.tables import access_log
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.app import Registry, build_app
from registry_adapters.sdk.operations import Runner
from registry_adapters.settings import RegistrySettings

MIGRATIONS = "registry_adapters.migrations.demographic"


def prepare(database: Database, settings: RegistrySettings, progress: Progress | None = None) -> int:
    """Bring the schema up to date and make what is missing of the population; return how many were made."""
    migrate(database, MIGRATIONS)
    return seed_persons(database, settings.seed, settings.persons, progress)


def build(database: Database, settings: RegistrySettings, clock: Clock | None = None) -> FastAPI:
    """Return the application over a prepared database."""
    runner = Runner(database, AccessLog(database, access_log), clock or SystemClock())
    return build_app(
        Registry(
            soap.service,
            rest.service,
            runner,
            language=settings.language,
            public_url=settings.public_url,
            security_servers=frozenset(settings.security_servers),
            max_body_bytes=settings.max_body_bytes,
        )
    )

"""`surma gateway init`: everything a security server needs before it can be configured."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from gateway.paths import StatePaths
from gateway.runtime.accounts import api_keys
from gateway.runtime.clock import SystemClock
from gateway.runtime.database import migrate, open_database
from gateway.runtime.self_signed import ensure_tls_files
from gateway.runtime.settings import load
from gateway.settings import GatewaySettings

ROLES = (
    "XROAD_SYSTEM_ADMINISTRATOR",
    "XROAD_SECURITY_OFFICER",
    "XROAD_REGISTRATION_OFFICER",
    "XROAD_SERVICE_ADMINISTRATOR",
)


def initialise(state: Path, config: Path | None) -> None:
    """Make what is missing; what is there stays, so that a second call changes nothing."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    paths = StatePaths(state, settings)
    paths.make()
    clock = SystemClock()
    names = ["localhost", "127.0.0.1", *([settings.address] if settings.address != "0.0.0.0" else [])]
    ensure_tls_files(paths.tls, "admin", clock.now(), names=names)
    # Information systems and services of the field expect RSA here.
    ensure_tls_files(paths.tls, "internal", clock.now(), names=names, algorithm="RSA")
    database = open_database(paths.database_url)
    try:
        for scripts in paths.migrations:
            migrate(database, scripts)
        if paths.api_key.exists():
            typer.echo(f"{state} is initialised already; its first API key is in {paths.api_key}")
            return
        with database.transaction() as tx:
            _, secret = api_keys.create(tx, ROLES, clock.now())
        api_keys.write_secret(paths.api_key, secret)
    finally:
        database.close()
    typer.echo(f"Initialised {state}. The first API key is in {paths.api_key}, readable by its owner only.")
    typer.echo(f"Next: surma gateway serve --state {state}")

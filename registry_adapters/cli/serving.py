"""What the verbs do: settings, database, population, listener; ended by SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import typer
import uvloop

from gateway.runtime import logs, settings
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from registry_adapters.demographic import app as demographic
from registry_adapters.demographic.seed import SeedMismatchError
from registry_adapters.sdk.app import WORKERS
from registry_adapters.settings import ENVIRONMENT_PREFIX, RegistriesSettings, RegistrySettings

REGISTRIES: Final = {"demographic": demographic}


def settings_of(
    name: str, config: Path | None, environ: Mapping[str, str], changes: Mapping[str, object]
) -> RegistrySettings:
    """Return a registry's settings: defaults, file, environment, then what the command line says."""
    if name not in REGISTRIES:
        raise typer.BadParameter(f"there is no registry {name}; known: {', '.join(REGISTRIES)}")
    try:
        loaded = settings.load(RegistriesSettings, config, environ, prefix=ENVIRONMENT_PREFIX)
        given = {key: value for key, value in changes.items() if value is not None}
        chosen: RegistrySettings = dataclasses.replace(getattr(loaded, name), **given)
        return chosen
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def serve(name: str, chosen: RegistrySettings, state: Path) -> None:
    """Serve until told to stop."""
    logs.configure()
    database = _open(name, chosen, state)
    try:
        _prepare(name, database, chosen)
        uvloop.run(_serve(name, database, chosen))
    except OSError as cause:
        typer.echo(cause.strerror or str(cause), err=True)
        raise typer.Exit(1) from cause
    finally:
        database.close()


def fill(name: str, chosen: RegistrySettings, state: Path) -> None:
    """Make what is missing of the population and say how much that was."""
    database = _open(name, chosen, state)
    try:
        typer.echo(f"registry {name}: {_prepare(name, database, chosen)} persons added, {chosen.persons} wanted")
    finally:
        database.close()


def _open(name: str, chosen: RegistrySettings, state: Path) -> Database:
    try:
        url = chosen.database_url or f"sqlite:///{(state / f'{name}.db').absolute()}"
        return open_database(url, pool_size=WORKERS)
    except ValueError as cause:
        raise typer.BadParameter(str(cause)) from cause


def _prepare(name: str, database: Database, chosen: RegistrySettings) -> int:
    try:
        progress = _show_progress if sys.stderr.isatty() else None
        added: int = REGISTRIES[name].prepare(database, chosen, progress)
        return added
    except SeedMismatchError as cause:
        typer.echo(f"registry {name}: {cause}", err=True)
        raise typer.Exit(1) from cause


def _show_progress(there: int, wanted: int) -> None:
    typer.echo(f"\r{there} of {wanted} persons", err=True, nl=there >= wanted)


async def _serve(name: str, database: Database, chosen: RegistrySettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener(REGISTRIES[name].build(database, chosen), chosen.host, chosen.port, name=f"registry {name}")
    async with ControlServer(listener) as server:
        sys.stdout.write(f"ready registry {name} {server.url}\n")
        sys.stdout.flush()
        await stop.wait()

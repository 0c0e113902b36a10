"""What the verbs of `surma citizen` that serve do."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import typer
import uvloop

from gateway.runtime import logs
from gateway.runtime.control_server import ControlServer, Listener
from registry_adapters.citizen.app import build
from registry_adapters.citizen.store import prepare
from registry_adapters.citizen_identity.app import build_identity
from registry_adapters.citizen_identity.settings import IdentitySettings
from registry_adapters.cli.citizen_people import CitizenFile, open_state


def serve(chosen: CitizenFile, state: Path, changes: Mapping[str, Any], *, with_identity: bool = False) -> None:
    """Serve citizens and holders, and the test identity provider if wanted, until told to stop."""
    logs.configure()
    site_settings = _changed(chosen.site, changes)
    database = open_state(site_settings, state)
    try:
        prepare(database)
        with build(database, site_settings, state) as site:
            citizens = Listener(site.citizens, site_settings.host, site_settings.port, name="citizen")
            holders = Listener(site.holders, site_settings.holders_host, site_settings.holders_port, name="holders")
            _run(citizens, holders, *([_identity(chosen.identity)] if with_identity else []))
    finally:
        database.close()


def serve_identity(chosen: CitizenFile, changes: Mapping[str, Any]) -> None:
    """Serve the test identity provider until told to stop."""
    logs.configure()
    _run(_identity(_changed(chosen.identity, changes)))


def _identity(chosen: IdentitySettings) -> Listener:
    return Listener(build_identity(chosen), chosen.host, chosen.port, name="identity")


def _changed(chosen: Any, changes: Mapping[str, Any]) -> Any:
    return dataclasses.replace(chosen, **{name: value for name, value in changes.items() if value is not None})


def _run(*listeners: Listener) -> None:
    try:
        uvloop.run(_serve(listeners))
    except OSError as cause:
        typer.echo(cause.strerror or str(cause), err=True)
        raise typer.Exit(1) from cause


async def _serve(listeners: tuple[Listener, ...]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as servers:
        for listener in listeners:
            server = await servers.enter_async_context(ControlServer(listener))
            sys.stdout.write(f"ready {listener.name} {server.url}\n")
        sys.stdout.flush()
        await stop.wait()

"""`surma gateway login`: the PIN typed at a prompt and handed to the running security server over its admin API."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import httpx
import typer

from gateway.paths import StatePaths
from gateway.runtime.admin_client import AdminApi, AdminRequestFailed
from gateway.runtime.private_files import read_private
from gateway.runtime.settings import load
from gateway.settings import GatewaySettings


def run(state: Path, config: Path | None) -> None:
    """Ask for the PIN and log in; exit 1 when the server refuses it or does not answer."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    paths = StatePaths(state, settings)
    try:
        key = read_private(paths.api_key)
    except (OSError, ValueError) as cause:
        typer.echo(f"{paths.api_key} cannot be read: {cause}. Was surma gateway init run here?", err=True)
        raise typer.Exit(1) from cause
    address = "127.0.0.1" if settings.address in ("0.0.0.0", "::", "") else settings.address
    pin = typer.prompt("PIN of the software token", hide_input=True)
    try:
        asyncio.run(_login(AdminApi(f"https://{address}:{settings.admin.port}", paths.tls / "admin.crt", key), pin))
    except (AdminRequestFailed, httpx.HTTPError) as failure:
        typer.echo(f"The token stays locked: {failure}", err=True)
        raise typer.Exit(1) from failure
    typer.echo("The token is open.")


async def _login(api: AdminApi, pin: str) -> None:
    try:
        await api.put("/tokens/0/login", {"password": pin})
    finally:
        await api.close()

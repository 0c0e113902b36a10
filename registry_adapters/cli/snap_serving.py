"""What the verbs of `surma snap` that serve and check do."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from pathlib import Path
from typing import Final

import typer
import uvloop

from gateway.runtime import logs, texts
from gateway.runtime.clock import SystemClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.self_signed import ensure_tls_files, server_context
from registry_adapters.settings import STATE_MODE
from registry_adapters.snap.app import Site, built
from registry_adapters.snap.recipes import RecipeError, labels_missing, load_recipes
from registry_adapters.snap.settings import SnapSettings

EXIT_REFUSED: Final = 1


def serve(chosen: SnapSettings, state: Path) -> None:
    """Serve until told to stop."""
    logs.configure()
    state.mkdir(parents=True, exist_ok=True, mode=STATE_MODE)
    try:
        with built(chosen, state) as site:
            uvloop.run(_serve(site, chosen, _context(chosen, state)))
    except (OSError, ValueError) as cause:
        typer.echo(str(cause), err=True)
        raise typer.Exit(EXIT_REFUSED) from cause


def _context(chosen: SnapSettings, state: Path) -> ssl.SSLContext | None:
    listen = chosen.listen
    if not listen.tls:
        return None
    if listen.certificate is not None and listen.key is not None:
        return server_context(listen.certificate, listen.key)
    names = ["localhost", "127.0.0.1", *([] if listen.host in ("0.0.0.0", "::", "") else [listen.host])]
    return server_context(*ensure_tls_files(state / "tls", "snap", SystemClock().now(), names=names))


async def _serve(site: Site, chosen: SnapSettings, context: ssl.SSLContext | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener(site.app, chosen.listen.host, chosen.listen.port, context, name="snap")
    async with ControlServer(listener) as server:
        sys.stdout.write(f"ready snap {server.url}\n")
        sys.stdout.flush()
        await stop.wait()


def check_recipes(folder: Path | None) -> None:
    """Say what is wrong with recipes, or how many are right."""
    texts.register("registry_adapters")
    try:
        recipes = load_recipes(folder)
    except RecipeError as cause:
        typer.echo(str(cause), err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    unnamed = [f"{recipe.id}: no text {name}" for recipe in recipes.values() for name in labels_missing(recipe)]
    for line in unnamed:
        typer.echo(line, err=True)
    if unnamed or not recipes:
        raise typer.Exit(EXIT_REFUSED)
    for recipe in recipes.values():
        typer.echo(f"{recipe.id}: {len(recipe.fields)} fields, {len(recipe.legs)} questions to registries")

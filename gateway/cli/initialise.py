"""`surma gateway init`: everything a security server needs before it can be configured."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from gateway.initialisation import initialise
from gateway.paths import StatePaths
from gateway.runtime.clock import SystemClock
from gateway.runtime.settings import load
from gateway.settings import GatewaySettings


def run(state: Path, config: Path | None) -> None:
    """Initialise a state directory and say where the first API key is."""
    paths = StatePaths(state, load(GatewaySettings, config, os.environ, prefix="GATEWAY"))
    if initialise(paths, SystemClock()):
        typer.echo(f"Initialised {state}. The first API key is in {paths.api_key}, readable by its owner only.")
        typer.echo(f"Next: surma gateway serve --state {state}")
    else:
        typer.echo(f"{state} is initialised already; its first API key is in {paths.api_key}")

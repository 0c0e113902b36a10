"""`surma central init`."""

from __future__ import annotations

from pathlib import Path

import typer

from central_services.cli.process import read_settings
from central_services.state import StateDirectory, open_state
from gateway.runtime import texts
from gateway.runtime.clock import SystemClock


def run(state: Path, config: Path | None) -> None:
    """Make the state directory and say where the first API key is."""
    directory = StateDirectory(state)
    database, made = open_state(directory, read_settings(config), SystemClock().now)
    database.close()
    text_id = "central.state_made" if made else "central.state_found"
    typer.echo(texts.render(text_id, {"state": state, "file": directory.api_key_file}))

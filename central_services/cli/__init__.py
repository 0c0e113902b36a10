"""`surma central`: init, serve, trust. Each verb's module is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Central services: registry, signed configuration, trust services for tests.")

State = Annotated[Path, typer.Option("--state", help="Directory that holds everything.", envvar="CENTRAL_STATE")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings in TOML.", exists=True, dir_okay=False)]
ReadyFd = Annotated[int, typer.Option("--ready-fd", help="Where the line of JSON goes that says it is ready.")]


@app.command()
def init(state: State, config: Config = None) -> None:
    """Make the state directory: database, TLS keys and the first API key."""
    from central_services.cli.init import run

    run(state, config)


@app.command()
def serve(state: State, config: Config = None, ready_fd: ReadyFd = 1) -> None:
    """Serve the admin API and the signed configuration."""
    from central_services.cli.serve import run

    run(state, config, ready_fd)


@app.command()
def trust(state: State, config: Config = None, ready_fd: ReadyFd = 1) -> None:
    """Serve the CA, OCSP responder and time-stamping authority for tests; never for production."""
    from central_services.cli.trust import run

    run(state, config, ready_fd)

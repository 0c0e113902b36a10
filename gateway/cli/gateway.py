"""`surma gateway …`: prepare and run a security server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="A security server: prepare it, run it, look at its message log.", no_args_is_help=True)

State = Annotated[Path, typer.Option("--state", help="Directory that holds everything this server keeps.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); the environment overrides it.")]


@app.command("init")
def init(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
) -> None:
    """Create the state directory: database, TLS certificates and the first API key."""
    from gateway.cli.initialise import run

    run(state, config)


@app.command("serve")
def serve(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
) -> None:
    """Run the security server until it is told to stop."""
    from gateway.main import run

    run(state, config)


@app.command("login")
def login(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
) -> None:
    """Type the PIN of the software token, so that a running security server can use its keys."""
    from gateway.cli.login import run

    run(state, config)


log_app = typer.Typer(help="The message log.", no_args_is_help=True)
app.add_typer(log_app, name="log")


@log_app.command("check")
def log_check(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk sequence numbers and predecessor hashes of the whole message log; exit 1 at the first break."""
    from gateway.cli.log_check import check

    check(state, config, as_json=as_json)

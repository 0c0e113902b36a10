"""`surma registry`: run a registry, or fill its database beforehand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Registries behind the gateway.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Which registry: demographic.")]
State = Annotated[Path, typer.Option("--state", help="Folder of the SQLite database.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database", help="sqlite:////path/file.db or postgresql://user@host/name.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="registries.toml.", exists=True, dir_okay=False)]
Persons = Annotated[int | None, typer.Option("--persons", min=0, help="How many synthetic persons there shall be.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Which synthetic persons: the same number, the same people.")]


@app.command()
def serve(
    name: Name,
    state: State = Path("state"),
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free port.")] = None,
    database: DatabaseUrl = None,
    persons: Persons = None,
    seed: Seed = None,
    config: ConfigFile = None,
) -> None:
    """Serve a registry; prints one line when it takes requests."""
    from registry_adapters.cli import serving

    changes = {"host": host, "port": port, "database_url": database, "persons": persons, "seed": seed}
    serving.serve(name, serving.settings_of(name, config, os.environ, changes), state)


@app.command("seed")
def seed_command(
    name: Name,
    state: State = Path("state"),
    database: DatabaseUrl = None,
    persons: Persons = None,
    seed: Seed = None,
    config: ConfigFile = None,
) -> None:
    """Make the synthetic persons of a registry and stop; what is there already stays."""
    from registry_adapters.cli import serving

    changes = {"database_url": database, "persons": persons, "seed": seed}
    serving.fill(name, serving.settings_of(name, config, os.environ, changes), state)

"""`surma registry`: make, try, run and publish a registry, or fill its database beforehand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Registries behind the gateway.", no_args_is_help=True)

KNOWN = "demographic, cadastre, tax, civil_status, business, property_rights, displaced, crosscheck"
Name = Annotated[str, typer.Argument(help=f"Which registry: {KNOWN}.")]
Names = Annotated[
    list[str], typer.Argument(help=f"Which registries, in one process: {KNOWN}; or a Python file that declares one.")
]
State = Annotated[Path, typer.Option("--state", help="Folder of the SQLite database.")]
DatabaseUrl = Annotated[
    str | None, typer.Option("--database", help="sqlite:////path/file.db or postgresql://user@host/name.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="registries.toml.", exists=True, dir_okay=False)]
Persons = Annotated[int | None, typer.Option("--persons", min=0, help="How many synthetic persons there shall be.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Which synthetic persons: the same number, the same people.")]


@app.command()
def serve(
    names: Names,
    state: State = Path("state"),
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free port.")] = None,
    database: DatabaseUrl = None,
    persons: Persons = None,
    seed: Seed = None,
    config: ConfigFile = None,
) -> None:
    """Serve registries; prints a line for each when they take requests."""
    from registry_adapters.cli import serving

    changes = {"host": host, "port": port, "database_url": database, "persons": persons, "seed": seed}
    if len(names) > 1 and (port is not None or database is not None):
        raise typer.BadParameter("--port and --database are for one registry; several take theirs from the settings")
    serving.serve({name: serving.settings_of(name, config, os.environ, changes) for name in names}, state)


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


@app.command("new")
def new_command(
    name: Annotated[str, typer.Argument(help="Name of the registry, such as dog-kennels.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", "--excel", help="CSV or Excel file with the records.", exists=True)
    ] = None,
    sql: Annotated[str | None, typer.Option("--sql", help="URL of a database with the records.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="Table or view of that database.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Field that names a record.")] = None,
    folder: Annotated[Path | None, typer.Option("--into", help="Folder to make; by default the name.")] = None,
) -> None:
    """Make a folder with a registry over a file or a table."""
    from registry_adapters.cli import new

    for line in new.new(name, folder or Path(name), file=csv, url=sql, table=table, key=key):
        typer.echo(line)


@app.command("check")
def check_command(
    name: Annotated[str, typer.Argument(help=f"A Python file that declares a registry, or one of: {KNOWN}.")],
    config: ConfigFile = None,
) -> None:
    """Try everything a registry declares, in both its forms."""
    from registry_adapters.cli import checking, serving

    chosen = serving.settings_of(name, config, os.environ, {})
    checking.check(serving.load_registry(name, chosen), chosen)


@app.command("publish")
def publish_command(
    server: Annotated[str, typer.Option("--server", help="Admin API of the security server: https://host:4000.")],
    api_key_file: Annotated[Path, typer.Option("--api-key-file", help="File with an API key, readable by its owner.")],
    ca: Annotated[Path, typer.Option("--ca", help="Certificate of the admin API.")],
    client: Annotated[str, typer.Option("--client", help="Whose services: GOV/10000002/DEMOGRAPHIC.")],
    url: Annotated[str, typer.Option("--url", help="The registry as the security server reaches it.")],
    allow: Annotated[list[str] | None, typer.Option("--allow", help="A subsystem that may call; repeatable.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="Code of the REST service; else the registry's name.")
    ] = None,
    moved_from: Annotated[
        str | None, typer.Option("--moved-from", help="The URL it was published with before.")
    ] = None,
) -> None:
    """Publish a registry that runs at a security server; can be repeated."""
    from registry_adapters.cli import publish

    wanted = publish.Publication(client, url, tuple(allow or ()), code, moved_from)
    publish.publish(server, ca, api_key_file, wanted)

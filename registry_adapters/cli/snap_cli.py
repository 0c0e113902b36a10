"""`surma snap`: the counter, who stands at it, which systems may use its composer, and its recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The counter of a service centre.", no_args_is_help=True)
clerks = typer.Typer(help="Who may sign in, and at which centres.", no_args_is_help=True)
recipes_app = typer.Typer(help="Life events.", no_args_is_help=True)
keys = typer.Typer(help="Systems that use the composer.", no_args_is_help=True)
app.add_typer(clerks, name="clerk")
app.add_typer(recipes_app, name="recipes")
app.add_typer(keys, name="key")

State = Annotated[Path, typer.Option("--state", help="Folder of databases, keys and the audit log.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="snap.toml.", exists=True, dir_okay=False)]
Name = Annotated[str, typer.Argument(help="Name to sign in with.")]
Centre = Annotated[str, typer.Argument(help="Code of the centre, such as SN12000007; * for all.")]
Role = Annotated[str, typer.Option("--role", help="CLERK or SENIOR.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File (mode 0600) that holds the password; - for standard input.")
]


@app.command()
def serve(
    state: State = Path("state"),
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="0 takes a free port.")] = None,
    config: ConfigFile = None,
) -> None:
    """Serve the counter; prints one line when it takes requests."""
    from registry_adapters.cli import snap_people, snap_serving

    snap_serving.serve(snap_people.settings_of(config, host=host, port=port), state)


@clerks.command("add")
def add(
    name: Name,
    centre: Centre,
    role: Role = "CLERK",
    password_file: PasswordFile = None,
    state: State = Path("state"),
    config: ConfigFile = None,
) -> None:
    """Let somebody sign in at a centre; without a file a password is made and printed once."""
    from registry_adapters.cli import snap_people

    snap_people.add_clerk(snap_people.settings_of(config), state, name, role, centre, password_file)


@clerks.command("grant")
def grant(
    name: Name, centre: Centre, role: Role = "CLERK", state: State = Path("state"), config: ConfigFile = None
) -> None:
    """Let a clerk work at one more centre."""
    from registry_adapters.cli import snap_people

    snap_people.grant(snap_people.settings_of(config), state, name, role, centre)


@clerks.command("password")
def password(
    name: Name, password_file: PasswordFile = None, state: State = Path("state"), config: ConfigFile = None
) -> None:
    """Give a clerk another password and end every session."""
    from registry_adapters.cli import snap_people

    snap_people.set_password(snap_people.settings_of(config), state, name, password_file)


@keys.command("add")
def add_key(centre: Centre, state: State = Path("state"), config: ConfigFile = None) -> None:
    """Make an API key for the composer and print it once."""
    from registry_adapters.cli import snap_people

    snap_people.add_key(snap_people.settings_of(config), state, centre)


@recipes_app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of recipes; without it those that come along.", file_okay=False)
    ] = None,
) -> None:
    """Check recipes: every reference, every text, no circle; exit status 1 when one cannot be used."""
    from registry_adapters.cli import snap_serving

    snap_serving.check_recipes(folder)

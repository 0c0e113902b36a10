"""`surma citizen`: the citizen's pages, the holders' queue and who answers in it, the test identity provider."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Citizen's view: what was asked about a person.", no_args_is_help=True)

State = Annotated[Path, typer.Option("--state", help="Folder of the SQLite database and of the audit log.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="citizen.toml.", exists=True, dir_okay=False)]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on.")]


@app.command()
def serve(
    state: State = Path("state"),
    host: Host = None,
    port: Port = None,
    config: ConfigFile = None,
    with_identity: Annotated[
        bool, typer.Option("--with-identity", help="The test identity provider too; for demonstrations only.")
    ] = False,
) -> None:
    """Serve the citizen's pages and the holders' queue; prints a line for each when they take requests."""
    from registry_adapters.cli import citizen_people, citizen_serving

    changes = {"host": host, "port": port}
    citizen_serving.serve(citizen_people.settings_of(config), state, changes, with_identity=with_identity)


@app.command()
def identity(host: Host = None, port: Port = None, config: ConfigFile = None) -> None:
    """Serve the test identity provider, which lets anybody sign in as anybody listed; for demonstrations only."""
    from registry_adapters.cli import citizen_people, citizen_serving

    citizen_serving.serve_identity(citizen_people.settings_of(config), {"host": host, "port": port})


@app.command()
def holder(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    scope: Annotated[str, typer.Argument(help="Whose queue: INSTANCE/CLASS/CODE, also with /SUBSYSTEM; * for all.")],
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", help="File (mode 0600) that holds the password; - for standard input."),
    ] = None,
    state: State = Path("state"),
    config: ConfigFile = None,
) -> None:
    """Let somebody answer the requests for correction of a holder; without a file a password is made and printed."""
    from registry_adapters.cli import citizen_people

    citizen_people.add_holder(citizen_people.settings_of(config), state, name, scope, password_file)

"""`surma gateway …`: prepare and run a security server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import audit_log, users

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


app.add_typer(users.app, name="user")
app.add_typer(audit_log.app, name="audit-log")

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


@log_app.command("rotate-key")
def log_rotate_key(
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Add a key that encrypts new records of the message log; older ones stay readable with theirs."""
    from gateway.cli.log_keys import rotate

    rotate(config, as_json=as_json)


@log_app.command("reindex")
def log_reindex(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the search index anew from records, refusals and archives; exit 1 when some archive cannot be read."""
    from gateway.cli.log_reindex import reindex

    reindex(state, config, as_json=as_json)


@log_app.command("archive")
def log_archive(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Archive everything that is time-stamped now; exit 1 when something stood in the way."""
    from gateway.cli.archive import archive

    archive(state, config, as_json=as_json)


@log_app.command("checkpoint")
def log_checkpoint(
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output without it.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=1, help="The checkpoint of so many entries.")] = None,
    leaves: Annotated[
        bool, typer.Option("--leaves/--no-leaves", help="With the hashes of its entries, which name a damage exactly.")
    ] = True,
    make: Annotated[bool, typer.Option("--make", help="Have the running server make a new one before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was written as one JSON object.")] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the texts: en or uk.")] = "en",
) -> None:
    """Take the newest checkpoint of the message log away, to be kept where nobody of this server can change it."""
    from gateway.cli.log_checkpoint import checkpoint

    checkpoint(state, config, out=out, size=size, leaves=leaves, make=make, as_json=as_json, language=language)


@log_app.command("completeness")
def log_completeness(
    checkpoints: Annotated[
        list[Path], typer.Option("--checkpoint", help="Checkpoint that was kept outside; more than one narrow places.")
    ],
    state: State = Path("/var/lib/surma/gateway"),
    config: Config = None,
    archives: Annotated[
        str | None, typer.Option("--archives", help="Folder or s3:// place that holds every archive.")
    ] = None,
    secret_key: Annotated[
        list[Path] | None, typer.Option("--secret-key", help="OpenPGP secret key that opens encrypted archives.")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option("--passphrase-file", help="File (mode 0600) with the passphrase of the key.")
    ] = None,
    conf: Annotated[Path | None, typer.Option("--conf", help="Folder or zip from /verificationconf.")] = None,
    history: Annotated[Path | None, typer.Option("--history", help="Configuration history of a server.")] = None,
    anchor: Annotated[Path | None, typer.Option("--anchor", help="Anchor that proves the history.")] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Count encrypted messages instead of opening them.")
    ] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Verify every signature and time-stamp, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    language: Annotated[str, typer.Option("--language", help="Language of the texts: en or uk.")] = "en",
) -> None:
    """Compare the message log with checkpoints kept outside: 0 complete, 1 not, 2 cannot tell."""
    from gateway.cli.log_completeness import Asked, completeness

    asked = Asked(
        checkpoints=checkpoints,
        archives=archives,
        secret_keys=secret_key or (),
        passphrase_file=passphrase_file,
        conf=conf,
        history=history,
        anchor=anchor,
        without_keys=without_keys,
        deep=deep,
    )
    completeness(state, config, asked, as_json=as_json, language=language)

"""`surma`: the one command; its groups are entry points, so no package imports another.

Every verb lies in a module of its own and is imported when it is called.
"""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

EXIT_USAGE = 2


def build_app() -> typer.Typer:
    """Return the whole command with every group that an installed package offers."""
    from gateway.cli import audit, demo, verify

    app = typer.Typer(
        name="surma",
        help="Interoperability gateway for state registries: X-Road 7 and Trembita protocols.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.command("demo")(demo.demo)
    app.command("verify")(verify.verify)
    app.add_typer(audit.app, name="audit")
    for entry in sorted(entry_points(group="surma.commands"), key=lambda found: found.name):
        app.add_typer(entry.load(), name=entry.name)
    return app


def main() -> None:
    """Run the command line; a setting that cannot be used is told in one line."""
    from gateway.runtime.settings import SettingsError

    try:
        build_app()()
    except SettingsError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(EXIT_USAGE) from None

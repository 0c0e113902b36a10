"""`surma demo`: a whole federation on this machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def demo(
    landscape: Annotated[
        Path | None, typer.Option("--landscape", help="Description of the federation (TOML).", dir_okay=False)
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="Where it keeps its state; started again, it resumes.")
    ] = None,
    network: Annotated[
        str | None,
        typer.Option("--network", help="First two bytes of the loopback addresses, such as 127.45."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Make the whole tour once in a temporary directory and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --check: print one JSON object.")] = False,
) -> None:
    """Start a federation: central services, security servers, registries, counter, citizens; Ctrl-C stops it."""
    from gateway.landscape import demo as running

    if check:
        raise typer.Exit(asyncio.run(running.check(landscape, network, as_json=as_json)))
    raise typer.Exit(asyncio.run(running.run(landscape, state, network)))

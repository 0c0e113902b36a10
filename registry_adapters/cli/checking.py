"""`surma registry check`: the contract tests of a registry as a table."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from registry_adapters.sdk.contract import Result, check_registry
from registry_adapters.sdk.registry import Registry
from registry_adapters.settings import RegistrySettings


def check(registry: Registry, settings: RegistrySettings) -> None:
    """Try a registry, print what came out, and end with 1 when something is wrong."""
    results = check_registry(registry, settings)
    for line in table_of(results):
        typer.echo(line)
    wrong = [result for result in results if result.problems]
    typer.echo(f"{len(results) - len(wrong)} of {len(results)} checks hold")
    if wrong:
        raise typer.Exit(1)


def table_of(results: Sequence[Result]) -> list[str]:
    """Return a line for each result and one below it for each thing that is wrong."""
    width = max((len(result.subject) for result in results), default=0)
    longest = max((len(result.check) for result in results), default=0)
    lines = []
    for result in results:
        verdict = "WRONG" if result.problems else "-" if result.skipped else "ok"
        said = result.skipped or f"{result.tried} tried"
        lines.append(f"{result.subject:{width}}  {result.check:{longest}}  {verdict:5}  {said}")
        lines += [f"{'':{width}}  {problem}" for problem in result.problems]
    return lines

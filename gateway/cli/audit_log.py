"""`surma gateway audit-log check`: is the trail of people's deeds unbroken? Reads only, also beside a running server.

Exit status: 0 every event holds, 1 the first break is named, 2 there is no audit log.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from gateway.runtime.audit.check import TrailVerdict
    from gateway.runtime.audit.model import Head

EXIT_BROKEN: Final = 1
EXIT_UNREADABLE: Final = 2

app = typer.Typer(help="The audit log: who did what on this server.", no_args_is_help=True)


@app.command("check")
def check(
    state: Annotated[Path, typer.Option("--state", help="Directory that holds everything this server keeps.")] = Path(
        "/var/lib/surma/gateway"
    ),
    noted: Annotated[
        str | None,
        typer.Option("--noted", help="An end that was noted before, as NUMBER:HASH; it must still be there."),
    ] = None,
    begins_at: Annotated[
        int, typer.Option("--begins-at", min=1, help="First event that must be here, if older files were moved away.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk numbers and hashes of the whole audit log; exit 1 at the first break."""
    from gateway.runtime.audit.check import verify_trail
    from gateway.runtime.audit.files import every_file

    head = None if noted is None else _head(noted)
    if not every_file(state):
        reason = f"there is no audit log in {state}"
        typer.echo(json.dumps({"holds": None, "reason": reason}) if as_json else f"cannot tell: {reason}")
        raise typer.Exit(EXIT_UNREADABLE)
    try:
        verdict = verify_trail(state, begins_at=begins_at, noted=head)
    except OSError as cause:
        typer.echo(json.dumps({"holds": None, "reason": str(cause)}) if as_json else f"cannot tell: {cause}")
        raise typer.Exit(EXIT_UNREADABLE) from None
    typer.echo(json.dumps(_facts_of(verdict)) if as_json else _sentence_of(verdict))
    raise typer.Exit(0 if verdict.holds else EXIT_BROKEN)


def _head(text: str) -> Head:
    from gateway.runtime.audit.model import Head

    number, _, line_sha256 = text.partition(":")
    if not number.isdecimal() or len(line_sha256) != 64:
        raise typer.BadParameter("an end is NUMBER:HASH, as this command prints it")
    return Head(int(number), line_sha256.lower())


def _facts_of(verdict: TrailVerdict) -> dict[str, object]:
    facts = asdict(verdict)
    head = facts.pop("head")
    return {"holds": verdict.holds, **facts, "end": f"{head['number']}:{head['line_sha256']}"}


def _sentence_of(verdict: TrailVerdict) -> str:
    end = f"{verdict.head.number}:{verdict.head.line_sha256}"
    if verdict.holds:
        torn = f" {verdict.torn_lines} half lines are explained by the events behind them." * bool(verdict.torn_lines)
        return f"{verdict.events} events, unbroken. Note the end outside of this server: {end}{torn}"
    place = f"{verdict.file} line {verdict.line}: " if verdict.file else ""
    return f"broken: {place}{verdict.broken}. {verdict.events} events before it hold, up to {end}"

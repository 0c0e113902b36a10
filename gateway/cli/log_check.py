"""`surma gateway log check`: is the chain of the message log unbroken? Reads only, also beside a running server.

Exit status: 0 every record holds, 1 the first break is named, 2 the log cannot be read.
"""

from __future__ import annotations

import json
import os
from enum import IntEnum
from pathlib import Path

import typer
from sqlalchemy.exc import SQLAlchemyError

from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.integrity import LogVerdict, verify_log
from gateway.paths import StatePaths
from gateway.runtime.database import Database, open_database
from gateway.runtime.settings import load
from gateway.settings import GatewaySettings


class Exit(IntEnum):
    """The exit status of the command."""

    HOLDS = 0
    BROKEN = 1
    UNREADABLE = 2


class LogUnreadable(Exception):  # noqa: N818
    """There is no message log here, or it cannot be read; the text says which and why."""


def check(state: Path, config: Path | None, *, as_json: bool) -> None:
    """Walk the log of a state directory, say how far it holds, and end with the exit status."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    keys = LogKeys(settings.messagelog.records.encryption_key_file)
    try:
        verdict = read_verdict(StatePaths(state, settings).message_log_url, keys)
    except LogUnreadable as reason:
        _say({"holds": None, "reason": str(reason)}, f"cannot tell: {reason}", as_json=as_json)
        raise typer.Exit(Exit.UNREADABLE) from None
    _say(_facts_of(verdict), _sentence_of(verdict), as_json=as_json)
    raise typer.Exit(Exit.HOLDS if verdict.holds else Exit.BROKEN)


def read_verdict(url: str, keys: LogKeys | None = None) -> LogVerdict:
    """Return how far the log at `url` holds. Raises LogUnreadable; a log that is not there is not made."""
    database = open_database(url)
    try:
        if database.path is not None and not database.path.is_file():
            raise LogUnreadable(f"there is no message log at {database.path}")
        return _walk(database, keys)
    finally:
        database.close()


def _walk(database: Database, keys: LogKeys | None) -> LogVerdict:
    try:
        return verify_log(database, keys=keys)
    except (SQLAlchemyError, ValueError, KeyError) as cause:
        reason = (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0]
        raise LogUnreadable(f"the message log cannot be read: {reason[:200]}") from cause


def _facts_of(verdict: LogVerdict) -> dict[str, object]:
    facts: dict[str, object] = {
        "holds": verdict.holds,
        "records": verdict.records,
        "refusals": verdict.refusals,
        "archived": verdict.archived,
        "closed": verdict.closed,
        "record_hash": verdict.record_hash.hex(),
    }
    if not verdict.holds:
        facts |= {"broken_at": verdict.broken_at, "broken": verdict.broken}
    return facts


def _sentence_of(verdict: LogVerdict) -> str:
    if verdict.holds:
        return f"{_figures_of(verdict)}, unbroken; the last has the hash {verdict.record_hash.hex()}"
    return f"broken at record {verdict.broken_at}: {verdict.broken}; {_figures_of(verdict)} before it hold"


def _figures_of(verdict: LogVerdict) -> str:
    figures = [f"{verdict.records} records"]
    if verdict.refusals:
        figures.append(f"{verdict.refusals} refusals")
    if verdict.archived:
        figures.append(f"{verdict.archived} archived")
    if verdict.closed:
        figures.append(f"{verdict.closed} encrypted under keys that are not here")
    return ", ".join(figures)


def _say(facts: dict[str, object], sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else sentence)

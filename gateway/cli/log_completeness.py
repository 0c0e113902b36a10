"""`surma gateway log completeness`: is everything still in the log that checkpoints kept outside cover?

Reads only, also beside a running server. Exit status: 0 all is here and unchanged, 1 what was found is
named with its place, 2 it cannot be told: a checkpoint does not hold, the log cannot be read, or parts
that nothing tells of are in archives that are not here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import typer
from sqlalchemy.exc import SQLAlchemyError

from gateway.auditing.configurations import configuration_in, configurations_of
from gateway.auditing.shapes import completeness_shape
from gateway.configuration_client.cache import ANCHOR_FILE
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.archive.reader import ArchiveReader
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.completeness.check import Progress, check_completeness
from gateway.messagelog.completeness.model import Completeness
from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.reader import MessageReader
from gateway.paths import StatePaths
from gateway.runtime.database import open_database
from gateway.runtime.settings import load
from gateway.runtime.texts import render
from gateway.settings import GatewaySettings
from gateway.xroad.asic.verify import Choose
from gateway.xroad.checkpoint import Export, parse_export
from gateway.xroad.faults import ConfigurationUnusable, XRoadFault


class Exit(IntEnum):
    """The exit status of the command."""

    COMPLETE = 0
    DAMAGED = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared, and with what.

    Without `conf`, or `history` and `anchor`, the state directory's own history is believed.
    """

    checkpoints: Sequence[Path]
    archives: str | None = None
    secret_keys: Sequence[Path] = ()
    passphrase_file: Path | None = None
    conf: Path | None = None
    history: Path | None = None
    anchor: Path | None = None
    without_keys: bool = False
    deep: bool = False


def completeness(state: Path, config: Path | None, asked: Asked, *, as_json: bool, language: str) -> None:
    """Compare the log of a state directory with checkpoints, and end with the exit status."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    try:
        found = _check(StatePaths(state, settings), asked)
    except XRoadFault as fault:
        raise _unknown(render(fault.text_id, fault.facts, language), as_json=as_json, language=language) from fault
    except (SQLAlchemyError, OSError, ValueError) as cause:
        reason = (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0][:200]
        raise _unknown(reason, as_json=as_json, language=language) from cause
    if as_json:
        typer.echo(json.dumps(completeness_shape(found, language), ensure_ascii=False, indent=2))
    else:
        for line in _lines(found, language):
            typer.echo("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line))
    raise typer.Exit(_exit_of(found))


def _exit_of(found: Completeness) -> Exit:
    if not found.holds:
        return Exit.DAMAGED
    return Exit.COMPLETE if found.is_told else Exit.UNKNOWN


def _check(paths: StatePaths, asked: Asked) -> Completeness:
    settings = paths.settings
    database = open_database(paths.message_log_url)
    keys = LogKeys(settings.messagelog.records.encryption_key_file)
    keys.follow()
    with ExitStack() as stack:
        stack.callback(database.close)
        if database.path is not None and not database.path.is_file():
            raise ValueError(render("ledger.cli_no_log", {"path": database.path}))
        return check_completeness(
            database,
            [_read(path) for path in asked.checkpoints],
            reader=MessageReader(BodyStore(paths.bodies), keys),
            opens=not asked.without_keys,
            archives=_open_archives(stack, paths, asked),
            trust=_trust(paths, asked),
            deep=asked.deep,
            progress=_progress(stack),
        )


def _read(path: Path) -> Export:
    with path.open("rb") as file:
        return parse_export(file)


def _trust(paths: StatePaths, asked: Asked) -> Choose | None:
    if asked.conf is not None:
        choose = configuration_in(asked.conf)
    elif asked.history is not None and asked.anchor is not None:
        choose = configurations_of(asked.history, asked.anchor)
    elif asked.history is not None or asked.anchor is not None:
        raise ConfigurationUnusable("malformed_global_conf", "asic.verify.choose_configuration")
    elif paths.history.is_dir():
        choose = configurations_of(paths.history, paths.globalconf / ANCHOR_FILE)
    else:
        return None
    return lambda time: choose(time).globalconf


def _open_archives(stack: ExitStack, paths: StatePaths, asked: Asked) -> ArchiveReader | None:
    if asked.archives is None:
        return None
    s3 = paths.settings.archive
    place = open_place(asked.archives, endpoint=s3.s3_endpoint, region=s3.s3_region)
    decryptor = None
    if asked.secret_keys:
        from gateway.messagelog.archive.openpgp import OpenPgpKeys

        decryptor = OpenPgpKeys(list(asked.secret_keys), passphrase_file=asked.passphrase_file)
    return stack.enter_context(ArchiveReader(place, decryptor=decryptor))


def _progress(stack: ExitStack) -> Progress:
    """Return a bar for people at a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = stack.enter_context(Bar(*columns, console=console, disable=not console.is_terminal, transient=True))
    task = bar.add_task("comparing", total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _lines(found: Completeness, language: str) -> Iterator[str]:
    def text(text_id: str, **facts: object) -> str:
        return render(f"ledger.cli_{text_id}", facts, language)

    if not found.holds:
        yield text("damaged", entries=found.counts.entries)
        yield from (f"  {finding.sentence(language)}" for finding in found.findings)
        if found.more:
            yield f"  {text('more', count=found.more)}"
    elif found.is_told:
        yield text("complete", entries=found.counts.entries)
    if found.untold:
        yield text("untold", ranges=", ".join(f"{first}-{last}" for first, last in found.untold))
    for one in found.against:
        facts: dict[str, Any] = {"origin": one.origin, "size": one.size}
        is_proven = one.proven_at is not None
        time = (one.proven_at or one.time).isoformat()
        yield text("against" if is_proven else "against_unproven", time=time, **facts)
    counts = found.counts
    yield text(
        "counts",
        records=counts.records,
        refusals=counts.refusals,
        archived=counts.archived,
        elsewhere=counts.elsewhere,
        closed=counts.closed,
        unproven=counts.unproven,
    )


def _unknown(reason: str, *, as_json: bool, language: str) -> typer.Exit:
    if as_json:
        typer.echo(json.dumps({"holds": None, "reason": reason}, ensure_ascii=False))
    else:
        typer.echo(render("ledger.cli_unknown", {"reason": reason}, language))
    return typer.Exit(Exit.UNKNOWN)

"""`surma gateway log reindex`: make the search index anew, from records, refusals and archives.

Nothing is lost by it: the index is derived. A server that runs goes on, and indexes along; until the
end, searches find what is indexed so far. Exit status: 0 the index is complete, 1 entries are in archives that
cannot be read, 2 log or index cannot be used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from gateway.auditing.server_archives import ServerArchives
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.bodies import BodyStore
from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.index import Indexer, count_indexed
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.reader import MessageReader
from gateway.paths import StatePaths
from gateway.runtime.database import open_database
from gateway.runtime.settings import load
from gateway.runtime.texts import render
from gateway.settings import GatewaySettings
from gateway.xroad.faults import LoggingUnavailable

BATCH: Final = 1000


class Exit(IntEnum):
    """The exit status of the command."""

    COMPLETE = 0
    INCOMPLETE = 1
    UNUSABLE = 2


def reindex(state: Path, config: Path | None, *, as_json: bool) -> None:
    """Clear the index of a state directory, fill it again, and end with the exit status."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    paths = StatePaths(state, settings)
    database, index = open_database(paths.message_log_url), open_index(paths.index_url)
    keys = LogKeys(settings.messagelog.records.encryption_key_file)
    keys.follow()
    s3 = settings.archive
    archives = ServerArchives(database, partial(open_place, endpoint=s3.s3_endpoint, region=s3.s3_region))
    try:
        if database.path is not None and not database.path.is_file():
            raise LoggingUnavailable("internal_error", "index.no_log", path=database.path)
        entries = LogEntries(database, MessageReader(BodyStore(paths.bodies), keys), archives)
        _fill(Indexer(index, entries, batch=BATCH))
        last, count = entries.last_sequence(), count_indexed(index)
    except (SQLAlchemyError, LoggingUnavailable) as cause:
        reason = _reason_of(cause)
        _say({"complete": None, "reason": reason}, f"cannot be done: {reason}", as_json=as_json)
        raise typer.Exit(Exit.UNUSABLE) from None
    finally:
        archives.close()
        index.close()
        database.close()
    missing = max(last - count, 0)
    facts = {"complete": missing == 0, "entries": last, "indexed": count, "missing": missing}
    sentence = f"{count} of {last} entries are indexed"
    if missing:
        sentence += f"; {missing} could not be read: their archives are not here, encrypted, or damaged"
    _say(facts, sentence, as_json=as_json)
    raise typer.Exit(Exit.INCOMPLETE if missing else Exit.COMPLETE)


def _reason_of(cause: SQLAlchemyError | LoggingUnavailable) -> str:
    if isinstance(cause, LoggingUnavailable):
        return render(cause.text_id, cause.facts)
    return (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0][:200]


def _fill(indexer: Indexer) -> None:
    """Index everything; the bar is for people at a terminal."""
    indexer.clear()
    console = Console(stderr=True)
    columns = (TextColumn("indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("indexing", total=None)
        indexer.catch_up(progress=lambda through, last: progress.update(task, completed=through, total=last))


def _say(facts: Mapping[str, object], sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(facts, ensure_ascii=False) if as_json else sentence)

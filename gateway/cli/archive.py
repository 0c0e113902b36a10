"""`surma gateway log archive`: archive what is time-stamped now, by the running server, or here when none runs.

Exit status: 0 everything is archived, 1 something stood in the way or is not safe in an archive, 2 the server
or the message log cannot be used.
"""

from __future__ import annotations

import asyncio
import json
import os
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import httpx
import typer

from gateway.admin.api.message_log_archive import show_state
from gateway.archiving import order_of
from gateway.messagelog.archive.service import ArchiveService
from gateway.messagelog.recorder import MessageLog
from gateway.paths import StatePaths
from gateway.runtime.admin_client import AdminApi, AdminRequestFailed
from gateway.runtime.clock import SystemClock
from gateway.runtime.database import open_database
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.private_files import read_private
from gateway.runtime.settings import load
from gateway.runtime.texts import DEFAULT_LANGUAGE
from gateway.settings import GatewaySettings
from gateway.xroad.faults import XRoadFault

POLL_S: Final = 0.5


class Exit(IntEnum):
    """The exit status of the command."""

    DONE = 0
    INCOMPLETE = 1
    UNUSABLE = 2


def archive(state: Path, config: Path | None, *, as_json: bool) -> None:
    """Archive, say what was done, and end with the exit status."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    paths = StatePaths(state, settings)
    try:
        shown = asyncio.run(_by_server(paths))
        if shown is None:
            shown = asyncio.run(_here(paths))
            if shown["error"] is not None:
                typer.echo(
                    "If a server runs on this state, name its address: --config FILE, or GATEWAY_ADDRESS.", err=True
                )
    except (AdminRequestFailed, httpx.HTTPError, OSError, ValueError) as cause:
        typer.echo(f"Archiving was not possible: {cause}", err=True)
        raise typer.Exit(Exit.UNUSABLE) from cause
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        _tell(shown)
    is_complete = shown["error"] is None and shown["transfer_error"] is None and not shown["unverified_count"]
    raise typer.Exit(Exit.DONE if is_complete else Exit.INCOMPLETE)


async def _by_server(paths: StatePaths) -> dict[str, Any] | None:
    """Ask the running server and wait until it is done; None when no server answers."""
    try:
        key = read_private(paths.api_key)
    except (OSError, ValueError):
        return None
    settings = paths.settings
    address = "127.0.0.1" if settings.address in ("0.0.0.0", "::", "") else settings.address
    api = AdminApi(f"https://{address}:{settings.admin.port}", paths.tls / "admin.crt", key)
    try:
        before: dict[str, Any] = await api.post("/message-log/archive")
        wanted = before["finished_runs"] + (2 if before["is_running"] else 1)
        while True:
            now: dict[str, Any] = await api.get("/message-log/archive")
            if now["finished_runs"] >= wanted:
                return now
            await asyncio.sleep(POLL_S)
    except httpx.ConnectError:
        return None
    finally:
        await api.close()


async def _here(paths: StatePaths) -> dict[str, Any]:
    """Archive in this process's name; the lock of the log keeps a server out meanwhile."""
    database = open_database(paths.message_log_url)
    if database.path is not None and not database.path.is_file():
        raise ValueError(f"there is no message log at {database.path}")
    clock = SystemClock()
    message_log = MessageLog(database, paths.bodies, paths.settings.messagelog.records, clock, tsa_urls=None)
    await message_log.start()
    service = ArchiveService(message_log, order_of(paths), clock)
    try:
        try:
            await service.run()
            await service.finish_transfers()
        except (XRoadFault, CommitUnavailable):
            pass  # the state says what stood in the way
        return show_state(await service.state(), DEFAULT_LANGUAGE)
    finally:
        await message_log.stop()
        database.close()


def _tell(shown: dict[str, Any]) -> None:
    run = shown["run"]
    typer.echo(
        f"{run['entries']} entries archived in {run['files']} files at {shown['place']}; "
        f"{shown['archived_through']} of {shown['last_sequence']} are archived."
    )
    if run["removed"]["records"] or run["removed"]["refusals"]:
        removed = run["removed"]
        typer.echo(f"{removed['records']} records and {removed['refusals']} refusals were old enough and left the log.")
    for trouble in (shown["error"], shown["transfer_error"]):
        if trouble is not None:
            typer.echo(trouble["message"], err=True)
    if shown["unverified_count"]:
        typer.echo(f"{shown['unverified_count']} entries are not safe in an archive and stay in the log:", err=True)
        for entry in shown["unverified"]:
            typer.echo(f"  {entry['sequence']}: {entry['reason']}", err=True)

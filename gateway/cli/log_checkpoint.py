"""`surma gateway log checkpoint`: take a checkpoint of the ledger away, with the hashes of its entries.

Reads only, also beside a running server; with `--make` that server makes a new one before. Exit status:
0 it was written, 1 there is none yet, 2 log or server cannot be used.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import httpx
import typer
from sqlalchemy.exc import SQLAlchemyError

from gateway.messagelog.checkpoints import export_checkpoint
from gateway.paths import StatePaths
from gateway.runtime.admin_client import AdminApi, AdminRequestFailed
from gateway.runtime.database import open_database
from gateway.runtime.private_files import read_private
from gateway.runtime.settings import load
from gateway.runtime.texts import render
from gateway.settings import GatewaySettings
from gateway.xroad.checkpoint import LedgerHead, parse_checkpoint
from gateway.xroad.faults import XRoadFault


class Exit(IntEnum):
    """The exit status of the command."""

    WRITTEN = 0
    NONE_YET = 1
    UNUSABLE = 2


def checkpoint(
    state: Path,
    config: Path | None,
    *,
    out: Path | None,
    size: int | None,
    leaves: bool,
    make: bool,
    as_json: bool,
    language: str,
) -> None:
    """Write a checkpoint to a file, or to standard output, and end with the exit status."""
    paths = StatePaths(state, load(GatewaySettings, config, os.environ, prefix="GATEWAY"))
    try:
        if make:
            asyncio.run(_make(paths))
        if out is None:
            _write(paths, sys.stdout.buffer, size, leaves=leaves)
            return
        with out.open("wb") as file:
            head = _write(paths, file, size, leaves=leaves)
    except XRoadFault as fault:
        status = Exit.NONE_YET if fault.text_id == "ledger.no_checkpoint" else Exit.UNUSABLE
        raise _refusal(render(fault.text_id, fault.facts, language), status, out, as_json=as_json) from fault
    except (AdminRequestFailed, SQLAlchemyError, httpx.HTTPError, OSError, ValueError) as cause:
        reason = (str(getattr(cause, "orig", None) or cause).splitlines() or [type(cause).__name__])[0][:200]
        raise _refusal(reason, Exit.UNUSABLE, out, as_json=as_json) from cause
    facts = {"file": str(out), "origin": str(head.origin), "size": head.size, "time": head.time.isoformat()}
    typer.echo(
        json.dumps(facts | {"root": head.root.hex()}) if as_json else render("ledger.cli_written", facts, language)
    )


async def _make(paths: StatePaths) -> None:
    settings = paths.settings
    address = "127.0.0.1" if settings.address in ("0.0.0.0", "::", "") else settings.address
    key = read_private(paths.api_key)
    api = AdminApi(f"https://{address}:{settings.admin.port}", paths.tls / "admin.crt", key)
    try:
        await api.post("/message-log/checkpoints")
    finally:
        await api.close()


def _write(paths: StatePaths, target: BinaryIO, size: int | None, *, leaves: bool) -> LedgerHead:
    database = open_database(paths.message_log_url)
    try:
        if database.path is not None and not database.path.is_file():
            raise ValueError(render("ledger.cli_no_log", {"path": database.path}))
        pieces = export_checkpoint(database, size, with_leaves=leaves)
        note = next(pieces)
        target.write(note)
        for piece in pieces:
            target.write(piece)
        return parse_checkpoint(note).head
    finally:
        database.close()


def _refusal(reason: str, status: Exit, out: Path | None, *, as_json: bool) -> typer.Exit:
    """Say why nothing was written; half a file is none."""
    if out is not None and out.is_file():
        out.unlink()
    if as_json:
        typer.echo(json.dumps({"file": None, "reason": reason}, ensure_ascii=False))
    else:
        typer.echo(reason, err=True)
    return typer.Exit(status)

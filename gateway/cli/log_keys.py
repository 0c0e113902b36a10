"""`surma gateway log rotate-key`: a new key for the message log; what older keys encrypted stays readable.

A running server uses it within a second, one that is started later at once. Nothing is encrypted anew.
Exit status: 0 the key is on the disk, 2 there is no key file to write, or it cannot be used.
"""

from __future__ import annotations

import json
import os
from enum import IntEnum
from pathlib import Path

import typer

from gateway.messagelog.encryption import SETTING, add_key
from gateway.runtime.clock import SystemClock
from gateway.runtime.settings import load
from gateway.settings import GatewaySettings


class Exit(IntEnum):
    """The exit status of the command."""

    DONE = 0
    UNUSABLE = 2


def rotate(config: Path | None, *, as_json: bool) -> None:
    """Add a key to the file that the settings name, and say its id."""
    file = load(GatewaySettings, config, os.environ, prefix="GATEWAY").messagelog.records.encryption_key_file
    if file is None:
        typer.echo(f"Error: the setting {SETTING} names no file, so nothing is encrypted", err=True)
        raise typer.Exit(Exit.UNUSABLE)
    try:
        key_id = add_key(file, SystemClock().now())
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        typer.echo(f"Error: {file} cannot be used: {reason}", err=True)
        raise typer.Exit(Exit.UNUSABLE) from None
    if as_json:
        typer.echo(json.dumps({"key_id": key_id, "file": str(file)}))
    else:
        typer.echo(f"new records are encrypted with {key_id}, the last key in {file}; keep a copy of that file apart")

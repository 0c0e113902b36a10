"""What every verb that serves does alike: settings, signals, the line that says it is ready."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import typer

from central_services.settings import CentralSettings
from gateway.runtime import logs
from gateway.runtime.settings import SettingsError, load

EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 1


def read_settings(config: Path | None) -> CentralSettings:
    """Read the settings, or end with status 2 and the reason."""
    try:
        return load(CentralSettings, config, _overrides(), "CENTRAL")
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_USAGE) from error


def _overrides() -> dict[str, str]:
    # CENTRAL_STATE is an option of the command line, not a setting.
    return {name: value for name, value in os.environ.items() if name != "CENTRAL_STATE"}


def announce(ready_fd: int, program: str, **facts: Any) -> None:
    """Write one line of JSON that says the program is ready."""
    line = json.dumps({"ready": True, "program": program, "pid": os.getpid(), **facts}) + "\n"
    os.write(ready_fd, line.encode())


def run_until_signal(settings: CentralSettings, main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main` with an event that SIGTERM and SIGINT set; a port that is taken ends with status 1."""
    logs.configure(settings.log_level)

    async def guarded() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await main(stop)

    try:
        asyncio.run(guarded())
    except OSError as error:
        typer.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)

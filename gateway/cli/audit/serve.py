"""`surma audit serve`: the auditor's console over archives alone, on 127.0.0.1 and for one person.

The address that is printed holds a secret: other users of the machine reach the port, and see nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from gateway.auditing.console.app import audit_pages
from gateway.auditing.console.archives import files_in
from gateway.cli.audit.archives import Local, exporting, opened_archives
from gateway.cli.audit.options import Shown, Trust
from gateway.cli.audit.places import telling
from gateway.cli.audit.printing import say, say_json, texts_of
from gateway.messagelog.archive.places import FolderPlace
from gateway.runtime.console.app import Console, console_app, entrance
from gateway.runtime.console.visitors import OneVisitor
from gateway.runtime.control_server import ControlServer, Listener

_HOST = "127.0.0.1"
_ZONE = "Europe/Kyiv"


def run(folder: Path, trust: Trust, shown: Shown, port: int) -> None:
    """Serve the console until the program is told to stop."""
    words = shown.words
    with telling(words), opened_archives(folder, trust, words) as local:
        text = texts_of(words)
        for name, text_id in local.troubles.items():
            typer.echo(text("auditing.cli.file_trouble", name=name, reason=text(text_id)), err=True)
        asyncio.run(_serve(folder, trust, shown, port, local))


async def _serve(folder: Path, trust: Trust, shown: Shown, port: int, local: Local) -> None:
    one = OneVisitor(local.person)
    with tempfile.TemporaryDirectory(prefix="surma-audit-") as scratch:
        async with exporting(local.deps, Path(scratch), trust) as deps:
            files = files_in(FolderPlace(folder), local.troubles)
            console = Console(
                one,
                lambda: deps.server,
                [audit_pages(deps, files, unreadable=len(local.troubles)), entrance(one)],
                zone=ZoneInfo(os.environ.get("TZ") or _ZONE),
                secure=False,
                signs_in=False,
                requests_per_second=0,
                requests_per_minute=0,
            )
            async with ControlServer(Listener(console_app(console), _HOST, port, name="console")) as server:
                _tell(f"{server.url}/enter?key={one.key}", folder, shown)
                await _until_told_to_stop()


def _tell(url: str, folder: Path, shown: Shown) -> None:
    text = texts_of(shown.words)
    if shown.as_json:
        say_json({"url": url})
    else:
        say(text("auditing.cli.serving", folder=folder, url=url))
        say(text("auditing.cli.serving_ends"))


async def _until_told_to_stop() -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()

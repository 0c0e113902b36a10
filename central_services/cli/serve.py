"""`surma central serve`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from central_services.cli.process import announce, read_settings, run_until_signal
from central_services.main import Ports, serve
from central_services.state import StateDirectory


def run(state: Path, config: Path | None, ready_fd: int) -> None:
    """Serve until a signal comes."""
    settings = read_settings(config)

    def on_ready(ports: Ports) -> None:
        announce(
            ready_fd,
            "central",
            admin_port=ports.admin,
            configuration_port=ports.configuration,
            configuration_https_port=ports.configuration_https,
        )

    async def main(stop: asyncio.Event) -> None:
        await serve(settings, StateDirectory(state), stop, on_ready)

    run_until_signal(settings, main)

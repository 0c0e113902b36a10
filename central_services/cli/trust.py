"""`surma central trust`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from central_services.cli.process import announce, read_settings, run_until_signal
from central_services.trust.services import TrustServices
from gateway.runtime import texts


def run(state: Path, config: Path | None, ready_fd: int) -> None:
    """Serve until a signal comes, and say first what this is not for."""
    settings = read_settings(config)
    print(texts.render("trust.tests_only", {}), file=sys.stderr)

    async def main(stop: asyncio.Event) -> None:
        async with TrustServices(settings.trust, state) as services:
            announce(ready_fd, "trust", ca_port=services.ca_port, tsa_port=services.tsa_port)
            await stop.wait()

    run_until_signal(settings, main)

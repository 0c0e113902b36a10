"""`start`: how long the landscape takes from nothing to its first exchange and from its state, and its memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway.landscape.federation import Federation
from tests.benchmarks.accounting import peak_rss_mb
from tests.benchmarks.chain import load
from tests.benchmarks.floor import P256
from tests.benchmarks.report import Report, Row, Section
from tests.benchmarks.two_servers import again, two_servers


def run(*, tiny: bool = False) -> Report:
    """Start the two servers from nothing, stop them, and start them from their state; `tiny` leaves out the second."""
    return asyncio.run(_run(tiny))


async def _run(tiny: bool) -> Report:
    with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        started = time.perf_counter()
        async with two_servers(folder, P256) as federation:
            rows = [await _row("from nothing", federation, started)]
            memory = _memory(federation)
            described = federation.landscape
        if not tiny:
            started = time.perf_counter()
            async with again(described, folder, P256) as federation:
                rows.append(await _row("from its state", federation, started))
    return Report(
        {"results": rows, "rss": memory},
        [Section("start: seconds until ready and until the first answer", rows), Section("memory, MB", memory)],
    )


async def _row(name: str, federation: Federation, started: float) -> Row:
    ready_s = time.perf_counter() - started
    consumer = federation.landscape.server[0]
    await load((consumer.address, consumer.http_port), 1, 1, name.replace(" ", "-"))
    rss: dict[str, Any] = federation.rss_mb()
    return {
        "start": name,
        "ready_s": round(ready_s, 2),
        "first_answer_s": round(time.perf_counter() - started, 2),
        "rss_mb": rss["total"],
    }


def _memory(federation: Federation) -> list[Row]:
    sizes = federation.rss_mb()
    rows: list[Row] = [
        {"program": one.name, "rss_mb": sizes[one.name], "peak_mb": round(peak_rss_mb([one.pid or 0]), 1)}
        for one in federation.programs
    ]
    return [*rows, {"program": "total", "rss_mb": sizes["total"], "peak_mb": round(sum(r["peak_mb"] for r in rows), 1)}]

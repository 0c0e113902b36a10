"""`idle`: does it cost the active callers anything that a thousand others keep their connections open?

Pairs of runs of the same 64 callers, without and with the idle ones, in alternating order. An idle caller
has asked once, so its connection is one between two requests and not one that never began.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.landscape.federation import Federation
from gateway.runtime.open_files import raise_limit
from tests.benchmarks.chain import load
from tests.benchmarks.floor import P256
from tests.benchmarks.messages import is_answer, request
from tests.benchmarks.report import Report, Row, Section
from tests.benchmarks.two_servers import CONSUMER, two_servers

PAIRS: Final = 5
IDLE: Final = 1000
ACTIVE: Final = 64
REQUESTS: Final = 4000
WARM_UP: Final = 2000
FILES_BESIDE: Final = 256
AT_ONCE: Final = 16

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    pairs: int
    idle: int
    active: int
    requests: int
    warm_up: int


def run(*, factor: float = 1.0, tiny: bool = False) -> Report:
    """Measure the pairs; `factor` stretches the number of requests of a run."""
    scale = Scale(1, 8, 2, 12, 4) if tiny else Scale(PAIRS, IDLE, ACTIVE, int(REQUESTS * factor), WARM_UP)
    return asyncio.run(_run(scale))


async def _run(scale: Scale) -> Report:
    if raise_limit() < scale.idle + FILES_BESIDE:
        raise RuntimeError(f"{scale.idle} idle callers need more open files than this system allows")
    with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
        async with two_servers(Path(folder), P256) as federation:
            server = federation.landscape.server[0]
            place = (server.address, server.http_port)
            await load(place, scale.active, scale.warm_up, "warm-up")
            rows = [await _pair(number, place, scale, federation) for number in range(scale.pairs)]
    without, beside = (statistics.median(row[key] for row in rows) for key in ("p95_ms", "p95_beside_idle_ms"))
    summary: Row = {
        "idle": scale.idle,
        "active": scale.active,
        "median_p95_ms": round(without, 3),
        "median_p95_beside_idle_ms": round(beside, 3),
        "ratio": round(beside / without, 3),
    }
    return Report(
        {"results": rows, **summary}, [Section("idle: pairs of runs", rows), Section("idle: medians", [summary])]
    )


async def _pair(number: int, place: Place, scale: Scale, federation: Federation) -> Row:
    """Run with and without, every second pair the other way round."""
    row: Row = {"pair": number}
    for is_beside in (False, True) if number % 2 == 0 else (True, False):
        name = f"pair-{number}-{is_beside}"
        if not is_beside:
            result = await load(place, scale.active, scale.requests, name)
            row["p95_ms"] = round(result["p95_ms"], 3)
            row["exchanges_per_s"] = round(result["requests"] / result["elapsed_s"], 1)
            continue
        async with idle_callers(place, scale.idle, name):
            result = await load(place, scale.active, scale.requests, name)
            row["p95_beside_idle_ms"] = round(result["p95_ms"], 3)
            row["exchanges_per_s_beside_idle"] = round(result["requests"] / result["elapsed_s"], 1)
            row["consumer_rss_mb"] = round(federation.servers[CONSUMER].rss_bytes() / 1e6, 1)
    return dict(sorted(row.items(), key=lambda item: _ORDER.index(item[0])))


_ORDER: Final = (
    "pair", "p95_ms", "p95_beside_idle_ms", "exchanges_per_s", "exchanges_per_s_beside_idle", "consumer_rss_mb",
)  # fmt: skip


@asynccontextmanager
async def idle_callers(place: Place, count: int, name: str) -> AsyncIterator[None]:
    """Open keep-alive connections, ask once by each, and hold them. Raises RuntimeError when one was closed."""
    room = asyncio.Semaphore(AT_ONCE)

    async def open_one(number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with room:
            reader, writer = await asyncio.open_connection(*place)
            await ask_once(reader, writer, f"idle-{name}-{number:05d}")
            return reader, writer

    callers = await asyncio.gather(*(open_one(number) for number in range(count)))
    try:
        yield
        gone = sum(reader.at_eof() for reader, _ in callers)
        if gone:
            raise RuntimeError(f"{gone} of {count} idle connections were closed meanwhile")
    finally:
        for _, writer in callers:
            writer.close()


async def ask_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, query_id: str) -> None:
    """Make one exchange on a connection. Raises RuntimeError for anything but an answer."""
    body = request(query_id)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    answer = await reader.readexactly(length)
    if not is_answer(answer):
        raise RuntimeError(answer[:500].decode(errors="replace"))

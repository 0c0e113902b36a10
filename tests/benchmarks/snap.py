"""`snap`: cases of five registries through real security servers: one clerk, two hundred at work, two hundred at once.

The demo's landscape with the counter and without the citizen's pages, every program a process. A case is
"registration as a sole trader", asked for by the composer's API: the time is that of the whole request, until the
last registry has answered. At work means that each clerk begins a case every minute, spread by chance; at
once means that all begin in the same moment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from gateway.landscape.demo import free_network
from gateway.landscape.description import moved, read_landscape
from gateway.landscape.federation import Federation
from gateway.landscape.portals import url_of
from tests.benchmarks.report import Report, Row, Section

CENTRE: Final = "SN12000007"
FIELDS: Final = {"applicant": "19770824-00026", "activity": "62.01"}
LEGS: Final = 5
CLERKS: Final = 200
CASES_OF_ONE: Final = 40
MINUTE_S: Final = 60.0
WAIT_S: Final = 120.0
UNBOUND: Final = {
    "SNAP_API__REQUESTS_PER_SECOND": "0",
    "SNAP_API__REQUESTS_PER_MINUTE": "0",
    "SNAP_API__MAX_WAIT_S": str(WAIT_S),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """A composer that answers."""

    url: str
    key: str

    def ask(self, http: httpx.Client) -> tuple[float, bool]:
        """Open one case; return how long it took and whether every registry answered."""
        started = time.perf_counter()
        answer = http.post(
            f"{self.url}/api/v1/life-events/sole-trader",
            json={"fields": FIELDS, "wait_s": WAIT_S, "centre": CENTRE},
            headers={"Authorization": f"X-Road-ApiKey token={self.key}"},
        )
        told = answer.raise_for_status().json()
        complete = told["complete"] and len(told["receipt"]["exchanges"]) >= LEGS
        return time.perf_counter() - started, bool(complete)


def run(*, tiny: bool = False) -> Report:
    """Start everything, measure, stop."""
    return asyncio.run(_run(5 if tiny else CASES_OF_ONE, 5 if tiny else CLERKS, 5.0 if tiny else MINUTE_S))


async def _run(cases: int, clerks: int, minute_s: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
        async with started(Path(folder)) as counter:
            one, work, burst = await asyncio.to_thread(_measured, counter, cases, clerks, minute_s)
    rows = [_figures("one clerk", one), _figures(f"{clerks} at work", work), _figures(f"{clerks} at once", burst)]
    for row in rows[1:]:
        row["times_one"] = round(row["p95_ms"] / rows[0]["p95_ms"], 2)
    notes = ["lost: cases that did not have every registry's answer", "times_one: p95 against that of one clerk"]
    return Report({"rows": rows}, [Section("snap: a case of five registries, ms", rows, notes)])


def _measured(
    counter: Counter, cases: int, clerks: int, minute_s: float
) -> tuple[list[tuple[float, bool]], list[tuple[float, bool]], list[tuple[float, bool]]]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    limits = httpx.Limits(max_connections=clerks, max_keepalive_connections=clerks)
    with (
        httpx.Client(verify=context, timeout=WAIT_S + 10, limits=limits, trust_env=False) as http,
        ThreadPoolExecutor(clerks) as people,
    ):
        for _ in range(3):
            counter.ask(http)  # connections and caches are there
        one = [counter.ask(http) for _ in range(cases)]
        rng = random.Random(1)

        def later(pause_s: float) -> tuple[float, bool]:
            time.sleep(pause_s)
            return counter.ask(http)

        work = list(people.map(later, [rng.uniform(0, minute_s) for _ in range(clerks)]))
        burst = list(people.map(later, [0.0] * clerks))
    return one, work, burst


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Counter]:
    """Run the landscape; the composer answers inside the block."""
    landscape = read_landscape(None)
    kept = tuple(portal for portal in landscape.portal if portal.name == "snap")
    landscape = dataclasses.replace(landscape, portal=kept, holder=())
    landscape = moved(landscape, free_network(landscape))
    portal = landscape.portal_named("snap")
    assert portal is not None
    federation = Federation(landscape, folder / "state", lambda text: None, UNBOUND)
    try:
        await federation.start()
        state = federation.portal_state("snap")
        command = [sys.executable, "-m", "gateway.cli", "snap", "key", "add", "*", "--state", str(state)]
        made = await asyncio.to_thread(
            subprocess.run, command, env={**os.environ, **UNBOUND}, capture_output=True, text=True, check=True
        )
        yield Counter(url_of(portal), made.stdout.strip())
    finally:
        await asyncio.to_thread(federation.stop)


def _figures(name: str, results: Sequence[tuple[float, bool]]) -> Row:
    times = sorted(seconds for seconds, _ in results)
    return {
        "callers": name,
        "cases": len(times),
        "lost": sum(not complete for _, complete in results),
        "p50_ms": round(times[len(times) // 2] * 1000, 1),
        "p95_ms": round(times[max(0, -(-len(times) * 95 // 100) - 1)] * 1000, 1),
        "max_ms": round(times[-1] * 1000, 1),
    }

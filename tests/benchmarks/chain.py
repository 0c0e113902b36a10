"""`chain`: caller, two security servers, registry; CPU per exchange as a multiple of the crypto floor.

Everything is on as in production: mutual TLS, signatures made and verified on both sides, certificate
status, rights, four durable log records, a log line for each half of an exchange. Counted is the CPU of
every process of both security servers; callers, registry, central services and trust services are not.
The floor is measured before and after in the same run.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.landscape.federation import Federation
from tests.benchmarks.accounting import cpu_s
from tests.benchmarks.disk import fdatasync_us
from tests.benchmarks.floor import FLOORS, measure
from tests.benchmarks.nginx import nginx_chain, why_not
from tests.benchmarks.report import Report, Row, Section
from tests.benchmarks.two_servers import CONSUMER, PRODUCER, REGISTRY, two_servers

REQUESTS: Final = {1: 1000, 16: 4000, 64: 8000}
WARM_UP: Final = 2000
NGINX_FACTOR: Final = 5  # it is that much faster, so the run is as long
RECORDS_PER_EXCHANGE: Final = 4


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    requests: dict[int, int]
    warm_up: int
    floor_calls: int


def run(
    algorithms: Sequence[str] = FLOORS, concurrency: Sequence[int] = (), *, factor: float = 1.0, tiny: bool = False
) -> Report:
    """Measure each algorithm at each number of callers; `factor` stretches the number of requests."""
    chosen = {c: max(c, int(REQUESTS.get(c, 4000) * factor)) for c in concurrency or REQUESTS}
    scale = Scale(dict.fromkeys(concurrency or (2,), 12), 4, 5) if tiny else Scale(chosen, WARM_UP, 300)
    return asyncio.run(_run(algorithms, scale))


async def _run(algorithms: Sequence[str], scale: Scale) -> Report:
    rows: list[Row] = []
    unsigned: list[Row] = []
    notes: list[str] = []
    for algorithm in algorithms:
        with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
            async with two_servers(Path(folder), algorithm) as federation:
                rows += await _measure(federation, algorithm, scale, Path(folder))
                if algorithm == algorithms[0]:
                    unsigned = await _unsigned(federation, scale, Path(folder), notes)
    _compare(rows, unsigned)
    notes.append("CPU of both security servers, user and system, children included; floor: before and after, the mean")
    return Report(
        {"results": rows, "nginx": unsigned, "notes": notes},
        [
            Section("chain: two security servers, 1.5 KB SOAP each way", [_for_people(row) for row in rows], notes),
            *([Section("nginx chain: mutual TLS, nothing signed, nothing kept", unsigned)] if unsigned else []),
        ],
    )


async def _measure(federation: Federation, algorithm: str, scale: Scale, folder: Path) -> list[Row]:
    before = measure(algorithm, scale.floor_calls)
    sync_us = fdatasync_us(folder, scale.floor_calls)
    consumer = federation.landscape.server[0]
    place = (consumer.address, consumer.http_port)
    await load(place, max(scale.requests), scale.warm_up, "warm-up")
    found = []
    for connections, requests in scale.requests.items():
        started = _cpu_by_server(federation)
        result = await load(place, connections, requests, f"{algorithm}-{connections}")
        used = {code: cpu - started[code] for code, cpu in _cpu_by_server(federation).items()}
        found.append((connections, result, used))
    after = measure(algorithm, scale.floor_calls)
    floor_us = (before.exchange_us + after.exchange_us) / 2
    rows = []
    for connections, result, used in found:
        cpu_us = sum(used.values()) / result["requests"] * 1e6
        rows.append({
            "algorithm": algorithm,
            "concurrency": connections,
            "floor_us": round(floor_us, 1),
            "cpu_us_per_exchange": round(cpu_us, 1),
            "ratio": round(cpu_us / floor_us, 2),
            "p50_ms": round(result["p50_ms"], 3),
            "p99_ms": round(result["p99_ms"], 3),
            "exchanges_per_s": round(result["requests"] / result["elapsed_s"], 1),
            "exchanges": result["requests"],
            "consumer_cpu_us": round(used[CONSUMER] / result["requests"] * 1e6, 1),
            "provider_cpu_us": round(used[PRODUCER] / result["requests"] * 1e6, 1),
            "floor_before_us": round(before.exchange_us, 1),
            "floor_after_us": round(after.exchange_us, 1),
            "fdatasync_us": round(sync_us, 1),
            "p50_less_syncs_ms": round(result["p50_ms"] - RECORDS_PER_EXCHANGE * sync_us / 1e3, 3)
            if connections == 1
            else None,
        })  # fmt: skip
    return rows


async def _unsigned(federation: Federation, scale: Scale, folder: Path, notes: list[str]) -> list[Row]:
    reason = why_not()
    if reason is not None:
        notes.append(f"no nginx chain: {reason}")
        return []
    registry = federation.landscape.registry_named(REGISTRY)
    rows = []
    async with nginx_chain(folder / "nginx", (registry.address, registry.port)) as chain:
        await load(chain.entrance, max(scale.requests), scale.warm_up, "nginx-warm-up")
        for connections, requests in scale.requests.items():
            started = cpu_s(chain.pids)
            result = await load(chain.entrance, connections, requests * NGINX_FACTOR, f"nginx-{connections}")
            used = cpu_s(chain.pids) - started
            rows.append({
                "concurrency": connections,
                "exchanges_per_s": round(result["requests"] / result["elapsed_s"], 1),
                "cpu_us_per_exchange": round(used / result["requests"] * 1e6, 1),
                "p50_ms": round(result["p50_ms"], 3),
                "p99_ms": round(result["p99_ms"], 3),
            })  # fmt: skip
    return rows


def _compare(rows: list[Row], unsigned: list[Row]) -> None:
    by_callers = {row["concurrency"]: row["exchanges_per_s"] for row in unsigned}
    for row in rows:
        other = by_callers.get(row["concurrency"])
        row["share_of_nginx"] = None if other is None else round(row["exchanges_per_s"] / other, 4)


def _for_people(row: Row) -> Row:
    share = row["share_of_nginx"]
    return {
        "algorithm": row["algorithm"],
        "callers": row["concurrency"],
        "floor µs": row["floor_us"],
        "CPU µs": row["cpu_us_per_exchange"],
        "consumer": row["consumer_cpu_us"],
        "provider": row["provider_cpu_us"],
        "× floor": row["ratio"],
        "p50 ms": row["p50_ms"],
        "p99 ms": row["p99_ms"],
        "p50-4 syncs": row["p50_less_syncs_ms"],
        "exchanges/s": row["exchanges_per_s"],
        "of nginx": None if share is None else f"{share:.1%}",
    }


def _cpu_by_server(federation: Federation) -> dict[str, float]:
    return {code: cpu_s([program.pid]) for code, program in federation.servers.items() if program.pid is not None}


async def load(place: tuple[str, int], connections: int, requests: int, name: str) -> dict[str, Any]:
    """Run the callers in a process of their own. Raises RuntimeError when one of them got no answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.load", "--host", place[0], "--port", str(place[1]),
        "--connections", str(connections), "--requests", str(requests), "--run", name,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    result: dict[str, Any] = json.loads(output)
    if result["failures"]:
        raise RuntimeError(f"{result['failures']} of {requests} exchanges failed, the first: {result['first_failure']}")
    return result

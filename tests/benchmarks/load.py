"""The callers: a fixed number of requests over keep-alive connections, in a process of its own.

    python -m tests.benchmarks.load --host 127.0.0.1 --port 8080 --connections 64 --requests 4000

Prints one JSON object: requests, failures, first failure, elapsed_s, p50_ms, p95_ms, p99_ms.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import httptools
import uvloop

from tests.benchmarks.messages import is_answer, request


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, numbers: Iterator[int], run: str, latencies_s: list[float], failures: list[str]) -> None:
        self._numbers = numbers
        self._run = run
        self._latencies_s = latencies_s
        self._failures = failures
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begin_response()

    def _begin_response(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._failures.append(f"connection lost: {exc}")
            self.done.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def ask(self) -> None:
        """Send the next request, or be done."""
        number = next(self._numbers, None)
        if number is None:
            self.done.set_result(None)
            return
        body = request(f"{self._run}-{number:08d}")
        self._sent = time.perf_counter()
        self._transport.write(  # type: ignore[attr-defined]
            b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )

    def on_message_complete(self) -> None:
        self._latencies_s.append(time.perf_counter() - self._sent)
        if self._parser.get_status_code() != 200 or not is_answer(self._body):
            self._failures.append(self._body[:500].decode(errors="replace"))
        self._begin_response()
        asyncio.get_running_loop().call_soon(self.ask)


async def load(host: str, port: int, connections: int, requests: int, run: str) -> dict[str, Any]:
    """Make the requests and return the figures."""
    numbers = iter(range(requests))
    latencies_s: list[float] = []
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(numbers, run, latencies_s, failures), host, port))[1]
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for caller in callers:
        caller.ask()
    await asyncio.gather(*(caller.done for caller in callers))
    elapsed_s = time.perf_counter() - started
    ordered = sorted(latencies_s) or [0.0]
    return {
        "requests": len(latencies_s),
        "failures": len(failures),
        "first_failure": next(itertools.islice(failures, 1), None),
        "elapsed_s": elapsed_s,
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p95_ms": ordered[len(ordered) * 95 // 100] * 1e3,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1e3,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--run", default="run", help="begins the id of every request")
    given = parser.parse_args()
    found = uvloop.run(load(given.host, given.port, given.connections, given.requests, given.run))
    sys.stdout.write(json.dumps(found) + "\n")

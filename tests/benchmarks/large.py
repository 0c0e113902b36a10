"""`large`: a body of 1 GiB up and down by REST and as a SOAP attachment, through two gateways; and a crash meanwhile.

Both gateways take each body whole before it goes on, as the protocol wants: the signature comes last. A
figure in MB/s is the size over the time from the caller's first byte to the last byte of the answer.
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from gateway.landscape.federation import MESSAGE_PORT, START_WITHIN_S, Federation
from gateway.landscape.processes import Program, wait_until
from tests.benchmarks.accounting import cpu_s, forget_peaks, peak_rss_mb
from tests.benchmarks.floor import P256
from tests.benchmarks.messages import BULK, CLIENT, INSTANCE, PACKAGE_TYPE, PROVIDER, is_answer, large, package
from tests.benchmarks.report import Report, Row, Section
from tests.benchmarks.two_servers import CONSUMER, PRODUCER, two_servers

GIB: Final = 1 << 30
TINY_BYTES: Final = 3 << 20
TIMEOUT_S: Final = 600
SERVICE: Final = f"/r1/{INSTANCE}/{PROVIDER}/{BULK}"
REST_HEADERS: Final = {"X-Road-Client": f"{INSTANCE}/{CLIENT}", "Content-Type": "application/octet-stream"}
SETTLE_S: Final = 10
POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Caller:
    """An information system that sends and receives without keeping anything."""

    host: str
    port: int

    def upload(self, size: int) -> None:
        """PUT a body by REST; the registry says how much arrived."""
        _expect(self._ask("POST", SERVICE, large(size), size, REST_HEADERS) == b"%d" % size, "bytes were lost")

    def download(self, size: int) -> None:
        """GET a body by REST."""
        received = 0
        with self._answer("GET", f"{SERVICE}/{size}", None, REST_HEADERS) as response:
            buffer = bytearray(256 * 1024)
            while count := response.readinto(buffer):
                received += count
        _expect(received == size, "bytes were lost")

    def attach(self, size: int) -> None:
        """Send a SOAP request with one attachment."""
        whole = sum(map(len, package("large", 0))) + size
        answer = self._ask("POST", "/", package("large", size), whole, {"Content-Type": PACKAGE_TYPE})
        _expect(is_answer(answer), answer[:500].decode(errors="replace"))

    def _ask(self, method: str, target: str, body: Iterable[bytes], size: int, headers: dict[str, str]) -> bytes:
        with self._answer(method, target, body, {**headers, "Content-Length": str(size)}) as response:
            return response.read()

    def _answer(
        self, method: str, target: str, body: Iterable[bytes] | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        connection.request(method, target, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        _expect(response.status == 200, f"status {response.status}")
        return response


def run(*, factor: float = 1.0, tiny: bool = False) -> Report:
    """Measure bodies of 1 GiB times `factor`."""
    return asyncio.run(_run(TINY_BYTES if tiny else int(GIB * factor)))


async def _run(size: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
        async with two_servers(Path(folder), P256) as federation:
            server = federation.landscape.server[0]
            caller = Caller(server.address, server.http_port)
            idle = {code: round(program.rss_bytes() / 1e6, 1) for code, program in federation.servers.items()}
            acts = {"REST upload": caller.upload, "REST download": caller.download, "SOAP attachment": caller.attach}
            rows = [await _transfer(name, partial(act, size), size, federation) for name, act in acts.items()]
            crash = await _crash(caller, size, federation)
    notes = ["peaks begin anew with each transfer; MB = 10^6 bytes", "idle RSS, MB: " + _pairs(idle)]
    return Report(
        {"results": rows, "idle_rss_mb": idle, "crash": crash, "size_bytes": size},
        [
            Section(f"large: bodies of {size / 1e6:,.0f} MB", rows, notes),
            Section("large: kill -9 in the middle", [crash]),
        ],
    )


async def _transfer(name: str, act: Callable[[], None], size: int, federation: Federation) -> Row:
    pids = {code: program.pid or 0 for code, program in federation.servers.items()}
    forget_peaks(pids.values())
    before = {code: cpu_s([pid]) for code, pid in pids.items()}
    started = time.perf_counter()
    await asyncio.to_thread(act)
    elapsed_s = time.perf_counter() - started
    used = {code: cpu_s([pid]) - before[code] for code, pid in pids.items()}
    peaks = {code: round(peak_rss_mb([pid]), 1) for code, pid in pids.items()}
    return {
        "transfer": name,
        "seconds": round(elapsed_s, 2),
        "mb_per_s": round(size / 1e6 / elapsed_s, 1),
        "consumer_cpu_s": round(used[CONSUMER], 2),
        "provider_cpu_s": round(used[PRODUCER], 2),
        "consumer_peak_mb": peaks[CONSUMER],
        "provider_peak_mb": peaks[PRODUCER],
        "spool_files": await _left(federation),
    }


async def _crash(caller: Caller, size: int, federation: Federation) -> Row:
    """Kill both servers when the provider's has a part of an upload in its spool, and start them again."""
    upload = asyncio.create_task(asyncio.to_thread(caller.upload, size))
    while not (upload.done() or _spooled(federation, PRODUCER)):
        await asyncio.sleep(POLL_S)
    for program in federation.servers.values():
        program.kill()
    with suppress(OSError, http.client.HTTPException):
        await upload
    left = len(_spooled(federation, CONSUMER, PRODUCER))
    for server in federation.landscape.server:
        program = federation.servers[server.code]
        program.start()
        await _until_listening(program, (server.address, MESSAGE_PORT))
    found = {"files_left_by_kill": left, "spool_files_after_restart": await _left(federation)}
    rss = federation.rss_mb()
    await asyncio.to_thread(caller.upload, TINY_BYTES)
    return {
        **found,
        "answers_again": True,
        "consumer_rss_mb_after_restart": rss[CONSUMER],
        "provider_rss_mb_after_restart": rss[PRODUCER],
    }


async def _until_listening(program: Program, place: tuple[str, int]) -> None:
    def listens() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(place) == 0

    await wait_until(listens, program, within_s=START_WITHIN_S)


async def _left(federation: Federation) -> int:
    """Return how many files stay in the spools once everything has had time to end."""
    for _ in range(int(SETTLE_S / POLL_S)):
        if not _spooled(federation, CONSUMER, PRODUCER):
            return 0
        await asyncio.sleep(POLL_S)
    return len(_spooled(federation, CONSUMER, PRODUCER))


def _spooled(federation: Federation, *codes: str) -> list[Path]:
    return [path for code in codes for path in (federation.server_state(code) / "spool").glob("*/*")]


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def _pairs(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())

"""A federation of processes under load, whose gateways are killed and started again.

Callers hold at most one call each; every outcome is written down. A call counts as answered only by a
signed response: status 200, the person asked for, and no fault.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from gateway.landscape.demo import free_network
from gateway.landscape.description import moved
from gateway.landscape.federation import MESSAGE_PORT, Federation
from gateway.landscape.processes import Program, wait_until
from gateway.landscape.tour import PERSON, Tour
from tests.core_landscape import core_landscape

CALLERS: Final = 8
START_WITHIN_S: Final = 120
CALL_TIMEOUT_S: Final = 60
# Above the threshold of the spool, so that a body lies in a file when its gateway dies.
PADDING: Final = b" " * 100_000
# Records are stamped while the calls go on, so that kills meet the stamping too.
ENVIRONMENT: Final = {"GATEWAY_MESSAGELOG__RECORDS__TIMESTAMP_INTERVAL_S": "1"}


@dataclass(slots=True)
class Outcome:
    """How a call ended: answered by a signed response, or what came instead."""

    query_id: str
    answered: bool
    what: str


@dataclass(slots=True)
class Load:
    """Calls that are made, at most one at a time by each caller."""

    tour: Tour
    calls: int
    outcomes: list[Outcome] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    all_up: asyncio.Event = field(default_factory=asyncio.Event)
    _next: int = 0

    @property
    def answered(self) -> list[str]:
        """The ids of the calls that were answered."""
        return [outcome.query_id for outcome in self.outcomes if outcome.answered]

    async def run(self) -> None:
        """Make all calls."""
        async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, trust_env=False) as http, asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._call_on(http))

    async def wait_for_outcomes(self, count: int) -> None:
        """Return once so many calls have ended."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.outcomes) >= min(count, self.calls))

    async def _call_on(self, http: httpx.AsyncClient) -> None:
        while self._next < self.calls:
            number, self._next = self._next, self._next + 1
            outcome = await self._call(http, number)
            async with self.changed:
                self.outcomes.append(outcome)
                self.changed.notify_all()
            if not outcome.answered:
                # Most wait until the server is back; some try again while it is still opening its log.
                await (self.all_up.wait() if number % 4 else asyncio.sleep(0.5))

    async def _call(self, http: httpx.AsyncClient, number: int) -> Outcome:
        query_id = f"crash-{number}"
        try:
            answer = await http.send(self._request(http, number, query_id))
        except httpx.HTTPError as failure:
            return Outcome(query_id, False, type(failure).__name__)
        fault = answer.headers.get("x-road-error") or ("fault" if "<faultcode>" in answer.text else None)
        answered = answer.status_code == 200 and fault is None and PERSON in answer.text
        return Outcome(query_id, answered, fault or str(answer.status_code))

    def _request(self, http: httpx.AsyncClient, number: int, query_id: str) -> httpx.Request:
        rest = self.tour.consumer_url + self.tour.rest_path
        headers = {"X-Road-Client": f"{self.tour.landscape.instance}/{self.tour.client}", "X-Road-Id": query_id}
        match number % 3:
            case 0:
                envelope = self.tour.envelope(query_id).encode()
                soap = {"Content-Type": "text/xml; charset=utf-8"}
                return http.build_request("POST", f"{self.tour.consumer_url}/", content=envelope, headers=soap)
            case 1:
                return http.build_request("GET", f"{rest}/persons?unzr={PERSON}", headers=headers)
            case _:
                body = b'{"unzr": "%b"}' % PERSON.encode() + (PADDING if number % 2 else b"")
                headers["Content-Type"] = "application/json"
                return http.build_request("POST", f"{rest}/persons/search", content=body, headers=headers)


@asynccontextmanager
async def running_federation(state: Path) -> AsyncIterator[Federation]:
    """The demo's federation on addresses of its own; everything it started is stopped."""
    landscape = core_landscape()
    federation = Federation(moved(landscape, free_network(landscape)), state, lambda _: None, ENVIRONMENT)
    try:
        await federation.start()
        yield federation
    finally:
        await asyncio.to_thread(federation.stop)


async def kill_at_random(federation: Federation, load: Load, kills: int, chance: random.Random) -> list[str]:
    """Kill the gateways in turn, each time somewhere within its share of the calls, and start them again."""
    killed: list[str] = []
    load.all_up.set()
    tour = load.tour
    codes = [federation.landscape.server_of(client).code for client in (tour.client, tour.soap.client)]
    share = load.calls // (kills + 1)
    for number in range(kills):
        await load.wait_for_outcomes(share * number + chance.randint(share // 2, share))
        await asyncio.sleep(chance.uniform(0, 0.05))  # not only at the end of a call
        code = codes[number % 2] if number < 2 else chance.choice(codes)
        load.all_up.clear()
        await restart(federation, code)
        load.all_up.set()
        killed.append(code)
    return killed


async def restart(federation: Federation, code: str) -> None:
    """Kill a gateway as a power cut would, start it, and wait until it takes messages."""
    program = federation.servers[code]
    program.kill()
    program.start()
    await _wait_until_it_listens(federation, code, program)


async def _wait_until_it_listens(federation: Federation, code: str, program: Program) -> None:
    server = next(server for server in federation.landscape.server if server.code == code)
    for port in (server.http_port, MESSAGE_PORT):
        place = (server.address, port)
        await wait_until(lambda place=place: listens(place), program, within_s=START_WITHIN_S)  # type: ignore[misc]


def listens(place: tuple[str, int]) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(place) == 0

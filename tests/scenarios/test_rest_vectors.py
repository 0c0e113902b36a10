"""Recorded REST exchanges of real servers, told again between ours: what was sent, what arrived, what came back.

A landscape with the recordings' own instance stands in for theirs, so that identifiers are compared as they are; the
information system behind the provider answers with the recorded bytes. What may differ stands in `MAY_DIFFER`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

import pytest
import pytest_asyncio
from lxml import etree

from gateway.landscape.description import Landscape, Registry, Service
from gateway.xroad.bodies import BytesBody
from gateway.xroad.rest.message import parse_rest_request, rest_request_hash
from tests.factories.recordings import Recording, find_vectors, parse_recording, read_recording
from tests.factories.security_server import a_wsdl
from tests.landscape import Federation, a_federation, records_of
from tests.scenarios.raw import exchange
from tests.scenarios.recorded import EVERYBODY, NOTICE, PROVIDER, in_the_old_spelling, recorded_landscape
from tests.scenarios.wire import WireRequest, WireServer, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="module")]

# Everything that may differ, by where, each with its reason; nothing else may.
MAY_DIFFER: Final[dict[str, dict[str, str]]] = {
    "headers left out": {
        "host": "written by the HTTP library of whoever sends",
        "user-agent": "written by the HTTP library of whoever sends",
        "connection": "written by the HTTP library of whoever sends",
        "accept-encoding": "added by 7.2.2's HTTP library",
        "content-length": "framing; the body is compared",
        "transfer-encoding": "framing; the body is compared",
        "content-encoding": "7.2.2's library unpacks an answer, and other bytes are signed than the service sent",
    },
    "values new each time": {
        "x-road-request-id": "made for each exchange",
        "x-road-request-hash": "follows the request id; computed again from our own record",
    },
    "headers spelled otherwise": {
        "content-type": "7.2.2's library respells name, media type and charset it knows",
    },
    "headers of the moment": {
        "date": "unless the service says one itself; then it is compared",
    },
    "ids made by the server": {
        "x-road-id": "instance and a UUID, where the information system sends none",
    },
    "errors": {
        "date": "of the moment",
        "reason": "Jetty says Server Error",
        "charset": "7.2.2 names one for JSON, 7.8.0 does not; JSON has none (RFC 8259 11)",
        "message": "the sentence is ours",
        "detail": "new each time",
    },
    "single recordings": {
        "rest-response-gzip": "the body as the service sent it; see content-encoding",
        "rest-intermediate-ca": "one approved CA here; nothing of it is seen by information systems",
    },
}

FOLDER: Final = find_vectors()
CASES: Final = [] if FOLDER is None else sorted(path.name for path in (FOLDER / "consumer").glob("rest-*"))


# the landscape of the recordings


def of_the_recordings(landscape: Landscape) -> Landscape:
    """Return the landscape of the recordings with its REST services, and one of SOAP."""
    system = "information system"
    return recorded_landscape(
        landscape,
        registry=(Registry(system, "127.0.7.9", 9000), Registry("nobody", "127.0.7.10", 9999)),
        service=(
            Service(PROVIDER, "REST", system, "", "/rest", "echo", EVERYBODY),
            Service(PROVIDER, "REST", system, "", "/closed", "noaccess"),
            Service(PROVIDER, "REST", system, "", "/off", "off", EVERYBODY),
            Service(PROVIDER, "REST", "nobody", "", "/down", "down", EVERYBODY),
            Service(PROVIDER, "WSDL", system, "/wsdl", "/soap", allow=EVERYBODY),
        ),
    )


@dataclass
class Recorded:
    """The landscape, and the information system whose answers a test sets."""

    federation: Federation
    system: WireServer

    async def ask(self, server: str, request: bytes, answer: bytes) -> Recording:
        """Send recorded bytes to a server's port 8080; the system behind the provider answers with `answer`."""
        self.system.requests.clear()
        self.system.answer = lambda _: answer
        return await exchange(self.federation.gateways[server].settings.address, request)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recorded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recorded]:
    """Servers with the names of the recordings, onboarded through their admin APIs."""
    systems: list[WireServer] = []

    async def stand_in(registry: Registry) -> None:
        if registry.name != "nobody":
            wsdl = http_answer(a_wsdl(("soapecho", None)))
            systems.append(WireServer(registry.address, registry.port, lambda _: wsdl))
            await systems[0].start()

    try:
        async with a_federation(
            tmp_path_factory.mktemp("recorded"), change=of_the_recordings, tune=in_the_old_spelling, stand_in=stand_in
        ) as federation:
            await switch_off(federation, "off")
            yield Recorded(federation, systems[0])
    finally:
        for system in systems:
            await system.stop()


async def switch_off(federation: Federation, code: str) -> None:
    """Disable a service with the recorded notice."""
    async with federation.api_of(federation.provider) as api:
        for one in await api.get("/clients/TEST:COM:2002:service/service-descriptions"):
            if any(service["service_code"] == code for service in one["services"]):
                await api.put(f"/service-descriptions/{one['id']}/disable", {"disabled_notice": NOTICE})


# comparing


def compared(headers: tuple[tuple[str, str], ...], *also: str) -> list[tuple[str, str]]:
    """Return what must be the same of headers, in order."""
    left_out = {*MAY_DIFFER["headers left out"], *also}
    return [_alike(name, value) for name, value in headers if name.lower() not in left_out]


def _alike(name: str, value: str) -> tuple[str, str]:
    lower = name.lower()
    if lower in MAY_DIFFER["values new each time"]:
        return name, "…"
    if lower in MAY_DIFFER["ids made by the server"]:
        return name, re.sub(r"TEST-[0-9a-f-]{36}", "TEST-…", value)
    if lower in MAY_DIFFER["headers spelled otherwise"]:
        return lower, re.sub(r"\s*;\s*", ";", value).lower()
    return name, value


def fault_of(answer: Recording) -> tuple[str, str, str, str]:
    """Return what an error says: status, X-Road-Error, media type and the type in its body."""
    media_type = (answer.header("content-type") or "").partition(";")[0]
    if media_type == "application/json":
        document = json.loads(answer.body)
    else:
        document = {child.tag: child.text for child in etree.fromstring(answer.body)}
    assert list(document) == ["type", "message", "detail"]
    assert document["message"]
    assert re.fullmatch(r"[0-9a-f-]{36}", document["detail"])
    return answer.start_line.split(" ")[1], answer.header("x-road-error") or "", media_type, document["type"]


def status_line(answer: Recording) -> str:
    return answer.start_line.partition(" ")[2]


# the tests


@pytest.mark.parametrize("name", CASES)
async def test_recorded_exchange_goes_the_same_way_between_our_servers(name: str, recorded: Recorded) -> None:
    assert FOLDER is not None
    request = (FOLDER / "consumer" / name / "request.http").read_bytes()
    came_back = read_recording(FOLDER / "consumer" / name / "response.http")
    behind = FOLDER / "provider" / name
    answer = (behind / "response.http").read_bytes() if behind.is_dir() else b""
    server = "SS3" if name == "rest-intermediate-ca" else "SS1"
    gone = recorded.federation.without_gateway("SS3") if name == "rest-server-down" else nullcontext()
    async with gone:
        ours = await recorded.ask(server, request, answer)

    if not behind.is_dir():
        assert recorded.system.requests == []
        assert fault_of(ours) == fault_of(came_back)
        return
    arrived = read_recording(behind / "request.http")
    (received,) = recorded.system.requests
    assert f"{received.method} {received.target} HTTP/1.1" == arrived.start_line
    assert compared(received.headers) == compared(arrived.headers)
    assert received.body == arrived.body

    dated = () if parse_recording(answer).header("date") else MAY_DIFFER["headers of the moment"]
    assert status_line(ours) == status_line(came_back)
    assert compared(ours.headers, *dated) == compared(came_back.headers, *dated)
    assert ours.body == (parse_recording(answer) if name in MAY_DIFFER["single recordings"] else came_back).body
    check_hash(recorded, received, ours)


def check_hash(recorded: Recorded, received: WireRequest, ours: Recording) -> None:
    """Hold that the hash in the answer is that of the request we keep."""
    query_id = ours.header("x-road-id") or ""
    (kept, *_) = records_of(recorded.federation.provider, query_id)
    message = parse_rest_request(kept.message, BytesBody(received.body) if received.body else None)
    assert ours.header("x-road-request-hash") == rest_request_hash(message).base64
    assert len(base64.b64decode(ours.header("x-road-request-hash") or "")) == 64
    assert ours.header("x-road-request-id") == received.header("x-road-request-id") == message.request_id


async def test_notice_of_the_operator_is_in_the_recorded_words(recorded: Recorded) -> None:
    if FOLDER is None:
        pytest.skip("no recorded vectors: set SURMA_VECTORS to their folder")
    request = (FOLDER / "consumer" / "rest-service-disabled" / "request.http").read_bytes()
    ours = await recorded.ask("SS1", request, b"")
    assert NOTICE in json.loads(ours.body)["message"]


async def test_recordings_are_there() -> None:
    if FOLDER is None:
        pytest.skip("no recorded vectors: set SURMA_VECTORS to their folder")
    assert len(CASES) > 30

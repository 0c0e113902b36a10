from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.xroad.faults import RemoteFault
from gateway.xroad.identifiers import MemberId, ServiceId, SubsystemId
from registry_adapters.sdk.client import Reason, XRoadClient
from tests.registry_adapters.shim import Shim

SNAP = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
PROVIDER = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
PERSONS = ServiceId(PROVIDER, "persons")


async def echo(request: Request) -> JSONResponse:
    told = {name: value for name, value in request.headers.items() if name.startswith(("x-road", "uxp"))}
    return JSONResponse({"path": request.url.path, "query": request.url.query, "headers": told})


async def taken(request: Request) -> JSONResponse:
    return JSONResponse(await request.json(), status_code=201)


def an_app() -> Any:
    return Starlette(routes=[Route("/taken", taken, methods=["POST"]), Route("/{path:path}", echo)])


@pytest.fixture(scope="module")
def running() -> Iterator[Shim]:
    with Shim({"GOV/10000002/DEMOGRAPHIC": an_app()}) as shim:
        yield shim


@pytest.fixture
def shim(running: Shim) -> Shim:
    running.heal()
    running.exchanges.clear()
    return running


@pytest.fixture
def client(shim: Shim) -> Iterator[XRoadClient]:
    with XRoadClient(shim.url, SNAP) as opened:
        yield opened


def test_request_reaches_the_registry_as_a_security_server_sends_it(client: XRoadClient) -> None:
    reason = Reason(user_id="clerk", purposes=("P",))
    answer = client.call_rest("GET", PERSONS, "/persons", query={"a": "ї"}, reason=reason, message_id="m-1")
    told = answer.json()
    assert (told["path"], told["query"]) == ("/persons", "a=%D1%97")
    assert told["headers"]["x-road-service"] == str(PERSONS)
    assert (told["headers"]["x-road-id"], told["headers"]["uxp-purpose-ids"]) == ("m-1", "P")
    assert (answer.message_id, answer.headers["x-road-service"]) == ("m-1", str(PERSONS))


def test_usage_service_has_its_base_path(client: XRoadClient) -> None:
    assert client.call_rest("GET", ServiceId(PROVIDER, "usage"), "/findUsage").json()["path"] == "/usage/findUsage"


def test_body_and_status_pass_through(client: XRoadClient, shim: Shim) -> None:
    answer = client.call_rest("POST", PERSONS, "/taken", json={"a": 1})
    assert (answer.status, answer.json()) == (201, {"a": 1})
    assert [one.method for one in shim.asked("GOV/10000002/DEMOGRAPHIC")] == ["POST"]


def test_registry_that_is_down_is_a_fault_until_it_is_healed(client: XRoadClient, shim: Shim) -> None:
    shim.down("GOV/10000002/DEMOGRAPHIC")
    with pytest.raises(RemoteFault, match="network_error"):
        client.call_rest("GET", PERSONS, "/persons")
    shim.heal("GOV/10000002/DEMOGRAPHIC")
    assert client.call_rest("GET", PERSONS, "/persons").status == 200


def test_slow_registry_answers_after_the_delay(client: XRoadClient, shim: Shim) -> None:
    shim.slow("GOV/10000002/DEMOGRAPHIC/persons", 0.2)
    begun = time.monotonic()
    assert client.call_rest("GET", PERSONS, "/persons").status == 200
    assert time.monotonic() - begun >= 0.2


def test_contradicting_registry_says_something_else(client: XRoadClient, shim: Shim) -> None:
    shim.contradict("GOV/10000002", lambda answer: {**answer, "path": "elsewhere"})
    assert client.call_rest("GET", PERSONS, "/persons").json()["path"] == "elsewhere"


def test_unknown_registry_is_a_fault(client: XRoadClient) -> None:
    other = ServiceId(SubsystemId(MemberId("UA-DEMO", "GOV", "10000009"), "X"), "y")
    with pytest.raises(RemoteFault, match="unknown_member"):
        client.call_rest("GET", other)


def test_request_without_a_client_is_a_fault(shim: Shim) -> None:
    answer = httpx.get(f"{shim.url}/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons/x", trust_env=False)
    assert (answer.status_code, answer.headers["x-road-error"]) == (400, "client.missing_header")

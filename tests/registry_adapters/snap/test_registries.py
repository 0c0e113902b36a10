from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.xroad.identifiers import client_of
from registry_adapters.sdk.client import Reason, RestAnswer, XRoadClient
from registry_adapters.snap.model import FaultKind, Leg, LegState, Output, Poll, Words
from registry_adapters.snap.plan import Inputs
from registry_adapters.snap.registries import Asked, Registries, Reply, reply_of
from tests.registry_adapters.shim import Shim, listening
from tests.registry_adapters.snap.world import SNAP

PERSONS = "GOV/10000002/DEMOGRAPHIC"
LEG = Leg(
    "a", Words("A", "А"), f"{PERSONS}/persons", "GetPerson", "GET", "/persons", {"*": "field.person"},
    (Output("surname", "person.surname"),), purpose="IDENTITY",
)  # fmt: skip
POLL = Leg(
    "b", Words("B", "Б"), "GOV/10000004/TAX/tax", "GetIncome", "GET", "/t/{ticket}", {"ticket": "leg.a.ticket"},
    (Output("total", "total"),),
    poll=Poll("status", ("pending",), ("given",), ("failed",), ready_at="ready_at", resubmit="a"),
)  # fmt: skip


def a_reply(content: Any, status: int = 200, leg: Leg = LEG, where: dict[str, str | None] | None = None) -> Reply:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return reply_of(leg, RestAnswer("m", status, {}, raw), where or {})


def a_question(leg: Leg = LEG, **values: object) -> Asked:
    return Asked("N-1", leg, 1, Inputs(values, {}), Reason("olena", "N-1", ("IDENTITY",), "закон"), "message-1")


@pytest.mark.parametrize(
    ("content", "state"),
    [
        ({"found": True, "ambiguous": False, "count": 1, "person": {"surname": "К"}}, LegState.ANSWERED),
        ({"found": False, "ambiguous": False, "count": 0}, LegState.NOT_FOUND),
        ({"found": False, "ambiguous": True, "count": 2}, LegState.AMBIGUOUS),
        ({"count": 0, "items": []}, LegState.NOT_FOUND),
        ({"has_arrears": True}, LegState.ANSWERED),
        ([1, 2], LegState.FAILED),
    ],
)
def test_answer_is_found_or_not_or_ambiguous(content: object, state: LegState) -> None:
    assert a_reply(content).state is state


def test_only_declared_outputs_come_out_of_an_answer() -> None:
    content = {
        "found": True,
        "person": {"surname": "К", "rnokpp": "1", "documents": [{"number": "2"}]},
        "warnings": ["x"],
    }
    assert a_reply(content).values == {"surname": "К"}


@pytest.mark.parametrize(
    ("status", "action", "state", "kind"),
    [
        (403, "refused", LegState.REFUSED, FaultKind.REFUSED),
        (403, None, LegState.REFUSED, FaultKind.REFUSED),
        (400, "ask_differently", LegState.FAILED, FaultKind.QUESTION),
        (422, None, LegState.FAILED, FaultKind.QUESTION),
        (503, "retry", LegState.PARKED, FaultKind.UNREACHABLE),
        (500, "report", LegState.PARKED, FaultKind.REGISTRY_FAILED),
        (504, None, LegState.PARKED, FaultKind.TIMEOUT),
        (429, None, LegState.PARKED, FaultKind.UNREACHABLE),
    ],
)
def test_problem_of_a_registry_says_what_can_be_done(
    status: int, action: str | None, state: LegState, kind: FaultKind
) -> None:
    reply = a_reply({"type": "urn:surma:registry:x", "detail": "why", "action": action}, status)
    assert reply.state is state
    assert reply.fault is not None
    assert (reply.fault.kind, reply.fault.code, reply.fault.text) == (kind, "x", "why")


def test_404_is_nobody_but_a_path_that_is_not_there_is_a_service_that_is_not_there() -> None:
    assert a_reply(b"", 404).state is LegState.NOT_FOUND
    wrong = a_reply({"type": "urn:surma:registry:no_such_path"}, 404)
    assert wrong.fault is not None
    assert (wrong.state, wrong.fault.kind) == (LegState.FAILED, FaultKind.NOT_PUBLISHED)


@pytest.mark.parametrize(
    ("content", "status", "state", "kind"),
    [
        ({"status": "pending", "ready_at": "2026-01-05T10:00:00+02:00"}, 200, LegState.PARKED, FaultKind.PENDING),
        ({"status": "given"}, 200, LegState.PARKED, FaultKind.GIVEN_ALREADY),
        ({}, 409, LegState.PARKED, FaultKind.GIVEN_ALREADY),
        ({}, 404, LegState.PARKED, FaultKind.GIVEN_ALREADY),
        ({"status": "failed"}, 200, LegState.FAILED, FaultKind.QUESTION),
    ],
)
def test_second_step_waits_or_begins_anew(content: object, status: int, state: LegState, kind: FaultKind) -> None:
    reply = a_reply(content, status, POLL)
    assert reply.fault is not None
    assert (reply.state, reply.fault.kind) == (state, kind)
    assert (reply.ready_at is not None) == (kind is FaultKind.PENDING)


def test_items_are_picked_before_they_are_counted() -> None:
    leg = Leg(
        "c", LEG.title, LEG.service, "FindActs", "GET", "/acts", {}, (Output("n", "acts[].n"),),
        items="acts", where={"born": "field.born", "!self": "field.x"}, one=True,
    )  # fmt: skip
    acts = {"count": 4, "acts": [{"n": 1, "born": "d", "self": "i"}, {"n": 2, "born": "d"}, {"n": 3, "born": "e"}]}
    assert a_reply(acts, leg=leg, where={"born": "d", "!self": "i"}).values == {"n": [2]}
    assert a_reply(acts, leg=leg, where={"born": "d", "!self": None}).state is LegState.AMBIGUOUS
    assert a_reply(acts, leg=leg, where={"born": "f", "!self": None}).state is LegState.NOT_FOUND


def test_question_carries_case_clerk_purpose_and_ground(shim: Shim) -> None:
    with XRoadClient(shim.url, SNAP) as client:
        reply = Registries(client).ask(a_question(rnokpp="3347300028"))
    assert reply.values == {"surname": "Ткаченко"}
    (exchange,) = shim.exchanges
    told = {name: exchange.headers[name] for name in ("x-road-issue", "x-road-userid", "uxp-purpose-ids")}
    assert told == {"x-road-issue": "N-1", "x-road-userid": "olena", "uxp-purpose-ids": "IDENTITY"}
    assert exchange.headers["legal-ground"] == "%D0%B7%D0%B0%D0%BA%D0%BE%D0%BD"
    assert (exchange.message_id, exchange.client) == ("message-1", "UA-DEMO/GOV/10000001/SNAP")


def test_path_parameter_cannot_leave_its_place(shim: Shim) -> None:
    leg = Leg(
        "p", LEG.title, "GOV/10000003/CADASTRE/cadastre", "GetParcel", "GET", "/parcels/{n}", {"n": "field.n"}, ()
    )
    with XRoadClient(shim.url, SNAP) as client:
        assert Registries(client).ask(a_question(leg, n="..")).state is LegState.FAILED
        assert shim.exchanges == []
        Registries(client).ask(a_question(leg, n="x/persons?x=1#"))
    assert shim.exchanges[0].path == "/parcels/x%2Fpersons%3Fx%3D1%23"


def test_security_server_that_does_not_answer_is_unreachable() -> None:
    with XRoadClient("http://127.0.0.1:9", SNAP, timeout_s=2) as client:
        reply = Registries(client).ask(a_question(rnokpp="3347300028"))
    assert reply.fault is not None
    assert (reply.state, reply.fault.kind, reply.is_answered) == (LegState.PARKED, FaultKind.UNREACHABLE, False)


def test_registry_that_is_too_slow_has_timed_out(shim: Shim) -> None:
    shim.slow(PERSONS, 5)
    with XRoadClient(shim.url, SNAP, timeout_s=0.2) as client:
        reply = Registries(client).ask(a_question(rnokpp="3347300028"))
    assert reply.fault is not None
    assert (reply.state, reply.fault.kind) == (LegState.PARKED, FaultKind.TIMEOUT)


@pytest.mark.parametrize(
    ("code", "state", "kind"),
    [
        ("Server.ServerProxy.AccessDenied", LegState.REFUSED, FaultKind.REFUSED),
        ("server.serverproxy.access_denied", LegState.REFUSED, FaultKind.REFUSED),
        ("server.clientproxy.unknown_member", LegState.FAILED, FaultKind.NOT_PUBLISHED),
        ("server.serverproxy.unknown_service", LegState.FAILED, FaultKind.NOT_PUBLISHED),
        ("Server.ServerProxy.ServiceDisabled", LegState.PARKED, FaultKind.UNREACHABLE),
        ("server.serverproxy.service_failed.http_error", LegState.PARKED, FaultKind.UNREACHABLE),
        ("Server.ClientProxy.NetworkError", LegState.PARKED, FaultKind.UNREACHABLE),
        ("server.clientproxy.cannot_create_signature", LegState.PARKED, FaultKind.GATEWAY_FAILED),
        ("client.invalid_request", LegState.FAILED, FaultKind.QUESTION),
    ],
)
def test_fault_of_a_security_server_is_retried_refused_or_reported(code: str, state: LegState, kind: FaultKind) -> None:
    async def fault(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"x-road-error", code.encode()), (b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"message": "no"}'})

    with listening(fault) as url, XRoadClient(url, SNAP) as client:
        reply = Registries(client).ask(a_question(rnokpp="3347300028"))
    assert reply.fault is not None
    assert (reply.state, reply.fault.kind, reply.fault.code) == (state, kind, code)


def test_client_speaks_for_the_subsystem_it_is_given(shim: Shim) -> None:
    with XRoadClient(shim.url, client_of(("UA-DEMO", "GOV", "10000007", "CITIZEN"))) as client:
        reply = Registries(client).ask(a_question(LEG, rnokpp="3347300028"))
        assert str(Registries(client).client_id).endswith("CITIZEN")
    assert reply.state in (LegState.ANSWERED, LegState.REFUSED)

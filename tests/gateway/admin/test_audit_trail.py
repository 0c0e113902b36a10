from __future__ import annotations

from typing import Any

import httpx

from gateway.admin import roles
from gateway.admin.audit_events import EVENT_NAMES
from gateway.auditing.model import AUDITOR
from gateway.runtime.accounts.model import Grant
from tests.factories.security_server import PIN, Server, every_route


async def test_initialisation_is_on_record_without_the_pin(api: httpx.AsyncClient, server: Server) -> None:
    events = server.deps.trail.read()[::-1]
    assert [event["event"] for event in events] == [
        "Initialize anchor",
        "Initialize server configuration",
        "Add client",
    ]
    assert {event["auth"] for event in events} == {"ApiKey"}
    assert all(event["user"].startswith("api-key-") for event in events)
    assert PIN not in str(events)
    assert events[1]["data"]["request"]["security_server_code"] == "SS1"


def test_every_changing_route_has_an_event(server: Server) -> None:
    changing = {(method, path) for method, path in every_route(server) if method != "GET"}
    assert changing - set(EVENT_NAMES) == set()


async def test_wrong_pin_is_a_failed_event(api: httpx.AsyncClient, server: Server) -> None:
    await api.put("/tokens/0/logout")
    assert (await api.put("/tokens/0/login", json={"password": "wrong"})).status_code == 400
    failed = server.deps.trail.read(limit=1)[0]
    assert (failed["event"], failed["data"]) == ("Log in to token failed", {"id": "0", "request": {"password": "***"}})
    assert failed["reason"]


async def test_audit_log_is_read_by_security_officers_and_auditors_of_everything(server: Server) -> None:
    statuses = {}
    for granted in roles.GRANTABLE:
        async with server.client(granted) as someone:
            statuses[granted] = (await someone.get("/audit-trail")).status_code
    async with server.client(AUDITOR, scope="UA-DEMO/GOV/1") as someone:
        assert (await someone.get("/audit-trail")).status_code == 403
    assert {role for role, status in statuses.items() if status == 200} == {roles.SECURITY_OFFICER, AUDITOR}
    assert set(statuses.values()) == {200, 403}


async def test_audit_log_is_read_page_by_page_and_that_is_on_record(server: Server) -> None:
    async with server.client(roles.SECURITY_OFFICER) as officer:
        for _ in range(4):
            await officer.get("/audit-trail?limit=2")
        page: dict[str, Any] = (await officer.get("/audit-trail?limit=2&before=4")).json()
    assert [event["n"] for event in page["events"]] == [3, 2]
    assert page["next_before"] == 2
    assert {event["event"] for event in page["events"]} == {"View audit log"}


async def test_key_with_a_scope_sees_only_that(fresh: httpx.AsyncClient) -> None:
    made = await fresh.post("/api-keys", params={"scope": "UA-DEMO/GOV/%D0%84"}, json=[AUDITOR])
    assert made.status_code == 200
    assert made.json()["scope"] == "UA-DEMO/GOV/%D0%84"
    listed = (await fresh.get("/api-keys")).json()
    assert {"id": made.json()["id"], "roles": [AUDITOR], "scope": "UA-DEMO/GOV/%D0%84"} in listed
    changed = await fresh.put(f"/api-keys/{made.json()['id']}?scope=UA-DEMO/GOV/2/SUB", json=[AUDITOR])
    assert changed.json()["scope"] == "UA-DEMO/GOV/2/SUB"
    assert (await fresh.put(f"/api-keys/{made.json()['id']}", json=[AUDITOR])).json()["scope"] == "UA-DEMO/GOV/2/SUB"


async def test_scope_that_makes_no_sense_is_refused(fresh: httpx.AsyncClient) -> None:
    for wanted, scope in (([AUDITOR], "UA-DEMO"), ([AUDITOR], ""), ([AUDITOR, roles.OBSERVER], "UA-DEMO/GOV/1")):
        answer = await fresh.post("/api-keys", params={"scope": scope}, json=wanted)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_scope")


async def test_key_of_a_user_is_listed_with_the_user_and_keeps_to_the_grants(
    server: Server, fresh: httpx.AsyncClient
) -> None:
    key_id = server.key_of_user("olena", Grant(AUDITOR, "UA-DEMO/GOV/1"))
    listed = (await fresh.get(f"/api-keys/{key_id}")).json()
    assert listed == {
        "id": key_id,
        "roles": [AUDITOR],
        "user": "olena",
        "grants": [{"role": AUDITOR, "scope": "UA-DEMO/GOV/1"}],
    }
    answer = await fresh.put(f"/api-keys/{key_id}", json=[roles.SYSTEM_ADMINISTRATOR])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "api_key_of_user")
    assert (await fresh.delete(f"/api-keys/{key_id}")).status_code == 200

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.admin import roles
from gateway.runtime.admin_api import CORRELATION_HEADER
from tests.factories.security_server import Server, every_route


async def test_nothing_is_served_without_a_key(server: Server) -> None:
    routes = every_route(server)
    assert len(routes) > 80
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="https://ss.test") as nobody:
        for method, path in routes:
            answer = await nobody.request(method, f"/api/v1{path}")
            assert answer.status_code == 401, path
            assert answer.json() == {"status": 401, "error": {"code": "unauthorized"}}


async def test_root_says_what_this_is(server: Server) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="https://ss.test") as nobody:
        answer = await nobody.get("/")
    assert answer.status_code == 200
    assert "Surma security server" in answer.text


async def test_unknown_key_is_refused(fresh: httpx.AsyncClient) -> None:
    answer = await fresh.get("/user", headers={"Authorization": "X-Road-ApiKey token=nobody"})
    assert answer.status_code == 401


async def test_every_answer_carries_a_number(fresh: httpx.AsyncClient) -> None:
    assert (await fresh.get("/user")).headers[CORRELATION_HEADER]
    assert (await fresh.get("/nothing-here")).headers[CORRELATION_HEADER]


async def test_unknown_path_is_not_found(fresh: httpx.AsyncClient) -> None:
    answer = await fresh.get("/nothing-here")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_missing_field_is_named(fresh: httpx.AsyncClient) -> None:
    answer = await fresh.put("/tokens/0/login", json={})
    assert answer.status_code == 400
    assert answer.json()["error"] == {"code": "validation_failure", "validation_errors": {"password": ["missing"]}}


async def test_body_that_is_no_json_is_refused(fresh: httpx.AsyncClient) -> None:
    answer = await fresh.put(
        "/tokens/0/login", content=b"{oops", headers={"Content-Type": "application/json"}
    )  # fmt: skip
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "validation_failure")


async def test_caller_learns_who_it_is(server: Server) -> None:
    async with server.client(roles.OBSERVER) as observer:
        answer = await observer.get("/user")
    assert answer.json()["roles"] == [roles.OBSERVER]


async def test_observer_changes_nothing(server: Server) -> None:
    async with server.client(roles.OBSERVER) as observer:
        for method, path in every_route(server):
            if method != "GET":
                answer = await observer.request(method, path, json={})
                assert answer.status_code in (400, 403), (method, path, answer.status_code)
                if answer.status_code == 400:  # a body is looked at before the role; with a right one it is 403
                    assert answer.json()["error"]["code"] == "validation_failure"


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        (roles.SERVICE_ADMINISTRATOR, "PUT", "/tokens/0/login", {"password": "x"}),
        (roles.REGISTRATION_OFFICER, "PUT", "/tokens/0/logout", None),
        (roles.SERVICE_ADMINISTRATOR, "POST", "/tokens/0/keys", {"label": "x"}),
        (roles.SECURITY_OFFICER, "POST", "/clients", {"client": {"member_class": "GOV", "member_code": "1"}}),
        (roles.REGISTRATION_OFFICER, "PUT", "/service-descriptions/1/enable", None),
        (roles.SECURITY_OFFICER, "POST", "/initialization", {}),
        (roles.REGISTRATION_OFFICER, "POST", "/system/timestamping-services", {"name": "n", "url": "u"}),
        (roles.SECURITY_OFFICER, "GET", "/diagnostics/globalconf", None),
        (roles.SECURITY_OFFICER, "GET", "/api-keys", None),
    ],
)
async def test_role_does_only_its_own(server: Server, role: str, method: str, path: str, body: Any) -> None:
    async with server.client(role) as someone:
        answer = await someone.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


async def test_first_api_key_makes_others(server: Server, fresh: httpx.AsyncClient) -> None:
    made = await fresh.post("/api-keys", json=[roles.OBSERVER])
    assert made.status_code == 200
    assert set(made.json()) == {"id", "key", "roles"}
    header = {"Authorization": f"X-Road-ApiKey token={made.json()['key']}"}
    assert (await fresh.get("/user", headers=header)).status_code == 200
    assert (await fresh.delete(f"/api-keys/{made.json()['id']}")).status_code == 200
    assert (await fresh.get("/user", headers=header)).status_code == 401

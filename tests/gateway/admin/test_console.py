"""One port for two: the API behind keys and the console behind sessions, and neither opens the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.admin import roles
from gateway.auditing.model import AUDITOR
from gateway.runtime.accounts import api_keys, sessions, store_users
from gateway.runtime.accounts.model import AccountSettings, Grant
from gateway.runtime.audit.model import Deed
from tests.factories.pki import NOON
from tests.factories.security_server import Server, every_route

SCOPE = "UA-DEMO/GOV/10000001"


@pytest.fixture
async def port(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """The whole port of a server, called by nobody in particular."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app), base_url="https://ss.test") as client:
        yield client


@pytest.fixture
def olena(server: Server) -> int:
    """An auditor of one member."""
    with server.deps.database.transaction() as tx:
        user = store_users.add_user(tx, "olena", None, NOON)
        store_users.add_grant(tx, user, Grant(AUDITOR, SCOPE))
    return user


async def test_session_opens_no_api_and_key_opens_no_page(server: Server, port: httpx.AsyncClient, olena: int) -> None:
    with server.deps.database.transaction() as tx:
        session = {"Cookie": f"__Host-surma-session={sessions.begin(tx, olena, NOON, AccountSettings())}"}
    key = {"Authorization": f"X-Road-ApiKey token={server.api_key(*roles.GRANTABLE)}"}
    opened = {
        (path, name): (await port.get(path, headers=headers)).status_code
        for path in ("/account", "/api/v1/user")
        for name, headers in (("session", session), ("key", key))
    }
    assert opened == {
        ("/account", "session"): 200,
        ("/account", "key"): 303,
        ("/api/v1/user", "session"): 401,
        ("/api/v1/user", "key"): 200,
    }


async def test_unknown_paths_of_the_api_stay_errors_of_the_api(port: httpx.AsyncClient) -> None:
    for path in ("/api", "/api/v1/nothing", "/api/v2/x"):
        assert (await port.get(path)).json()["error"]["code"] == "unauthorized"


async def test_auditor_reaches_no_route_of_administrators(server: Server, port: httpx.AsyncClient, olena: int) -> None:
    with server.deps.database.transaction() as tx:
        _, of_user = api_keys.create_for_user(tx, olena, NOON)
    of_everything = server.api_key(AUDITOR)
    for secret, own in ((of_user, {"/user"}), (of_everything, {"/user", "/audit-trail"})):
        key = {"Authorization": f"X-Road-ApiKey token={secret}"}
        for method, path in every_route(server):
            answer = await port.request(method, f"/api/v1{path}", json={}, headers=key)
            if path in own:
                assert answer.status_code == 200, path
            elif answer.status_code != 403:  # a body is looked at before the role
                assert answer.json()["error"]["code"] == "validation_failure", (method, path)


async def test_audit_log_is_a_page_for_those_who_see_everything(
    server: Server, port: httpx.AsyncClient, olena: int
) -> None:
    with server.deps.database.transaction() as tx:
        officer = store_users.add_user(tx, "taras", None, NOON)
        store_users.add_grant(tx, officer, Grant(roles.SECURITY_OFFICER))
        cookies = [
            {"Cookie": f"__Host-surma-session={sessions.begin(tx, user, NOON, AccountSettings())}"}
            for user in (officer, olena)
        ]
    for number in range(60):
        server.deps.trail.write(
            Deed("Add client", "api-key-1", reason="client_exists", data={"tag": f"<b>{number}</b>"})
        )
    first = await port.get("/audit-log", headers=cookies[0])
    assert first.status_code == 200
    assert "&lt;b&gt;59&lt;/b&gt;" in first.text
    assert "<b>" not in first.text
    second = await port.get("/audit-log?before=12", headers=cookies[0])
    assert "&lt;b&gt;10&lt;/b&gt;" in second.text
    assert "&lt;b&gt;11&lt;/b&gt;" not in second.text
    assert server.deps.trail.read(limit=1)[0]["event"] == "View audit log"
    assert (await port.get("/audit-log", headers=cookies[1])).status_code == 403
    starts = [(await port.get("/", headers=cookie)).text for cookie in cookies]
    assert ["/audit-log" in text for text in starts] == [True, False]

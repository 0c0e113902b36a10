"""Services, endpoints, rights and local groups: who may call what."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.serverconf.access import decide
from gateway.xroad.faults import AccessRefused
from gateway.xroad.identifiers import ServiceId
from tests.factories.globalconf import CLIENT, PROVIDER
from tests.factories.security_server import CLIENT_ID, GROUP_ID, OWNER_ID, PROVIDER_ID, Registry, Server, a_wsdl

SERVICE = f"/services/{CLIENT_ID}:api"
SUBSYSTEM = {"id": PROVIDER_ID, "service_client_type": "SUBSYSTEM"}


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def may_call(server: Server, method: str = "GET", path: str = "/x") -> bool:
    """Whether the provider's subsystem may call the service, by the rule that the message path asks."""
    globalconf = server.deps.find_globalconf()
    assert globalconf is not None
    try:
        decide(
            server.deps.registrations.current(), PROVIDER, ServiceId(CLIENT, "api"),
            method=method, path=path, in_global_group=globalconf.is_in_group,
        )  # fmt: skip
    except AccessRefused as refused:
        return refused.code != "access_denied"
    return True


@pytest.fixture
async def api(api: httpx.AsyncClient) -> httpx.AsyncClient:
    """The admin API of a server with one enabled REST service."""
    body = {"url": "http://registry.test/base", "type": "REST", "rest_service_code": "api"}
    made = await api.post(f"/clients/{CLIENT_ID}/service-descriptions", json=body)
    assert made.status_code == 201
    await api.put(f"/service-descriptions/{made.json()['id']}/enable")
    return api


async def add_group(api: httpx.AsyncClient, code: str = "friends") -> dict[str, Any]:
    answer = await api.post(f"/clients/{CLIENT_ID}/local-groups", json={"code": code, "description": "Friends"})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def grant(api: httpx.AsyncClient, *items: dict[str, str], path: str = SERVICE) -> httpx.Response:
    return await api.post(f"{path}/service-clients", json={"items": list(items)})


async def revoke(api: httpx.AsyncClient, *items: dict[str, str], path: str = SERVICE) -> httpx.Response:
    return await api.post(f"{path}/service-clients/delete", json={"items": list(items)})


class TestServices:
    async def test_address_timeout_and_tls_check_are_changed(self, api: httpx.AsyncClient) -> None:
        changed = {"url": "https://registry.test/v2", "timeout": 7, "ssl_auth": False}
        answer = await api.patch(SERVICE, json=changed)
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["url"], shown["timeout"], shown["ssl_auth"]) == ("https://registry.test/v2", 7, False)
        (described,) = (await api.get(f"/clients/{CLIENT_ID}/service-descriptions")).json()
        assert described["url"] == "https://registry.test/v2"  # the address of a REST service describes it

    async def test_flags_change_all_services_of_the_description(
        self, api: httpx.AsyncClient, registry: Registry
    ) -> None:
        registry.documents["/wsdl"] = a_wsdl(("A", None), ("B", None))
        await api.post(
            f"/clients/{CLIENT_ID}/service-descriptions", json={"url": f"{registry.base_url}/wsdl", "type": "WSDL"}
        )
        changed = {"url": "http://new.test/", "timeout": 9, "ssl_auth": True, "timeout_all": True}
        await api.patch(f"/services/{CLIENT_ID}:A", json=changed)
        other = (await api.get(f"/services/{CLIENT_ID}:B")).json()
        assert (other["url"], other["timeout"]) == ("http://registry.test/soap", 9)

    @pytest.mark.parametrize("change", [{"timeout": -1}, {"timeout": 1001}, {"url": "gopher://x"}, {"timeout": "x"}])
    async def test_impossible_value_is_refused(self, api: httpx.AsyncClient, change: dict[str, Any]) -> None:
        answer = await api.patch(SERVICE, json={"url": "http://x/", "timeout": 60, "ssl_auth": True, **change})
        assert answer.status_code == 400

    async def test_absent_service_is_not_found(self, api: httpx.AsyncClient) -> None:
        answer = await api.get(f"/services/{CLIENT_ID}:none")
        assert (answer.status_code, code_of(answer)) == (404, "service_not_found")


class TestRights:
    async def test_granted_right_counts_at_once_and_is_shown(self, server: Server, api: httpx.AsyncClient) -> None:
        assert not may_call(server)
        answer = await grant(api, SUBSYSTEM)
        assert answer.status_code == 201
        assert answer.json() == [
            {**SUBSYSTEM, "name": "Company", "rights_given_at": "2026-11-21T12:00:00.000Z"}
        ]  # fmt: skip
        assert may_call(server)
        assert (await api.get(f"{SERVICE}/service-clients")).json() == answer.json()
        assert (await api.get(SERVICE)).json()["subjects_count"] == 1

    async def test_revoked_right_is_gone_at_once(self, server: Server, api: httpx.AsyncClient) -> None:
        await grant(api, SUBSYSTEM)
        assert (await revoke(api, SUBSYSTEM)).status_code == 204
        assert not may_call(server)
        again = await revoke(api, SUBSYSTEM)
        assert (again.status_code, code_of(again)) == (404, "accessright_not_found")

    async def test_global_group_brings_its_members_in(self, server: Server, api: httpx.AsyncClient) -> None:
        answer = await grant(api, {"id": GROUP_ID, "service_client_type": "GLOBALGROUP"})
        assert answer.json()[0]["name"] == "Everybody"
        assert may_call(server)

    async def test_same_right_is_given_once_and_all_or_none(self, api: httpx.AsyncClient) -> None:
        await grant(api, SUBSYSTEM)
        answer = await grant(api, {"id": GROUP_ID, "service_client_type": "GLOBALGROUP"}, SUBSYSTEM)
        assert (answer.status_code, code_of(answer)) == (409, "duplicate_accessright")
        assert len((await api.get(f"{SERVICE}/service-clients")).json()) == 1

    @pytest.mark.parametrize(
        ("item", "status", "code"),
        [
            ({"id": "TEST:GOV:404:nobody", "service_client_type": "SUBSYSTEM"}, 404, "service_client_not_found"),
            ({"id": "TEST:nobody", "service_client_type": "GLOBALGROUP"}, 404, "service_client_not_found"),
            ({"id": "77", "service_client_type": "LOCALGROUP"}, 404, "service_client_not_found"),
            ({"id": PROVIDER_ID, "service_client_type": "GLOBALGROUP"}, 400, "invalid_service_client_type"),
            ({"id": "a:b:c:d:e", "service_client_type": "SUBSYSTEM"}, 400, "invalid_encoded_id"),
        ],
    )
    async def test_nobody_gets_no_right(
        self, api: httpx.AsyncClient, item: dict[str, str], status: int, code: str
    ) -> None:
        answer = await grant(api, item)
        assert (answer.status_code, code_of(answer)) == (status, code)

    async def test_rights_are_seen_and_given_from_the_side_of_the_caller(
        self, server: Server, api: httpx.AsyncClient
    ) -> None:
        rights = f"/clients/{CLIENT_ID}/service-clients/{PROVIDER_ID}/access-rights"
        answer = await api.post(rights, json={"items": [{"service_code": "api"}]})
        assert answer.status_code == 201
        assert answer.json() == [
            {"service_code": "api", "service_title": "", "rights_given_at": "2026-11-21T12:00:00.000Z"}
        ]
        assert may_call(server)
        assert (await api.get(rights)).json() == answer.json()
        (subject,) = (await api.get(f"/clients/{CLIENT_ID}/service-clients")).json()
        assert subject["id"] == PROVIDER_ID
        assert (await api.get(f"/clients/{CLIENT_ID}/service-clients/{PROVIDER_ID}")).json()["name"] == "Company"
        again = await api.post(rights, json={"items": [{"service_code": "api"}]})
        assert (again.status_code, code_of(again)) == (409, "duplicate_accessright")
        assert (await api.post(f"{rights}/delete", json={"items": [{"service_code": "api"}]})).status_code == 204
        assert not may_call(server)
        assert (await api.get(rights)).status_code == 404
        unknown = await api.post(rights, json={"items": [{"service_code": "none"}]})
        assert (unknown.status_code, code_of(unknown)) == (404, "service_not_found")

    async def test_candidates_are_all_who_exist(self, api: httpx.AsyncClient) -> None:
        group = await add_group(api)
        candidates = (await api.get(f"/clients/{CLIENT_ID}/service-client-candidates")).json()
        assert {one["id"] for one in candidates} >= {PROVIDER_ID, GROUP_ID, group["id"]}
        assert CLIENT_ID not in {one["id"] for one in candidates}


class TestEndpoints:
    async def add(self, api: httpx.AsyncClient, method: str = "GET", path: str = "/x") -> dict[str, Any]:
        answer = await api.post(f"{SERVICE}/endpoints", json={"method": method, "path": path})
        assert answer.status_code == 201
        return dict(answer.json())

    async def test_right_to_an_endpoint_covers_nothing_else(self, server: Server, api: httpx.AsyncClient) -> None:
        endpoint = await self.add(api)
        assert endpoint == {**endpoint, "service_code": "api", "method": "GET", "path": "/x", "generated": False}
        answer = await grant(api, SUBSYSTEM, path=f"/endpoints/{endpoint['id']}")
        assert answer.status_code == 201
        assert (await api.get(f"/endpoints/{endpoint['id']}/service-clients")).json() == answer.json()
        assert may_call(server)
        assert not may_call(server, "POST")
        assert not may_call(server, path="/y")
        assert (await revoke(api, SUBSYSTEM, path=f"/endpoints/{endpoint['id']}")).status_code == 204
        assert not may_call(server)

    async def test_changed_endpoint_keeps_its_rights(self, server: Server, api: httpx.AsyncClient) -> None:
        endpoint = await self.add(api)
        await grant(api, SUBSYSTEM, path=f"/endpoints/{endpoint['id']}")
        answer = await api.patch(f"/endpoints/{endpoint['id']}", json={"method": "*", "path": "/y/*"})
        assert (answer.status_code, answer.json()["path"]) == (200, "/y/*")
        assert may_call(server, "DELETE", "/y/1")
        assert not may_call(server)

    async def test_deleted_endpoint_takes_its_rights_along(self, server: Server, api: httpx.AsyncClient) -> None:
        endpoint = await self.add(api)
        await grant(api, SUBSYSTEM, path=f"/endpoints/{endpoint['id']}")
        assert (await api.delete(f"/endpoints/{endpoint['id']}")).status_code == 204
        assert not may_call(server)
        assert (await api.get(f"/endpoints/{endpoint['id']}")).status_code == 404

    async def test_same_endpoint_is_added_once(self, api: httpx.AsyncClient) -> None:
        await self.add(api)
        other = await self.add(api, path="/other")
        for answer in (
            await api.post(f"{SERVICE}/endpoints", json={"method": "GET", "path": "/x"}),
            await api.patch(f"/endpoints/{other['id']}", json={"method": "GET", "path": "/x"}),
        ):
            assert (answer.status_code, code_of(answer)) == (409, "endpoint_already_exists")

    async def test_generated_endpoint_is_not_touched(self, api: httpx.AsyncClient) -> None:
        (base,) = (await api.get(SERVICE)).json()["endpoints"]
        changed = await api.patch(f"/endpoints/{base['id']}", json={"method": "GET", "path": "/x"})
        assert (changed.status_code, code_of(changed)) == (400, "illegal_generated_endpoint_update")
        deleted = await api.delete(f"/endpoints/{base['id']}")
        assert (deleted.status_code, code_of(deleted)) == (400, "illegal_generated_endpoint_remove")

    @pytest.mark.parametrize("body", [{"method": "get", "path": "/x"}, {"method": "GET", "path": "x"}, {}])
    async def test_impossible_endpoint_is_refused(self, api: httpx.AsyncClient, body: dict[str, str]) -> None:
        answer = await api.post(f"{SERVICE}/endpoints", json=body)
        assert (answer.status_code, code_of(answer)) == (400, "validation_failure")

    async def test_soap_service_has_no_endpoints(self, api: httpx.AsyncClient, registry: Registry) -> None:
        registry.documents["/wsdl"] = a_wsdl(("A", None))
        await api.post(
            f"/clients/{CLIENT_ID}/service-descriptions", json={"url": f"{registry.base_url}/wsdl", "type": "WSDL"}
        )
        answer = await api.post(f"/services/{CLIENT_ID}:A/endpoints", json={"method": "GET", "path": "/x"})
        assert (answer.status_code, code_of(answer)) == (400, "wrong_servicedescription_type")


class TestLocalGroups:
    async def test_group_is_made_described_and_listed(self, api: httpx.AsyncClient) -> None:
        group = await add_group(api)
        assert {**group, "id": "1"} == {
            "id": "1", "code": "friends", "description": "Friends", "member_count": 0,
            "updated_at": "2026-11-21T12:00:00.000Z", "members": [],
        }  # fmt: skip
        answer = await api.patch(f"/local-groups/{group['id']}", json={"description": "Good friends"})
        assert answer.json()["description"] == "Good friends"
        (listed,) = (await api.get(f"/clients/{CLIENT_ID}/local-groups")).json()
        assert (listed["code"], listed["description"]) == ("friends", "Good friends")

    async def test_code_is_unique_within_a_client(self, api: httpx.AsyncClient) -> None:
        await add_group(api)
        body = {"code": "friends", "description": "x"}
        again = await api.post(f"/clients/{CLIENT_ID}/local-groups", json=body)
        assert (again.status_code, code_of(again)) == (409, "local_group_code_already_exists")
        assert (await api.post(f"/clients/{OWNER_ID}/local-groups", json=body)).status_code == 201

    async def test_members_of_a_group_may_call(self, server: Server, api: httpx.AsyncClient) -> None:
        group = await add_group(api)
        answer = await grant(api, {"id": group["id"], "service_client_type": "LOCALGROUP"})
        assert answer.status_code == 201
        assert answer.json() == [
            {
                "id": group["id"], "name": "Friends", "service_client_type": "LOCALGROUP",
                "local_group_code": "friends", "rights_given_at": "2026-11-21T12:00:00.000Z",
            }
        ]  # fmt: skip
        assert not may_call(server)
        members = {"items": [PROVIDER_ID]}
        added = await api.post(f"/local-groups/{group['id']}/members", json=members)
        assert (added.status_code, added.json()) == (201, members)
        assert may_call(server)
        shown = (await api.get(f"/local-groups/{group['id']}")).json()
        assert shown["members"] == [
            {"id": PROVIDER_ID, "member_name": "Company", "created_at": "2026-11-21T12:00:00.000Z"}
        ]
        assert (await api.post(f"/local-groups/{group['id']}/members/delete", json=members)).status_code == 204
        assert not may_call(server)

    async def test_members_are_added_and_taken_out_once(self, api: httpx.AsyncClient) -> None:
        members = f"/local-groups/{(await add_group(api))['id']}/members"
        await api.post(members, json={"items": [PROVIDER_ID]})
        again = await api.post(members, json={"items": [CLIENT_ID, PROVIDER_ID]})
        assert (again.status_code, code_of(again)) == (409, "local_group_member_already_exists")
        absent = await api.post(f"{members}/delete", json={"items": [PROVIDER_ID, CLIENT_ID]})
        assert (absent.status_code, code_of(absent)) == (404, "local_group_member_not_found")
        assert (await api.post(f"{members}/delete", json={"items": [PROVIDER_ID]})).status_code == 204
        unknown = await api.post(members, json={"items": ["TEST:GOV:404:nobody"]})
        assert (unknown.status_code, code_of(unknown)) == (404, "local_group_member_not_found")

    async def test_deleted_group_takes_its_rights_along(self, server: Server, api: httpx.AsyncClient) -> None:
        group = await add_group(api)
        await grant(api, {"id": group["id"], "service_client_type": "LOCALGROUP"})
        await api.post(f"/local-groups/{group['id']}/members", json={"items": [PROVIDER_ID]})
        assert (await api.delete(f"/local-groups/{group['id']}")).status_code == 204
        assert (await api.get(f"/local-groups/{group['id']}")).status_code == 404
        assert (await api.get(f"{SERVICE}/service-clients")).json() == []
        # A group of the same code later starts without the old rights.
        again = await add_group(api)
        await api.post(f"/local-groups/{again['id']}/members", json={"items": [PROVIDER_ID]})
        assert not may_call(server)

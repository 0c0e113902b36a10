from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.factories.security_server import CLIENT_ID, OWNER_ID, PROVIDER_ID, Registry, Server, a_wsdl

DESCRIPTIONS = f"/clients/{CLIENT_ID}/service-descriptions"


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def an_openapi(*paths: str) -> bytes:
    described = {"openapi": "3.0.3", "servers": [{"url": "/api"}], "paths": {path: {"get": {}} for path in paths}}
    return json.dumps(described).encode()


async def add(api: httpx.AsyncClient, url: str, kind: str = "WSDL", code: str | None = None) -> dict[str, Any]:
    body = {"url": url, "type": kind, **({"rest_service_code": code} if code else {})}
    answer = await api.post(DESCRIPTIONS, json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def give_right(api: httpx.AsyncClient, service: str) -> None:
    answer = await api.post(
        f"/services/{service}/service-clients",
        json={"items": [{"id": PROVIDER_ID, "service_client_type": "SUBSYSTEM"}]},
    )
    assert answer.status_code == 201, answer.text


async def subjects_of(api: httpx.AsyncClient, service: str) -> list[str]:
    return [one["id"] for one in (await api.get(f"/services/{service}/service-clients")).json()]


async def test_wsdl_is_fetched_and_starts_disabled(api: httpx.AsyncClient, registry: Registry) -> None:
    registry.documents["/wsdl"] = a_wsdl(("GetPerson", "v1"), ("Ping", None))
    described = await add(api, f"{registry.base_url}/wsdl")
    assert described["disabled"] is True
    assert described["disabled_notice"] == "Out of order"
    assert described["client_id"] == CLIENT_ID
    assert described["type"] == "WSDL"
    assert described["refreshed_at"] == "2026-11-21T12:00:00.000Z"
    first = described["services"][0]
    assert first == {
        "id": f"{CLIENT_ID}:GetPerson.v1",
        "full_service_code": "GetPerson.v1",
        "service_code": "GetPerson",
        "timeout": 60,
        "title": "",
        "ssl_auth": False,
        "subjects_count": 0,
        "url": "http://registry.test/soap",
        "endpoints": first["endpoints"],
    }
    (base,) = first["endpoints"]
    assert {**base, "id": "1"} == {
        "id": "1", "service_code": "GetPerson", "method": "*", "path": "**", "generated": True,
    }  # fmt: skip
    assert [one["full_service_code"] for one in described["services"]] == ["GetPerson.v1", "Ping"]


async def test_enabled_and_disabled_with_a_notice(api: httpx.AsyncClient, server: Server, registry: Registry) -> None:
    registry.documents["/wsdl"] = a_wsdl(("GetPerson", "v1"))
    id = (await add(api, f"{registry.base_url}/wsdl"))["id"]
    assert (await api.put(f"/service-descriptions/{id}/enable")).status_code == 200
    assert (await api.get(f"/service-descriptions/{id}")).json()["disabled"] is False
    (record,) = server.deps.registrations.current().services.values()
    assert record.disabled_notice is None
    closed = {"disabled_notice": "Зачинено до ранку"}
    assert (await api.put(f"/service-descriptions/{id}/disable", json=closed)).status_code == 204
    (record,) = server.deps.registrations.current().services.values()
    assert record.disabled_notice == "Зачинено до ранку"


async def test_openapi_gives_endpoints_and_a_url_beside_the_document(
    api: httpx.AsyncClient, registry: Registry
) -> None:
    registry.documents["/openapi.json"] = an_openapi("/persons", "/persons/{id}")
    described = await add(api, f"{registry.base_url}/openapi.json", "OPENAPI3", "persons")
    (service,) = described["services"]
    assert service["url"] == f"{registry.base_url}/api"
    assert [(e["method"], e["path"]) for e in service["endpoints"]] == [
        ("*", "**"), ("GET", "/persons"), ("GET", "/persons/*"),
    ]  # fmt: skip


async def test_rest_description_needs_no_document(api: httpx.AsyncClient) -> None:
    described = await add(api, "https://registry.test/base/", "REST", "plain")
    (service,) = described["services"]
    assert (service["url"], service["ssl_auth"]) == ("https://registry.test/base/", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "ftp://x/", "type": "WSDL"}, "invalid_url"),
        ({"url": "http://", "type": "WSDL"}, "invalid_url"),
        ({"url": "http://x:99999/", "type": "WSDL"}, "invalid_url"),
        ({"url": "http://x/", "type": "GRPC"}, "invalid_service_type"),
        ({"url": "http://x/", "type": "REST"}, "validation_failure"),
        ({"url": "http://x/", "type": "REST", "rest_service_code": "a/b"}, "validation_failure"),
        ({"url": "http://x/", "type": "REST", "rest_service_code": "listMethods"}, "service_code_reserved"),
        ({"type": "REST", "rest_service_code": "a"}, "validation_failure"),
    ],
)
async def test_unusable_description_is_refused(api: httpx.AsyncClient, body: dict[str, str], code: str) -> None:
    answer = await api.post(DESCRIPTIONS, json=body)
    assert (answer.status_code, code_of(answer)) == (400, code)


async def test_document_that_cannot_be_had_is_named(api: httpx.AsyncClient, registry: Registry) -> None:
    answer = await api.post(DESCRIPTIONS, json={"url": f"{registry.base_url}/none", "type": "WSDL"})
    assert (answer.status_code, code_of(answer)) == (400, "service_description_download_failed")
    assert answer.json()["error"]["metadata"][0] == f"{registry.base_url}/none"


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("WSDL", b"<html/>", "invalid_wsdl"),
        ("WSDL", b"\xff\xfe", "invalid_wsdl"),
        ("WSDL", a_wsdl(), "invalid_wsdl"),
        ("OPENAPI3", b"swagger: '2.0'", "openapi_parsing_error"),
        ("OPENAPI3", b"{", "openapi_parsing_error"),
    ],
)
async def test_unreadable_document_is_refused(
    api: httpx.AsyncClient, registry: Registry, kind: str, content: bytes, code: str
) -> None:
    registry.documents["/doc"] = content
    answer = await api.post(
        DESCRIPTIONS, json={"url": f"{registry.base_url}/doc", "type": kind, "rest_service_code": "x"}
    )
    assert (answer.status_code, code_of(answer)) == (400, code)


async def test_description_of_an_absent_client_is_not_found(api: httpx.AsyncClient) -> None:
    for method in ("GET", "POST"):
        answer = await api.request(
            method, "/clients/TEST:GOV:1001:none/service-descriptions", json={"url": "http://x/", "type": "WSDL"}
        )
        assert (answer.status_code, code_of(answer)) == (404, "client_not_found")


@pytest.mark.parametrize("id", ["99", "x", "-1", "9" * 30, "٣"])
async def test_absent_description_is_not_found(api: httpx.AsyncClient, id: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("PUT", "/enable"), ("PUT", "/refresh"), ("GET", "/services")):
        answer = await api.request(method, f"/service-descriptions/{id}{path}")
        assert (answer.status_code, code_of(answer)) == (404, "service_description_not_found")


async def test_codes_and_addresses_of_a_client_are_its_own(api: httpx.AsyncClient, registry: Registry) -> None:
    registry.documents["/a"] = a_wsdl(("GetPerson", "v1"))
    registry.documents["/b"] = a_wsdl(("GetPerson", "v1"), ("Ping", None))
    registry.documents["/v2"] = a_wsdl(("GetPerson", "v2"))
    await add(api, f"{registry.base_url}/a")
    for body, code in (
        ({"url": f"{registry.base_url}/b", "type": "WSDL"}, "service_already_exists"),
        ({"url": "http://x/", "type": "REST", "rest_service_code": "GetPerson"}, "service_code_already_exists"),
    ):
        answer = await api.post(DESCRIPTIONS, json=body)
        assert (answer.status_code, code_of(answer)) == (409, code)
    await add(api, f"{registry.base_url}/v2")
    await add(api, "http://x/", "REST", "plain")
    same = await api.post(DESCRIPTIONS, json={"url": "http://x/", "type": "REST", "rest_service_code": "other"})
    assert (same.status_code, code_of(same)) == (409, "url_already_exists")
    registry.documents["/a"] = a_wsdl(("Other", None))
    again = await api.post(DESCRIPTIONS, json={"url": f"{registry.base_url}/a", "type": "WSDL"})
    assert (again.status_code, code_of(again)) == (409, "wsdl_exists")
    elsewhere = await api.post(
        f"/clients/{OWNER_ID}/service-descriptions",
        json={"url": "http://x/", "type": "REST", "rest_service_code": "plain"},
    )
    assert elsewhere.status_code == 201


async def test_refresh_warns_before_services_and_their_rights_go(api: httpx.AsyncClient, registry: Registry) -> None:
    registry.documents["/wsdl"] = a_wsdl(("Old", None), ("Kept", "v1"))
    id = (await add(api, f"{registry.base_url}/wsdl"))["id"]
    await give_right(api, f"{CLIENT_ID}:Kept.v1")
    await give_right(api, f"{CLIENT_ID}:Old")
    registry.documents["/wsdl"] = a_wsdl(("New", None), ("Kept", "v1"))
    warned = await api.put(f"/service-descriptions/{id}/refresh", json={"ignore_warnings": False})
    assert (warned.status_code, code_of(warned)) == (400, "warnings_detected")
    assert warned.json()["warnings"] == [
        {"code": "adding_services", "metadata": ["New"]},
        {"code": "deleting_services", "metadata": ["Old"]},
    ]
    assert await subjects_of(api, f"{CLIENT_ID}:Old") == [PROVIDER_ID]
    done = await api.put(f"/service-descriptions/{id}/refresh", json={"ignore_warnings": True})
    assert done.status_code == 200
    assert sorted(one["service_code"] for one in done.json()["services"]) == ["Kept", "New"]
    assert await subjects_of(api, f"{CLIENT_ID}:Kept.v1") == [PROVIDER_ID]
    assert await subjects_of(api, f"{CLIENT_ID}:New") == []
    assert (await api.get(f"/services/{CLIENT_ID}:Old")).status_code == 404


async def test_refresh_keeps_what_people_set(api: httpx.AsyncClient, registry: Registry) -> None:
    registry.documents["/wsdl"] = a_wsdl(("GetPerson", "v1"))
    id = (await add(api, f"{registry.base_url}/wsdl"))["id"]
    service = f"/services/{CLIENT_ID}:GetPerson.v1"
    await api.patch(service, json={"url": "https://inside.test/soap", "timeout": 5, "ssl_auth": False})
    await api.put(f"/service-descriptions/{id}/enable")
    assert (await api.put(f"/service-descriptions/{id}/refresh")).status_code == 200
    kept = (await api.get(service)).json()
    assert (kept["url"], kept["timeout"], kept["ssl_auth"]) == ("https://inside.test/soap", 5, False)
    assert (await api.get(f"/service-descriptions/{id}")).json()["disabled"] is False


async def test_refreshed_openapi_drops_paths_that_are_gone_and_keeps_manual_ones(
    api: httpx.AsyncClient, registry: Registry
) -> None:
    registry.documents["/openapi"] = an_openapi("/old", "/kept")
    described = await add(api, f"{registry.base_url}/openapi", "OPENAPI3", "api")
    service = f"{CLIENT_ID}:api"
    await api.post(f"/services/{service}/endpoints", json={"method": "POST", "path": "/manual"})
    registry.documents["/openapi"] = an_openapi("/kept", "/new")
    answer = await api.put(f"/service-descriptions/{described['id']}/refresh")
    assert answer.status_code == 200
    (shown,) = answer.json()["services"]
    assert sorted(endpoint["path"] for endpoint in shown["endpoints"]) == ["**", "/kept", "/manual", "/new"]


async def test_renamed_rest_service_keeps_its_endpoints_and_rights(api: httpx.AsyncClient) -> None:
    described = await add(api, "http://registry.test/old", "REST", "before")
    await give_right(api, f"{CLIENT_ID}:before")
    await api.post(f"/services/{CLIENT_ID}:before/endpoints", json={"method": "GET", "path": "/x"})
    answer = await api.patch(
        f"/service-descriptions/{described['id']}",
        json={
            "url": "http://registry.test/new", "type": "REST",
            "rest_service_code": "before", "new_rest_service_code": "after",
        },
    )  # fmt: skip
    assert answer.status_code == 200
    (service,) = answer.json()["services"]
    assert (service["service_code"], service["url"]) == ("after", "http://registry.test/new")
    assert [endpoint["path"] for endpoint in service["endpoints"]] == ["**", "/x"]
    assert await subjects_of(api, f"{CLIENT_ID}:after") == [PROVIDER_ID]
    assert (await api.get(f"/services/{CLIENT_ID}:before")).status_code == 404


async def test_description_keeps_its_kind(api: httpx.AsyncClient) -> None:
    described = await add(api, "http://registry.test/", "REST", "api")
    answer = await api.patch(
        f"/service-descriptions/{described['id']}",
        json={"url": "http://registry.test/", "type": "OPENAPI3", "rest_service_code": "api"},
    )
    assert (answer.status_code, code_of(answer)) == (400, "wrong_servicedescription_type")


async def test_deleted_description_takes_services_and_rights_along(
    server: Server, api: httpx.AsyncClient, registry: Registry
) -> None:
    registry.documents["/wsdl"] = a_wsdl(("GetPerson", "v1"))
    id = (await add(api, f"{registry.base_url}/wsdl"))["id"]
    await give_right(api, f"{CLIENT_ID}:GetPerson.v1")
    assert (await api.delete(f"/service-descriptions/{id}")).status_code == 204
    assert (await api.get(DESCRIPTIONS)).json() == []
    conf = server.deps.registrations.current()
    assert (conf.services, conf.rights) == ({}, {})


async def test_services_of_a_description_are_listed(api: httpx.AsyncClient) -> None:
    described = await add(api, "http://registry.test/", "REST", "api")
    services = (await api.get(f"/service-descriptions/{described['id']}/services")).json()
    assert services == described["services"]
    assert (await api.get(DESCRIPTIONS)).json() == [described]

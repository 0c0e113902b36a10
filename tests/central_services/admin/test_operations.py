"""Single operations of the admin API: verbs, status codes, bodies and refusals of the reference."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from central_services.main import CentralServices
from gateway.xroad.globalconf.anchor import anchor_hash, parse_anchor
from gateway.xroad.globalconf.optional_parts import build_fetch_interval, build_monitoring, build_next_update
from tests.factories.central import FIVRK, INSTANCE, PIN, AdminClient, add_member, add_subsystem, admin_client
from tests.factories.published import published
from tests.factories.registered import a_certificate_der

MEMBER = f"{INSTANCE}:GOV:10000000"
INITIAL = {"instance_identifier": INSTANCE, "central_server_address": "cs.example", "software_token_pin": PIN}


async def test_initialisation_happens_once(fresh_api: AdminClient) -> None:
    status = await fresh_api.call("GET", "/initialization/status")
    assert status == {
        "instance_identifier": "",
        "central_server_address": "",
        "software_token_init_status": "NOT_INITIALIZED",
    }
    assert await fresh_api.call("POST", "/initialization", json=INITIAL) is None
    assert await fresh_api.error("POST", "/initialization", 409, json=INITIAL) == "init_already_initialized"
    status = await fresh_api.call("GET", "/system/status")
    assert status["initialization_status"]["software_token_init_status"] == "INITIALIZED"
    groups = await fresh_api.call("GET", "/global-groups")
    assert [(group["code"], group["description"]) for group in groups] == [
        ("security-server-owners", "Security server owners")
    ]


async def test_keys_wait_for_initialisation(fresh_api: AdminClient) -> None:
    path = "/configuration-sources/INTERNAL/signing-keys"
    code = await fresh_api.error("POST", path, 400, json={"key_label": "x", "token_id": "0"})
    assert code == "instance_identifier_not_set"
    assert await fresh_api.call("GET", "/configuration-sources/INTERNAL/anchor") == {}


async def test_a_wrong_pin_is_refused_and_logging_out_takes_the_keys_away(ready: AdminClient) -> None:
    code = await ready.error("PUT", "/tokens/0/login", 400, json={"password": "wrong"})
    assert code == "token_activation_failed"
    token = await ready.call("PUT", "/tokens/0/logout")
    assert (token["logged_in"], token["possible_actions"]) == (False, ["LOGIN"])
    path = "/configuration-sources/EXTERNAL/signing-keys"
    refused = await ready.error("POST", path, 400, json={"key_label": "x", "token_id": 0})
    assert refused == "token_action_not_possible"
    assert (await ready.call("PUT", "/tokens/0/login", json={"password": PIN}))["logged_in"]
    assert await ready.error("PUT", "/tokens/1/login", 404, json={"password": PIN}) == "token_not_found"


async def test_an_anchor_is_downloaded_and_made_anew(ready: AdminClient, running: CentralServices) -> None:
    await ready.call("PUT", "/system/server-address", json={"central_server_address": "cs2.example:8880"})
    old = await ready.call("GET", "/configuration-sources/INTERNAL/anchor")
    new = await ready.call("PUT", "/configuration-sources/INTERNAL/anchor/re-create")
    assert old["anchor"]["hash"] != new["hash"]
    response = await ready.http.get("/configuration-sources/INTERNAL/anchor/download")
    assert anchor_hash(response.content) == new["hash"]
    assert "configuration_anchor_UA-DEMO_internal_UTC_" in response.headers["content-disposition"]
    (source,) = parse_anchor(response.content).sources
    assert source.download_url == "http://cs2.example:8880/internalconf"
    url = await ready.call("GET", "/configuration-sources/EXTERNAL/download-url")
    assert url == {"url": "http://cs2.example:8880/externalconf"}
    assert (await published(running)).instance == INSTANCE


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("MONITORING", build_monitoring(None)),
        ("NEXTUPDATE", build_next_update(False)),
        ("FETCHINTERVAL", build_fetch_interval(60)),
    ],
)
async def test_an_optional_part_is_published(
    ready: AdminClient, running: CentralServices, part: str, content: bytes
) -> None:
    path = "/configuration-sources/INTERNAL/configuration-parts"
    form = {"data": {"content_identifier": part}, "files": {"file": ("part.xml", content)}}
    await ready.call("POST", path, 204, **form)
    assert await ready.call("GET", f"{path}/{part}/0/download") == content
    conf = await published(running)
    assert (conf.verify_next_update, conf.ocsp_fetch_interval_s) == (
        part != "NEXTUPDATE",
        60 if part == "FETCHINTERVAL" else 1200,
    )
    listed = {item["content_identifier"]: item for item in await ready.call("GET", path)}
    assert listed[part]["file_updated_at"] is not None
    assert (listed[part]["optional"], listed[part]["version"]) == (True, 0)


async def test_member_classes_are_kept(ready: AdminClient) -> None:
    made = await ready.call("POST", "/member-classes", 201, json={"code": "com", "description": "Commerce"})
    assert made == {"code": "COM", "description": "Commerce"}
    body = {"code": "COM", "description": "Again"}
    assert await ready.error("POST", "/member-classes", 409, json=body) == "member_class_exists"
    changed = await ready.call("PATCH", "/member-classes/COM", json={"description": "Business"})
    assert changed["description"] == "Business"
    await ready.call("DELETE", "/member-classes/COM", 204)
    assert await ready.error("DELETE", "/member-classes/GOV", 409) == "member_class_is_in_use"
    assert await ready.error("DELETE", "/member-classes/COM", 404) == "member_class_not_found"


async def test_members_are_kept(ready: AdminClient) -> None:
    await add_member(ready, "1", "First")
    assert await ready.call("GET", f"/members/{INSTANCE}:GOV:1") == {
        "member_name": "First",
        "client_id": {
            "instance_id": INSTANCE,
            "type": "MEMBER",
            "member_class": "GOV",
            "member_code": "1",
            "encoded_id": f"{INSTANCE}:GOV:1",
        },
    }
    renamed = await ready.call("PATCH", f"/members/{INSTANCE}:GOV:1", json={"member_name": "Другий"})
    assert renamed["member_name"] == "Другий"
    body = {"member_name": "x", "member_id": {"member_class": "GOV", "member_code": "1"}}
    assert await ready.error("POST", "/members", 409, json=body) == "member_exists"
    body["member_id"] = {"member_class": "NGO", "member_code": "1"}
    assert await ready.error("POST", "/members", 404, json=body) == "member_class_not_found"
    await ready.call("DELETE", f"/members/{INSTANCE}:GOV:1", 204)
    assert await ready.error("GET", f"/members/{INSTANCE}:GOV:1", 404) == "member_not_found"
    assert await ready.error("GET", f"/members/{INSTANCE}:GOV", 400) == "invalid_member_id"


async def test_subsystems_are_kept(ready: AdminClient) -> None:
    await add_subsystem(ready, "10000000", "SNAP")
    body = {"subsystem_id": {"member_class": "GOV", "member_code": "10000000", "subsystem_code": "SNAP"}}
    assert await ready.error("POST", "/subsystems", 409, json=body) == "subsystem_exists"
    await ready.call("PATCH", f"/subsystems/{MEMBER}:SNAP", json={"subsystem_name": "Counter"})
    listed = await ready.call("GET", f"/members/{MEMBER}/subsystems")
    assert [(item["subsystem_id"]["subsystem_code"], item["subsystem_name"]) for item in listed] == [
        ("MANAGEMENT", None),
        ("SNAP", "Counter"),
    ]
    await ready.call("DELETE", f"/subsystems/{MEMBER}:SNAP", 204)
    assert await ready.error("DELETE", f"/subsystems/{MEMBER}:SNAP", 404) == "subsystem_not_found"


async def test_clients_are_found_filtered_and_by_pages(ready: AdminClient) -> None:
    for number in range(3):
        await add_member(ready, f"2{number}", f"Member {number}")

    async def found(**query: Any) -> list[str]:
        page = await ready.call("GET", "/clients", params=query)
        return [item["client_id"]["encoded_id"].removeprefix(f"{INSTANCE}:GOV:") for item in page["clients"]]

    assert await found() == ["10000000", "10000000:MANAGEMENT", "20", "21", "22"]
    assert await found(client_type="MEMBER", sort="member_name", desc=True) == ["22", "21", "20", "10000000"]
    assert await found(q="member 1") == ["21"]
    assert await found(subsystem_code="manage") == ["10000000:MANAGEMENT"]
    assert await found(limit=2, offset=3) == ["21", "22"]
    page = await ready.call("GET", "/clients", params={"limit": 2, "offset": 4})
    assert page["paging_metadata"] == {"total_items": 5, "items": 1, "limit": 2, "offset": 4}
    assert await ready.error("GET", "/clients?limit=0", 400) == "invalid_pagination_properties"
    assert await ready.error("GET", "/clients?sort=secret", 400) == "invalid_sort_properties"


async def test_global_groups_are_kept(ready: AdminClient) -> None:
    body = {"code": "readers", "description": "Readers"}
    made = await ready.call("POST", "/global-groups", 201, json=body)
    assert (made["code"], made["member_count"]) == ("readers", 0)
    added = await ready.call("POST", "/global-groups/readers/members/add", 201, json={"items": [MEMBER]})
    assert added == {"items": [MEMBER]}
    found = await ready.call("POST", "/global-groups/readers/members", json={"query": "admin"})
    assert [item["name"] for item in found["items"]] == ["Administrator"]
    model = await ready.call("GET", "/global-groups/readers/members/filter-model")
    assert model == {"instances": [INSTANCE], "member_classes": ["GOV"], "codes": ["10000000"], "subsystems": []}
    joined = await ready.call("GET", f"/members/{MEMBER}/global-groups")
    assert [item["group_code"] for item in joined] == ["readers"]
    await ready.call("DELETE", f"/global-groups/readers/members/{MEMBER}", 204)
    await ready.call("DELETE", "/global-groups/readers", 204)
    code = await ready.error("DELETE", "/global-groups/security-server-owners", 400)
    assert code == "owners_global_group_cannot_be_deleted"


async def test_certification_services_are_kept(ready: AdminClient) -> None:
    der = a_certificate_der("Root")
    form: dict[str, Any] = {"files": {"certificate": ("ca", der)}, "data": {"certificate_profile_info": FIVRK}}
    made = await ready.call("POST", "/certification-services", 201, **form)
    path = f"/certification-services/{made['id']}"
    assert (made["name"], made["tls_auth"], made["default_csr_format"]) == ("Root", False, "PEM")
    assert [item["name"] for item in await ready.call("GET", "/certification-services")] == ["Root"]
    changed = await ready.call("PATCH", path, json={"tls_auth": "true", "default_csr_format": "DER"})
    assert (changed["tls_auth"], changed["default_csr_format"], changed["certificate_profile_info"]) == (
        True,
        "DER",
        FIVRK,
    )
    details = await ready.call("GET", f"{path}/certificate")
    assert details["subject_common_name"] == "Root"
    below = await ready.call("POST", f"{path}/intermediate-cas", 201, files={"certificate": a_certificate_der("B")})
    lower = f"/intermediate-cas/{below['id']}"
    url = {"url": "http://ocsp.example", "cost_type": "FREE"}
    responder = await ready.call("POST", f"{lower}/ocsp-responders", 201, data=url)
    assert responder == {"id": responder["id"], "has_certificate": False, **url}
    bad = await ready.error("POST", f"{path}/ocsp-responders", 400, data={"url": "ocsp", "cost_type": "FREE"})
    assert bad == "invalid_url"
    moved = await ready.call("PATCH", f"/ocsp-responders/{responder['id']}", data={"url": "http://b.example"})
    assert (moved["url"], moved["cost_type"]) == ("http://b.example", "FREE")
    await ready.call("DELETE", f"{lower}/ocsp-responders/{responder['id']}", 204)
    assert await ready.call("GET", f"{lower}/ocsp-responders") == []
    await ready.call("DELETE", path, 204)
    assert await ready.error("GET", path, 404) == "certification_service_not_found"
    assert await ready.error("GET", lower, 404) == "intermediate_ca_not_found"


async def test_timestamping_services_are_kept(ready: AdminClient) -> None:
    form = {
        "files": {"certificate": a_certificate_der("TSA")},
        "data": {"url": "http://tsa.example", "cost_type": "FREE"},
    }
    made = await ready.call("POST", "/timestamping-services", 201, **form)
    assert (made["url"], made["timestamping_interval"], made["certificate"]["subject_common_name"]) == (
        "http://tsa.example",
        60,
        "TSA",
    )
    path = f"/timestamping-services/{made['id']}"
    changed = await ready.call("PATCH", path, data={"url": "http://new.example"})
    assert changed["url"] == "http://new.example"
    await ready.call("DELETE", path, 204)
    assert await ready.error("GET", path, 404) == "timestamping_authority_not_found"


async def test_api_keys_are_made_listed_changed_and_deleted(ready: AdminClient) -> None:
    made = await ready.call("POST", "/api-keys", json=["XROAD_REGISTRATION_OFFICER"])
    listed = await ready.call("GET", "/api-keys")
    assert {"id": made["id"], "roles": ["XROAD_REGISTRATION_OFFICER"]} in listed
    assert all("key" not in item for item in listed)
    path = f"/api-keys/{made['id']}"
    assert (await ready.call("PUT", path, json=["XROAD_SECURITY_OFFICER"]))["roles"] == ["XROAD_SECURITY_OFFICER"]
    assert await ready.error("POST", "/api-keys", 400, json=["XROAD_KING"]) == "invalid_role"
    assert await ready.error("POST", "/api-keys", 400, json=[]) == "invalid_role"
    await ready.call("DELETE", path)
    assert await ready.error("GET", path, 404) == "api_key_not_found"


async def test_a_role_opens_its_own_doors_only(ready: AdminClient, running: CentralServices) -> None:
    made = await ready.call("POST", "/api-keys", json=["XROAD_REGISTRATION_OFFICER"])
    async with admin_client(running) as officer:
        officer.http.headers["Authorization"] = f"X-Road-ApiKey token={made['key']}"
        await officer.call("GET", f"/members/{MEMBER}")
        assert (await officer.call("GET", "/user"))["roles"] == ["XROAD_REGISTRATION_OFFICER"]
        for method, path in (
            ("GET", "/api-keys"),
            ("GET", "/certification-services"),
            ("PUT", "/configuration-sources/INTERNAL/anchor/re-create"),
            ("PUT", "/tokens/0/logout"),
            ("GET", "/timestamping-services"),
        ):
            assert await officer.error(method, path, 403) == "forbidden"


async def test_of_two_that_race_for_a_code_one_gets_it(ready: AdminClient) -> None:
    body = {"member_name": "x", "member_id": {"member_class": "GOV", "member_code": "9"}}
    answers = await asyncio.gather(*(ready.http.post("/members", json=body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]

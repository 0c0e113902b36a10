"""What bringing up an instance asks of the admin API, in the order of the reference."""

from __future__ import annotations

import httpx

from central_services.admin.central import PUBLICATION_HEADER
from central_services.main import CentralServices
from central_services.trust.services import TrustServices
from gateway.xroad.identifiers import MemberId, SecurityServerId, SubsystemId
from tests.factories.central import (
    INSTANCE,
    AdminClient,
    a_request,
    add_member,
    add_subsystem,
    admin_client,
    approve_trust,
    auth_cert_registration,
    client_request,
    issue,
)
from tests.factories.published import published

SERVER = f"{INSTANCE}:GOV:10000001:SS1"
MEMBER = MemberId(INSTANCE, "GOV", "10000001")


async def registered_server(api: AdminClient, trust: TrustServices) -> None:
    """A server SS1 of member 10000001 with one authentication certificate."""
    await approve_trust(api, trust)
    await add_member(api, "10000001")
    certificate = await issue(trust, "auth", a_request())
    made = await api.call("POST", "/management-requests", 201, json=auth_cert_registration(SERVER, certificate))
    assert made["status"] == "APPROVED"


async def test_a_registered_server_and_client_are_in_the_next_configuration(
    ready: AdminClient, running: CentralServices, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    await add_subsystem(ready, "10000001", "SNAP")
    body = client_request("REGISTRATION", SERVER, f"{INSTANCE}:GOV:10000001:SNAP")
    await ready.call("POST", "/management-requests", 201, json=body)
    conf = await published(running)
    server = SecurityServerId(MEMBER, "SS1")
    assert conf.is_client_of(SubsystemId(MEMBER, "SNAP"), server)
    assert conf.server(server).address == "127.0.2.1"


async def test_the_owner_of_a_server_joins_the_group_of_owners(ready: AdminClient, trust: TrustServices) -> None:
    await registered_server(ready, trust)
    found = await ready.call("POST", "/global-groups/security-server-owners/members", json={})
    assert [item["client_id"]["encoded_id"] for item in found["items"]] == [f"{INSTANCE}:GOV:10000001"]


async def test_deleting_a_server_withdraws_its_registrations_and_membership(
    ready: AdminClient, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    body = client_request("REGISTRATION", SERVER, f"{INSTANCE}:GOV:10000000:MANAGEMENT")
    await ready.call("POST", "/management-requests", 201, json=body)
    await ready.call("DELETE", f"/security-servers/{SERVER}", 204)
    types = [item["type"] for item in (await ready.call("GET", "/management-requests"))["items"]]
    assert types[-2:] == ["CLIENT_DELETION_REQUEST", "AUTH_CERT_DELETION_REQUEST"]
    assert (await ready.call("GET", "/global-groups/security-server-owners"))["member_count"] == 0
    assert await ready.error("GET", f"/security-servers/{SERVER}", 404) == "security_server_not_found"


async def test_the_provider_of_management_services_is_registered_without_a_signed_request(
    ready: AdminClient, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    path = "/management-services-configuration/register-provider"
    shown = await ready.call("POST", path, json={"security_server_id": SERVER})
    assert shown["security_server_id"] == SERVER
    assert shown["services_address"] == "https://127.0.0.1:4002/managementservice/manage/"
    again = await ready.error("POST", path, 400, json={"security_server_id": SERVER})
    assert again == "subsystem_already_registered_to_security_server"


async def test_a_certificate_of_an_unapproved_authority_is_not_registered(
    ready: AdminClient, trust: TrustServices
) -> None:
    await add_member(ready, "10000001")
    certificate = await issue(trust, "auth", a_request())
    code = await ready.error("POST", "/management-requests", 400, json=auth_cert_registration(SERVER, certificate))
    assert code == "management_request_invalid_auth_certificate"


async def test_a_signing_certificate_is_not_registered_for_authentication(
    ready: AdminClient, trust: TrustServices
) -> None:
    await approve_trust(ready, trust)
    await add_member(ready, "10000001")
    certificate = await issue(trust, "sign", a_request())
    code = await ready.error("POST", "/management-requests", 400, json=auth_cert_registration(SERVER, certificate))
    assert code == "management_request_invalid_auth_certificate"


async def test_the_same_certificate_is_registered_once(ready: AdminClient, trust: TrustServices) -> None:
    await approve_trust(ready, trust)
    await add_member(ready, "10000001")
    body = auth_cert_registration(SERVER, await issue(trust, "auth", a_request()))
    await ready.call("POST", "/management-requests", 201, json=body)
    code = await ready.error("POST", "/management-requests", 409, json=body)
    assert code == "management_request_security_server_exists"


async def test_a_request_of_the_management_service_waits_for_approval(
    ready: AdminClient, running: CentralServices, trust: TrustServices
) -> None:
    await approve_trust(ready, trust)
    made = await ready.call("POST", "/api-keys", json=["XROAD_MANAGEMENT_SERVICE"])
    certificate = await issue(trust, "auth", a_request())
    body = auth_cert_registration(SERVER, certificate, origin="SECURITY_SERVER")
    async with admin_client(running) as service:
        service.http.headers["Authorization"] = f"X-Road-ApiKey token={made['key']}"
        waiting = await service.call("POST", "/management-requests", 202, json=body)
        assert waiting["status"] == "WAITING"
        assert await service.error("GET", "/management-requests", 403) == "forbidden"
    approved = await ready.call("POST", f"/management-requests/{waiting['id']}/approval")
    assert approved["status"] == "APPROVED"
    assert (await ready.call("GET", f"/security-servers/{SERVER}"))["owner_name"] == "10000001"


async def test_only_the_management_service_speaks_for_a_security_server(
    ready: AdminClient, running: CentralServices, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    made = await ready.call("POST", "/api-keys", json=["XROAD_REGISTRATION_OFFICER"])
    body = client_request("REGISTRATION", SERVER, f"{INSTANCE}:GOV:10000000:MANAGEMENT", origin="SECURITY_SERVER")
    async with admin_client(running) as officer:
        officer.http.headers["Authorization"] = f"X-Road-ApiKey token={made['key']}"
        assert await officer.error("POST", "/management-requests", 403, json=body) == "forbidden"


async def test_a_disabled_client_leaves_the_configuration_and_keeps_its_registration(
    ready: AdminClient, running: CentralServices, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    await add_subsystem(ready, "10000001", "SNAP")
    client = f"{INSTANCE}:GOV:10000001:SNAP"
    await ready.call("POST", "/management-requests", 201, json=client_request("REGISTRATION", SERVER, client))
    await ready.call("POST", "/management-requests", 202, json=client_request("DISABLE", SERVER, client))
    conf = await published(running)
    assert not conf.is_client_of(SubsystemId(MEMBER, "SNAP"), SecurityServerId(MEMBER, "SS1"))
    again = await ready.error("POST", "/management-requests", 409, json=client_request("REGISTRATION", SERVER, client))
    assert again == "management_request_client_already_registered"


async def test_a_registered_subsystem_cannot_be_deleted_until_it_is_unregistered(
    ready: AdminClient, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    await add_subsystem(ready, "10000001", "SNAP")
    client = f"{INSTANCE}:GOV:10000001:SNAP"
    await ready.call("POST", "/management-requests", 201, json=client_request("REGISTRATION", SERVER, client))
    refused = await ready.error("DELETE", f"/subsystems/{client}", 400)
    assert refused == "subsystem_registered_and_cannot_be_deleted"
    await ready.call("DELETE", f"/subsystems/{client}/servers/{SERVER}", 204)
    await ready.call("DELETE", f"/subsystems/{client}", 204)


async def test_an_authentication_certificate_can_be_listed_and_deleted(
    ready: AdminClient, running: CentralServices, trust: TrustServices
) -> None:
    await registered_server(ready, trust)
    path = f"/security-servers/{SERVER}/authentication-certificates"
    (listed,) = await ready.call("GET", path)
    assert listed["key_usages"] == ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT", "DATA_ENCIPHERMENT"]
    await ready.call("DELETE", f"{path}/{listed['id']}", 204)
    assert await ready.call("GET", path) == []
    conf = await published(running)
    assert conf.server(SecurityServerId(MEMBER, "SS1")).auth_cert_hashes == frozenset()


async def test_a_change_that_cannot_be_published_says_what_is_missing(fresh_api: AdminClient) -> None:
    body = {"instance_identifier": INSTANCE, "central_server_address": "cs.example", "software_token_pin": "1234"}
    response = await fresh_api.http.post("/initialization", json=body)
    assert response.status_code == 200
    assert response.headers[PUBLICATION_HEADER].startswith("waiting; No configuration is published")


async def test_an_answer_to_a_change_comes_after_its_publication(ready: AdminClient, running: CentralServices) -> None:
    response = await ready.http.post(
        "/members", json={"member_name": "New", "member_id": {"member_class": "GOV", "member_code": "77"}}
    )
    generation = response.headers[PUBLICATION_HEADER].removeprefix("published; ")
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{running.ports.configuration}/V6/{generation}/shared-params.xml"
        assert b"<memberCode>77</memberCode>" in (await http.get(url)).content

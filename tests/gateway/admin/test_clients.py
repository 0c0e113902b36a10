from __future__ import annotations

import dataclasses

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.factories.globalconf import CLIENT, SERVER, a_key_pair, a_security_server
from tests.factories.security_server import CLIENT_ID, OWNER_ID, PROVIDER_ID, Server, a_shared

CERTIFICATES = f"/clients/{CLIENT_ID}/tls-certificates"


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def add(api: httpx.AsyncClient, code: str = "2", **more: object) -> httpx.Response:
    described = {"member_class": "GOV", "member_code": "1001", "subsystem_code": code, "connection_type": "HTTPS"}
    return await api.post("/clients", json={"client": described, **more})


async def register(server: Server) -> None:
    """The central services list the server and its subsystem."""
    here = a_security_server(SERVER, (CLIENT,))
    shared = a_shared()
    await server.publish(dataclasses.replace(shared, security_servers=(*shared.security_servers, here)))


async def test_added_client_is_saved_and_shown(api: httpx.AsyncClient) -> None:
    answer = await add(api)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": "TEST:GOV:1001:2",
        "instance_id": "TEST",
        "member_name": "Ministry",
        "member_class": "GOV",
        "member_code": "1001",
        "subsystem_code": "2",
        "owner": False,
        "connection_type": "HTTPS",
        "status": "SAVED",
    }
    assert (await api.get("/clients/TEST:GOV:1001:2")).json() == answer.json()


async def test_client_is_added_once(api: httpx.AsyncClient) -> None:
    await add(api)
    answer = await add(api)
    assert (answer.status_code, code_of(answer)) == (409, "client_already_exists")


async def test_unknown_member_is_a_warning_and_nothing_is_saved(api: httpx.AsyncClient) -> None:
    stranger = {"member_class": "GOV", "member_code": "9", "subsystem_code": "x"}
    answer = await api.post("/clients", json={"client": stranger})
    assert (answer.status_code, code_of(answer)) == (400, "warnings_detected")
    assert answer.json()["warnings"] == [{"code": "unregistered_member", "metadata": ["TEST:GOV:9"]}]
    assert (await api.get("/clients/TEST:GOV:9:x")).status_code == 404
    assert (await api.post("/clients", json={"client": stranger, "ignore_warnings": True})).status_code == 201


@pytest.mark.parametrize("code", ["a/b", "a%2Fb", "a;b", "a:b", "a\\b", "a\nb"])
async def test_code_with_a_character_that_no_identifier_has_is_refused(api: httpx.AsyncClient, code: str) -> None:
    answer = await add(api, code)
    assert (answer.status_code, code_of(answer)) == (400, "validation_failure")
    assert answer.json()["error"]["validation_errors"] == {"client.subsystem_code": ["IdentifierChars"]}


async def test_unknown_connection_type_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.patch(f"/clients/{CLIENT_ID}", json={"connection_type": "FTP"})
    assert (answer.status_code, code_of(answer)) == (400, "invalid_connection_type")


@pytest.mark.parametrize("kind", ["HTTP", "HTTPS", "HTTPS_NO_AUTH"])
async def test_connection_type_is_changed(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.patch(f"/clients/{CLIENT_ID}", json={"connection_type": kind})
    assert (answer.status_code, answer.json()["connection_type"]) == (200, kind)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_absent_client_is_not_found(api: httpx.AsyncClient, method: str) -> None:
    answer = await api.request(method, "/clients/TEST:GOV:1001:none")
    assert (answer.status_code, code_of(answer)) == (404, "client_not_found")


@pytest.mark.parametrize("id", ["x", "TEST:GOV", "TEST:GOV:1:2:3", "TEST::1001", "%00"])
async def test_id_of_another_form_is_refused(api: httpx.AsyncClient, id: str) -> None:
    answer = await api.get(f"/clients/{id}")
    assert answer.status_code in (400, 404)
    assert code_of(answer) in ("invalid_encoded_id", "client_not_found")


async def test_clients_of_others_are_listed_unless_the_search_is_internal(api: httpx.AsyncClient) -> None:
    everywhere = {client["id"] for client in (await api.get("/clients")).json()}
    here = {client["id"] for client in (await api.get("/clients", params={"internal_search": "true"})).json()}
    assert here == {OWNER_ID, CLIENT_ID}
    assert everywhere == {*here, "TEST:COM:2002", PROVIDER_ID}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"member_class": "com", "show_members": "false"}, {PROVIDER_ID}),
        ({"name": "mini"}, {OWNER_ID, CLIENT_ID}),
        ({"subsystem_code": "client"}, {CLIENT_ID}),
        ({"member_code": "2002", "exclude_local": "true"}, {"TEST:COM:2002", PROVIDER_ID}),
        ({"instance": "OTHER"}, set()),
    ],
)
async def test_clients_are_searched(api: httpx.AsyncClient, search: dict[str, str], found: set[str]) -> None:
    assert {client["id"] for client in (await api.get("/clients", params=search)).json()} == found


async def test_status_follows_the_global_configuration(server: Server, api: httpx.AsyncClient) -> None:
    await register(server)
    assert (await api.get(f"/clients/{CLIENT_ID}")).json()["status"] == "REGISTERED"
    assert (await api.get(f"/clients/{OWNER_ID}")).json()["status"] == "REGISTERED"
    await server.publish(a_shared())
    assert (await api.get(f"/clients/{CLIENT_ID}")).json()["status"] == "GLOBAL_ERROR"
    await register(server)
    assert (await api.get(f"/clients/{CLIENT_ID}")).json()["status"] == "REGISTERED"


async def test_registration_is_under_way_until_the_configuration_says_so(
    server: Server, api: httpx.AsyncClient
) -> None:
    assert (await api.put(f"/clients/{CLIENT_ID}/register")).status_code == 204
    assert (await api.get(f"/clients/{CLIENT_ID}")).json()["status"] == "REGISTRATION_IN_PROGRESS"
    await register(server)
    assert (await api.put(f"/clients/{CLIENT_ID}/register")).status_code == 409
    assert (await api.put(f"/clients/{CLIENT_ID}/unregister")).status_code == 204
    assert (await api.get(f"/clients/{CLIENT_ID}")).json()["status"] == "DELETION_IN_PROGRESS"


async def test_registered_client_is_not_deleted(server: Server, api: httpx.AsyncClient) -> None:
    await register(server)
    answer = await api.delete(f"/clients/{CLIENT_ID}")
    assert (answer.status_code, code_of(answer)) == (409, "action_not_possible")
    await api.put(f"/clients/{CLIENT_ID}/unregister")
    assert (await api.delete(f"/clients/{CLIENT_ID}")).status_code == 204
    assert (await api.get(f"/clients/{CLIENT_ID}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", "", "cannot_delete_owner"),
        ("PUT", "/register", "cannot_register_owner"),
        ("PUT", "/unregister", "cannot_unregister_owner"),
    ],
)
async def test_owner_stays(api: httpx.AsyncClient, method: str, path: str, code: str) -> None:
    answer = await api.request(method, f"/clients/{OWNER_ID}{path}")
    assert (answer.status_code, code_of(answer)) == (409, code)


@pytest.mark.parametrize("form", ["der", "pem"])
async def test_tls_certificate_is_added_shown_and_deleted(api: httpx.AsyncClient, form: str) -> None:
    pair = a_key_pair("information system")
    content = pair.der if form == "der" else pair.certificate.public_bytes(Encoding.PEM)
    answer = await api.post(CERTIFICATES, content=content, headers={"Content-Type": "application/octet-stream"})
    assert answer.status_code == 201
    details = answer.json()
    assert details["subject_common_name"] == "information system"
    assert details["hash"] == details["hash"].upper()
    assert (await api.get(CERTIFICATES)).json() == [details]
    assert (await api.get(f"{CERTIFICATES}/{details['hash']}")).json() == details
    again = await api.post(CERTIFICATES, content=content)
    assert (again.status_code, code_of(again)) == (409, "certificate_already_exists")
    assert (await api.delete(f"{CERTIFICATES}/{details['hash']}")).status_code == 204
    assert (await api.get(CERTIFICATES)).json() == []
    gone = await api.delete(f"{CERTIFICATES}/{details['hash']}")
    assert (gone.status_code, code_of(gone)) == (404, "certificate_not_found")


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
async def test_what_is_no_certificate_is_refused(api: httpx.AsyncClient, content: bytes) -> None:
    answer = await api.post(CERTIFICATES, content=content)
    assert (answer.status_code, code_of(answer)) == (400, "invalid_certificate")

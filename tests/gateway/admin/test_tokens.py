"""Tokens, keys, certificate requests and certificates, with a CA that issues what was asked for."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import pytest
from cryptography import x509

from gateway.admin import roles
from gateway.signer.model import SOFTWARE_TOKEN
from tests.factories.globalconf import CLIENT, OWNER, SERVER, a_key_pair, a_security_server
from tests.factories.security_server import CLIENT_ID, OWNER_ID, PIN, Server, a_shared, issue

SIGN = {"key_usage_type": "SIGNING", "ca_name": "Test CA", "csr_format": "DER", "member_id": OWNER_ID}
AUTH = {
    "key_usage_type": "AUTHENTICATION",
    "ca_name": "Test CA",
    "csr_format": "DER",
    "subject_field_values": {"CN": "ss1.example.org"},
}


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def request_certificate(api: httpx.AsyncClient, asked: dict[str, Any]) -> tuple[str, str, bytes]:
    """A new key and its request: the ids of both, and the request."""
    body = {"key_label": "made", "csr_generate_request": asked}
    answer = await api.post(f"/tokens/{SOFTWARE_TOKEN}/keys-with-csrs", json=body)
    assert answer.status_code == 200, answer.text
    key_id, csr_id = answer.json()["key"]["id"], answer.json()["csr_id"]
    csr = await api.get(f"/keys/{key_id}/csrs/{csr_id}", params={"csr_format": "DER"})
    assert csr.status_code == 200
    return key_id, csr_id, csr.content


async def certify(api: httpx.AsyncClient, usage: str) -> dict[str, Any]:
    """An imported certificate for signing or authentication."""
    _, _, csr = await request_certificate(api, SIGN if usage == "sign" else AUTH)
    answer = await api.post("/token-certificates", content=issue(csr, usage))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


class TestToken:
    async def test_software_token_is_shown(self, api: httpx.AsyncClient) -> None:
        (token,) = (await api.get("/tokens")).json()
        assert token == {
            "id": "0",
            "name": "softToken-0",
            "type": "SOFTWARE",
            "keys": [],
            "status": "OK",
            "logged_in": True,
            "available": True,
            "saved_to_configuration": True,
            "read_only": False,
            "possible_actions": ["LOGOUT", "GENERATE_KEY"],
        }
        assert (await api.get("/tokens/0")).json() == token

    async def test_wrong_pin_is_refused_and_the_token_stays_closed(self, api: httpx.AsyncClient) -> None:
        assert (await api.put("/tokens/0/logout")).json()["logged_in"] is False
        answer = await api.put("/tokens/0/login", json={"password": "Guess-2026"})
        assert (answer.status_code, code_of(answer)) == (400, "pin_incorrect")
        assert "Guess-2026" not in answer.text
        assert (await api.get("/tokens/0")).json()["logged_in"] is False
        closed = await api.post("/tokens/0/keys", json={"label": "x"})
        assert (closed.status_code, code_of(closed)) == (409, "token_not_active")
        assert (await api.put("/tokens/0/login", json={"password": PIN})).json()["logged_in"] is True

    async def test_pin_is_changed(self, api: httpx.AsyncClient) -> None:
        wrong = await api.put("/tokens/0/pin", json={"old_pin": "wrong", "new_pin": "Another-pin-2026"})
        assert (wrong.status_code, code_of(wrong)) == (400, "pin_incorrect")
        change = {"old_pin": PIN, "new_pin": "Another-pin-2026"}
        assert (await api.put("/tokens/0/pin", json=change)).status_code == 204
        await api.put("/tokens/0/logout")
        assert (await api.put("/tokens/0/login", json={"password": PIN})).status_code == 400
        assert (await api.put("/tokens/0/login", json={"password": "Another-pin-2026"})).status_code == 200

    async def test_token_is_renamed(self, api: httpx.AsyncClient) -> None:
        assert (await api.patch("/tokens/0", json={"name": "Сейф"})).json()["name"] == "Сейф"

    @pytest.mark.parametrize("path", ["", "/login", "/keys"])
    async def test_absent_token_is_not_found(self, api: httpx.AsyncClient, path: str) -> None:
        method = {"": "GET", "/login": "PUT", "/keys": "POST"}[path]
        answer = await api.request(method, f"/tokens/9{path}", json={"password": "x"})
        assert (answer.status_code, code_of(answer)) == (404, "token_not_found")


class TestKeys:
    @pytest.mark.parametrize("algorithm", ["EC", "RSA"])
    async def test_key_is_generated_named_and_deleted(self, api: httpx.AsyncClient, algorithm: str) -> None:
        answer = await api.post("/tokens/0/keys", json={"label": "mine", "key_algorithm": algorithm})
        assert answer.status_code == 201
        key = answer.json()
        assert (key["label"], key["key_algorithm"], key["available"]) == ("mine", algorithm, True)
        assert "usage" not in key
        assert (await api.patch(f"/keys/{key['id']}", json={"name": "ours"})).json()["name"] == "ours"
        assert (await api.get(f"/keys/{key['id']}")).json()["name"] == "ours"
        assert (await api.delete(f"/keys/{key['id']}")).status_code == 204
        gone = await api.get(f"/keys/{key['id']}")
        assert (gone.status_code, code_of(gone)) == (404, "key_not_found")

    async def test_request_names_the_member_and_fixes_the_usage_of_the_key(self, api: httpx.AsyncClient) -> None:
        key_id, csr_id, csr = await request_certificate(api, {**SIGN, "member_id": CLIENT_ID})
        assert x509.load_der_x509_csr(csr).is_signature_valid
        shown = (await api.get(f"/keys/{key_id}")).json()
        assert shown["usage"] == "SIGNING"
        assert [(one["id"], one["owner_id"]) for one in shown["certificate_signing_requests"]] == [(csr_id, OWNER_ID)]
        other = await api.post(f"/keys/{key_id}/csrs", json=AUTH)
        assert (other.status_code, code_of(other)) == (400, "wrong_cert_usage")

    async def test_second_request_of_a_key_answers_201_with_the_bytes(self, api: httpx.AsyncClient) -> None:
        key_id, _, _ = await request_certificate(api, SIGN)
        answer = await api.post(f"/keys/{key_id}/csrs", json={**SIGN, "csr_format": "PEM"})
        assert answer.status_code == 201
        assert answer.content.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")

    async def test_request_is_given_in_both_forms_and_deleted(self, api: httpx.AsyncClient) -> None:
        key_id, csr_id, der = await request_certificate(api, SIGN)
        pem = await api.get(f"/keys/{key_id}/csrs/{csr_id}", params={"csr_format": "PEM"})
        assert x509.load_pem_x509_csr(pem.content) == x509.load_der_x509_csr(der)
        odd = await api.get(f"/keys/{key_id}/csrs/{csr_id}", params={"csr_format": "P12"})
        assert (odd.status_code, code_of(odd)) == (400, "validation_failure")
        assert (await api.delete(f"/keys/{key_id}/csrs/{csr_id}")).status_code == 204
        gone = await api.get(f"/keys/{key_id}/csrs/{csr_id}")
        assert (gone.status_code, code_of(gone)) == (404, "csr_not_found")

    async def test_request_of_another_key_is_not_found(self, api: httpx.AsyncClient) -> None:
        _, csr_id, _ = await request_certificate(api, SIGN)
        key_id, _, _ = await request_certificate(api, AUTH)
        assert (await api.get(f"/keys/{key_id}/csrs/{csr_id}")).status_code == 404
        assert (await api.delete(f"/keys/{key_id}/csrs/{csr_id}")).status_code == 404

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({**SIGN, "ca_name": "Other CA"}, "certificate_authority_not_found"),
            ({**SIGN, "member_id": None}, "validation_failure"),
            ({**SIGN, "key_usage_type": "BOTH"}, "validation_failure"),
            ({**SIGN, "csr_format": "P12"}, "validation_failure"),
        ],
    )
    async def test_impossible_request_makes_no_key(
        self, api: httpx.AsyncClient, asked: dict[str, Any], code: str
    ) -> None:
        answer = await api.post("/tokens/0/keys-with-csrs", json={"key_label": "x", "csr_generate_request": asked})
        assert (answer.status_code, code_of(answer)) == (400, code)
        assert (await api.get("/tokens/0")).json()["keys"] == []

    async def test_authentication_keys_are_the_security_officers(self, server: Server, api: httpx.AsyncClient) -> None:
        certificate = await certify(api, "auth")
        hash = certificate["certificate_details"]["hash"]
        async with server.client(roles.REGISTRATION_OFFICER) as officer:
            body = {"key_label": "x", "csr_generate_request": AUTH}
            for answer in (
                await officer.post("/tokens/0/keys-with-csrs", json=body),
                await officer.put(f"/token-certificates/{hash}/activate"),
                await officer.delete(f"/token-certificates/{hash}"),
            ):
                assert (answer.status_code, code_of(answer)) == (403, "forbidden")
            assert (
                await officer.post("/tokens/0/keys-with-csrs", json={**body, "csr_generate_request": SIGN})
            ).is_success


class TestCertificates:
    async def test_signing_certificate_is_active_with_a_good_status_once_imported(
        self, server: Server, api: httpx.AsyncClient
    ) -> None:
        certificate = await certify(api, "sign")
        assert certificate["owner_id"] == OWNER_ID
        assert (certificate["status"], certificate["active"]) == ("REGISTERED", True)
        assert certificate["ocsp_status"] == "OCSP_RESPONSE_GOOD"
        assert server.signer.identity_of(OWNER)
        hash = certificate["certificate_details"]["hash"]
        assert (await api.get(f"/token-certificates/{hash}")).json() == certificate
        (of_client,) = (await api.get(f"/clients/{CLIENT_ID}/sign-certificates")).json()
        assert of_client == certificate
        (responder,) = (await api.get("/diagnostics/ocsp-responders")).json()
        assert responder["ocsp_responders"][0]["status_class"] == "OK"

    async def test_disabled_certificate_is_not_used(self, api: httpx.AsyncClient) -> None:
        hash = (await certify(api, "sign"))["certificate_details"]["hash"]
        assert (await api.put(f"/token-certificates/{hash}/disable")).status_code == 204
        shown = (await api.get(f"/token-certificates/{hash}")).json()
        assert (shown["active"], shown["ocsp_status"]) == (False, "DISABLED")
        assert (await api.put(f"/token-certificates/{hash.lower()}/activate")).status_code == 204
        assert (await api.get(f"/token-certificates/{hash}")).json()["active"] is True

    async def test_authentication_certificate_is_registered_by_the_central_services(
        self, server: Server, api: httpx.AsyncClient
    ) -> None:
        certificate = await certify(api, "auth")
        assert (certificate["status"], certificate["active"], certificate["owner_id"]) == ("SAVED", False, "")
        path = f"/token-certificates/{certificate['certificate_details']['hash']}"
        assert (await api.put(f"{path}/register", json={"address": "127.0.2.1"})).status_code == 204
        assert (await api.get(path)).json()["status"] == "REGISTRATION_IN_PROGRESS"

        (key,) = [key for token in server.deps.keyring.tokens() for key in token.keys if key.certificates]
        here = a_security_server(SERVER, (CLIENT,), auth_certificates=(key.certificates[0].der,))
        shared = a_shared()
        await server.publish(dataclasses.replace(shared, security_servers=(*shared.security_servers, here)))
        assert (await api.get(path)).json()["status"] == "REGISTERED"
        again = await api.put(f"{path}/register", json={"address": "127.0.2.1"})
        assert (again.status_code, code_of(again)) == (409, "action_not_possible")
        kept = await api.delete(path)
        assert (kept.status_code, code_of(kept)) == (409, "action_not_possible")

        await server.publish(shared)
        assert (await api.get(path)).json()["status"] == "GLOBAL_ERROR"
        assert (await api.delete(path)).status_code == 204

    async def test_registration_that_was_given_up_can_be_deleted(self, api: httpx.AsyncClient) -> None:
        path = f"/token-certificates/{(await certify(api, 'auth'))['certificate_details']['hash']}"
        assert (await api.put(f"{path}/unregister")).status_code == 409
        await api.put(f"{path}/register", json={"address": "127.0.2.1"})
        assert (await api.put(f"{path}/unregister")).status_code == 204
        assert (await api.get(path)).json()["status"] == "DELETION_IN_PROGRESS"
        assert (await api.delete(path)).status_code == 204

    async def test_nobody_registers_a_signing_certificate(self, api: httpx.AsyncClient) -> None:
        hash = (await certify(api, "sign"))["certificate_details"]["hash"]
        answer = await api.put(f"/token-certificates/{hash}/register", json={"address": "127.0.2.1"})
        assert (answer.status_code, code_of(answer)) == (409, "action_not_possible")

    async def test_address_is_needed(self, api: httpx.AsyncClient) -> None:
        hash = (await certify(api, "auth"))["certificate_details"]["hash"]
        answer = await api.put(f"/token-certificates/{hash}/register", json={"address": " "})
        assert (answer.status_code, code_of(answer)) == (400, "invalid_address_char")

    async def test_same_certificate_is_imported_once(self, api: httpx.AsyncClient) -> None:
        _, _, csr = await request_certificate(api, SIGN)
        certificate = issue(csr, "sign")
        assert (await api.post("/token-certificates", content=certificate)).status_code == 201
        again = await api.post("/token-certificates", content=certificate)
        assert (again.status_code, code_of(again)) == (409, "cert_exists")

    @pytest.mark.parametrize("content", [b"", b"rubbish", b"\x30\x03\x02\x01\x01"])
    async def test_what_is_no_certificate_is_refused(self, api: httpx.AsyncClient, content: bytes) -> None:
        answer = await api.post("/token-certificates", content=content)
        assert answer.status_code == 400

    async def test_certificate_of_an_unapproved_ca_is_refused(self, api: httpx.AsyncClient) -> None:
        answer = await api.post("/token-certificates", content=a_key_pair("stranger").der)
        assert answer.status_code == 400

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_absent_certificate_is_not_found(self, api: httpx.AsyncClient, method: str) -> None:
        answer = await api.request(method, f"/token-certificates/{'AB' * 32}")
        assert (answer.status_code, code_of(answer)) == (404, "cert_not_found")

    async def test_import_waits_for_a_configuration(self, server: Server, api: httpx.AsyncClient) -> None:
        _, _, csr = await request_certificate(api, SIGN)
        server.clock.advance(hours=2)
        answer = await api.post("/token-certificates", content=issue(csr, "sign"))
        assert (answer.status_code, code_of(answer)) == (409, "global_conf_outdated")

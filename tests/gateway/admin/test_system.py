from __future__ import annotations

import io
import tarfile

import httpx
import pytest

from tests.factories.globalconf import a_key_pair, a_source
from tests.factories.security_server import PIN, Server, a_published

INITIAL = {
    "owner_member_class": "GOV",
    "owner_member_code": "1001",
    "security_server_code": "SS1",
    "software_token_pin": PIN,
}


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def anchored(api: httpx.AsyncClient) -> None:
    assert (await api.post("/system/anchor", content=a_published().anchor_xml())).status_code == 201


class TestAnchor:
    async def test_new_anchor_is_taken_and_its_configuration_used_at_once(
        self, server: Server, fresh: httpx.AsyncClient
    ) -> None:
        answer = await fresh.post("/system/anchor", content=a_published().anchor_xml())
        assert answer.status_code == 201
        assert set(answer.json()) == {"hash", "created_at"}
        assert len(answer.json()["hash"].replace(":", "")) == 56  # SHA-224
        assert server.deps.configuration_provider.current().instance == "TEST"
        assert (await fresh.get("/system/anchor")).json() == answer.json()

    async def test_absent_anchor_is_not_found(self, fresh: httpx.AsyncClient) -> None:
        answer = await fresh.get("/system/anchor")
        assert (answer.status_code, code_of(answer)) == (404, "anchor_file_not_found")
        assert (await fresh.get("/system/anchor/download")).status_code == 404

    async def test_second_anchor_must_replace(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        answer = await fresh.post("/system/anchor", content=a_published().anchor_xml())
        assert answer.status_code == 409
        assert (await fresh.put("/system/anchor", content=a_published().anchor_xml())).status_code == 201

    async def test_anchor_of_another_instance_does_not_replace(self, server: Server, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        other = a_source(instance="OTHER", base_url="http://other.test")
        server.web.publish(other)
        answer = await fresh.put("/system/anchor", content=other.anchor_xml())
        assert answer.status_code == 400
        assert (await fresh.get("/system/anchor/download")).content == a_published().anchor_xml()

    @pytest.mark.parametrize("content", [b"", b"<anchor/>", b"\x00\xff", b"<!DOCTYPE x><x/>"])
    async def test_what_is_no_anchor_is_malformed(self, fresh: httpx.AsyncClient, content: bytes) -> None:
        answer = await fresh.post("/system/anchor", content=content)
        assert (answer.status_code, code_of(answer)) == (400, "malformed_anchor")

    async def test_anchor_whose_source_is_silent_is_not_kept(self, server: Server, fresh: httpx.AsyncClient) -> None:
        server.web.dead = ("http://",)
        answer = await fresh.post("/system/anchor", content=a_published().anchor_xml())
        assert answer.status_code == 400
        assert code_of(answer).startswith("conf_")
        assert (await fresh.get("/system/anchor")).status_code == 404

    async def test_anchor_with_another_key_is_not_kept(self, fresh: httpx.AsyncClient) -> None:
        forged = a_source(anchor_certificates=(a_key_pair("attacker").der,))
        answer = await fresh.post("/system/anchor", content=forged.anchor_xml())
        assert (answer.status_code, code_of(answer)) == (400, "conf_verification.signature_invalid")

    async def test_preview_changes_nothing(self, fresh: httpx.AsyncClient) -> None:
        answer = await fresh.post("/system/anchor/previews", content=a_published().anchor_xml())
        assert answer.status_code == 201
        assert set(answer.json()) == {"hash", "created_at"}
        assert (await fresh.get("/system/anchor")).status_code == 404

    async def test_download_gives_the_bytes_that_came(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        answer = await fresh.get("/system/anchor/download")
        assert answer.content == a_published().anchor_xml()
        assert "configuration_anchor_TEST_internal" in answer.headers["content-disposition"]

    async def test_refresh_says_when_the_source_is_silent(self, server: Server, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        assert (await fresh.put("/system/configuration/refresh")).status_code == 204
        server.web.dead = ("http://",)
        answer = await fresh.put("/system/configuration/refresh")
        assert (answer.status_code, code_of(answer)) == (500, "conf_download_failed")
        diagnosed = (await fresh.get("/diagnostics/globalconf")).json()
        assert diagnosed["status_class"] == "FAIL"
        assert diagnosed["last_successful_url"] == "http://central.test/internalconf"


class TestInitialization:
    async def test_status_grows(self, fresh: httpx.AsyncClient) -> None:
        assert (await fresh.get("/initialization/status")).json() == {
            "is_anchor_imported": False,
            "is_server_code_initialized": False,
            "is_server_owner_initialized": False,
            "software_token_init_status": "NOT_INITIALIZED",
            "enforce_token_pin_policy": False,
        }
        await anchored(fresh)
        answer = await fresh.post("/initialization", json=INITIAL)
        assert answer.status_code == 201
        status = (await fresh.get("/initialization/status")).json()
        assert status["is_server_code_initialized"]
        assert status["software_token_init_status"] == "INITIALIZED"

    async def test_initialised_token_can_be_used_without_login(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        await fresh.post("/initialization", json=INITIAL)
        assert (await fresh.post("/tokens/0/keys", json={"label": "sign"})).status_code == 201

    async def test_owner_is_the_first_client(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        await fresh.post("/initialization", json=INITIAL)
        (owner,) = (await fresh.get("/clients", params={"internal_search": "true"})).json()
        assert owner == {
            "id": "TEST:GOV:1001",
            "instance_id": "TEST",
            "member_name": "Ministry",
            "member_class": "GOV",
            "member_code": "1001",
            "owner": True,
            "connection_type": "HTTPS",
            "status": "SAVED",
        }
        assert (await fresh.get("/security-servers", params={"current_server": "true"})).json()[0]["id"] == (
            "TEST:GOV:1001:SS1"
        )

    async def test_without_configuration_there_is_nothing_to_begin_with(self, fresh: httpx.AsyncClient) -> None:
        answer = await fresh.post("/initialization", json=INITIAL)
        assert (answer.status_code, code_of(answer)) == (409, "global_conf_outdated")

    async def test_second_initialisation_is_refused(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        await fresh.post("/initialization", json=INITIAL)
        answer = await fresh.post("/initialization", json=INITIAL)
        assert (answer.status_code, code_of(answer)) == (409, "server_already_fully_initialized")

    async def test_unknown_owner_is_a_warning_and_nothing_is_saved(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        unknown = {**INITIAL, "owner_member_code": "9009"}
        answer = await fresh.post("/initialization", json=unknown)
        assert (answer.status_code, code_of(answer)) == (400, "warnings_detected")
        assert answer.json()["warnings"] == [{"code": "init_unregistered_member", "metadata": ["TEST:GOV:9009"]}]
        assert not (await fresh.get("/initialization/status")).json()["is_server_code_initialized"]
        assert (await fresh.get("/tokens/0")).json()["status"] == "NOT_INITIALIZED"
        assert (await fresh.post("/initialization", json={**unknown, "ignore_warnings": True})).status_code == 201

    async def test_existing_server_is_a_warning(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        taken = {**INITIAL, "owner_member_class": "COM", "owner_member_code": "2002", "security_server_code": "SS2"}
        answer = await fresh.post("/initialization", json=taken)
        assert [warning["code"] for warning in answer.json()["warnings"]] == ["init_server_id_exists"]

    @pytest.mark.parametrize("field", ["owner_member_class", "owner_member_code", "security_server_code"])
    @pytest.mark.parametrize("value", ["", "a/b", "a:b", "a%b", "\x00"])
    async def test_bad_identifier_is_named(self, fresh: httpx.AsyncClient, field: str, value: str) -> None:
        await anchored(fresh)
        answer = await fresh.post("/initialization", json={**INITIAL, field: value})
        assert (answer.status_code, code_of(answer)) == (400, "validation_failure")
        assert field in answer.json()["error"]["validation_errors"]

    async def test_pin_is_needed(self, fresh: httpx.AsyncClient) -> None:
        await anchored(fresh)
        answer = await fresh.post("/initialization", json={**INITIAL, "software_token_pin": ""})
        assert (answer.status_code, code_of(answer)) == (400, "invalid_init_params")


APPROVED = {"name": "Test TSA", "url": "http://tsa.test:8899", "cost_type": "UNDEFINED"}


class TestTimestamping:
    async def test_approved_service_is_chosen_and_records_are_stamped_soon(
        self, server: Server, api: httpx.AsyncClient
    ) -> None:
        assert (await api.get("/timestamping-services")).json() == [APPROVED]
        assert (await api.get("/system/timestamping-services")).json() == []
        answer = await api.post("/system/timestamping-services", json=APPROVED)
        assert (answer.status_code, answer.json()) == (201, APPROVED)
        assert (await api.get("/system/timestamping-services")).json() == [APPROVED]
        assert server.stamped

    async def test_name_and_url_must_both_be_those_of_an_approved_one(self, api: httpx.AsyncClient) -> None:
        for wrong in ({"name": "Other"}, {"url": "http://other.test"}):
            answer = await api.post("/system/timestamping-services", json={**APPROVED, **wrong})
            assert (answer.status_code, code_of(answer)) == (404, "timestamping_service_not_found")

    async def test_same_service_is_chosen_once(self, api: httpx.AsyncClient) -> None:
        await api.post("/system/timestamping-services", json=APPROVED)
        answer = await api.post("/system/timestamping-services", json=APPROVED)
        assert (answer.status_code, code_of(answer)) == (409, "timestamping_service_already_configured")

    async def test_chosen_service_is_given_up(self, api: httpx.AsyncClient) -> None:
        await api.post("/system/timestamping-services", json=APPROVED)
        assert (await api.post("/system/timestamping-services/delete", json=APPROVED)).status_code == 204
        assert (await api.get("/system/timestamping-services")).json() == []
        assert (await api.post("/system/timestamping-services/delete", json=APPROVED)).status_code == 404


class TestLookups:
    async def test_approved_authorities_are_shown(self, api: httpx.AsyncClient) -> None:
        (authority,) = (await api.get("/certificate-authorities")).json()
        assert authority["name"] == "Test CA"
        assert authority["top_ca"] is True
        assert authority["certificate_profile_info"].endswith("FiVRKCertificateProfileInfoProvider")
        assert {"subject_distinguished_name", "issuer_distinguished_name", "ocsp_response", "not_after", "path",
                "authentication_only"} <= set(authority)  # fmt: skip

    async def test_internal_certificate_is_shown_and_exported(self, api: httpx.AsyncClient) -> None:
        shown = (await api.get("/system/certificate")).json()
        assert shown["subject_common_name"] == "internal"
        exported = await api.get("/system/certificate/export")
        with tarfile.open(fileobj=io.BytesIO(exported.content), mode="r:gz") as archive:
            assert sorted(archive.getnames()) == ["cert.cer", "cert.pem"]
            der = archive.extractfile("cert.cer")
            assert der is not None
            assert der.read() == a_key_pair("internal").der

    async def test_configuration_in_use_is_diagnosed(self, api: httpx.AsyncClient) -> None:
        status = (await api.get("/diagnostics/globalconf")).json()
        assert status == {
            "status_class": "OK",
            "prev_update_at": "2026-11-21T12:00:00.000Z",
            "next_update_at": "2026-11-21T12:01:00.000Z",
            "last_successful_url": "http://central.test/internalconf",
        }

    async def test_server_without_anchor_waits(self, fresh: httpx.AsyncClient) -> None:
        assert (await fresh.get("/diagnostics/globalconf")).json()["status_class"] == "WAITING"
        for path in ("certificate-authorities", "timestamping-services", "security-servers", "xroad-instances",
                     "member-classes", "clients", "diagnostics/ocsp-responders"):  # fmt: skip
            answer = await fresh.get(f"/{path}")
            assert (answer.status_code, answer.json()) == (200, [])

    async def test_version_and_node_are_told(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/system/version")).json()["info"].startswith("Surma ")
        assert (await api.get("/system/node-type")).json() == {"node_type": "STANDALONE"}

    async def test_instances_classes_and_names_come_from_the_configuration(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/xroad-instances")).json() == [{"identifier": "TEST", "local": True}]
        assert (await api.get("/member-classes")).json() == ["GOV", "COM"]
        assert (await api.get("/member-classes/TEST")).json() == ["GOV", "COM"]
        assert (await api.get("/member-classes/NONE")).status_code == 404
        names = {"member_class": "COM", "member_code": "2002"}
        assert (await api.get("/member-names", params=names)).json() == {"member_name": "Company"}
        assert (await api.get("/member-names", params={**names, "member_code": "1"})).status_code == 404

    async def test_other_servers_are_looked_up(self, api: httpx.AsyncClient) -> None:
        shown = (await api.get("/security-servers/TEST:COM:2002:SS2")).json()
        assert shown == {
            "id": "TEST:COM:2002:SS2",
            "instance_id": "TEST",
            "member_class": "COM",
            "member_code": "2002",
            "server_code": "SS2",
            "server_address": "127.0.3.1",
        }
        assert [one["id"] for one in (await api.get("/clients/TEST:COM:2002:service/security-servers")).json()] == [
            "TEST:COM:2002:SS2"
        ]
        assert (await api.get("/security-servers/TEST:COM:2002:SS9")).status_code == 404
        assert (await api.get("/security-servers/TEST:COM")).status_code == 400

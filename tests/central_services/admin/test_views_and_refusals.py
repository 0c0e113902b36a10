"""Requests that change nothing: refusals and views, asked of one server for all of them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from central_services.main import CentralServices
from central_services.state import StateDirectory
from tests.factories.central import INSTANCE, PIN, AdminClient, admin_client, central_settings
from tests.factories.published import published
from tests.factories.registered import a_certificate_der

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMBER = f"{INSTANCE}:GOV:10000000"
INITIAL = {"instance_identifier": INSTANCE, "central_server_address": "cs.example", "software_token_pin": PIN}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def central(initialised_state: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CentralServices]:
    """One server that publishes."""
    root = shutil.copytree(initialised_state, tmp_path_factory.mktemp("views") / "central", symlinks=True)
    settings = central_settings(token_pin_file=str(root / "pin"))
    async with CentralServices(settings, StateDirectory(root)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(central: CentralServices) -> AsyncIterator[AdminClient]:
    """Its admin API."""
    async with admin_client(central) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fresh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AdminClient]:
    """The admin API of a server that nobody has initialised."""
    state = StateDirectory(tmp_path_factory.mktemp("views") / "fresh")
    async with CentralServices(central_settings(), state) as running, admin_client(running) as client:
        yield client


@pytest.mark.parametrize(
    "changed",
    [
        {"instance_identifier": "UA:DEMO"},
        {"instance_identifier": ""},
        {"central_server_address": "http://cs"},
        {"software_token_pin": ""},
        {"software_token_pin": None},
    ],
)
async def test_initialisation_with_bad_values_saves_nothing(fresh: AdminClient, changed: dict[str, Any]) -> None:
    code = await fresh.error("POST", "/initialization", 400, json={**INITIAL, **changed})
    assert code == "validation_failure"
    assert (await fresh.call("GET", "/initialization/status"))["instance_identifier"] == ""


@pytest.mark.parametrize(
    ("part", "content", "status", "code"),
    [
        ("FETCHINTERVAL", b"<conf/>", 400, "configuration_part_validation_failed"),
        ("MONITORING", b"", 400, "configuration_part_validation_failed"),
        ("SHARED-PARAMETERS", b"<conf/>", 404, "unknown_configuration_part"),
    ],
)
async def test_a_bad_part_is_refused(api: AdminClient, part: str, content: bytes, status: int, code: str) -> None:
    form = {"data": {"content_identifier": part}, "files": {"file": ("part.xml", content)}}
    path = "/configuration-sources/INTERNAL/configuration-parts"
    assert await api.error("POST", path, status, **form) == code


@pytest.mark.parametrize("code", ["a:b", "a/b", "a%b", "a b", "", "x" * 256, "Ї"])
async def test_a_member_code_keeps_to_the_alphabet(api: AdminClient, code: str) -> None:
    body = {"member_name": "x", "member_id": {"member_class": "GOV", "member_code": code}}
    answer = await api.call("POST", "/members", 400, json=body)
    assert list(answer["error"]["validation_errors"]) == ["memberAdd.memberId.memberCode"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"type": "NONSENSE"}, "validation_failure"),
        ({"client_id": None}, "validation_failure"),
        ({"client_id": "a:b"}, "invalid_encoded_id"),
        ({"security_server_id": f"{INSTANCE}:GOV:1"}, "invalid_encoded_id"),
        ({"origin": "MARS"}, "validation_failure"),
        ({"client_id": f"EE:GOV:{'1'}:X"}, "management_request_member_not_found"),
    ],
)
async def test_a_bad_management_request_is_refused(api: AdminClient, changed: dict[str, Any], code: str) -> None:
    body = {
        "type": "CLIENT_REGISTRATION_REQUEST",
        "origin": "CENTER",
        "security_server_id": f"{MEMBER}:SS1",
        "client_id": f"{MEMBER}:MANAGEMENT",
    }
    assert await api.error("POST", "/management-requests", 400, json={**body, **changed}) == code
    assert (await api.call("GET", "/management-requests"))["items"] == []


async def test_a_kind_of_source_nobody_knows_is_refused(api: AdminClient) -> None:
    assert await api.error("GET", "/configuration-sources/LOCAL/anchor", 400) == "invalid_parameters"


async def test_an_unknown_profile_is_refused_loudly(api: AdminClient) -> None:
    form = {"files": {"certificate": a_certificate_der("x")}, "data": {"certificate_profile_info": "my.Profile"}}
    code = await api.error("POST", "/certification-services", 400, **form)
    assert code == "certificate_profile_info_class_not_found"


async def test_the_provider_must_be_a_subsystem_that_is_there(api: AdminClient) -> None:
    path = "/management-services-configuration"
    unknown = {"service_provider_id": f"{MEMBER}:NOBODY"}
    assert await api.error("PATCH", path, 404, json=unknown) == "subsystem_not_found"
    assert await api.error("PATCH", path, 400, json={"service_provider_id": MEMBER}) == "invalid_subsystem_id"
    shown = await api.call("GET", path)
    assert (shown["service_provider_id"], shown["service_provider_name"]) == (f"{MEMBER}:MANAGEMENT", "Administrator")


async def test_published_parts_can_be_downloaded(api: AdminClient) -> None:
    path = "/configuration-sources/INTERNAL/configuration-parts/SHARED-PARAMETERS"
    assert b"<instanceIdentifier>UA-DEMO</instanceIdentifier>" in await api.call("GET", f"{path}/2/download")
    assert await api.error("GET", f"{path}/9/download", 404) == "configuration_part_file_not_found"


async def test_the_version_and_the_description_are_told(api: AdminClient) -> None:
    assert (await api.call("GET", "/system/version"))["info"]
    assert b"/api/v1/management-requests" in await api.call("GET", "/openapi.yaml")


async def test_the_management_certificate_is_the_one_that_is_published(
    api: AdminClient, central: CentralServices
) -> None:
    pem = await api.call("GET", "/management-services-configuration/download-certificate")
    conf = await published(central)
    assert conf.private is not None
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert conf.private.management_service.auth_cert_registration_certificate == der

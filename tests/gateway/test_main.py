"""A whole security server in this process, on ports that the system gives: real TLS, real stores."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli import build_app
from gateway.main import Gateway
from gateway.runtime.private_files import write_private
from gateway.settings import (
    AdminSettings,
    ConsumerSettings,
    FaultSettings,
    GatewaySettings,
    ProviderSettings,
    SignerSettings,
)
from tests.factories.security_server import PIN

SETTINGS = GatewaySettings(
    address="127.0.0.1",
    consumer=ConsumerSettings(http_port=0, https_port=0),
    provider=ProviderSettings(port=0, ocsp_port=0),
    admin=AdminSettings(port=0),
)
Start = Callable[..., AbstractAsyncContextManager[Gateway]]
CALL = {"X-Road-Client": "TEST/GOV/1001/client"}
TARGET = "/r1/TEST/COM/2002/service/api"


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a server on the state directory of this test; it can be done again."""

    @asynccontextmanager
    async def started(settings: GatewaySettings = SETTINGS) -> AsyncIterator[Gateway]:
        gateway = Gateway(tmp_path / "state", settings)
        try:
            await gateway.start()
            yield gateway
        finally:
            await gateway.stop()

    return started


def admin_of(gateway: Gateway) -> httpx.AsyncClient:
    """Its admin API by real TLS, trusting its own certificate alone."""
    context = ssl.create_default_context(cafile=str(gateway.paths.tls / "admin.crt"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{gateway.admin.port}", verify=context, trust_env=False)


async def test_admin_api_speaks_tls_and_takes_the_first_key(start: Start) -> None:
    async with start() as gateway, admin_of(gateway) as admin:
        assert (await admin.get("/api/v1/system/version")).status_code == 401
        key = gateway.paths.api_key.read_text().strip()
        header = {"Authorization": f"X-Road-ApiKey token={key}"}
        assert (await admin.get("/api/v1/system/version", headers=header)).status_code == 200
        status = (await admin.get("/api/v1/initialization/status", headers=header)).json()
        assert status["is_anchor_imported"] is False


async def test_admin_port_speaks_nothing_but_tls(start: Start) -> None:
    async with start() as gateway, httpx.AsyncClient(trust_env=False) as plain:
        with pytest.raises(httpx.HTTPError):
            await plain.get(f"http://127.0.0.1:{gateway.admin.port}/")


async def test_server_without_configuration_refuses_calls_and_says_why(start: Start) -> None:
    async with start() as gateway, httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{gateway.http_port.port}"
        rest = await http.get(base + TARGET, headers=CALL)
        assert rest.status_code == 500
        assert rest.headers["x-road-error"] == rest.json()["type"] == "server.clientproxy.global_conf_outdated"
        soap = await http.post(f"{base}/", content=b"<x/>", headers={"Content-Type": "text/xml"})
        assert soap.status_code == 200
        assert "<faultcode>server.clientproxy.global_conf_outdated</faultcode>" in soap.text
        assert (await http.get(f"{base}/verificationconf")).status_code == 500


async def test_faults_are_spelled_and_worded_as_set(start: Start) -> None:
    settings = dataclasses.replace(SETTINGS, faults=FaultSettings(spelling="CamelCase", language="uk"))
    async with start(settings) as gateway, httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{gateway.http_port.port}"
        answer = await http.get(base + TARGET, headers=CALL)
        assert answer.json()["type"] == "Server.ClientProxy.OutdatedGlobalConf"
        assert not answer.json()["message"].isascii()
        asked = await http.get(base + TARGET, headers={**CALL, "Accept-Language": "en"})
        assert asked.json()["message"].isascii()


async def test_without_a_certificate_the_message_port_stays_closed(start: Start) -> None:
    async with start() as gateway:
        assert gateway.tls.peer_server is None
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.get(f"http://127.0.0.1:{gateway.ocsp_port.port}/?cert={'0' * 40}")
        assert answer.status_code == 500


async def test_information_systems_get_the_internal_certificate(start: Start) -> None:
    async with start() as gateway:
        context = ssl.create_default_context(cafile=str(gateway.paths.tls / "internal.crt"))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        async with httpx.AsyncClient(verify=context, trust_env=False) as http:
            answer = await http.get(f"https://127.0.0.1:{gateway.https_port.port}{TARGET}", headers=CALL)
        assert answer.headers["x-road-error"] == "server.clientproxy.global_conf_outdated"


@pytest.mark.parametrize(("mode", "logged_in"), [(0o600, True), (0o644, False)])
async def test_pin_in_a_private_file_opens_the_token_at_start(
    start: Start, tmp_path: Path, mode: int, logged_in: bool
) -> None:
    async with start() as gateway:
        gateway.keyring.initialise(PIN)
    pin_file = tmp_path / "pin"
    pin_file.write_text(PIN + "\n")
    pin_file.chmod(mode)
    settings = dataclasses.replace(SETTINGS, signer=SignerSettings(pin_file=pin_file))
    async with start(settings) as gateway:
        assert gateway.keystore.is_logged_in is logged_in


async def test_wrong_pin_leaves_the_server_running(start: Start, tmp_path: Path) -> None:
    async with start() as gateway:
        gateway.keyring.initialise(PIN)
    pin_file = tmp_path / "pin"
    pin_file.touch(0o600)
    pin_file.write_text("Wrong-pin-2026\n")
    settings = dataclasses.replace(SETTINGS, signer=SignerSettings(pin_file=pin_file))
    async with start(settings) as gateway, admin_of(gateway) as admin:
        assert not gateway.keystore.is_logged_in
        assert (await admin.get("/")).status_code == 200


async def test_state_survives_a_restart_and_the_key_stays(start: Start) -> None:
    async with start() as gateway:
        key = gateway.paths.api_key.read_text()
        certificate = (gateway.paths.tls / "admin.crt").read_bytes()
    async with start() as gateway:
        assert gateway.paths.api_key.read_text() == key
        assert (gateway.paths.tls / "admin.crt").read_bytes() == certificate


async def test_stopped_server_leaves_no_spool_behind(start: Start) -> None:
    async with start() as gateway:
        assert any(gateway.paths.spool.iterdir())
    assert list(gateway.paths.spool.iterdir()) == []


async def test_user_made_beside_a_running_server_signs_in_at_once(start: Start, tmp_path: Path) -> None:
    password = tmp_path / "password"
    write_private(password, "потяг до Ковеля о шостій")
    async with start() as gateway, admin_of(gateway) as browser:
        add = ["gateway", "user", "add", "olena", "--role", "AUDITOR", "--password-file", str(password)]
        made = await asyncio.to_thread(CliRunner().invoke, build_app(), [*add, "--state", str(gateway.paths.root)])
        assert made.exit_code == 0, made.output
        token = re.search(r'name="csrf_token" value="(\w+)"', (await browser.get("/login")).text)
        assert token is not None
        fields = {"csrf_token": token[1], "name": "olena", "password": "потяг до Ковеля о шостій"}
        assert (await browser.post("/login", data=fields)).status_code == 303
        assert (await browser.get("/audit")).status_code == 200
    events = [event["event"] for event in gateway.trail.read()[::-1]]
    assert events[:3] == ["Watch files", "Add user", "Log in user"]


async def test_file_that_was_edited_while_the_server_was_down_is_on_record(start: Start) -> None:
    async with start() as gateway:
        edited = gateway.paths.tls / "internal.crt"
    edited.write_bytes(edited.read_bytes() + b"\n")
    async with start() as gateway:
        event = gateway.trail.read(limit=1)[0]
    assert (event["event"], event["data"]["file"]) == ("Edit file outside of the server", str(edited))

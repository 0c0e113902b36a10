"""The central server as a whole: real TLS, restart, PIN from a file, refresh by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import ssl

import httpx
import pytest

from central_services.main import PIN_CREDENTIAL, CentralServices, pin_file_of
from central_services.settings import CentralSettings, ConfigurationSettings
from central_services.state import StateDirectory
from gateway.xroad.identifiers import MemberId
from tests.factories.central import AdminClient, add_member, admin_client, central_settings, initialise
from tests.factories.published import anchor_of, published


async def test_a_restart_publishes_at_once_and_needs_no_hands(state: StateDirectory, settings: CentralSettings) -> None:
    async with CentralServices(settings, state) as running:
        first = running.publisher.last
        async with admin_client(running) as api:
            await add_member(api, "555", "Kept")
        anchor = await anchor_of(running)
    async with CentralServices(settings, state) as running:
        again = running.publisher.last
        conf = await published(running, anchor=anchor)
    assert first is not None
    assert again is not None
    assert again.name > first.name
    assert conf.member_name(MemberId("UA-DEMO", "GOV", "555")) == "Kept"


async def test_without_a_pin_the_last_configuration_is_still_served(state: StateDirectory) -> None:
    async with CentralServices(central_settings(), state) as running:
        assert not running.token.logged_in
        await published(running)
        async with admin_client(running) as api:
            token = await api.call("PUT", "/tokens/0/login", json={"password": "Secret-Pin-1"})
        assert token["logged_in"]
        assert running.publisher.last is not None


async def test_a_pin_file_that_others_can_read_is_not_used(
    state: StateDirectory, settings: CentralSettings, caplog: pytest.LogCaptureFixture
) -> None:
    (state.root / "pin").chmod(0o644)
    async with CentralServices(settings, state) as running:
        assert not running.token.logged_in
    assert "it must be 0600" in caplog.text


async def test_a_wrong_pin_in_the_file_is_said_and_nothing_breaks(
    state: StateDirectory, settings: CentralSettings, caplog: pytest.LogCaptureFixture
) -> None:
    (state.root / "pin").write_text("wrong\n")
    async with CentralServices(settings, state) as running:
        assert not running.token.logged_in
    assert "pin_incorrect" in caplog.text


def test_systemd_may_hold_the_pin(state: StateDirectory) -> None:
    credential = state.root / PIN_CREDENTIAL
    credential.write_text("x")
    assert pin_file_of(central_settings(), {"CREDENTIALS_DIRECTORY": str(state.root)}) == credential
    assert pin_file_of(central_settings(), {"CREDENTIALS_DIRECTORY": "/nowhere"}) is None
    assert pin_file_of(central_settings(token_pin_file="/pin"), {}).name == "pin"  # type: ignore[union-attr]


async def test_the_configuration_is_made_anew_without_any_change(
    state: StateDirectory, settings: CentralSettings
) -> None:
    quick = dataclasses.replace(settings.configuration, refresh_interval_s=0.05)
    async with CentralServices(dataclasses.replace(settings, configuration=quick), state) as running:
        first = running.publisher.last
        async with asyncio.timeout(10):
            while running.publisher.last == first:
                await asyncio.sleep(0.02)


async def test_what_is_missing_is_said_once_and_not_every_minute(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    quick = ConfigurationSettings("127.0.0.1", 0, refresh_interval_s=0.01)
    state = StateDirectory(tmp_path_factory.mktemp("fresh"))
    async with CentralServices(central_settings(configuration=quick), state):
        await asyncio.sleep(0.2)
    assert caplog.text.count("has not been initialised") == 1


async def test_the_admin_port_speaks_tls_only(running: CentralServices) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.TransportError):
            await http.get(f"http://127.0.0.1:{running.ports.admin}/")


async def test_the_admin_certificate_is_the_one_made_at_initialisation(running: CentralServices) -> None:
    context = ssl.create_default_context(cafile=str(running.state.tls / "admin.crt"))
    async with httpx.AsyncClient(verify=context) as http:
        page = await http.get(f"https://127.0.0.1:{running.ports.admin}/")
    assert page.status_code == 200


async def test_without_a_key_nothing_is_served(running: CentralServices) -> None:
    async with admin_client(running) as api:
        for headers in ({"Authorization": ""}, {"Authorization": "X-Road-ApiKey token=nobody"}):
            for path in ("/clients", "/initialization/status", "/openapi.yaml", "/nothing"):
                response = await api.http.get(path, headers=headers)
                assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")


async def test_the_configuration_is_served_over_tls_as_well_when_wanted(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    both = ConfigurationSettings("127.0.0.1", 0, https_port=0, internal_key_algorithm="EC", external_key_algorithm="EC")
    state = StateDirectory(tmp_path_factory.mktemp("tls"))
    async with CentralServices(central_settings(configuration=both), state) as running:
        async with admin_client(running) as api:
            await initialise(api, running.ports.configuration)
        context = ssl.create_default_context(cafile=str(state.tls / "admin.crt"))
        async with httpx.AsyncClient(verify=context) as http:
            answer = await http.get(f"https://127.0.0.1:{running.ports.configuration_https}/internalconf?version=6")
    assert answer.content.startswith(b"Content-Type: multipart/related")


async def test_a_taken_port_is_said_with_its_name(
    running: CentralServices, tmp_path_factory: pytest.TempPathFactory
) -> None:
    taken = ConfigurationSettings("127.0.0.1", running.ports.configuration)
    other = CentralServices(central_settings(configuration=taken), StateDirectory(tmp_path_factory.mktemp("other")))
    with pytest.raises(OSError, match=f"configuration: 127.0.0.1:{running.ports.configuration}"):
        async with other:
            pass


async def test_all_of_it_works_on_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    import secrets

    import psycopg
    from sqlalchemy.engine import make_url

    name = f"central_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        state = StateDirectory(tmp_path_factory.mktemp("postgres"))
        async with CentralServices(central_settings(database_url=url), state) as running:
            async with admin_client(running) as api:
                await initialise(api, running.ports.configuration)
            assert (await published(running)).instance == "UA-DEMO"
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_correlation_numbers_differ(ready: AdminClient) -> None:
    numbers = {(await ready.http.get("/system/version")).headers["x-road-ui-correlation-id"] for _ in range(2)}
    assert len(numbers) == 2

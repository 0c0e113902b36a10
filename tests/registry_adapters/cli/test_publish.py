"""Against the admin API of a security server as it is, over TLS with its own certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.admin import roles
from gateway.runtime.admin_client import AdminApi
from gateway.runtime.clock import SystemClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import open_database
from gateway.runtime.self_signed import ensure_tls_files, server_context
from registry_adapters.cli import app
from registry_adapters.cli.publish import Publication, PublishError, publish_through
from registry_adapters.sdk import Registry, TableFile
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import served
from tests.factories.security_server import PIN, Server, a_published, a_server

CLIENT, CONSUMER, OTHER = "GOV/1001/client", "COM/2002/service", "TEST/COM/2002/service"
Serve = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the admin API listens and what opens it."""

    url: str
    certificate: Path
    server: Server

    def api(self, *granted: str) -> AdminApi:
        return AdminApi(self.url, self.certificate, self.server.api_key(*granted))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with a_server(tmp_path) as server, server.client() as client:
        assert (await client.post("/system/anchor", content=a_published().anchor_xml())).status_code == 201
        initial = {
            "owner_member_class": "GOV", "owner_member_code": "1001", "security_server_code": "SS1",
            "software_token_pin": PIN,
        }  # fmt: skip
        assert (await client.post("/initialization", json=initial)).status_code == 201
        described = {
            "member_class": "GOV",
            "member_code": "1001",
            "subsystem_code": "client",
            "connection_type": "HTTP",
        }
        assert (await client.post("/clients", json={"client": described})).status_code == 201
        certificate, key = ensure_tls_files(tmp_path / "tls", "admin", SystemClock().now())
        async with ControlServer(Listener(server.app, ssl_context=server_context(certificate, key))) as listening:
            yield Place(listening.url, certificate, server)


@pytest.fixture
async def api(place: Place) -> AsyncIterator[AdminApi]:
    made = place.api()
    yield made
    await made.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a registry of kennels; gives its URL."""
    (tmp_path / "kennels.csv").write_text("number,city\n1,Київ\n", encoding="utf-8")
    kennels = TableFile(tmp_path / "kennels.csv", key="number")
    with ExitStack() as stack:

        def start(*searches: str) -> str:
            registry = Registry("kennels", title="Kennels")
            registry.lookup("GetKennel", kennels, by="number", path="GET /kennels/{number}")
            for name in searches:
                registry.search(name, kennels, by="city", path=f"GET /{name}")
            database = open_database(f"sqlite:///{tmp_path}/kennels.db")
            stack.callback(database.close)
            prepare(registry, database, RegistrySettings())
            return stack.enter_context(served(build(registry, database, RegistrySettings())))

        yield start


async def services(api: AdminApi) -> dict[str, tuple[str, list[str], bool]]:
    """What the server has: by code the address, who may call, and whether it is enabled."""
    found = {}
    for description in await api.get("/clients/TEST:GOV:1001:client/service-descriptions"):
        for service in description["services"]:
            clients = await api.get(f"/services/{service['id']}/service-clients")
            allowed = [one["id"] for one in clients]
            found[service["full_service_code"]] = (service["url"], allowed, not description["disabled"])
    return found


async def test_registry_is_described_addressed_allowed_and_enabled(api: AdminApi, serve: Serve) -> None:
    url = serve()
    done = await publish_through(api, Publication(CLIENT, url, (CONSUMER,)))
    assert await services(api) == {
        "GetKennel.v1": (f"{url}/soap", ["TEST:COM:2002:service"], True),
        "kennels": (url, ["TEST:COM:2002:service"], True),
    }
    assert len([line for line in done if line.startswith("added")]) == 2


async def test_second_time_there_is_nothing_to_do(api: AdminApi, serve: Serve) -> None:
    wanted = Publication(CLIENT, serve(), (CONSUMER,))
    await publish_through(api, wanted)
    before = await services(api)
    assert await publish_through(api, wanted) == []
    with_instance = Publication(f"TEST/{CLIENT}", wanted.url, (OTHER,))
    assert await publish_through(api, with_instance) == []
    assert await services(api) == before


async def test_right_is_added_to_those_there_are(api: AdminApi, serve: Serve) -> None:
    url = serve()
    await publish_through(api, Publication(CLIENT, url))
    assert (await services(api))["kennels"][1] == []
    done = await publish_through(api, Publication(CLIENT, url, (CONSUMER,)))
    assert sorted(done) == [f"{CONSUMER} may call GetKennel.v1", f"{CONSUMER} may call kennels"]


async def test_registry_that_moved_keeps_its_services_and_rights(api: AdminApi, serve: Serve) -> None:
    first, second = serve(), serve("FindKennels")
    await publish_through(api, Publication(CLIENT, first, (CONSUMER,)))
    done = await publish_through(api, Publication(CLIENT, second, moved_from=first))
    told = await services(api)
    assert told["GetKennel.v1"] == (f"{second}/soap", ["TEST:COM:2002:service"], True)
    assert told["kennels"] == (second, ["TEST:COM:2002:service"], True)
    assert told["FindKennels.v1"] == (f"{second}/soap", [], True)
    assert "service FindKennels.v1 is there now" in done


async def test_registry_at_another_address_does_not_displace_the_first(api: AdminApi, serve: Serve) -> None:
    first, second = serve(), serve()
    await publish_through(api, Publication(CLIENT, first, (CONSUMER,)))
    before = await services(api)
    with pytest.raises(PublishError, match="--moved-from"):
        await publish_through(api, Publication(CLIENT, second))
    assert await services(api) == before


async def test_rest_service_gets_the_code_that_is_given(api: AdminApi, serve: Serve) -> None:
    await publish_through(api, Publication(CLIENT, serve(), code="dogs"))
    assert sorted(await services(api)) == ["GetKennel.v1", "dogs"]


async def test_what_cannot_be_is_said_with_what_to_do(place: Place, api: AdminApi, serve: Serve) -> None:
    url = serve()
    wrong: list[tuple[Publication, str]] = [
        (Publication("GOV/9/X", url), "GOV/9/X is no client of this security server; it has .*GOV/1001/client"),
        (Publication(CLIENT, "http://127.0.0.1:1"), "no registry answers at .* start it with surma registry serve"),
        (Publication(CLIENT, f"{place.url}"), "no registry answers"),
        (Publication(CLIENT, url, ("GOV/9/X",)), "a subsystem of --allow is not registered"),
    ]
    for wanted, said in wrong:
        with pytest.raises(PublishError, match=said):
            await publish_through(api, wanted)


async def test_key_that_may_not_is_said(place: Place, serve: Serve) -> None:
    url = serve()
    api = place.api(roles.SECURITY_OFFICER)
    with pytest.raises(PublishError, match="lacks the role"):
        await publish_through(api, Publication(CLIENT, url))
    await api.close()
    stranger = AdminApi(place.url, place.certificate, "00000000-0000-0000-0000-000000000000")
    with pytest.raises(PublishError, match="key is not accepted"):
        await publish_through(stranger, Publication(CLIENT, url))
    await stranger.close()


async def test_command_prints_what_it_did(place: Place, tmp_path: Path, serve: Serve) -> None:
    key = tmp_path / "key"
    key.write_text(place.server.api_key())
    key.chmod(0o600)
    arguments = [
        "publish", "--server", place.url, "--api-key-file", str(key), "--ca", str(place.certificate),
        "--client", CLIENT, "--url", serve(), "--allow", CONSUMER,
    ]  # fmt: skip

    def run() -> Any:
        return CliRunner().invoke(app, arguments)

    first, second = await asyncio.to_thread(run), await asyncio.to_thread(run)
    assert (first.exit_code, len(first.output.splitlines())) == (0, 6)
    assert (second.exit_code, second.output) == (0, "nothing to do: everything is as wanted\n")


def test_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    key.chmod(0o644)
    arguments = ["publish", "--server", "https://127.0.0.1:1", "--api-key-file", str(key), "--ca", str(key)]
    result = CliRunner().invoke(app, [*arguments, "--client", CLIENT, "--url", "http://127.0.0.1:1"])
    assert (result.exit_code, "cannot be used" in result.output) == (1, True)

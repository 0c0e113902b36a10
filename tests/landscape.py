"""A whole federation in one process and one event loop, for tests.

The description is that of `surma demo`, on loopback addresses of its own, and the same code onboards
it through the admin APIs. What the demo keeps apart in processes lies here within reach: a clock that
stands until a test moves it, every setting, and the parts themselves, to stop and to start again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from central_services.main import CentralServices
from central_services.settings import AdminSettings, CentralSettings, TrustSettings
from central_services.settings import ConfigurationSettings as SourceSettings
from central_services.state import StateDirectory
from central_services.trust.services import TrustServices
from gateway.initialisation import initialise as initialise_gateway
from gateway.landscape.central import onboard_central
from gateway.landscape.description import Landscape, Registry, Server, moved
from gateway.landscape.federation import MESSAGE_PORT, OCSP_PORT
from gateway.landscape.ports import taken_ports
from gateway.landscape.server import ServerOnboarding
from gateway.main import Gateway
from gateway.messagelog import store
from gateway.messagelog.model import (
    CheckpointSettings,
    MessageLogSettings,
    MessageRecord,
    RefusalContent,
    RefusalSettings,
)
from gateway.paths import StatePaths
from gateway.runtime.admin_api_settings import AdminApiSettings
from gateway.runtime.admin_client import AdminApi
from gateway.runtime.clock import FixedClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import open_database
from gateway.settings import ConsumerSettings, GatewaySettings, MessageLogSection, SignerSettings
from registry_adapters.demographic.registry import registry as demographic
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from tests.core_landscape import core_landscape

PERSONS: Final = 50
PIN: Final = "Test-pin-2026"
UNBOUND: Final = AdminApiSettings(requests_per_second=0, requests_per_minute=0)
STOP_WITHIN_S: Final = 30.0
POLL_S: Final = 0.02
POLL_WITHIN_S: Final = 15.0

Change = Callable[[Landscape], Landscape]
Tune = Callable[[GatewaySettings], GatewaySettings]
StandIn = Callable[[Registry], Awaitable[None]]


def as_described(landscape: Landscape) -> Landscape:
    """Change nothing."""
    return landscape


def as_set(settings: GatewaySettings) -> GatewaySettings:
    """Change no setting."""
    return settings


class Federation:
    """The programs of a landscape; `start` brings it to its first exchange, `stop` ends all.

    `tune` changes the settings of every gateway.
    """

    def __init__(self, landscape: Landscape, state: Path, *, tune: Tune = as_set) -> None:
        self.landscape = landscape
        self.state = state
        self.clock = FixedClock(datetime.now(UTC))
        self.gateways: dict[str, Gateway] = {}
        self.registries: dict[str, ControlServer] = {}
        self._tune = tune
        self._central: CentralServices | None = None
        self._trust: TrustServices | None = None
        self._stack = AsyncExitStack()

    # parts

    @property
    def central(self) -> CentralServices:
        """The central services."""
        assert self._central is not None
        return self._central

    @property
    def trust(self) -> TrustServices:
        """CA, OCSP responder and TSA."""
        assert self._trust is not None
        return self._trust

    @property
    def consumer(self) -> Gateway:
        """The security server that asks."""
        return self.gateways[self.landscape.server[0].code]

    @property
    def provider(self) -> Gateway:
        """The security server that answers."""
        return self.gateways[self.landscape.server[1].code]

    @property
    def anchor(self) -> Path:
        """The configuration anchor, for verification offline."""
        return self.state / "anchor.xml"

    def server_of(self, gateway: Gateway) -> Server:
        """What the description says of a gateway."""
        return next(server for server in self.landscape.server if self.gateways.get(server.code) is gateway)

    def url_of(self, gateway: Gateway, *, tls: bool = False) -> str:
        """Where information systems reach a gateway."""
        scheme, port = ("https", 8443) if tls else ("http", 8080)
        return f"{scheme}://{gateway.settings.address}:{port}"

    # life

    async def start(self) -> None:
        """Start and onboard everything, registries that nobody stands in for included."""
        self.state.mkdir(parents=True, exist_ok=True)
        await asyncio.gather(*(asyncio.to_thread(self._initialise, server) for server in self.landscape.server))
        await self.start_trust()
        await self.start_central()
        for registry in self.landscape.registry:
            if registry.name == "demographic":
                await self.start_registry(registry)
        for server in self.landscape.server:
            await self.start_gateway(server.code)
        await self._onboard()

    async def stop(self) -> None:
        """Stop every part that runs; one that does not end within a while is a failure."""
        stops = [
            *(partial(self.stop_gateway, code) for code in self.gateways),
            *(partial(self.stop_registry, name) for name in self.registries),
            self.stop_central,
            self.stop_trust,
            self._stack.aclose,
        ]
        for stop in stops:
            async with asyncio.timeout(STOP_WITHIN_S):
                await stop()

    async def start_trust(self) -> None:
        """Start CA, OCSP responder and TSA on the state they had."""
        where = self.landscape.trust
        settings = TrustSettings(host=where.address, key_algorithm="EC")
        self._trust = await TrustServices(settings, self.state / "trust", clock=self.clock).__aenter__()

    async def stop_trust(self) -> None:
        """Stop CA, OCSP responder and TSA."""
        trust, self._trust = self._trust, None
        if trust is not None:
            await trust.__aexit__()

    async def start_central(self) -> None:
        """Start the central services; they log in to their token by themselves."""
        central = CentralServices(self._central_settings(), self._central_state(), clock=self.clock)
        self._central = await central.__aenter__()

    async def stop_central(self) -> None:
        """Stop the central services."""
        central, self._central = self._central, None
        if central is not None:
            await central.__aexit__()

    async def start_gateway(self, code: str) -> Gateway:
        """Start a security server on the state it has."""
        server = next(server for server in self.landscape.server if server.code == code)
        gateway = self.gateways[code] = Gateway(self._state_of(server), self._settings_of(server), self.clock)
        await gateway.start()
        return gateway

    async def stop_gateway(self, code: str) -> None:
        """Stop a security server."""
        await self.gateways.pop(code).stop()

    async def start_registry(self, registry: Registry) -> None:
        """Start the demographic registry, with a few persons."""
        settings = RegistrySettings(host=registry.address, port=registry.port, persons=PERSONS)
        database = open_database(f"sqlite:///{self.state / registry.name}.db")
        self._stack.callback(database.close)
        await asyncio.to_thread(prepare, demographic, database, settings)
        app = build(demographic, database, settings, self.clock)
        server = ControlServer(Listener(app, registry.address, registry.port, name=registry.name))
        await server.start()
        self.registries[registry.name] = server

    async def stop_registry(self, name: str) -> None:
        """Stop a registry."""
        await self.registries.pop(name).stop()

    @asynccontextmanager
    async def without_trust(self) -> AsyncIterator[None]:
        """Let CA, OCSP responder and TSA be gone for a while."""
        await self.stop_trust()
        try:
            yield
        finally:
            await self.start_trust()

    @asynccontextmanager
    async def without_central(self) -> AsyncIterator[None]:
        """Let the central services be gone for a while."""
        await self.stop_central()
        try:
            yield
        finally:
            await self.start_central()

    @asynccontextmanager
    async def without_gateway(self, code: str) -> AsyncIterator[None]:
        """Let a security server be gone for a while."""
        await self.stop_gateway(code)
        try:
            yield
        finally:
            await self.start_gateway(code)

    async def renew(self, *, status: bool = True) -> None:
        """Publish and fetch the configuration now, and renew the certificate status: what the minutes bring."""
        await self.central.publisher.publish()
        for gateway in self.gateways.values():
            await gateway.configuration_client.refresh_now()
            await gateway.follow()
            if status:
                await gateway.signer.refresh_status()

    # settings

    def _central_state(self) -> StateDirectory:
        return StateDirectory(self.state / "central")

    def _central_settings(self) -> CentralSettings:
        where = self.landscape.central
        pin_file = self.pin_file("central")
        return CentralSettings(
            token_pin_file=str(pin_file),
            admin=AdminSettings(where.address, where.admin_port, (where.address,)),
            api=UNBOUND,
            configuration=SourceSettings(
                host=where.address,
                port=where.configuration_port,
                internal_key_algorithm="EC",
                external_key_algorithm="EC",
            ),
        )

    def _settings_of(self, server: Server) -> GatewaySettings:
        return self._tune(
            GatewaySettings(
                address=server.address,
                consumer=ConsumerSettings(connect_timeout_s=5, response_timeout_s=10),
                messagelog=MessageLogSection(
                    records=MessageLogSettings(
                        timestamp_interval_s=60,
                        timestamp_timeout_s=5,
                        commit_timeout_s=5,
                        refusals=RefusalSettings(of_a_kind=10_000, of_all_kinds=100_000),
                    ),
                    checkpoints=CheckpointSettings(interval_s=0),
                ),
                admin_limits=UNBOUND,
                signer=SignerSettings(pin_file=self.pin_file(server.code)),
            )
        )

    def pin_file(self, name: str) -> Path:
        """The file from which a token is opened at start."""
        path = self.state / f"pin-{name}"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(PIN)
        return path

    def _state_of(self, server: Server) -> Path:
        return self.state / f"server-{server.code}"

    def _initialise(self, server: Server) -> None:
        initialise_gateway(StatePaths(self._state_of(server), self._settings_of(server)), self.clock)

    # onboarding

    @asynccontextmanager
    async def central_api(self) -> AsyncIterator[AdminApi]:
        """Open a client of the central admin API."""
        where = self.landscape.central
        async with self._api(where.address, where.admin_port, self._central_state().root) as api:
            yield api

    @asynccontextmanager
    async def api_of(self, gateway: Gateway) -> AsyncIterator[AdminApi]:
        """Open a client of a security server's admin API."""
        server = self.server_of(gateway)
        async with self._api(server.address, server.admin_port, self._state_of(server)) as api:
            yield api

    @asynccontextmanager
    async def _api(self, address: str, port: int, state: Path) -> AsyncIterator[AdminApi]:
        key = (state / "api-key").read_text().strip()
        api = AdminApi(f"https://{address}:{port}", state / "tls" / "admin.crt", key)
        try:
            yield api
        finally:
            await api.close()

    async def _onboard(self) -> None:
        async with AsyncExitStack() as stack:
            central = await stack.enter_async_context(self.central_api())
            await onboard_central(central, self.landscape, PIN)
            self.anchor.write_bytes(await central.get_bytes("/configuration-sources/INTERNAL/anchor/download"))
            servers = []
            for code, gateway in self.gateways.items():
                api = await stack.enter_async_context(self.api_of(gateway))
                server = next(server for server in self.landscape.server if server.code == code)
                servers.append(ServerOnboarding(api, central, self.landscape, server, PIN))
            for step in (
                ServerOnboarding.identify,
                ServerOnboarding.furnish,
                ServerOnboarding.publish,
                ServerOnboarding.refresh,
            ):
                await asyncio.gather(*(step(server) for server in servers))


def records_of(gateway: Gateway, query_id: str) -> list[MessageRecord]:
    """Return everything in a gateway's message log about one query, whoever it belongs to."""
    with gateway.stores.message_log.reading() as connection:
        return [record for record in store.walk_records(connection) if record.query_id == query_id]


def refusals_of(gateway: Gateway, query_id: str | None) -> list[RefusalContent]:
    """Return what a gateway's message log says of calls with this query id that were refused or failed."""
    with gateway.stores.message_log.reading() as connection:
        said = [refusal.content for refusal in store.walk_refusals(connection)]
    return [content for content in said if content.query_id == query_id]


def kinds_of(gateway: Gateway, query_id: str) -> list[str]:
    """Return which messages of one query a gateway holds, in the order they were written."""
    return ["response" if record.is_response else "request" for record in records_of(gateway, query_id)]


async def eventually(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Return when `holds` does; fail when that takes far too long."""
    for _ in range(int(POLL_WITHIN_S / POLL_S)):
        verdict = holds()
        if verdict is True or (not isinstance(verdict, bool) and await verdict):
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"{holds} did not hold within {POLL_WITHIN_S} s")


def on_free_addresses(landscape: Landscape) -> Landscape:
    """Return the landscape where nothing listens yet."""
    choice = random.Random()
    while True:
        candidate = moved(landscape, f"127.{choice.randint(32, 250)}")
        ports = (4000, 8080, 8090, MESSAGE_PORT, OCSP_PORT)
        if not taken_ports((address, port) for address in candidate.addresses for port in ports):
            return candidate


@asynccontextmanager
async def a_federation(
    state: Path,
    *,
    change: Change = as_described,
    tune: Tune = as_set,
    stand_in: StandIn | None = None,
) -> AsyncIterator[Federation]:
    """Run two security servers and a registry as `change` and `tune` want them.

    Registries other than the demographic one are started by `stand_in`, before anybody asks them.
    """
    landscape = on_free_addresses(change(core_landscape()))
    federation = Federation(landscape, state, tune=tune)
    if stand_in is not None:
        for registry in landscape.registry:
            if registry.name != "demographic":
                await stand_in(registry)
    try:
        await federation.start()
        yield federation
    finally:
        await federation.stop()


def with_records(settings: GatewaySettings, **changes: float) -> GatewaySettings:
    """Return settings whose message log is set otherwise."""
    records = dataclasses.replace(settings.messagelog.records, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(settings, messagelog=dataclasses.replace(settings.messagelog, records=records))

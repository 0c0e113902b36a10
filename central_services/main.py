"""Composition root of the central services: builds every part and serves its ports until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from central_services.admin.app import create_app as create_admin_app
from central_services.admin.central import Central
from central_services.configuration_source.app import create_app as create_source_app
from central_services.configuration_source.publisher import Publisher, PublishingImpossible
from central_services.configuration_source.software_token import SoftwareToken, TokenError
from central_services.settings import CentralSettings
from central_services.state import StateDirectory, open_state
from gateway.runtime import texts
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.periodic import Periodic
from gateway.runtime.private_files import credentials_directory, find_credential, read_private
from gateway.runtime.self_signed import server_context

log = logging.getLogger(__name__)

PIN_CREDENTIAL: Final = "central-token-pin"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a running central server really listens."""

    admin: int
    configuration: int
    configuration_https: int | None = None


class CentralServices:
    """A running central server: `async with CentralServices(…) as central`."""

    def __init__(
        self,
        settings: CentralSettings,
        state: StateDirectory,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self.settings = settings
        self.state = state
        self._pin_file = pin_file_of(settings, environ or {})
        self._credentials = credentials_directory(environ or {})
        self._database, _ = open_state(state, settings, self._clock.now)
        self.token = SoftwareToken(state.token)
        self._source: ControlServer | None = None
        management = state.tls / "management-service.crt"
        self.publisher = Publisher(
            self._database,
            self.token,
            state.public,
            self._clock,
            settings.configuration,
            management_certificate=_der_of(management),
            port=self._configuration_port,
        )
        self.central = Central(
            self._database,
            self.token,
            self.publisher,
            self._clock,
            settings,
            management,
            self._configuration_port,
        )
        self._servers = self._listeners()
        self._refresh = Periodic(
            "configuration",
            settings.configuration.refresh_interval_s,
            self._refresh_configuration,
            jitter=0.0,
            retry_s=settings.configuration.retry_s,
        )
        self._waiting_for = ""

    def _listeners(self) -> dict[str, ControlServer]:
        settings = self.settings
        admin_tls = server_context(self.state.tls / "admin.crt", self.state.tls / "admin.key")
        admin, source = create_admin_app(self.central), create_source_app(self.state.public)
        where = settings.configuration
        servers = {
            "configuration": ControlServer(Listener(source, where.host, where.port, name="configuration")),
            "admin": ControlServer(
                Listener(admin, settings.admin.host, settings.admin.port, admin_tls, name="admin API")
            ),
        }
        if where.https_port is not None:
            servers["configuration_https"] = ControlServer(
                Listener(source, where.host, where.https_port, admin_tls, name="configuration (TLS)")
            )
        return servers

    def _configuration_port(self) -> int:
        return self._servers["configuration"].port

    @property
    def ports(self) -> Ports:
        """Where it listens."""
        https = self._servers.get("configuration_https")
        return Ports(self._servers["admin"].port, self._configuration_port(), None if https is None else https.port)

    async def __aenter__(self) -> CentralServices:
        try:
            for server in self._servers.values():
                await server.start()
        except BaseException:
            await self._close()
            raise
        await asyncio.to_thread(self._log_in)
        await self._publish_at_start()
        self._refresh.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._refresh.stop()
        await asyncio.gather(*(server.stop() for server in self._servers.values()))
        self._database.close()

    def _log_in(self) -> None:
        """Log in with the PIN from a file, so that a restart needs no hands."""
        if self._pin_file is None or not self.token.initialised:
            return
        try:
            self.token.login(read_private(self._pin_file, credentials_directory=self._credentials))
        except (OSError, ValueError, TokenError) as cause:
            log.error(_say("central.pin_file_unusable", file=self._pin_file, reason=str(cause)))

    async def _publish_at_start(self) -> None:
        try:
            await self._refresh_configuration()
        except Exception:
            log.exception("configuration could not be published at start")

    async def _refresh_configuration(self) -> None:
        """Publish; what an operator has to do first is said once, not every minute."""
        try:
            await self.publisher.publish()
            self._waiting_for = ""
        except PublishingImpossible as reason:
            said = _say(reason.text_id, **reason.facts)
            if said != self._waiting_for:
                log.warning(said, extra={"text_id": reason.text_id})
            self._waiting_for = said


def pin_file_of(settings: CentralSettings, environ: Mapping[str, str]) -> Path | None:
    """Return the file with the PIN: the one of the settings, else systemd's credential, else none."""
    if settings.token_pin_file:
        return Path(settings.token_pin_file)
    return find_credential(PIN_CREDENTIAL, environ)


def _say(text_id: str, **facts: object) -> str:
    return texts.render(text_id, facts)


def _der_of(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


async def serve(
    settings: CentralSettings,
    state: StateDirectory,
    stop: asyncio.Event,
    on_ready: Callable[[Ports], None],
) -> None:
    """Run the central services until `stop` is set; `on_ready` is called when every port is open."""
    async with CentralServices(settings, state, environ=os.environ) as running:
        on_ready(running.ports)
        await stop.wait()

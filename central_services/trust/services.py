"""The test trust services as one running thing: two ports over one state directory."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from central_services.settings import TrustSettings
from central_services.trust.app import create_ca_app, create_tsa_app
from central_services.trust.authorities import open_authorities
from central_services.trust.ca import CertificationAuthority
from central_services.trust.ocsp_responder import OcspResponder
from central_services.trust.tsa import TimestampingAuthority
from gateway.runtime import texts
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import migrate, open_database

log = logging.getLogger(__name__)


class TrustServices:
    """`async with TrustServices(…)`: CA and OCSP on one port, time-stamps on the other."""

    def __init__(
        self,
        settings: TrustSettings,
        state: Path,
        *,
        clock: Clock | None = None,
        database_url: str | None = None,
    ) -> None:
        now = (clock or SystemClock()).now
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = open_database(database_url or f"sqlite:///{state.absolute() / 'trust.db'}")
        migrate(self._database, "central_services.migrations.trust")
        self.authorities = open_authorities(state / "authorities", settings, now())
        ca = CertificationAuthority(self.authorities, self._database, settings, now)
        responder = OcspResponder(self.authorities, self._database, settings, now)
        tsa = TimestampingAuthority(self.authorities.tsa, self._database, settings, now)
        ca_app, tsa_app = create_ca_app(self.authorities, ca, responder), create_tsa_app(tsa)
        self._ca = ControlServer(Listener(ca_app, settings.host, settings.ca_port, name="test CA and OCSP"))
        self._tsa = ControlServer(Listener(tsa_app, settings.host, settings.tsa_port, name="test TSA"))

    @property
    def ca_port(self) -> int:
        """Where certificates and their status are asked."""
        return self._ca.port

    @property
    def tsa_port(self) -> int:
        """Where time-stamps are asked."""
        return self._tsa.port

    async def __aenter__(self) -> TrustServices:
        log.warning(texts.render("trust.tests_only", {}), extra={"text_id": "trust.tests_only"})
        try:
            await self._ca.start()
            await self._tsa.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(self._ca.stop(), self._tsa.stop())
        self._database.close()

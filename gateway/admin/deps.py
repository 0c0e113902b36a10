"""What the admin API is handed by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.admin.ids import client_id
from gateway.configuration_client.client import ConfigurationClient
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.messagelog.authorities import AuthorityHealth
from gateway.messagelog.status import LogWatch
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.admin_api import not_found
from gateway.runtime.audit.file_watch import FileWatch
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from gateway.runtime.fetch import Fetcher
from gateway.serverconf.model import LocalClient
from gateway.serverconf.provider import ServerConfProvider
from gateway.signer.certificates import Keyring
from gateway.signer.ocsp_cache import OcspCache
from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.lookup import GlobalConf


@dataclass(frozen=True, slots=True)
class AdminDeps:
    """The areas an admin request may use.

    `after_change` makes this process work by a committed change before the request is answered;
    `refresh_status` fetches OCSP responses of new certificates. Changes are put on record in `trail`, and
    `watch` is told of them, for they may change files that only this server changes.
    """

    database: Database
    registrations: ServerConfProvider
    configuration: ConfigurationClient
    configuration_provider: ConfigurationProvider
    keyring: Keyring
    ocsp: OcspCache
    fetcher: Fetcher
    clock: Clock
    internal_certificate: bytes
    after_change: Callable[[], Awaitable[None]]
    refresh_status: Callable[[], Awaitable[None]]
    stamp_soon: Callable[[], None]
    sign_in: SignIn
    trail: Trail
    watch: FileWatch | None = None
    enforce_pin_policy: bool = False
    log_watch: LogWatch | None = None
    authorities: Callable[[], Sequence[AuthorityHealth]] = tuple

    def now_ms(self) -> int:
        """Return the present moment in epoch milliseconds."""
        return self.clock.now_ms()

    def existing_client(self, text: str) -> LocalClient:
        """Return the client of this server that a path names, or answer 404."""
        found = self.registrations.current().find_client(client_id(text))
        if found is None:
            raise not_found("client_not_found", text)
        return found

    def server_name(self) -> str:
        """Return the identifier of this server, empty before it has one."""
        return str(self.registrations.current().server or "")

    def find_globalconf(self) -> GlobalConf | None:
        """Return the configuration in use, expired or not, once there is one."""
        try:
            return self.configuration_provider.latest()
        except ConfigurationUnusable:
            return None

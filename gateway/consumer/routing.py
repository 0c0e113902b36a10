"""Service -> security servers that may answer (X-Road AbstractClientMessageProcessor.java).

Every server whose owner or client the provider is, exactly; those in maintenance are left out; a
request that names a security server goes to that one only.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.xroad.faults import AccessRefused, ServiceFailed
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, SecurityServerId


@dataclass(frozen=True, slots=True)
class Route:
    """A security server and the host it is reached at."""

    server: SecurityServerId
    address: str

    def __str__(self) -> str:
        return f"{self.server} ({self.address})"


def routes_to(provider: ClientId, target: SecurityServerId | None, globalconf: GlobalConf) -> tuple[Route, ...]:
    """Return the candidate servers of `provider`, at least one.

    Raises AccessRefused (unknown_member, invalid_security_server) or ServiceFailed (maintenance_mode).
    """
    servers = [server for server in globalconf.servers_of(provider) if server.address]
    if not servers:
        raise AccessRefused("unknown_member", "routing.no_server", provider=provider)
    if target is not None:
        servers = [server for server in servers if server.id == target]
        if not servers:
            raise AccessRefused("invalid_security_server", "routing.not_that_server", provider=provider, server=target)
    running = tuple(Route(s.id, s.address) for s in servers if s.maintenance is None and s.address)
    if not running:
        message = next((server.maintenance for server in servers if server.maintenance), "")
        raise ServiceFailed("maintenance_mode", "routing.maintenance", provider=provider, message=message)
    return running

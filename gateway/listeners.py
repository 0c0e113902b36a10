"""The message ports and the TLS contexts of the moment.

Contexts depend on the authentication certificate and the approved CAs of the configuration; when
one of them changes, new connections use a new context at once. Without an authentication
certificate port 5500 does not listen, and says so.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from gateway.exchange.ports import Configuration
from gateway.runtime.http.server import HttpServer
from gateway.runtime.tls import (
    Identity,
    TlsIdentity,
    information_system_context,
    peer_client_context,
    peer_server_context,
    service_client_context,
)
from gateway.xroad.faults import ConfigurationUnusable, ServiceFailed, SigningUnavailable
from gateway.xroad.pki.certificates import der_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _PeerContexts:
    key: object
    server: ssl.SSLContext
    client: ssl.SSLContext


class TlsContexts:
    """Contexts towards peers and information systems, rebuilt when what they rest on changed."""

    def __init__(
        self, configuration: Configuration, authentication: Callable[[], Identity], internal: TlsIdentity
    ) -> None:
        self._configuration = configuration
        self._authentication = authentication
        self._peer: _PeerContexts | None = None
        self.internal_certificate = internal.certificate_der
        self.information_systems = information_system_context(internal)
        self.services = service_client_context(internal)

    def peer_client(self) -> ssl.SSLContext:
        """Return the context for calling other security servers. Raises ServiceFailed before there is one."""
        if self._peer is None:
            self.refresh()
        if self._peer is None:
            raise ServiceFailed("ssl_authentication_failed", "peers.no_own_certificate")
        return self._peer.client

    @property
    def peer_server(self) -> ssl.SSLContext | None:
        """The context of port 5500, once there is an authentication certificate."""
        return None if self._peer is None else self._peer.server

    def refresh(self) -> None:
        """Look at certificate and approved CAs, and build new contexts if they are others than before."""
        try:
            identity = self._authentication()
            globalconf = self._configuration.current()
        except (SigningUnavailable, ConfigurationUnusable) as reason:
            if self._peer is None:
                log.debug("no TLS towards other security servers yet: %s", reason)
            return
        authorities = frozenset(der_of(authority.certificate) for authority in globalconf.authorities())
        key = (identity.certificate_der, identity.chain, authorities)
        if self._peer is not None and self._peer.key == key:
            return
        server, client = peer_server_context(identity, authorities), peer_client_context(identity, authorities)
        self._peer = _PeerContexts(key, server, client)
        log.info("TLS towards other security servers is ready", extra={"authorities": len(authorities)})


class PeerPort:
    """Port 5500: it listens as soon as there is a certificate, and changes it without a pause."""

    def __init__(self, server: HttpServer, contexts: TlsContexts) -> None:
        self._server = server
        self._contexts = contexts
        self._listening = False
        self._following = asyncio.Lock()  # several changes at once begin to listen once

    async def follow(self) -> None:
        """Begin to listen, or use a new context for the connections to come."""
        async with self._following:
            self._contexts.refresh()
            context = self._contexts.peer_server
            if context is None:
                return
            self._server.ssl = context
            if not self._listening:
                await self._server.start()
                self._listening = True
                log.info("message port listens", extra={"port": self._server.port})

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._listening:
            await self._server.close()

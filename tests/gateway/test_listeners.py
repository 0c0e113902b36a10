from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.listeners import PeerPort, TlsContexts
from gateway.runtime.http.server import HttpServer, Request, Response
from gateway.runtime.tls import Identity, TlsIdentity
from gateway.xroad.faults import ConfigurationUnusable, ServiceFailed, SigningUnavailable
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, CaInfo
from tests.factories.globalconf import SERVER, a_globalconf, a_shared_parameters
from tests.factories.pki import FIVRK, NOON, RSA, Authority, Issued, a_hierarchy

PKI = a_hierarchy(RSA)
AUTH = PKI.root.server(SERVER)


def identity_of(issued: Issued) -> TlsIdentity:
    return TlsIdentity(issued.der, issued.key)


def a_conf(*authorities: Authority) -> GlobalConf:
    cas = tuple(ApprovedCa(f"CA {n}", CaInfo(ca.der), FIVRK) for n, ca in enumerate(authorities))
    return a_globalconf(a_shared_parameters(approved_cas=cas), expires_at=NOON + timedelta(days=1))


@dataclasses.dataclass
class World:
    """What the contexts rest on; both may be missing."""

    globalconf: GlobalConf | None = None
    identity: Identity | None = None

    def current(self) -> GlobalConf:
        if self.globalconf is None:
            raise ConfigurationUnusable("global_conf_outdated", "configuration.outdated")
        return self.globalconf

    def authentication(self) -> Identity:
        if self.identity is None:
            raise SigningUnavailable("key_not_found", "signer.no_authentication")
        return self.identity

    def contexts(self) -> TlsContexts:
        return TlsContexts(self, self.authentication, identity_of(AUTH))


class TestContexts:
    def test_without_certificate_or_configuration_nobody_can_be_called(self) -> None:
        for world in (World(), World(a_conf(PKI.root)), World(identity=identity_of(AUTH))):
            contexts = world.contexts()
            contexts.refresh()
            assert contexts.peer_server is None
            with pytest.raises(ServiceFailed) as failed:
                contexts.peer_client()
            assert failed.value.code == "ssl_authentication_failed"

    def test_context_is_made_when_it_is_asked_for(self) -> None:
        assert isinstance(World(a_conf(PKI.root), identity_of(AUTH)).contexts().peer_client(), ssl.SSLContext)

    def test_same_facts_keep_the_same_context(self) -> None:
        world = World(a_conf(PKI.root), identity_of(AUTH))
        contexts = world.contexts()
        before = contexts.peer_client()
        world.globalconf = a_conf(PKI.root)
        contexts.refresh()
        assert contexts.peer_client() is before

    def test_other_certificate_or_other_authorities_make_a_new_context(self) -> None:
        world = World(a_conf(PKI.root), identity_of(AUTH))
        contexts = world.contexts()
        first = contexts.peer_client()
        world.globalconf = a_conf(PKI.root, a_hierarchy().root)
        contexts.refresh()
        second = contexts.peer_client()
        world.identity = identity_of(PKI.root.server(SERVER, "renewed.example.org"))
        contexts.refresh()
        assert len({first, second, contexts.peer_client()}) == 3

    def test_lost_configuration_keeps_the_context_in_use(self) -> None:
        world = World(a_conf(PKI.root), identity_of(AUTH))
        contexts = world.contexts()
        before = contexts.peer_client()
        world.globalconf = None
        contexts.refresh()
        assert contexts.peer_client() is before


class TestPort:
    @pytest.fixture
    async def server(self) -> AsyncIterator[HttpServer]:
        async def answer(_: Request) -> Response:
            return Response(204)

        made = HttpServer(answer, host="127.0.0.1", port=0)
        yield made
        await made.close()

    async def test_port_listens_as_soon_as_there_is_a_certificate(self, server: HttpServer) -> None:
        world = World(a_conf(PKI.root))
        port = PeerPort(server, world.contexts())
        await port.follow()
        assert server.addresses == []
        world.identity = identity_of(AUTH)
        await asyncio.gather(*(port.follow() for _ in range(3)))
        assert len(server.addresses) == 1
        await port.close()

    async def test_renewed_certificate_is_shown_to_new_connections(self, server: HttpServer) -> None:
        world = World(a_conf(PKI.root), identity_of(AUTH))
        port = PeerPort(server, world.contexts())
        await port.follow()
        assert await shown_by(server) == AUTH.der
        renewed = PKI.root.server(SERVER, "renewed.example.org")
        world.identity = identity_of(renewed)
        await port.follow()
        assert await shown_by(server) == renewed.der
        await port.close()

    async def test_port_that_never_listened_closes(self, server: HttpServer) -> None:
        await PeerPort(server, World().contexts()).close()


async def shown_by(server: HttpServer) -> bytes | None:
    """The certificate that a connecting server sees."""
    peer = PKI.root.server(dataclasses.replace(SERVER, server_code="SS9"))
    context = World(a_conf(PKI.root), identity_of(peer)).contexts().peer_client()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname="")
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(certificate)

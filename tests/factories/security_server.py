"""A security server as far as its admin API reaches: real stores, token and configuration client, a clock that stands.

The configuration source, the OCSP responder and the CA are not ours; they are played in process.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from gateway.admin import roles
from gateway.admin.app import admin_app
from gateway.admin.deps import AdminDeps
from gateway.admin.registration import follow_globalconf
from gateway.configuration_client.cache import Cache
from gateway.configuration_client.client import ConfigurationClient
from gateway.configuration_client.downloader import Downloader
from gateway.configuration_client.history import History
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.runtime.accounts import api_keys, store_users
from gateway.runtime.accounts import tables as account_tables
from gateway.runtime.accounts.model import EVERYTHING, AccountSettings, Grant
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.admin_api import AdminApiSettings
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import open_database
from gateway.runtime.fetch import Fetcher
from gateway.serverconf import tables as serverconf_tables
from gateway.serverconf.provider import ServerConfProvider
from gateway.signer import tables as signer_tables
from gateway.signer.certificates import Keyring
from gateway.signer.keystore import Keystore
from gateway.signer.ocsp_cache import OcspCache
from gateway.signer.signing import Signer
from gateway.xroad.faults import ConfigurationUnusable, SigningUnavailable
from gateway.xroad.globalconf.shared_parameters import (
    ApprovedCa,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    OcspResponder,
    SharedParameters,
)
from gateway.xroad.identifiers import GlobalGroupId
from gateway.xroad.pki import ocsp
from gateway.xroad.pki.csr import parse_csr
from tests.factories.globalconf import (
    INSTANCE,
    PROVIDER,
    PROVIDER_SERVER,
    Source,
    Web,
    a_key_pair,
    a_security_server,
    a_shared_parameters,
    a_source,
)
from tests.factories.pki import FIVRK, NOON, Issued, a_hierarchy

PIN = "Test-pin-2026"
OCSP_URL = "http://ocsp.test/"
OWNER_ID, CLIENT_ID = "TEST:GOV:1001", "TEST:GOV:1001:client"
PROVIDER_ID = "TEST:COM:2002:service"
GROUP_ID = "TEST:citizens"
# Argon2 with hardly any memory: what is tested here is not how long a guess takes.
QUICK_PASSWORDS = Passwords(memory_kib=64, passes=1, lanes=1)
UNBOUND = AdminApiSettings(requests_per_second=0, requests_per_minute=0)


def a_shared(**changes: Any) -> SharedParameters:
    """What the central services say: our CA is approved, server SS1 of TEST/GOV/1001 is not registered yet."""
    pki = a_hierarchy()
    approved = ApprovedCa("Test CA", CaInfo(pki.root.der, (OcspResponder(OCSP_URL, pki.responder.der),)), FIVRK)
    group = GlobalGroup(GlobalGroupId(INSTANCE, "citizens"), "Everybody", frozenset({PROVIDER}))
    shared = a_shared_parameters(
        sources=(ConfigurationSource("central.test", (a_key_pair("conf").der,)),),
        approved_cas=(approved,),
        security_servers=(a_security_server(PROVIDER_SERVER, (PROVIDER,), address="127.0.3.1"),),
    )
    return replace(shared, **{"global_groups": (*shared.global_groups, group), **changes})


def a_published(shared: SharedParameters | None = None) -> Source:
    """A configuration source that is valid at noon."""
    return a_source(shared=shared or a_shared(), expires_at=NOON + timedelta(hours=1))


@dataclass
class Server:
    """The parts, and ways to move the world around them."""

    deps: AdminDeps
    clock: FixedClock
    web: Web
    app: Any
    signer: Signer
    stamped: list[None] = field(default_factory=list)

    async def follow(self) -> None:
        await self.deps.registrations.refresh()
        self.signer.reload_if_changed()
        if follow_globalconf(self.deps):
            await self.deps.registrations.refresh()

    async def publish(self, shared: SharedParameters) -> None:
        """The central services say something else, and this server hears of it."""
        self.web.publish(a_published(shared))
        await self.deps.configuration.refresh_now()
        await self.follow()

    def api_key(self, *granted: str, scope: str = EVERYTHING) -> str:
        with self.deps.database.transaction() as tx:
            return api_keys.create(tx, granted or roles.ALL, self.clock.now(), scope=scope)[1]

    def key_of_user(self, name: str, *grants: Grant) -> int:
        """Make a user with these grants and a key that has them too; return its number."""
        with self.deps.database.transaction() as tx:
            user = store_users.add_user(tx, name, None, self.clock.now())
            for grant in grants:
                store_users.add_grant(tx, user, grant)
            return api_keys.create_for_user(tx, user, self.clock.now())[0].id

    def client(self, *granted: str, scope: str = EVERYTHING) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="https://ss.test/api/v1",
            headers={"Authorization": f"X-Road-ApiKey token={self.api_key(*granted, scope=scope)}"},
        )


async def answer_ocsp(_url: str, request: bytes) -> bytes:
    """What the responder of the hierarchy answers: good."""
    pki = a_hierarchy()
    return ocsp.build_response(
        [ocsp.Answer(ocsp.parse_request(request), ocsp.Status.GOOD, NOON)],
        key=pki.responder.key,
        responder=pki.responder.certificate,
        produced_at=NOON,
        enclosed=[pki.responder.certificate],
    )


def issue(request_der: bytes, usage: str) -> bytes:
    """What the CA makes of a certificate request."""
    pki, request = a_hierarchy(), parse_csr(request_der)
    return Issued(pki.root.issue(request.subject, request.public_key(), usage), pki.root.key).der


@asynccontextmanager
async def a_server(folder: Path) -> AsyncIterator[Server]:
    """A server on SQLite that nobody has given an anchor yet."""
    clock, web = FixedClock(NOON), Web().publish(a_published())
    database = open_database(f"sqlite:///{folder}/gateway.db")
    for tables in (serverconf_tables, signer_tables, account_tables):
        tables.metadata.create_all(database.engine)
    cache, history = Cache(folder / "globalconf"), History(folder / "history")
    provider = ConfigurationProvider(cache, clock, history=history)
    configuration = ConfigurationClient(
        cache=cache, downloader=Downloader(web.get, clock), provider=provider, clock=clock, history=history
    )
    keystore = Keystore(folder / "keys")
    status = OcspCache(folder / "ocsp", answer_ocsp, provider, clock)
    signer = Signer(database, keystore, status, provider, clock)
    fetcher = Fetcher()

    async def follow() -> None:
        await made.follow()

    async def refresh_status() -> None:
        try:
            await signer.refresh_status()
        except (SigningUnavailable, ConfigurationUnusable):
            return

    deps = AdminDeps(
        database=database,
        registrations=ServerConfProvider(database),
        configuration=configuration,
        configuration_provider=provider,
        keyring=Keyring(database, keystore, on_change=signer.reload),
        ocsp=status,
        fetcher=fetcher,
        clock=clock,
        internal_certificate=a_key_pair("internal").der,
        after_change=follow,
        refresh_status=refresh_status,
        stamp_soon=lambda: made.stamped.append(None),
        sign_in=SignIn(database, clock, QUICK_PASSWORDS, AccountSettings()),
        trail=Trail(folder, clock),
    )
    made = Server(deps, clock, web, admin_app(deps, UNBOUND), signer)
    try:
        yield made
    finally:
        await fetcher.close()
        signer.close()
        database.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = self.server.documents.get(self.path)  # type: ignore[attr-defined]
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Registry:
    """A registry's web server: documents by path."""

    base_url: str
    documents: dict[str, bytes]


@contextmanager
def a_registry() -> Iterator[Registry]:
    """A real web server on loopback that serves documents."""
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listening.documents = {}  # type: ignore[attr-defined]
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Registry(f"http://127.0.0.1:{listening.server_port}", listening.documents)  # type: ignore[attr-defined]
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def every_route(server: Server) -> list[tuple[str, str]]:
    """Method and path of everything that is served under the prefix."""
    paths = server.app.api.openapi()["paths"]
    return [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1")
    ]


def a_wsdl(*operations: tuple[str, str | None], location: str = "http://registry.test/soap") -> bytes:
    """A WSDL 1.1 with these operations, each with its version."""
    names = "".join(
        f'<operation name="{name}"><soap:operation soapAction=""/>'
        + (f"<xrd:version>{version}</xrd:version>" if version else "")
        + "</operation>"
        for name, version in operations
    )
    return (
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        'xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:t="urn:t" targetNamespace="urn:t">'
        f'<binding name="b" type="t:p"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>{names}</binding>'
        f'<service name="s"><port name="p" binding="t:b"><soap:address location="{location}"/></port></service>'
        "</definitions>"
    ).encode()

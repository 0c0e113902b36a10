"""The composition root of a security server: builds every part, hands out the ports, starts and stops.

The only place where the concrete classes stand side by side. Nothing is decided here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from gateway.admin.api.message_log_archive import archive_router
from gateway.admin.api.message_log_checkpoints import checkpoint_router
from gateway.admin.app import admin_app
from gateway.admin.deps import AdminDeps
from gateway.admin.registration import follow_globalconf
from gateway.archiving import order_of
from gateway.auditing.api import audit_router
from gateway.auditing.archived import ArchivedDocuments
from gateway.auditing.configurations import HistoricConfigurations
from gateway.auditing.console.app import audit_pages
from gateway.auditing.console.archives import stored_files
from gateway.auditing.deps import AuditDeps
from gateway.auditing.exports import Exports
from gateway.auditing.ledgers import ServerLedger
from gateway.auditing.model import Archiving, Growth
from gateway.auditing.server_archives import ServerArchives
from gateway.auditing.server_source import ServerSource
from gateway.auditing.trust_files import server_trust
from gateway.configuration_client.cache import ANCHOR_FILE, Cache
from gateway.configuration_client.client import ConfigurationClient
from gateway.configuration_client.downloader import Downloader, open_fetcher
from gateway.configuration_client.history import History
from gateway.configuration_client.provider import ConfigurationProvider
from gateway.consumer.app import ConsumerApp
from gateway.consumer.catalogue import Catalogue
from gateway.consumer.deps import ConsumerDeps, PeerCaller
from gateway.consumer.evidence import Evidence
from gateway.consumer.peer_ocsp import PeerOcspResponses
from gateway.exchange.faults import FaultStyle
from gateway.exchange.ports import ExchangeLimits
from gateway.initialisation import initialise
from gateway.listeners import PeerPort, TlsContexts
from gateway.messagelog.archive.journal import count_unverified
from gateway.messagelog.archive.places import open_place
from gateway.messagelog.archive.service import ArchiveService
from gateway.messagelog.checkpoints import Checkpointer
from gateway.messagelog.documents import Documents
from gateway.messagelog.index import Indexer, IndexerTask
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.status import LogWatch
from gateway.messagelog.timestamper import Timestamper
from gateway.paths import StatePaths
from gateway.provider.app import ProviderApp
from gateway.provider.deps import ProviderDeps
from gateway.provider.forward import ServiceCaller
from gateway.provider.metaservices import MetaServices
from gateway.provider.ocsp_endpoint import OcspEndpoint
from gateway.runtime import logs, memory
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.audit.file_watch import FileWatch, files_below
from gateway.runtime.audit.model import TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.console.formats import zone_named
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from gateway.runtime.fetch import Fetcher, expect_ok
from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.server import HttpLimits, HttpServer
from gateway.runtime.open_files import allow_connections
from gateway.runtime.periodic import Periodic
from gateway.runtime.private_files import credentials_directory, find_credential
from gateway.runtime.self_signed import server_context
from gateway.runtime.settings import load
from gateway.runtime.spool import SpoolDirectory
from gateway.runtime.tls import TlsIdentity
from gateway.serverconf.openapi_servers import hide_servers
from gateway.serverconf.provider import ServerConfProvider
from gateway.settings import GatewaySettings
from gateway.signer.certificates import Keyring
from gateway.signer.keystore import Keystore, read_pin
from gateway.signer.model import KeyAlgorithm
from gateway.signer.ocsp_cache import OcspCache
from gateway.signer.signing import Signer
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import ConfigurationUnusable, SigningUnavailable, Spelling, XRoadFault
from gateway.xroad.identifiers import encode_path

log = logging.getLogger(__name__)

PIN_CREDENTIAL: Final = "gateway-token-pin"
# Every process notices a change of the database within this time.
FOLLOW_INTERVAL_S: Final = 1.0
OCSP_RETRY_S: Final = 60.0
DEFAULT_OCSP_INTERVAL_S: Final = 1200.0
FREE_MEMORY_INTERVAL_S: Final = 30.0
# An edit of a file that only we change is on record within this time.
WATCH_FILES_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The databases of one security server."""

    configuration: Database
    message_log: Database
    index: Database

    def close(self) -> None:
        """Close all of them."""
        self.configuration.close()
        self.message_log.close()
        self.index.close()


class Gateway:
    """One security server in one process."""

    def __init__(
        self,
        state: Path,
        settings: GatewaySettings,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        config: Path | None = None,
    ) -> None:
        self.settings = settings
        self._config = config
        self._credentials = credentials_directory(environ or {})
        self._pin_file = settings.signer.pin_file or find_credential(PIN_CREDENTIAL, environ or {})
        self.paths = StatePaths(state, settings)
        self.clock = clock or SystemClock()
        initialise(self.paths, self.clock)
        self.stores = Stores(
            open_database(self.paths.database_url),
            open_database(self.paths.message_log_url),
            open_index(self.paths.index_url),
        )
        self._build_configuration()
        self._build_signer()
        self._build_message_log()
        self._build_evidence()
        self._build_proxies()
        self._build_admin()

    def _build_configuration(self) -> None:
        settings = self.settings.configuration
        self.registrations = ServerConfProvider(self.stores.configuration)
        cache, self.history = Cache(self.paths.globalconf), History(self.paths.history)
        self.configuration_fetcher = open_fetcher()
        self.configuration = ConfigurationProvider(cache, self.clock, history=self.history)
        self.configuration_client = ConfigurationClient(
            cache=cache,
            downloader=Downloader(self.configuration_fetcher.get, self.clock),
            provider=self.configuration,
            clock=self.clock,
            history=self.history,
            interval_s=settings.update_interval_s,
            allowed_federations=settings.allowed_federations,
        )

    def _build_signer(self) -> None:
        settings = self.settings.signer
        self.fetcher = Fetcher()
        self.keystore = Keystore(self.paths.keys, enforce_pin_policy=settings.enforce_pin_policy)
        self.ocsp = OcspCache(self.paths.ocsp, self._ask_responder, self.configuration, self.clock)
        self.signer = Signer(self.stores.configuration, self.keystore, self.ocsp, self.configuration, self.clock)
        self.keyring = Keyring(
            self.stores.configuration,
            self.keystore,
            on_change=self.signer.reload,
            algorithm=KeyAlgorithm(settings.key_algorithm),
            rsa_bits=settings.rsa_bits,
        )
        self._ocsp_loop = Periodic(
            "OCSP responses", self._ocsp_interval_s, self._renew_status, retry_s=OCSP_RETRY_S, expected=XRoadFault
        )

    def _build_message_log(self) -> None:
        settings = self.settings.messagelog.records
        self.message_log = MessageLog(
            self.stores.message_log, self.paths.bodies, settings, self.clock, tsa_urls=self._tsa_urls
        )
        self.timestamper = Timestamper(
            self.message_log, settings, self.clock, globalconf=self.configuration.current, tsa_urls=self._tsa_urls
        )
        self.documents = Documents(self.message_log, self.timestamper)
        self.checkpointer = Checkpointer(
            self.message_log,
            self.settings.messagelog.checkpoints,
            self.clock,
            server=lambda: self.registrations.current().server,
            signer=self.signer,
            stamp=self.timestamper.stamp_digest,
        )
        self.log_watch = LogWatch(self.message_log, self.clock)

    def _build_evidence(self) -> None:
        cache = Cache(self.paths.globalconf)
        archive = self.settings.archive
        self.archiving = ArchiveService(self.message_log, order_of(self.paths), self.clock)
        self._open_place = partial(open_place, endpoint=archive.s3_endpoint, region=archive.s3_region)
        self.archives = ServerArchives(self.stores.message_log, self._open_place)
        entries = LogEntries(self.stores.message_log, self.message_log.reader, self.archives)
        self.indexer = IndexerTask(Indexer(self.stores.index, entries))
        self.evidence = ServerSource(
            self.message_log,
            self.stores.index,
            configurations=HistoricConfigurations(self.history, lambda: cache.read_anchor().anchor, grows=True),
            archives=self.archives,
            growth=self._log_growth,
            archiving=self._archiving_trouble,
            name=lambda: str(self.registrations.current().server or ""),
        )

    def _build_proxies(self) -> None:
        settings = self.settings
        internal = _identity_from(self.paths.tls, "internal")
        self.tls = TlsContexts(self.configuration, self.signer.authentication, internal)
        style = FaultStyle(Spelling(settings.faults.spelling), settings.faults.language)
        limits = ExchangeLimits(settings.limits.soap_bytes, settings.limits.rest_body_bytes)
        self.spool: SpoolDirectory[Digest] = SpoolDirectory(
            self.paths.spool,
            partial(Digest, DigestAlgorithm.SHA512),
            memory_threshold_bytes=settings.limits.spool_threshold_bytes,
        )
        self.peer_http = HttpClient(
            ClientLimits(
                connect_timeout_s=settings.consumer.connect_timeout_s,
                response_timeout_s=settings.consumer.response_timeout_s,
                remember_fastest_s=settings.consumer.remember_fastest_s,
            )
        )
        self.service_http = HttpClient(ClientLimits(connect_timeout_s=settings.provider.connect_timeout_s))
        self.description_fetcher = Fetcher(
            verify=self.tls.services, connect_timeout_s=settings.provider.connect_timeout_s
        )
        consumer = ConsumerDeps(
            configuration=self.configuration,
            registrations=self.registrations,
            signer=self.signer,
            message_log=self.message_log,
            clock=self.clock,
            spool=self.spool,
            peers=PeerCaller(
                http=self.peer_http,
                tls=self.tls.peer_client,
                port=settings.consumer.peer_port,
                ocsp=PeerOcspResponses(self._ask_peer_status),
                clock=self.clock,
                reuse_connections=settings.consumer.reuse_connections,
            ),
            limits=limits,
            style=style,
            internal_certificate=internal.certificate_der,
        )
        provider = ProviderDeps(
            configuration=self.configuration,
            registrations=self.registrations,
            signer=self.signer,
            message_log=self.message_log,
            clock=self.clock,
            spool=self.spool,
            services=ServiceCaller(self.service_http, lambda: self.tls.services, self.registrations, self.clock),
            metaservices=MetaServices(self.registrations, self.description_fetcher, hide_servers),
            limits=limits,
            style=style,
            min_client_version=settings.provider.min_client_version,
        )
        evidence = Evidence(
            self.documents,
            self.registrations,
            self.configuration,
            language=settings.faults.language,
            internal_certificate=internal.certificate_der,
            archived=ArchivedDocuments(self.evidence, self.stores.message_log),
        )
        provider_app = ProviderApp(provider, keep_connections=settings.provider.keep_connections)
        self._listen(ConsumerApp(consumer, evidence, Catalogue(consumer, self.configuration)), provider_app)

    def _listen(self, consumer: ConsumerApp, provider: ProviderApp) -> None:
        settings = self.settings
        http = HttpLimits(
            header_timeout_s=settings.limits.header_timeout_s,
            body_idle_timeout_s=settings.limits.body_idle_timeout_s,
            max_connections=settings.limits.connections,
            max_connections_per_address=settings.limits.connections_per_address,
        )
        listen = partial(HttpServer, host=settings.address, limits=http)
        self.http_port = listen(consumer, port=settings.consumer.http_port)
        self.https_port = listen(consumer, port=settings.consumer.https_port, ssl=self.tls.information_systems)
        self.ocsp_port = listen(OcspEndpoint(self.signer), port=settings.provider.ocsp_port)
        self.peer_port = PeerPort(listen(provider, port=settings.provider.port), self.tls)

    def _build_admin(self) -> None:
        self.trail = Trail(self.paths.root, self.clock)
        self.file_watch = FileWatch(self.trail, self.paths.watched_files, self._watched_files)
        self._watch_loop = Periodic(
            "audit log", WATCH_FILES_S, self._watch_files, first_delay_s=WATCH_FILES_S, expected=TrailUnavailable
        )
        self._build_auditing()
        deps = AdminDeps(
            database=self.stores.configuration,
            registrations=self.registrations,
            configuration=self.configuration_client,
            configuration_provider=self.configuration,
            keyring=self.keyring,
            ocsp=self.ocsp,
            fetcher=self.fetcher,
            clock=self.clock,
            internal_certificate=self.tls.internal_certificate,
            after_change=self.follow,
            refresh_status=self._refresh_status_now,
            stamp_soon=self.timestamper.trigger,
            sign_in=SignIn(self.stores.configuration, self.clock, Passwords(), self.settings.accounts),
            trail=self.trail,
            watch=self.file_watch,
            enforce_pin_policy=self.settings.signer.enforce_pin_policy,
            log_watch=self.log_watch,
            authorities=self.timestamper.authorities,
        )
        self._follow_globalconf = partial(follow_globalconf, deps)
        context = server_context(self.paths.tls / "admin.crt", self.paths.tls / "admin.key")
        self.admin = ControlServer(
            Listener(
                admin_app(
                    deps,
                    self.settings.admin_limits,
                    routers=(
                        archive_router(self.archiving.state, self.archiving.trigger),
                        checkpoint_router(self.checkpointer, self.stores.message_log),
                        audit_router(self.auditing),
                    ),
                    consoles=(audit_pages(self.auditing, stored_files(self.stores.message_log, self._open_place)),),
                    zone=zone_named(self.settings.admin.time_zone),
                ),
                host=self.settings.address,
                port=self.settings.admin.port,
                ssl_context=context,
                name="admin API",
            )
        )
        self._follow_loop = Periodic("follow changes", FOLLOW_INTERVAL_S, self.follow)

    def _build_auditing(self) -> None:
        trust = server_trust(self.configuration.verification_conf, self.history)
        ledger = ServerLedger(self.message_log, self.checkpointer, trust=self.evidence.globalconf_at)
        self.exports = Exports(
            self.paths.exports,
            self.evidence,
            self.clock,
            server_name=self._server_name,
            ledger=ledger,
            trust=trust,
            settings=self.settings.exports,
        )
        self.auditing = AuditDeps(
            self.evidence,
            self.trail,
            self.clock,
            self._server_name,
            ledger=ledger,
            exports=self.exports,
            masking=self.settings.masking,
        )

    def _server_name(self) -> str:
        server = self.registrations.current().server
        return "" if server is None else encode_path(server)

    # what other parts ask for

    def _watched_files(self) -> Iterable[Path]:
        anchor = self.paths.globalconf / ANCHOR_FILE
        log_key = self.settings.messagelog.records.encryption_key_file
        return files_below(
            self._config, anchor, self.paths.keys, self.paths.tls, self.paths.api_key, self._pin_file, log_key
        )

    async def _watch_files(self) -> None:
        await asyncio.to_thread(self.file_watch.look)

    def _archiving_trouble(self) -> Archiving:
        with self.stores.message_log.reading() as connection:
            return Archiving(self.archiving.failure, count_unverified(connection))

    def _tsa_urls(self) -> tuple[str, ...]:
        return self.registrations.current().timestamping_urls

    def _log_growth(self) -> Growth | None:
        measured = self.log_watch.growth
        return None if measured is None else Growth(**asdict(measured))

    def _ocsp_interval_s(self) -> float:
        try:
            return float(self.configuration.current().ocsp_fetch_interval_s)
        except ConfigurationUnusable:
            return DEFAULT_OCSP_INTERVAL_S

    async def _ask_responder(self, url: str, request: bytes) -> bytes:
        return expect_ok(await self.fetcher.post(url, request, content_type="application/ocsp-request"))

    async def _ask_peer_status(self, address: str, target: str) -> tuple[int, str, bytes]:
        answer = await self.fetcher.get(
            f"http://{address}:{self.settings.consumer.peer_ocsp_port}{target}", headers={"Accept": "multipart/related"}
        )
        return answer.status, answer.content_type, answer.content

    async def _renew_status(self) -> None:
        if self.configuration.generation is not None:
            await self.signer.refresh_status()

    async def _refresh_status_now(self) -> None:
        try:
            await self.signer.refresh_status()
        except (SigningUnavailable, ConfigurationUnusable) as fault:
            log.warning("certificate status was not renewed: %s", fault)
            self._ocsp_loop.trigger()

    # life

    async def follow(self) -> None:
        """Work by the newest state of database and global configuration from now on."""
        await self.registrations.refresh()
        await asyncio.to_thread(self.signer.reload_if_changed)
        if await asyncio.to_thread(self._follow_globalconf):
            await self.registrations.refresh()
            await self._refresh_status_now()
        await self.peer_port.follow()

    async def start(self) -> None:
        """Start every part; ports listen when this returns, 5500 as soon as there is a certificate."""
        self._log_in()
        try:
            await self._watch_files()
        except TrailUnavailable as cause:  # exchanges go on; changes are refused until it can be written
            log.error("the audit log cannot be written: %s", cause)
        await self.configuration_client.start()
        await self.message_log.start()
        self.timestamper.start()
        self.checkpointer.start()
        self.log_watch.start()
        self.indexer.start()
        self.archiving.start()
        await self.follow()
        for server in (self.http_port, self.https_port, self.ocsp_port):
            await server.start()
        await self.exports.start()
        await self.admin.start()
        self._ocsp_loop.start()
        self._follow_loop.start()
        self._watch_loop.start()
        log.info("security server is ready", extra={"address": self.settings.address, "admin": self.admin.port})

    async def stop(self) -> None:
        """Stop taking requests, finish those in flight, then close everything."""
        stops: list[Callable[[], Awaitable[None]]] = [
            self._watch_loop.stop,
            self._follow_loop.stop,
            self._ocsp_loop.stop,
            self.admin.stop,
            self.exports.stop,
            self.http_port.close,
            self.https_port.close,
            self.peer_port.close,
            self.ocsp_port.close,
            self.checkpointer.stop,
            self.timestamper.stop,
            self.log_watch.stop,
            self.indexer.stop,
            self.archiving.stop,
            self.message_log.stop,
            self.configuration_client.stop,
            self.peer_http.close,
            self.service_http.close,
            self.description_fetcher.close,
            self.fetcher.close,
            self.configuration_fetcher.close,
        ]
        for stop in stops:
            await stop()
        self.archives.close()
        self.signer.close()
        self.spool.close()
        self.stores.close()

    def _log_in(self) -> None:
        if self._pin_file is None or not self.keystore.is_initialised:
            return
        try:
            self.keyring.login(read_pin(self._pin_file, credentials_directory=self._credentials))
        except SigningUnavailable as fault:
            log.error("the token stays locked: %s", fault)


def _identity_from(directory: Path, name: str) -> TlsIdentity:
    certificate = x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())
    key = load_pem_private_key((directory / f"{name}.key").read_bytes(), None)
    return TlsIdentity(certificate_der=certificate.public_bytes(Encoding.DER), private_key=key)


async def _serve(state: Path, settings: GatewaySettings, config: Path | None) -> None:
    gateway = Gateway(state, settings, environ=os.environ, config=config)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    free_memory = Periodic(
        "free memory", FREE_MEMORY_INTERVAL_S, memory.give_back, first_delay_s=FREE_MEMORY_INTERVAL_S
    )
    try:
        await gateway.start()
        memory.settle()
        free_memory.start()
        await stopping.wait()
    finally:
        await free_memory.stop()
        await gateway.stop()


def run(state: Path, config: Path | None) -> None:
    """Run a security server until SIGTERM or SIGINT."""
    settings = load(GatewaySettings, config, os.environ, prefix="GATEWAY")
    logs.configure()
    allow_connections(settings.limits.connections)
    uvloop.run(_serve(state, settings, config))

"""A security server's signer with a CA, responders and a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database, open_database
from gateway.signer import tables
from gateway.signer.certificates import Keyring, SubjectFacts
from gateway.signer.keystore import Keystore
from gateway.signer.model import CertificateRecord, CertificateStatus, KeyAlgorithm, KeyUsage
from gateway.signer.ocsp_cache import OcspCache
from gateway.signer.signing import Signer
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.shared_parameters import ApprovedCa, CaInfo, OcspResponder
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki import ocsp
from gateway.xroad.pki.csr import parse_csr
from tests.factories.globalconf import a_globalconf, a_shared_parameters
from tests.factories.pki import FIVRK, NOON, Authority, Hierarchy, Issued, a_hierarchy, a_member

PIN = "Test-pin-2026"
MEMBER = a_member()
SERVER = SecurityServerId(MEMBER, "SS1")
ROOT_URL = "http://ocsp.test/root"
ISSUING_URL = "http://ocsp.test/issuing"
SUBJECT = SubjectFacts(FIVRK, SERVER, "Ministry", "ss1.example.org")


def a_configuration(pki: Hierarchy, **changes: object) -> GlobalConf:
    """A configuration that approves the hierarchy: the root and the issuing CA below it."""
    approved = ApprovedCa(
        "Test CA",
        CaInfo(pki.root.der, (OcspResponder(ROOT_URL, pki.responder.der),)),
        FIVRK,
        (CaInfo(pki.issuing.der, (OcspResponder(ISSUING_URL, None),)),),
        **changes,  # type: ignore[arg-type]
    )
    shared = a_shared_parameters(approved_cas=(approved,), approved_tsas=())
    return a_globalconf(shared, expires_at=NOON + timedelta(days=1))


@dataclass
class Conf:
    """Satisfies the configuration port."""

    globalconf: GlobalConf

    def current(self) -> GlobalConf:
        return self.globalconf


@dataclass
class Responders:
    """The OCSP responders of the hierarchy; `down` are addresses that do not answer."""

    pki: Hierarchy
    clock: FixedClock
    asked: list[str] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    answers: dict[str, bytes] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)

    async def fetch(self, url: str, request: bytes) -> bytes:
        self.asked.append(url)
        if url in self.down:
            raise OSError("connection refused")
        if url in self.answers:
            return self.answers[url]
        asked = ocsp.parse_request(request)
        signer: Issued = self.pki.responder if url == ROOT_URL else self.pki.issuing
        status = ocsp.Status.REVOKED if asked.serial_number in self.revoked else ocsp.Status.GOOD
        return ocsp.build_response(
            [ocsp.Answer(asked, status, self.clock.now())],
            key=signer.key,
            responder=signer.certificate,
            produced_at=self.clock.now(),
            enclosed=[signer.certificate],
        )


@dataclass
class World:
    """One server: everything that lives in memory is made by `start`, everything else is on disk."""

    directory: Path
    database: Database
    pki: Hierarchy
    clock: FixedClock
    conf: Conf
    responders: Responders
    algorithm: KeyAlgorithm = KeyAlgorithm.EC

    def start(self, *, login: bool = True) -> None:
        """Start, or start again, from what is on disk."""
        self.keystore = Keystore(self.directory / "keys")
        self.cache = OcspCache(self.directory / "ocsp", self.responders.fetch, self.conf, self.clock)
        self.signer = Signer(self.database, self.keystore, self.cache, self.conf, self.clock)
        self.keyring = Keyring(
            self.database, self.keystore, on_change=self.signer.reload, algorithm=self.algorithm, rsa_bits=2048
        )
        if not self.keystore.is_initialised:
            self.keyring.initialise(PIN)
        elif login:
            self.keyring.login(PIN)

    def stop(self) -> None:
        self.signer.close()

    def certify(self, request_der: bytes, usage: str = "sign", ca: Authority | None = None, **options: object) -> bytes:
        """What the CA answers to a request."""
        request = parse_csr(request_der)
        issued = (ca or self.pki.root).issue(request.subject, request.public_key(), usage, **options)  # type: ignore[arg-type]
        return Issued(issued, self.pki.root.key).der

    def sign_certificate(
        self, member: MemberId = MEMBER, *, active: bool = True, key: str | None = None,
        ca: Authority | None = None, not_before: datetime | None = None, **options: object,
    ) -> CertificateRecord:  # fmt: skip
        """A signing certificate of `member`, requested, issued and imported."""
        key = key or self.keyring.generate_key("sign").id
        request = self.keyring.request_certificate(key, KeyUsage.SIGNING, SUBJECT, member)
        if not_before is not None:
            options["not_before"] = not_before
        der = self.certify(request.der, ca=ca, **options)
        return self.keyring.import_certificate(der, self.conf.current(), self.clock.now(), activate=active)

    def auth_certificate(self, *, registered: bool = True, ca: Authority | None = None) -> CertificateRecord:
        """The authentication certificate of the server."""
        key = self.keyring.generate_key("auth").id
        request = self.keyring.request_certificate(key, KeyUsage.AUTHENTICATION, SUBJECT)
        der = self.certify(request.der, "auth", ca)
        record = self.keyring.import_certificate(der, self.conf.current(), self.clock.now(), activate=registered)
        if registered:
            record = self.keyring.set_status(record.hash, CertificateStatus.REGISTERED)
        return record


def make_world(tmp_path: Path, database: Database, algorithm: KeyAlgorithm = KeyAlgorithm.EC) -> World:
    pki = a_hierarchy()
    clock = FixedClock(NOON)
    return World(
        tmp_path, database, pki, clock, Conf(a_configuration(pki)), Responders(pki, clock), algorithm
    )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server on SQLite with an initialised token."""
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")
    tables.metadata.create_all(database.engine)
    made = make_world(tmp_path, database)
    made.start()
    yield made
    made.stop()
    database.close()


@pytest.fixture
def fresh(database: Database) -> Database:
    """A database of either kind with the signer's tables."""
    tables.metadata.create_all(database.engine)
    return database

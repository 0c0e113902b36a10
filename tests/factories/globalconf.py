"""Facts of a global configuration, and a small configuration source that signs them.

`a_globalconf()` is a finished snapshot; `a_source()` publishes directories and parts as the central
services do, for whoever downloads or verifies them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.runtime.fetch import Fetched, FetchError
from gateway.xroad.digests import DigestAlgorithm, SignatureAlgorithm, digest_of
from gateway.xroad.globalconf.anchor import Anchor, AnchorSource, build_anchor
from gateway.xroad.globalconf.directory import (
    FILE_NAMES,
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    DirectoryContent,
    DirectoryEntry,
    build_directory,
)
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.globalconf.optional_parts import OptionalParts
from gateway.xroad.globalconf.private_parameters import ManagementService, PrivateParameters
from gateway.xroad.globalconf.private_parameters_xml import build_private_parameters
from gateway.xroad.globalconf.shared_parameters import (
    AcmeServer,
    ApprovedCa,
    ApprovedTsa,
    CaInfo,
    ConfigurationSource,
    GlobalGroup,
    Member,
    MemberClass,
    OcspResponder,
    SecurityServer,
    SharedParameters,
    Subsystem,
    auth_cert_hashes,
)
from gateway.xroad.globalconf.shared_parameters_xml import build_shared_parameters
from gateway.xroad.identifiers import ClientId, GlobalGroupId, MemberId, SecurityServerId, SubsystemId

INSTANCE = "TEST"
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
OWNER = MemberId(INSTANCE, "GOV", "1001")
CLIENT = SubsystemId(OWNER, "client")
SERVER = SecurityServerId(OWNER, "SS1")
PROVIDER_MEMBER = MemberId(INSTANCE, "COM", "2002")
PROVIDER = SubsystemId(PROVIDER_MEMBER, "service")
PROVIDER_SERVER = SecurityServerId(PROVIDER_MEMBER, "SS2")
EJBCA = "ee.ria.xroad.common.certificateprofile.impl.EjbcaCertificateProfileInfoProvider"


@dataclass(frozen=True)
class KeyPair:
    """A key with its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data, ec.ECDSA(hashes.SHA512()))


@lru_cache
def a_key_pair(name: str = "Test", issuer: KeyPair | None = None, *, ca: bool = False) -> KeyPair:
    """Return the same pair for the same name; issued by `issuer`, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=365))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key if issuer is None else issuer.key, hashes.SHA256())
    )
    return KeyPair(key, certificate)


def an_approved_ca(name: str = "Test CA", pair: KeyPair | None = None, **changes: object) -> ApprovedCa:
    top = pair or a_key_pair(name, ca=True)
    responder = OcspResponder("http://ca.test:8888/ocsp", a_key_pair(f"{name} OCSP", top).der)
    return replace(ApprovedCa(name, CaInfo(top.der, (responder,)), EJBCA), **changes)  # type: ignore[arg-type]


def a_member(client: ClientId = CLIENT, name: str = "Ministry", *, subsystem_name: str | None = None) -> Member:
    subsystems = (Subsystem(client, subsystem_name),) if isinstance(client, SubsystemId) else ()
    return Member(client.member, name, f"{client.member.member_class} members", subsystems)


def a_security_server(
    server: SecurityServerId = SERVER,
    clients: tuple[ClientId, ...] = (CLIENT,),
    *,
    address: str | None = "127.0.2.1",
    auth_certificates: tuple[bytes, ...] = (),
    maintenance: str | None = None,
) -> SecurityServer:
    listed = frozenset(digest for der in auth_certificates for digest in auth_cert_hashes(der))
    return SecurityServer(server, address, listed, frozenset(clients), maintenance)


def a_shared_parameters(instance: str = INSTANCE, **changes: object) -> SharedParameters:
    """Return shared parameters of two members with a server each; `changes` replace fields."""
    owner, provider = (MemberId(instance, m.member_class, m.member_code) for m in (OWNER, PROVIDER_MEMBER))
    client, service = SubsystemId(owner, "client"), SubsystemId(provider, "service")
    parameters = SharedParameters(
        instance=instance,
        sources=(ConfigurationSource("central.test:80", (a_key_pair("conf").der,), (a_key_pair("conf").der,)),),
        approved_cas=(an_approved_ca(),),
        approved_tsas=(ApprovedTsa("Test TSA", "http://tsa.test:8899", a_key_pair("tsa").der),),
        members=(a_member(client), a_member(service, "Company")),
        security_servers=(
            a_security_server(SecurityServerId(owner, "SS1"), (client,)),
            a_security_server(SecurityServerId(provider, "SS2"), (service,), address="127.0.3.1"),
        ),
        global_groups=(
            GlobalGroup(
                GlobalGroupId(instance, "security-server-owners"),
                "Security server owners",
                frozenset({owner, provider}),
            ),
        ),
        member_classes=(MemberClass("GOV", "Government"), MemberClass("COM", "Companies")),
    )
    return replace(parameters, **changes)  # type: ignore[arg-type]


def a_full_shared_parameters() -> SharedParameters:
    """Return facts with every element that some version knows."""
    ca = an_approved_ca(default_csr_format="DER", acme=AcmeServer("http://ca.test/acme", "192.0.2.1", "1", "2"))
    responder = replace(ca.top.ocsp_responders[0], cost_type="FREE")
    ca = replace(ca, top=replace(ca.top, ocsp_responders=(responder,)), intermediates=(ca.top,))
    base = a_shared_parameters()
    return replace(
        base,
        approved_cas=(ca,),
        approved_tsas=(replace(base.approved_tsas[0], cost_type="PAID"),),
        members=(a_member(subsystem_name="Одяг & <взуття>"), base.members[1]),
        security_servers=(
            a_security_server(auth_certificates=(b"auth",), maintenance="back at 5"),
            replace(base.security_servers[1], maintenance="", address=None),
        ),
    )


def a_private_parameters(instance: str = INSTANCE, **changes: object) -> PrivateParameters:
    provider = SubsystemId(MemberId(instance, "GOV", "1001"), "client")
    service = ManagementService("https://central.test:4001/managementservice/", a_key_pair("mgmt").der, provider)
    return replace(PrivateParameters(instance, service, 60), **changes)  # type: ignore[arg-type]


def a_globalconf(
    *shared: SharedParameters,
    private: PrivateParameters | None = None,
    expires_at: datetime = NOW + timedelta(days=3650),
    version: int = 6,
    optional: OptionalParts | None = None,
) -> GlobalConf:
    """Return a snapshot of these instances; the first is the own one."""
    known = shared or (a_shared_parameters(),)
    return GlobalConf.of(
        known[0].instance,
        {parameters.instance: parameters for parameters in known},
        private or a_private_parameters(known[0].instance),
        expires_at,
        version=version,
        optional=optional,
    )


@dataclass
class Source:
    """A configuration source: what it says, and the bytes it answers with by path and query.

    `parts` are optional parts by content id and file name. `stamp` names the folder of the parts.
    """

    instance: str = INSTANCE
    base_url: str = "http://central.test"
    path: str = "/internalconf"
    signer: KeyPair = field(default_factory=lambda: a_key_pair("conf"))
    shared: SharedParameters | None = None
    private: PrivateParameters | None = None
    parts: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    versions: tuple[int, ...] = (2, 3, 4, 5, 6)
    expires_at: datetime = NOW + timedelta(seconds=600)
    stamp: str = "20260501120000000000000"
    anchor_certificates: tuple[bytes, ...] = ()

    def anchor(self) -> Anchor:
        certificates = self.anchor_certificates or (self.signer.der,)
        return Anchor(self.instance, (AnchorSource(self.base_url + self.path, certificates),), NOW)

    def anchor_xml(self) -> bytes:
        return build_anchor(self.anchor())

    def files(self, version: int) -> dict[tuple[str, str], bytes]:
        """Return content id and location of every part with its bytes."""
        shared = self.shared or a_shared_parameters(self.instance)
        found = {
            (SHARED_PARAMETERS, FILE_NAMES[SHARED_PARAMETERS]): build_shared_parameters(shared, version),
            **self.parts,
        }
        if self.path == "/internalconf":
            private = self.private or a_private_parameters(self.instance)
            found[PRIVATE_PARAMETERS, FILE_NAMES[PRIVATE_PARAMETERS]] = build_private_parameters(private, version)
        return {(part, f"/V{version}/{self.stamp}/{name}"): content for (part, name), content in found.items()}

    def content(self, version: int) -> DirectoryContent:
        entries = tuple(
            DirectoryEntry(part, self.instance, location, digest_of(content, DigestAlgorithm.SHA512))
            for (part, location), content in self.files(version).items()
        )
        return DirectoryContent(self.expires_at, version, entries)

    def directory(self, version: int = 6) -> bytes:
        return self.sign(self.content(version))

    def sign(self, content: DirectoryContent) -> bytes:
        return build_directory(
            content,
            self.signer.sign,
            SignatureAlgorithm.ECDSA_SHA512,
            self.signer.der,
            boundaries=("Outer000000000000000", "Inner000000000000000"),
        )

    def answers(self) -> dict[str, bytes]:
        """Return the body of every path that answers 200; all others are 404."""
        found = {self.path: self.directory(2)} if 2 in self.versions else {}
        for version in self.versions:
            found[f"{self.path}?version={version}"] = self.directory(version)
            found |= {location: content for (_, location), content in self.files(version).items()}
        return found


def a_source(**changes: object) -> Source:
    return Source(**changes)  # type: ignore[arg-type]


class Web:
    """The network as the downloader sees it: bodies by full address, 404 elsewhere, and dead hosts.

    A value of `answers` is a body or a status. `requests` lists what was asked, in order.
    """

    def __init__(self, answers: Mapping[str, bytes | int] | None = None, *, dead: tuple[str, ...] = ()) -> None:
        self.answers: dict[str, bytes | int] = dict(answers or {})
        self.dead = dead
        self.requests: list[str] = []

    def publish(self, source: Source) -> Web:
        self.answers |= {source.base_url + path: body for path, body in source.answers().items()}
        return self

    async def get(self, url: str, *, max_bytes: int | None = None) -> Fetched:
        self.requests.append(url)
        if url.startswith(("https://", *self.dead)):
            raise FetchError(url, "connection refused")
        answer = self.answers.get(url, 404)
        return Fetched(url, answer, {}, b"") if isinstance(answer, int) else Fetched(url, 200, {}, answer)

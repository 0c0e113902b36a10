"""GlobalConf: read-only questions over a verified configuration (X-Road GlobalConfImpl.java).

One value is one moment: it never changes, its indexes are built once, and whoever asks twice in one
exchange holds the same value. `memo` keeps what others proved against exactly this configuration,
and dies with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID

from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.faults import SignatureRefused
from gateway.xroad.globalconf.authorities import (
    CertificationAuthority,
    TimestampingAuthority,
    authorities_of,
    tsas_of,
)
from gateway.xroad.globalconf.optional_parts import OptionalParts
from gateway.xroad.globalconf.private_parameters import PrivateParameters
from gateway.xroad.globalconf.schemas import NEWEST_VERSION
from gateway.xroad.globalconf.shared_parameters import GlobalGroup, Member, SecurityServer, SharedParameters
from gateway.xroad.identifiers import ClientId, GlobalGroupId, MemberId, SecurityServerId
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.profiles import member_of

DEFAULT_TIMESTAMPING_INTERVAL_S: Final = 60
MAX_MEMO_ENTRIES: Final = 20_000


class Memo(dict[Any, Any]):
    """A dictionary that empties itself when full: strangers choose what is asked about."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= MAX_MEMO_ENTRIES:
            self.clear()
        super().__setitem__(key, value)


@dataclass(frozen=True, slots=True)
class _Index:
    """The lookups of all instances, each a dictionary."""

    servers: Mapping[SecurityServerId, SecurityServer]
    servers_by_client: Mapping[ClientId, tuple[SecurityServer, ...]]
    servers_by_hash: Mapping[Digest, SecurityServerId]
    hash_algorithms: tuple[DigestAlgorithm, ...]
    members: Mapping[MemberId, Member]
    clients: Mapping[ClientId, str | None]
    groups: Mapping[GlobalGroupId, GlobalGroup]
    authorities: Mapping[str, tuple[CertificationAuthority, ...]]
    authorities_by_subject: Mapping[x509.Name, tuple[CertificationAuthority, ...]]
    tsas: Mapping[str, tuple[TimestampingAuthority, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class GlobalConf:
    """A verified configuration of one's own instance and of the federated ones; made by `of`."""

    instance: str
    version: int
    expires_at: datetime
    shared: Mapping[str, SharedParameters]
    private: PrivateParameters | None
    optional: OptionalParts
    _index: _Index = field(repr=False)
    memo: dict[Any, Any] = field(default_factory=Memo, repr=False)

    @classmethod
    def of(
        cls,
        instance: str,
        shared: Mapping[str, SharedParameters],
        private: PrivateParameters | None,
        expires_at: datetime,
        *,
        version: int = NEWEST_VERSION,
        optional: OptionalParts | None = None,
    ) -> Self:
        """Index verified parts; `shared` maps instances to their parameters and has the own instance.

        Raises MalformedMessage (malformed_global_conf) when a certificate in them cannot be read.
        """
        known = MappingProxyType(dict(shared))
        return cls(instance, version, expires_at, known, private, optional or OptionalParts(), _index(known.values()))

    def valid_until(self, expires_at: datetime) -> Self:
        """Return the same configuration, index and memo with another expiry: it was signed anew, unchanged."""
        return replace(self, expires_at=expires_at)

    # settings of the instance

    @property
    def ocsp_freshness_s(self) -> int:
        """How old an OCSP response may be."""
        return self.shared[self.instance].ocsp_freshness_s

    @property
    def verify_next_update(self) -> bool:
        """Whether the nextUpdate of OCSP responses counts."""
        return self.optional.verify_next_update

    @property
    def ocsp_fetch_interval_s(self) -> int:
        """How often OCSP responses are fetched."""
        return self.optional.ocsp_fetch_interval_s

    @property
    def timestamping_interval_s(self) -> int:
        """How often records are time-stamped."""
        return DEFAULT_TIMESTAMPING_INTERVAL_S if self.private is None else self.private.timestamping_interval_s

    @property
    def monitoring_client(self) -> ClientId | None:
        """The one client that may read every server's monitoring data."""
        return self.optional.monitoring_client

    @property
    def management_provider(self) -> ClientId | None:
        """The client that serves management requests."""
        return None if self.private is None else self.private.management_service.provider

    @property
    def instances(self) -> tuple[str, ...]:
        """The own instance first, then the federated ones."""
        return (self.instance, *sorted(set(self.shared) - {self.instance}))

    # security servers

    def servers_of(self, client: ClientId) -> tuple[SecurityServer, ...]:
        """Return the servers that `client` owns or is a client of."""
        return self._index.servers_by_client.get(client, ())

    def server(self, server_id: SecurityServerId) -> SecurityServer | None:
        """Return a registered server."""
        return self._index.servers.get(server_id)

    def servers(self, instance: str | None = None) -> tuple[SecurityServer, ...]:
        """Return every server of an instance, or of all."""
        return tuple(server for shared in self._shared(instance) for server in shared.security_servers)

    def server_of_certificate(self, certificate_der: bytes) -> SecurityServerId | None:
        """Return the server for which this authentication certificate is registered."""
        for algorithm in self._index.hash_algorithms:
            found = self._index.servers_by_hash.get(digest_of(certificate_der, algorithm))
            if found is not None:
                return found
        return None

    def is_client_of(self, client: ClientId, server_id: SecurityServerId) -> bool:
        """Tell whether `client` owns the server or is registered on it."""
        server = self._index.servers.get(server_id)
        return server is not None and (client in server.clients or client == server.id.owner)

    # members

    def member_name(self, client: ClientId) -> str | None:
        """Return the full name of the member behind `client`."""
        member = self._index.members.get(client.member)
        return None if member is None else member.name

    def subsystem_name(self, client: ClientId) -> str | None:
        """Return the name of a subsystem, if it has one (V5 on)."""
        return self._index.clients.get(client)

    def clients(self, instance: str | None = None) -> tuple[ClientId, ...]:
        """Return every member, each followed by its subsystems, of an instance or of all."""
        found: list[ClientId] = []
        for member in (member for shared in self._shared(instance) for member in shared.members):
            found.append(member.id)
            found.extend(subsystem.id for subsystem in member.subsystems)
        return tuple(found)

    def is_known(self, client: ClientId) -> bool:
        """Tell whether this member or subsystem is listed at all."""
        return client in self._index.clients

    def member_classes(self, instance: str | None = None) -> tuple[str, ...]:
        """Return the codes of the member classes in use."""
        codes = (member_class.code for shared in self._shared(instance) for member_class in shared.member_classes)
        return tuple(dict.fromkeys(codes))

    def is_in_group(self, client: ClientId, group: GlobalGroupId) -> bool:
        """Tell whether a group lists exactly this client; a member does not stand for its subsystems."""
        found = self._index.groups.get(group)
        return found is not None and client in found.members

    def group(self, group_id: GlobalGroupId) -> GlobalGroup | None:
        """Return a global group."""
        return self._index.groups.get(group_id)

    def groups(self, instance: str | None = None) -> tuple[GlobalGroup, ...]:
        """Return every global group of an instance, or of all."""
        return tuple(group for shared in self._shared(instance) for group in shared.global_groups)

    # trust

    def authorities(self, instance: str | None = None) -> tuple[CertificationAuthority, ...]:
        """Return every approved CA of an instance, or of all."""
        return _pick(self._index.authorities, instance)

    def issuer_of(self, certificate: x509.Certificate, instance: str | None = None) -> CertificationAuthority | None:
        """Return the approved CA, of an instance or of all, whose name and key issued this certificate.

        The reference goes by name alone and finds out about the key while it builds the path. Of
        several services with the same CA, one that may verify signatures comes first.
        """
        key = ("issuer_of", certificate, instance)
        if key not in self.memo:
            self.memo[key] = self._find_issuer(certificate, instance)
        found: CertificationAuthority | None = self.memo[key]
        return found

    def _find_issuer(self, certificate: x509.Certificate, instance: str | None) -> CertificationAuthority | None:
        named = self._index.authorities_by_subject.get(certificate.issuer, ())
        candidates = [ca for ca in named if instance in (None, ca.instance) and _issued(ca.certificate, certificate)]
        return min(candidates, key=lambda ca: ca.authentication_only, default=None)

    def responders_of(self, issuer: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """Return the certificates of the OCSP responders that are listed for this very CA."""
        listed = (ca.ocsp_certificates for ca in self.authorities() if ca.certificate == issuer)
        return tuple(dict.fromkeys(certificate for certificates in listed for certificate in certificates))

    def ocsp_urls_of(self, certificate: x509.Certificate, instance: str | None = None) -> tuple[str, ...]:
        """Return where to ask for the status of a certificate: its CA's responders, then its own AIA address."""
        issuer = self.issuer_of(certificate, instance)
        listed = () if issuer is None else tuple(s.url for s in issuer.ocsp_responders if s.url)
        return tuple(dict.fromkeys((*listed, *_ocsp_addresses_in(certificate))))

    def profile_of_issuer(self, certificate: x509.Certificate, instance: str | None = None) -> str:
        """Return the name of the certificate profile that its CA follows.

        Raises SignatureRefused (incorrect_certificate) when no approved CA issued it.
        """
        issuer = self.issuer_of(certificate, instance)
        if issuer is None:
            raise SignatureRefused(
                "incorrect_certificate",
                "globalconf.issuer_not_approved",
                subject=certificate.subject.rfc4514_string(),
                issuer=certificate.issuer.rfc4514_string(),
                instance=instance or ", ".join(self.instances),
            )
        return issuer.profile

    def member_of(self, certificate: x509.Certificate | bytes, instance: str) -> MemberId:
        """Return the member that a signing certificate names, by its CA's profile.

        Raises SignatureRefused (incorrect_certificate).
        """
        loaded = load_certificate(certificate) if isinstance(certificate, bytes) else certificate
        return member_of(loaded, self.profile_of_issuer(loaded, instance), instance)

    def tsas(self, instance: str | None = None) -> tuple[TimestampingAuthority, ...]:
        """Return the TSAs of an instance; without one, those of the own."""
        return self._index.tsas.get(instance or self.instance, ())

    def tsa_certificates(self, instance: str | None = None) -> tuple[x509.Certificate, ...]:
        """Return the certificates of the TSAs of an instance, or of all."""
        return tuple(tsa.certificate for tsa in _pick(self._index.tsas, instance))

    def _shared(self, instance: str | None) -> tuple[SharedParameters, ...]:
        names = self.instances if instance is None else (instance,)
        return tuple(self.shared[name] for name in names if name in self.shared)


def _pick(by_instance: Mapping[str, tuple[Any, ...]], instance: str | None) -> tuple[Any, ...]:
    if instance is not None:
        return by_instance.get(instance, ())
    return tuple(item for items in by_instance.values() for item in items)


def _index(all_shared: Iterable[SharedParameters]) -> _Index:
    shared = list(all_shared)
    servers = [server for parameters in shared for server in parameters.security_servers]
    members = [member for parameters in shared for member in parameters.members]
    authorities = {parameters.instance: authorities_of(parameters) for parameters in shared}
    hashes = {digest: server.id for server in servers for digest in server.auth_cert_hashes}
    clients: dict[ClientId, str | None] = {}
    for member in members:
        clients[member.id] = None
        clients.update((subsystem.id, subsystem.name) for subsystem in member.subsystems)
    return _Index(
        servers={server.id: server for server in servers},
        servers_by_client=_by_client(servers),
        servers_by_hash=hashes,
        hash_algorithms=tuple({digest.algorithm for digest in hashes}),
        members={member.id: member for member in members},
        clients=clients,
        groups={group.id: group for parameters in shared for group in parameters.global_groups},
        authorities=authorities,
        authorities_by_subject=_by_subject(authorities.values()),
        tsas={parameters.instance: tsas_of(parameters) for parameters in shared},
    )


def _by_client(servers: Iterable[SecurityServer]) -> dict[ClientId, tuple[SecurityServer, ...]]:
    found: dict[ClientId, list[SecurityServer]] = defaultdict(list)
    for server in servers:
        for client in server.clients | {server.id.owner}:
            found[client].append(server)
    return {client: tuple(listed) for client, listed in found.items()}


def _by_subject(
    groups: Iterable[tuple[CertificationAuthority, ...]],
) -> dict[x509.Name, tuple[CertificationAuthority, ...]]:
    found: dict[x509.Name, list[CertificationAuthority]] = defaultdict(list)
    for authority in (authority for group in groups for authority in group):
        found[authority.subject].append(authority)
    return {subject: tuple(listed) for subject, listed in found.items()}


def _issued(ca: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _ocsp_addresses_in(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(
        description.access_location.value.strip()
        for description in access
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    )

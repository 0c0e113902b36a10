"""Shared parameters: what the governing authority tells every member of an instance (PR-GCONF Annex B to D).

Plain facts without XML. Certificates stay DER here: `lookup.GlobalConf` loads them once. The hash by
which an authentication certificate is listed is a `Digest`, because its algorithm depends on the
schema version (`schemas`); whoever publishes several versions gives both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.xroad.digests import Digest, DigestAlgorithm, digest_of
from gateway.xroad.identifiers import ClientId, GlobalGroupId, MemberId, SecurityServerId, SubsystemId

COST_TYPES: Final = ("FREE", "PAID", "UNDEFINED")
CSR_FORMATS: Final = ("PEM", "DER")


@dataclass(frozen=True, slots=True)
class ConfigurationSource:
    """Where the signed configuration can be fetched, `host[:port]`, and the keys that sign it (V3 on)."""

    address: str
    internal_certificates: tuple[bytes, ...] = ()
    external_certificates: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class OcspResponder:
    """An OCSP responder of a CA; `certificate_der` when it signs with a key of its own."""

    url: str
    certificate_der: bytes | None = None
    cost_type: str | None = None


@dataclass(frozen=True, slots=True)
class CaInfo:
    """One CA certificate and the responders that vouch for what it issued."""

    certificate_der: bytes
    ocsp_responders: tuple[OcspResponder, ...] = ()


@dataclass(frozen=True, slots=True)
class AcmeServer:
    """Where certificates of a CA can be ordered automatically."""

    directory_url: str
    ip_address: str | None = None
    authentication_profile_id: str | None = None
    signing_profile_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovedCa:
    """An approved certification service: its CAs and how its certificates name their subjects."""

    name: str
    top: CaInfo
    profile: str
    intermediates: tuple[CaInfo, ...] = ()
    authentication_only: bool = False
    default_csr_format: str | None = None
    acme: AcmeServer | None = None


@dataclass(frozen=True, slots=True)
class ApprovedTsa:
    """An approved time-stamping authority."""

    name: str
    url: str
    certificate_der: bytes
    cost_type: str | None = None


@dataclass(frozen=True, slots=True)
class MemberClass:
    """A member class and what it stands for."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A subsystem; its name is written from V5 on."""

    id: SubsystemId
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member with all of its subsystems, on a server or not."""

    id: MemberId
    name: str
    class_description: str = ""
    subsystems: tuple[Subsystem, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityServer:
    """A registered security server.

    `clients` does not repeat the owner, who is a client all the same. `maintenance` is None outside
    maintenance mode, else the message for consumers, perhaps empty.
    """

    id: SecurityServerId
    address: str | None = None
    auth_cert_hashes: frozenset[Digest] = frozenset()
    clients: frozenset[ClientId] = frozenset()
    maintenance: str | None = None


@dataclass(frozen=True, slots=True)
class GlobalGroup:
    """A global group; members may belong to other instances."""

    id: GlobalGroupId
    description: str = ""
    members: frozenset[ClientId] = frozenset()


@dataclass(frozen=True, slots=True)
class SharedParameters:
    """Everything the shared parameters of one instance say."""

    instance: str
    ocsp_freshness_s: int = 3600
    sources: tuple[ConfigurationSource, ...] = ()
    approved_cas: tuple[ApprovedCa, ...] = ()
    approved_tsas: tuple[ApprovedTsa, ...] = ()
    members: tuple[Member, ...] = ()
    security_servers: tuple[SecurityServer, ...] = ()
    global_groups: tuple[GlobalGroup, ...] = ()
    member_classes: tuple[MemberClass, ...] = ()


def auth_cert_hashes(certificate_der: bytes) -> frozenset[Digest]:
    """Return the hashes of one authentication certificate in every algorithm a schema version lists."""
    return frozenset(digest_of(certificate_der, a) for a in (DigestAlgorithm.SHA1, DigestAlgorithm.SHA256))

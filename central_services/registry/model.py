"""Facts of the registry (X-Road central server data model, PR-GCONF 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, SubsystemId


class CostType(Enum):
    """What asking an authority costs; part of shared parameters since version 6."""

    FREE = "FREE"
    PAID = "PAID"
    UNDEFINED = "UNDEFINED"


class CsrFormat(Enum):
    """The form in which a certification authority wants certificate requests."""

    PEM = "PEM"
    DER = "DER"


@dataclass(frozen=True, slots=True)
class MemberClass:
    """A class of members, such as GOV."""

    code: str
    description: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member by identifier and name."""

    id: MemberId
    name: str


@dataclass(frozen=True, slots=True)
class Subsystem:
    """A subsystem; names of subsystems exist since release 7.7 and are optional."""

    id: SubsystemId
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SecurityServer:
    """A security server; a maintenance message without maintenance mode means nothing."""

    id: SecurityServerId
    address: str
    owner_name: str
    created_at: datetime
    updated_at: datetime
    in_maintenance_mode: bool = False
    maintenance_mode_message: str | None = None


@dataclass(frozen=True, slots=True)
class AuthCertificate:
    """An authentication certificate registered for a server; `id` is the row the API names."""

    id: int
    server: SecurityServerId
    certificate_der: bytes


@dataclass(frozen=True, slots=True)
class Registration:
    """A client on a server; one that is not enabled keeps its place but is not published."""

    server: SecurityServerId
    client: ClientId
    enabled: bool


@dataclass(frozen=True, slots=True)
class GlobalGroup:
    """A group of clients; its members are asked for apart."""

    code: str
    description: str
    member_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One client in one group, by its complete identifier: a member does not stand for its subsystems."""

    id: int
    group_code: str
    client: ClientId
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OcspResponder:
    """Where the status of an authority's certificates is asked."""

    id: int
    url: str
    certificate_der: bytes | None
    cost_type: CostType


@dataclass(frozen=True, slots=True)
class IntermediateCa:
    """An authority below an approved one."""

    id: int
    certification_service_id: int
    certificate_der: bytes
    ocsp_responders: tuple[OcspResponder, ...] = ()


@dataclass(frozen=True, slots=True)
class CaSettings:
    """What an operator says about an approved authority; `profile` is the class name X-Road uses as a key."""

    profile: str
    authentication_only: bool = False
    default_csr_format: CsrFormat = CsrFormat.PEM
    acme_directory_url: str | None = None
    acme_ip_address: str | None = None
    acme_auth_profile_id: str | None = None
    acme_sign_profile_id: str | None = None


@dataclass(frozen=True, slots=True)
class CertificationService:
    """An approved certification authority with all that is published about it."""

    id: int
    name: str
    certificate_der: bytes
    settings: CaSettings
    ocsp_responders: tuple[OcspResponder, ...] = ()
    intermediate_cas: tuple[IntermediateCa, ...] = ()


@dataclass(frozen=True, slots=True)
class TimestampingService:
    """An approved time-stamping authority."""

    id: int
    name: str
    url: str
    certificate_der: bytes
    cost_type: CostType


@dataclass(frozen=True, slots=True)
class Parameters:
    """System parameters; the two of initialisation are empty until it has happened."""

    instance: str = ""
    address: str = ""
    management_provider: ClientId | None = None
    auth_cert_reg_url: str = "https://%{centralServerAddress}:4001/managementservice/"
    conf_expire_interval_s: int = 600
    ocsp_freshness_s: int = 3600
    timestamping_interval_s: int = 60
    owners_group: str = "security-server-owners"

    @property
    def initialised(self) -> bool:
        """Whether instance and address are known."""
        return bool(self.instance and self.address)


@dataclass(frozen=True, slots=True)
class RegistryContent:
    """Everything that is published, read in one transaction."""

    version: int
    parameters: Parameters
    member_classes: tuple[MemberClass, ...]
    members: tuple[Member, ...]
    subsystems: tuple[Subsystem, ...]
    servers: tuple[SecurityServer, ...]
    auth_certificates: tuple[AuthCertificate, ...]
    registrations: tuple[Registration, ...]
    groups: tuple[GlobalGroup, ...]
    group_members: tuple[GroupMember, ...]
    certification_services: tuple[CertificationService, ...]
    timestamping_services: tuple[TimestampingService, ...]

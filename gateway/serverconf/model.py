"""Facts about this security server's own clients, services and rights (X-Road DM-SS).

A `ServerConf` is an immutable snapshot of the whole of it, indexed for the message path: an
exchange never queries a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, SecurityServerId, ServiceId

BASE_METHOD = "*"
BASE_PATH = "**"


class ClientStatus(StrEnum):
    """Life of a client on this server; only REGISTERED ones exchange messages."""

    SAVED = "saved"
    REGISTRATION_IN_PROGRESS = "registration in progress"
    REGISTERED = "registered"
    DELETION_IN_PROGRESS = "deletion in progress"
    GLOBAL_ERROR = "global error"
    DISABLED = "disabled"


class ConnectionType(StrEnum):
    """How information systems of a client must connect; the values are the database's."""

    HTTP = "NOSSL"
    HTTPS_NO_AUTH = "SSLNOAUTH"
    HTTPS = "SSLAUTH"


class ServiceKind(StrEnum):
    """What kind of description a service came from."""

    WSDL = "WSDL"
    REST = "REST"
    OPENAPI3 = "OPENAPI3"


@dataclass(frozen=True, slots=True)
class LocalClient:
    """A member or subsystem on this server and how its information systems connect."""

    id: ClientId
    status: ClientStatus
    connection_type: ConnectionType
    tls_certificates: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and path of a service; the base endpoint `*` `**` stands for the whole service."""

    id: int
    method: str = BASE_METHOD
    path: str = BASE_PATH
    generated: bool = False

    @property
    def is_base(self) -> bool:
        """Tell whether this endpoint is the whole service."""
        return self.method == BASE_METHOD and self.path == BASE_PATH


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """Where and how to call one service of ours."""

    id: ServiceId
    kind: ServiceKind
    url: str
    timeout_s: int
    verify_tls: bool
    description_id: int
    title: str | None = None
    disabled_notice: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceDescription:
    """A WSDL, OpenAPI document or REST base address that services came from."""

    id: int
    client: ClientId
    url: str
    kind: ServiceKind
    disabled: bool
    disabled_notice: str | None
    refreshed_at_ms: int
    services: tuple[ServiceRecord, ...] = ()


Subject = ClientId | GlobalGroupId | LocalGroupId


@dataclass(frozen=True, slots=True)
class AccessRight:
    """A subject may call one endpoint of a service code; versions are not told apart (X-Road ServerConfImpl.java)."""

    subject: Subject
    service_code: str
    endpoint: Endpoint
    given_at_ms: int


@dataclass(frozen=True, slots=True)
class LocalGroup:
    """A group that a client keeps for its own services; members with row id and the time they were added."""

    id: int
    client: ClientId
    code: str
    description: str
    updated_at_ms: int
    members: tuple[tuple[int, ClientId, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TimestampingService:
    """A time-stamping authority this server chose among the approved ones."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class ServerConf:
    """One state of the whole configuration, never changed after it was read."""

    version: int
    server: SecurityServerId | None
    clients: Mapping[ClientId, LocalClient] = field(default_factory=dict)
    services: Mapping[ServiceId, ServiceRecord] = field(default_factory=dict)
    description_urls: Mapping[int, str] = field(default_factory=dict)
    endpoints: Mapping[tuple[ClientId, str], tuple[Endpoint, ...]] = field(default_factory=dict)
    rights: Mapping[tuple[ClientId, str], tuple[AccessRight, ...]] = field(default_factory=dict)
    local_groups: Mapping[tuple[ClientId, str], frozenset[ClientId]] = field(default_factory=dict)
    timestamping_services: tuple[TimestampingService, ...] = ()
    timestamping_urls: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "timestamping_urls", tuple(service.url for service in self.timestamping_services))

    def find_client(self, client: ClientId) -> LocalClient | None:
        """Return the client when it is on this server, in whatever status."""
        return self.clients.get(client)

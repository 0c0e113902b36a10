"""Facts of management requests (PR-MSERV 2, X-Road ManagementRequestType.java)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.xroad.identifiers import ClientId, SecurityServerId


class RequestType(Enum):
    """What a management request asks for."""

    AUTH_CERT_REGISTRATION = "AUTH_CERT_REGISTRATION_REQUEST"
    CLIENT_REGISTRATION = "CLIENT_REGISTRATION_REQUEST"
    OWNER_CHANGE = "OWNER_CHANGE_REQUEST"
    CLIENT_DELETION = "CLIENT_DELETION_REQUEST"
    CLIENT_DISABLE = "CLIENT_DISABLE_REQUEST"
    CLIENT_ENABLE = "CLIENT_ENABLE_REQUEST"
    CLIENT_RENAME = "CLIENT_RENAME_REQUEST"
    AUTH_CERT_DELETION = "AUTH_CERT_DELETION_REQUEST"
    ADDRESS_CHANGE = "ADDRESS_CHANGE_REQUEST"
    MAINTENANCE_MODE_ENABLE = "MAINTENANCE_MODE_ENABLE_REQUEST"
    MAINTENANCE_MODE_DISABLE = "MAINTENANCE_MODE_DISABLE_REQUEST"

    @property
    def is_decided(self) -> bool:
        """Whether somebody has to approve it; the others take effect at once and have no status."""
        return self in (
            RequestType.AUTH_CERT_REGISTRATION,
            RequestType.CLIENT_REGISTRATION,
            RequestType.OWNER_CHANGE,
        )

    @property
    def names_client(self) -> bool:
        """Whether it speaks of a client."""
        return self in (
            RequestType.CLIENT_REGISTRATION,
            RequestType.CLIENT_DELETION,
            RequestType.CLIENT_DISABLE,
            RequestType.CLIENT_ENABLE,
            RequestType.CLIENT_RENAME,
            RequestType.OWNER_CHANGE,
        )


class Origin(Enum):
    """Who submitted it: an operator of the central services, or a security server."""

    CENTER = "CENTER"
    SECURITY_SERVER = "SECURITY_SERVER"


class Status(Enum):
    """The life of a request that is decided."""

    WAITING = "WAITING"
    SUBMITTED = "SUBMITTED FOR APPROVAL"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    REVOKED = "REVOKED"

    @property
    def is_open(self) -> bool:
        """Whether it still waits for somebody."""
        return self in (Status.WAITING, Status.SUBMITTED)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request as submitted; which fields matter depends on the type."""

    type: RequestType
    origin: Origin
    server: SecurityServerId
    client: ClientId | None = None
    address: str | None = None
    certificate_der: bytes | None = None
    subsystem_name: str | None = None
    message: str | None = None
    comments: str | None = None


@dataclass(frozen=True, slots=True)
class ManagementRequest:
    """A request on record; `status` is None for types that take effect at once."""

    id: int
    submitted: NewRequest
    status: Status | None
    created_at: datetime
    updated_at: datetime

"""Private parameters: what only the servers of the own instance are told (PR-GCONF Annex B)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.xroad.globalconf.anchor import Anchor
from gateway.xroad.identifiers import ClientId


@dataclass(frozen=True, slots=True)
class ManagementService:
    """Where management requests go: the registration address with its pinned certificate, and the provider."""

    auth_cert_registration_address: str
    auth_cert_registration_certificate: bytes | None
    provider: ClientId


@dataclass(frozen=True, slots=True)
class PrivateParameters:
    """Everything the private parameters of one instance say; `anchors` are those of trusted instances."""

    instance: str
    management_service: ManagementService
    timestamping_interval_s: int = 60
    anchors: tuple[Anchor, ...] = ()

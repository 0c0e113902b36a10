"""What the provider proxy is handed by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.exchange.faults import FaultStyle
from gateway.exchange.ports import (
    Clock,
    Configuration,
    ExchangeLimits,
    MessageLog,
    Registrations,
    Signer,
    Spool,
)
from gateway.provider.forward import ServiceCaller
from gateway.provider.metaservices import MetaServices


@dataclass(frozen=True, slots=True)
class ProviderDeps:
    """The ports and settings of one provider proxy."""

    configuration: Configuration
    registrations: Registrations
    signer: Signer
    message_log: MessageLog
    clock: Clock
    spool: Spool
    services: ServiceCaller
    metaservices: MetaServices
    limits: ExchangeLimits
    style: FaultStyle
    min_client_version: str | None = None
    """Oldest release of a consumer's security server that is served; None asks for none."""

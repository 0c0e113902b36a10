"""What the consumer proxy is handed by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.consumer.dispatch import PeerCaller
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


@dataclass(frozen=True, slots=True)
class ConsumerDeps:
    """The ports and settings of one consumer proxy; `internal_certificate` is our own toward information systems."""

    configuration: Configuration
    registrations: Registrations
    signer: Signer
    message_log: MessageLog
    clock: Clock
    spool: Spool
    peers: PeerCaller
    limits: ExchangeLimits
    style: FaultStyle
    internal_certificate: bytes | None = None

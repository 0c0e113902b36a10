"""What the consumer proxy is handed by the composition root."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from gateway.consumer.peer_ocsp import PeerOcspResponses
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
from gateway.runtime.http.client import HttpClient


@dataclass(frozen=True, slots=True)
class PeerCaller:
    """How other security servers are reached: HTTP client, TLS of the moment, their ports and certificate status."""

    http: HttpClient
    tls: Callable[[], ssl.SSLContext]
    port: int
    ocsp: PeerOcspResponses
    clock: Clock
    reuse_connections: bool = True


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

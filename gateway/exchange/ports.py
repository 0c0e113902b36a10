"""The ports an exchange may touch; areas satisfy them by shape, `main.py` alone knows the classes.

All of them are read-only snapshots or small acts: an exchange never sees a table, a key or a socket.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from gateway.messagelog.model import RefusalContent, Side
from gateway.serverconf.model import ServerConf
from gateway.xroad.bodies import BodySink
from gateway.xroad.digests import SignatureAlgorithm
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import MemberId
from gateway.xroad.signature.signed_message import SignedMessage, SigningIdentity
from gateway.xroad.transport.decoder import TransportLimits


class Clock(Protocol):
    """The time; an aware UTC `datetime`."""

    def now(self) -> datetime:
        """Return the present moment."""
        ...

    def now_ms(self) -> int:
        """Return the present moment as whole milliseconds since 1970."""
        ...


class Configuration(Protocol):
    """The verified global configuration."""

    def current(self) -> GlobalConf:
        """Return the snapshot in force, or raise ConfigurationUnusable (global_conf_outdated)."""
        ...


class Registrations(Protocol):
    """This server's own clients, services and access rights."""

    def current(self) -> ServerConf:
        """Return the snapshot in force."""
        ...


class Signer(Protocol):
    """The room with the private keys: it gets digests and gives signatures."""

    def identity_of(self, member: MemberId) -> SigningIdentity:
        """Return what goes into a signature of `member`, or raise SigningUnavailable."""
        ...

    async def sign(self, key: str, digest: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Return the signature over a digest; ECDSA as DER."""
        ...

    def authentication_ocsp(self) -> tuple[bytes, ...]:
        """Return the OCSP responses of our authentication certificate and its intermediates."""
        ...


class MessageLog(Protocol):
    """Evidence: a record is durable when `record` returns."""

    async def record(self, signed: SignedMessage, side: Side, request_id: str) -> None:
        """Keep a signed message, or raise LoggingUnavailable."""
        ...

    async def refuse(self, said: RefusalContent, *, by_the_log: bool = False) -> None:
        """Keep what is known of an exchange that is about to be answered with a fault; never raises.

        `by_the_log` says that the log itself stood in the way.
        """
        ...


class Spool(Protocol):
    """Where bodies wait while an exchange proves them."""

    def open_sink(self) -> BodySink:
        """Open a sink: memory first, disk past a threshold."""
        ...


@dataclass(frozen=True)
class ExchangeLimits:
    """Bounds of one exchange; the reference has none, so ours are settings (messages above are refused)."""

    soap_bytes: int = 64 * 1024 * 1024
    rest_body_bytes: int = 16 * 1024 * 1024 * 1024
    fault_bytes: int = 1024 * 1024

    @cached_property
    def transport(self) -> TransportLimits:
        """The bounds of a transport message."""
        return TransportLimits(
            soap_bytes=self.soap_bytes, body_bytes=self.rest_body_bytes, fault_bytes=self.fault_bytes
        )

"""Plain facts of HTTP on the message ports: limits, who is at the other end, heads and responses.

Header text is ISO-8859-1 on the inside, so each character is one byte of the wire and nothing is
lost on the way through.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple, Self

Headers = Sequence[tuple[str, str]]
Address = tuple[str, int]
OutgoingBody = bytes | Iterable[bytes] | AsyncIterable[bytes]

MIB = 1024 * 1024
DAY_S = 86_400


def header_of(headers: Headers, name: str) -> str | None:
    """Return the first value of a header, whatever its case."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


class _Bounded:
    """Each field must lie within the bounds its class names, so no setting switches a protection off."""

    __slots__ = ()
    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            low, high = self.BOUNDS[field.name]
            value = getattr(self, field.name)
            if not low <= value <= high:
                raise ValueError(f"{field.name} must be between {low:g} and {high:g}, not {value!r}")


_FRAMING_BOUNDS: dict[str, tuple[float, float]] = {
    "max_header_bytes": (256, MIB),
    "max_headers": (1, 10_000),
    "max_body_bytes": (0, 1 << 50),
    "buffer_bytes": (1024, 64 * MIB),
    "body_idle_timeout_s": (0.001, DAY_S),
    "min_body_rate": (0, 1 << 30),
    "stalled_reader_timeout_s": (0.001, DAY_S),
    "tls_handshake_timeout_s": (0.001, 600),
    "keep_alive_timeout_s": (0.001, DAY_S),
}


@dataclass(frozen=True, slots=True)
class HttpLimits(_Bounded):
    """Bounds of a server; seconds, bytes, counts, and bytes per second for the rate."""

    header_timeout_s: float = 30
    body_idle_timeout_s: float = 60
    min_body_rate: int = 64
    keep_alive_timeout_s: float = 75
    stalled_reader_timeout_s: float = 60
    tls_handshake_timeout_s: float = 15
    linger_s: float = 2
    max_header_bytes: int = 32 * 1024
    max_headers: int = 128
    max_body_bytes: int = 1 << 40
    max_connections: int = 4096
    max_connections_per_address: int = 2048
    buffer_bytes: int = 256 * 1024

    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {
        **_FRAMING_BOUNDS,
        "header_timeout_s": (0.001, 3600),
        "linger_s": (0, 60),
        "max_connections": (1, 1_000_000),
        "max_connections_per_address": (1, 1_000_000),
    }


@dataclass(frozen=True, slots=True)
class ClientLimits(_Bounded):
    """Bounds of a client; `response_timeout_s` runs from the last byte sent to the response's head."""

    connect_timeout_s: float = 30
    tls_handshake_timeout_s: float = 30
    response_timeout_s: float = 300
    body_idle_timeout_s: float = 300
    min_body_rate: int = 0
    stalled_reader_timeout_s: float = 60
    keep_alive_timeout_s: float = 25
    max_header_bytes: int = 64 * 1024
    max_headers: int = 256
    max_body_bytes: int = 1 << 40
    max_idle_connections: int = 256
    max_idle_per_address: int = 64
    buffer_bytes: int = 256 * 1024
    remember_fastest_s: float = 3600
    """How long the fastest of several servers is asked before the others; 0 never."""

    BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {
        **_FRAMING_BOUNDS,
        "remember_fastest_s": (0, DAY_S),
        "connect_timeout_s": (0.001, 600),
        "response_timeout_s": (0.001, DAY_S),
        "max_idle_connections": (0, 100_000),
        "max_idle_per_address": (0, 100_000),
    }


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """Who is at the other end: what the socket and TLS say, nothing the peer wrote into HTTP."""

    peer_address: Address | None
    local_address: Address | None
    peer_certificate: bytes | None
    tls_version: str | None = None
    cipher: str | None = None
    tls: ssl.SSLObject | None = None
    address: Address | None = None
    """Host and port as the caller of the client named them."""

    @classmethod
    def of(cls, transport: asyncio.Transport, address: Address | None = None) -> Self:
        """Read the facts from a transport, once per connection."""
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        chosen = tls.cipher() if tls is not None else None
        return cls(
            peer_address=(peer[0], peer[1]) if isinstance(peer, tuple) else None,
            local_address=(local[0], local[1]) if isinstance(local, tuple) else None,
            peer_certificate=tls.getpeercert(True) if tls is not None else None,
            tls_version=tls.version() if tls is not None else None,
            cipher=chosen[0] if chosen else None,
            tls=tls,
            address=address,
        )


class RequestHead(NamedTuple):
    """Request line and headers as received; how the body is framed."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    length: int | None
    """Size of the body, None when it is chunked; 0 without body."""
    keep_alive: bool
    expects_continue: bool


class ResponseHead(NamedTuple):
    """Status line and headers as received; how the body is framed."""

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    length: int | None
    """Size of the body, None when it is chunked or lasts until the connection closes."""
    chunked: bool
    keep_alive: bool


class Response(NamedTuple):
    """An answer to write: headers go out in this case and order; framing headers and Date are added."""

    status: int = 200
    reason: str | None = None
    """None stands for the usual phrase; an empty one stays empty."""
    headers: Headers = ()
    body: OutgoingBody = b""
    close: bool = False

"""What comes in, what goes out, and when: the outer values of an exchange."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.xroad.facts import fact
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.soap.message import SoapMessage

Headers = tuple[tuple[str, str], ...]


class ByteStream(Protocol):
    """The body of a request as it arrives."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces."""
        ...


@fact
class InboundRequest:
    """A request as a proxy sees it: raw target, headers in their case and order."""

    method: str
    target: str
    headers: Headers
    body: ByteStream
    peer_certificate: bytes | None
    is_tls: bool
    id: str
    _last: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_last", {name.lower(): value for name, value in self.headers})

    def header(self, name: str) -> str | None:
        """Return the last header of this name in any case (X-Road takes the last one), or None."""
        return self._last.get(name.lower())


@fact
class OutboundResponse:
    """An answer; `length` is known when the body is one that HTTP can announce; no `reason` means the usual one."""

    status: int
    headers: Headers
    body: bytes | Iterable[bytes] = b""
    length: int | None = None
    reason: str | None = None


@dataclass(slots=True)
class Timeline:
    """When the four messages of an exchange passed, in epoch milliseconds; the one mutable object of an exchange.

    `message` is the request once it was read: what it says is claimed until it is proven.
    """

    request_in_ms: int
    request_out_ms: int | None = None
    response_in_ms: int | None = None
    response_out_ms: int | None = None
    facts: dict[str, str] = field(default_factory=dict)
    message: SoapMessage | RestRequest | RestResponse | None = None

    def note(self, **facts: object) -> None:
        """Remember who asked whom for what, for the line that is written at the end."""
        self.facts.update({name: str(value) for name, value in facts.items() if value is not None})

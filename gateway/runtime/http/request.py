"""What a handler of the server is given, and what it and its hooks give back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from gateway.runtime.http.model import Address, ConnectionFacts, HttpLimits, RequestHead, Response, header_of
from gateway.runtime.http.pace import Sweeper
from gateway.runtime.http.problems import HttpProblem
from gateway.runtime.http.streams import BodyStream, a_read_buffer

if TYPE_CHECKING:
    from gateway.runtime.http.connection import ServerConnection


class Caller(Protocol):
    """The connection a request came by."""

    facts: ConnectionFacts

    @property
    def peer_is_gone(self) -> bool:
        """Whether the peer has closed its side."""


class Request:
    """One request: its line and headers as received, the body as it comes."""

    __slots__ = ("_connection", "body", "head")

    def __init__(self, head: RequestHead, body: BodyStream, connection: Caller) -> None:
        self.head = head
        self._connection = connection
        self.body = body

    @property
    def method(self) -> str:
        """Method as written."""
        return self.head.method

    @property
    def target(self) -> str:
        """Request target exactly as written, absolute form included."""
        return self.head.target

    @property
    def version(self) -> str:
        """`1.0` or `1.1`."""
        return self.head.version

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Names in their case and values, in order, repetitions kept; ISO-8859-1 text."""
        return self.head.headers

    @property
    def length(self) -> int | None:
        """Size of the body as announced, None when it is chunked."""
        return self.head.length

    @property
    def scheme(self) -> str:
        """`https` when the connection is TLS."""
        return "https" if self._connection.facts.tls is not None else "http"

    @property
    def connection(self) -> ConnectionFacts:
        """Addresses, certificate and TLS of the peer."""
        return self._connection.facts

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate the peer showed in the handshake, DER."""
        return self._connection.facts.peer_certificate

    @property
    def peer_address(self) -> Address | None:
        """Host and port of the caller."""
        return self._connection.facts.peer_address

    @property
    def disconnected(self) -> bool:
        """Whether the peer has closed its side; nothing is ever cancelled for that."""
        return self._connection.peer_is_gone

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return header_of(self.head.headers, name)

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole body; raises HttpTooLarge beyond `limit`."""
        return await self.body.read(limit)


Handler = Callable[[Request], Awaitable[Response]]
OnBadRequest = Callable[[HttpProblem], Response]
OnError = Callable[[Request, Exception], Response]


def refuse_plainly(problem: HttpProblem) -> Response:
    """Answer a bad request in one line of text."""
    return Response(problem.status, headers=(("Content-Type", "text/plain"),), body=f"{problem}\n".encode())


def fail_plainly(request: Request, error: Exception) -> Response:
    """Answer for a handler that raised."""
    return Response(500, headers=(("Content-Type", "text/plain"),), body=b"internal error\n")


class ConnectionOwner:
    """What the connections of one server share."""

    __slots__ = ("buffer", "connections", "handler", "limits", "on_bad_request", "on_error", "stopping", "sweeper")

    def __init__(self, handler: Handler, limits: HttpLimits, on_bad_request: OnBadRequest, on_error: OnError) -> None:
        self.handler = handler
        self.limits = limits
        self.on_bad_request = on_bad_request
        self.on_error = on_error
        self.stopping = False
        self.buffer = a_read_buffer()
        self.connections: set[ServerConnection] = set()
        self.sweeper = Sweeper(
            min(
                limits.header_timeout_s,
                limits.body_idle_timeout_s,
                limits.keep_alive_timeout_s,
                limits.stalled_reader_timeout_s,
            )
        )

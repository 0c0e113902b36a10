"""Pooled HTTP/1.1 client of the message path that retries only when no byte of the request was sent.

A connection belongs to (host, port, TLS context, tag) and serves one exchange at a time. Before the first byte
of every exchange, on new and on kept connections alike, the `on_connected` hook sees who is at the other end
and may refuse by raising. An idle connection the peer has closed is found out before use, and the exchange
then takes a new one; once a byte is out there is no second try.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from gateway.runtime.http.calling import ClientConnection
from gateway.runtime.http.connecting import connect_fastest
from gateway.runtime.http.model import Address, ClientLimits, ConnectionFacts, Headers, OutgoingBody, header_of
from gateway.runtime.http.pool import ConnectionPool, PoolKey
from gateway.runtime.http.problems import ConnectionLost, TlsFailed
from gateway.runtime.http.streams import BodyStream
from gateway.runtime.http.writing import request_head

__all__ = ["ClientLimits", "ClientResponse", "ConnectionFacts", "HttpClient"]

OnConnected = Callable[[ConnectionFacts], Awaitable[None] | None]

_LEAST_RETRY_TIMEOUT_S = 5.0
_MAX_REMEMBERED = 1024
_SHUTDOWN_TIMEOUT_S = 2.0


class ClientResponse:
    """A response whose body is still coming; read it to the end or close it."""

    __slots__ = ("_connection", "body", "facts", "headers", "reason", "status")

    def __init__(
        self, status: int, reason: str, headers: list[tuple[str, str]], body: BodyStream, connection: ClientConnection
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.facts = connection.facts
        self._connection = connection

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return header_of(self.headers, name)

    async def read(self, limit: int | None = None) -> bytes:
        """Return the rest of the body; raises HttpTooLarge beyond `limit` and cuts the connection."""
        try:
            return await self.body.read(limit)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up on a body not read to its end: the connection is cut."""
        if not self.body.ended:
            self.body.fail(ConnectionLost("response_body", reason="given up"))
            self._connection.abort()
        self.body.discard()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HttpClient:
    """Sends requests over kept-alive connections."""

    def __init__(self, limits: ClientLimits | None = None) -> None:
        self.limits = limits or ClientLimits()
        self._pool = ConnectionPool(self.limits)
        self._closed = False
        self._fastest: dict[frozenset[Address], tuple[Address, float]] = {}

    @property
    def idle_connections(self) -> int:
        """Connections waiting for another exchange."""
        return self._pool.idle_count

    @property
    def open_connections(self) -> int:
        """All connections, idle or not."""
        return self._pool.open_count

    async def request(
        self,
        method: str,
        host: str,
        port: int,
        target: str = "/",
        headers: Headers = (),
        body: OutgoingBody = b"",
        *,
        ssl: tls.SSLContext | None = None,
        on_connected: OnConnected | None = None,
        close: bool = False,
        tag: str = "",
        server_name: str | None = None,
        connect_timeout_s: float | None = None,
        response_timeout_s: float | None = None,
    ) -> ClientResponse:
        """Send one request and return the response as soon as its head is there.

        `headers` go out as given; Host (unless given) and framing headers are added. An iterator as `body` is sent
        chunked, or as it is when `headers` hold its Content-Length. `tag` keeps connections apart that must not be
        shared; `server_name` is sent as SNI.
        """
        return await self.request_any(
            method,
            [(host, port)],
            target,
            headers,
            body,
            ssl=ssl,
            on_connected=on_connected,
            close=close,
            tag=tag,
            server_name=server_name,
            connect_timeout_s=connect_timeout_s,
            response_timeout_s=response_timeout_s,
        )

    async def request_any(
        self,
        method: str,
        addresses: Sequence[Address],
        target: str = "/",
        headers: Headers = (),
        body: OutgoingBody = b"",
        *,
        ssl: tls.SSLContext | None = None,
        on_connected: OnConnected | None = None,
        close: bool = False,
        tag: str = "",
        server_name: str | None = None,
        connect_timeout_s: float | None = None,
        response_timeout_s: float | None = None,
    ) -> ClientResponse:
        """Send one request to whichever of several servers connects first (X-Road FastestConnectionSelecting…).

        An idle connection to one of them, in the order given, is taken before a new one. Who was fastest last time is
        tried alone first, for five seconds at most. When connecting to it, TLS or the hook fails, that address is
        dropped and the rest tried with half the time (at least five seconds); the last problem is raised when none
        is left. Once a byte of the request is out nothing is tried again.
        """
        if self._closed:
            raise RuntimeError("the client is closed")
        outgoing = request_head(
            method, target, headers, body, host=_host_header(*addresses[0], secure=ssl is not None), close=close
        )
        connection = await self._connected(
            list(addresses), ssl, tag, server_name, on_connected, connect_timeout_s or self.limits.connect_timeout_s
        )
        head, stream = await connection.exchange(
            method, outgoing, body, response_timeout_s or self.limits.response_timeout_s
        )
        return ClientResponse(head.status, head.reason, head.headers, stream, connection)

    async def _connected(
        self,
        addresses: list[Address],
        ssl: tls.SSLContext | None,
        tag: str,
        server_name: str | None,
        on_connected: OnConnected | None,
        timeout_s: float,
    ) -> ClientConnection:
        """Return a connection the hook has agreed to, on which nothing has been sent."""
        for address in addresses:
            kept = await self._kept((*address, ssl, tag))
            if kept is not None and await _agreed(kept, on_connected):
                return kept
        everybody = frozenset(addresses)
        fastest = self._remembered(everybody)
        while True:
            tried, within_s = ([fastest], min(timeout_s, _LEAST_RETRY_TIMEOUT_S)) if fastest else (addresses, timeout_s)
            chosen = fastest
            try:
                chosen, sock = await connect_fastest(tried, within_s)
                connection = await self._wrap(chosen, sock, ssl, tag, server_name)
                await _ask(on_connected, connection)
                if not connection.usable:
                    raise ConnectionLost("request", sent=False)
            except Exception:
                self._fastest.pop(everybody, None)
                addresses = [other for other in addresses if other != chosen] if chosen else []
                if not addresses:
                    raise
                if fastest is None:
                    timeout_s = max(min(timeout_s, _LEAST_RETRY_TIMEOUT_S), timeout_s / 2)
                fastest = None
                continue
            self._remember(everybody, chosen)
            return connection

    def _remembered(self, addresses: frozenset[Address]) -> Address | None:
        address, until = self._fastest.get(addresses, (None, 0.0))
        if address is not None and asyncio.get_running_loop().time() >= until:
            del self._fastest[addresses]
            return None
        return address

    def _remember(self, addresses: frozenset[Address], fastest: Address) -> None:
        if len(addresses) > 1 and self.limits.remember_fastest_s and addresses not in self._fastest:
            if len(self._fastest) >= _MAX_REMEMBERED:
                self._fastest.clear()
            until = asyncio.get_running_loop().time() + self.limits.remember_fastest_s
            self._fastest[addresses] = fastest, until

    async def _kept(self, key: PoolKey) -> ClientConnection | None:
        while (connection := self._pool.take(key)) is not None:
            if connection.surely_open or await connection.still_open():
                return connection
        return None

    async def _wrap(
        self, address: Address, sock: socket.socket, ssl: tls.SSLContext | None, tag: str, server_name: str | None
    ) -> ClientConnection:
        """Make a connection of a socket, TLS included."""
        connection = ClientConnection(address, self.limits, self._pool)
        self._pool.assign(connection, (*address, ssl, tag))
        name = server_name or (address[0] if ssl is not None and ssl.check_hostname else "")
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=sock,
                ssl=ssl,
                server_hostname=name if ssl is not None else None,
                ssl_handshake_timeout=self.limits.tls_handshake_timeout_s if ssl is not None else None,
                ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT_S if ssl is not None else None,
            )
        except (OSError, tls.SSLError) as error:
            self._pool.lost(connection)
            raise TlsFailed(*address, _reason(error), handshaken=False) from error
        except BaseException:
            self._pool.lost(connection)
            raise
        return connection

    def close_idle(self) -> None:
        """Close every idle connection, so that the next exchanges open new ones."""
        self._pool.close_idle()

    async def close(self) -> None:
        """Cut every connection, idle or not."""
        self._closed = True
        self._pool.abort_all()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _ask(on_connected: OnConnected | None, connection: ClientConnection) -> None:
    if on_connected is None:
        return
    try:
        verdict = on_connected(connection.facts)
        if verdict is not None:
            await verdict
    except BaseException:
        connection.abort()
        raise


async def _agreed(kept: ClientConnection, on_connected: OnConnected | None) -> bool:
    """Ask the hook about a kept connection; a refusal only means that a new one is to be asked."""
    try:
        await _ask(on_connected, kept)
    except Exception:
        return False
    return kept.usable


def _host_header(host: str, port: int, *, secure: bool) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if secure else 80) else f"{name}:{port}"


def _reason(error: OSError) -> str:
    if isinstance(error, tls.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, tls.SSLError) and error.reason:
        return error.reason
    return error.strerror or str(error) or type(error).__name__

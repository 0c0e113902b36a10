"""Listening sockets, and bounds on who may hold connections.

Connections are counted when they are accepted, before any TLS, so callers that never finish a handshake
are bounded like all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl as tls
from collections import Counter
from collections.abc import Sequence

from gateway.runtime.http.connection import ServerConnection
from gateway.runtime.http.model import Address, HttpLimits, Response
from gateway.runtime.http.request import (
    ConnectionOwner,
    Handler,
    OnBadRequest,
    OnError,
    Request,
    fail_plainly,
    refuse_plainly,
)

__all__ = ["HttpLimits", "HttpServer", "Request", "Response"]

_log = logging.getLogger(__name__)

_ACCEPT_PAUSE_S = 0.5
_ACCEPTS_PER_TURN = 64
# Bytes the system may hold unsent: little, so that a reader who makes progress is seen to (Linux).
_UNSENT_BYTES = 128 * 1024
_UNSENT_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
_OUT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class HttpServer:
    """HTTP/1.1 server for one port on one or several addresses.

    `ssl` may be replaced while running: connections accepted from then on use it.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str | Sequence[str] = "127.0.0.1",
        port: int = 0,
        ssl: tls.SSLContext | None = None,
        limits: HttpLimits | None = None,
        on_bad_request: OnBadRequest = refuse_plainly,
        on_error: OnError = fail_plainly,
        reuse_port: bool = False,
        backlog: int = 1024,
    ) -> None:
        self.limits = limits or HttpLimits()
        self.ssl = ssl
        self._owner = ConnectionOwner(handler, self.limits, on_bad_request, on_error)
        self._hosts = (host,) if isinstance(host, str) else tuple(host)
        self._port = port
        self._reuse_port = reuse_port
        self._backlog = backlog
        self._sockets: list[socket.socket] = []
        self._open = 0
        self._per_address: Counter[str] = Counter()
        self._all_closed = asyncio.Event()
        self._accepting: set[asyncio.Task[None]] = set()
        self._pauses: set[asyncio.TimerHandle] = set()

    @property
    def port(self) -> int:
        """The port bound, also when 0 was asked for."""
        return self._port

    @property
    def addresses(self) -> list[Address]:
        """Every address listened on."""
        return [sock.getsockname()[:2] for sock in self._sockets]

    @property
    def open_connections(self) -> int:
        """Connections accepted and not closed, handshakes included."""
        return self._open

    async def start(self) -> None:
        """Bind and listen; the sockets take connections when this returns."""
        loop = asyncio.get_running_loop()
        try:
            for host in self._hosts:
                self._sockets.append(await self._bind(host))
                self._port = self._sockets[0].getsockname()[1]
        except BaseException:
            self._close_sockets()
            raise
        for sock in self._sockets:
            loop.add_reader(sock.fileno(), self._accept, sock)

    async def _bind(self, host: str) -> socket.socket:
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = infos[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(self._backlog)
        except OSError as taken:
            sock.close()
            raise OSError(taken.errno, f"{host}:{self._port} cannot be listened on: {taken.strerror}") from taken
        except BaseException:
            sock.close()
            raise
        return sock

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    _log.warning("accept failed: %s", error)
                    return
                _log.error("no room for another connection: %s", error)
                self._pause_accepting(listening)
                return
            self._admit(sock, address[0])

    def _pause_accepting(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening.fileno())

        def again() -> None:
            self._pauses.discard(handle)
            loop.add_reader(listening.fileno(), self._accept, listening)

        handle = loop.call_later(_ACCEPT_PAUSE_S, again)
        self._pauses.add(handle)

    def _admit(self, sock: socket.socket, host: str) -> None:
        limits = self.limits
        if self._open >= limits.max_connections or self._per_address[host] >= limits.max_connections_per_address:
            _log.info("connection of %s refused: %d open, %d of this caller", host, self._open, self._per_address[host])
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if _UNSENT_OPTION is not None:
            sock.setsockopt(socket.IPPROTO_TCP, _UNSENT_OPTION, _UNSENT_BYTES)
        self._open += 1
        self._per_address[host] += 1
        task = asyncio.get_running_loop().create_task(self._open_connection(sock, host))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _open_connection(self, sock: socket.socket, host: str) -> None:
        """Finish TLS; the connection then lives by itself."""
        context = self.ssl
        closed = False

        def on_closed() -> None:
            nonlocal closed
            if not closed:
                closed = True
                self._open -= 1
                self._per_address[host] -= 1
                if not self._per_address[host]:
                    del self._per_address[host]
                if not self._open:
                    self._all_closed.set()

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: ServerConnection(self._owner, on_closed),
                sock,
                ssl=context,
                ssl_handshake_timeout=self.limits.tls_handshake_timeout_s if context else None,
                ssl_shutdown_timeout=max(self.limits.linger_s, 0.1) if context else None,
            )
        except (OSError, tls.SSLError) as error:
            _log.info("no TLS with %s: %s", host, error)
            on_closed()
        except BaseException:
            on_closed()
            raise

    async def close(self, grace_s: float = 10) -> None:
        """Stop accepting, let requests in progress finish for `grace_s`, then cut what is left."""
        self._owner.stopping = True
        self._close_sockets()
        for connection in tuple(self._owner.connections):
            connection.stop()
        if self._open:
            self._all_closed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), grace_s)
        tasks = set(self._accepting)
        for task in tasks:
            task.cancel()
        for connection in tuple(self._owner.connections):
            serving = connection.abort()
            if serving is not None:
                tasks.add(serving)
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)

    def _close_sockets(self) -> None:
        loop = asyncio.get_running_loop()
        for handle in self._pauses:
            handle.cancel()
        self._pauses.clear()
        for sock in self._sockets:
            loop.remove_reader(sock.fileno())
            with contextlib.suppress(OSError):
                sock.close()
        self._sockets.clear()

    async def __aenter__(self) -> HttpServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

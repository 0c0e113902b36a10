"""uvicorn for admin and control ports: several listeners in one event loop.

uvicorn assumes that it owns the process's signals; here the program does, so each server leaves them
alone and is told to stop through `should_exit`. Port 0 takes a free port; `ControlServer.port` tells
which. The message ports have a server of their own (`runtime/http`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

GRACEFUL_STOP_S: Final = 5
TICKS_PER_S: Final = 10  # uvicorn counts in tenths


@dataclass(frozen=True, slots=True)
class Listener:
    """An ASGI application and where it listens; without `ssl_context` it is plain HTTP."""

    app: Any
    host: str = "127.0.0.1"
    port: int = 0
    ssl_context: ssl.SSLContext | None = None
    name: str = "control"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        # Ticks once a second, for the Date header, instead of ten times, and ends at once when told to.
        tick = 0
        while not await self.on_tick(tick):
            tick = (tick + TICKS_PER_S) % (86_400 * TICKS_PER_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._stop.wait()

    def request_stop(self) -> None:
        self.should_exit = True
        self._stop.set()


class ControlServer:
    """One listener; bound by `start`, so that a taken port is an OSError there and not a dead task."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        if self._socket is None:
            raise RuntimeError(f"{self.listener.name} is not listening")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """The address of the root, without a slash at its end."""
        scheme = "https" if self.listener.ssl_context else "http"
        host = f"[{self.listener.host}]" if ":" in self.listener.host else self.listener.host
        return f"{scheme}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen, and return when requests are taken. Raises OSError when the address is not to be had."""
        self._socket = _bind(self.listener)
        config = uvicorn.Config(
            self.listener.app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACEFUL_STOP_S,
            loop="none",
            lifespan="auto",
        )
        config.load()
        config.ssl = self.listener.ssl_context
        self._server = _Server(config)
        self._task = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[self._socket]), name=f"listener {self.listener.name}"
        )
        while not self._server.started:
            await asyncio.sleep(0.005)
            if self._task.done():
                self._task.result()
                raise RuntimeError(f"{self.listener.name} ended while starting")

    def request_stop(self) -> None:
        """Ask it to end; `wait` returns when it has."""
        if self._server is not None:
            self._server.request_stop()

    async def wait(self) -> None:
        """Return when the listener has ended."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """End it and wait."""
        self.request_stop()
        await self.wait()
        if self._socket is not None:
            self._socket.close()

    async def __aenter__(self) -> ControlServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _bind(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that say TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listener.host, listener.port))
    except OSError as cause:
        bound.close()
        where = f"{listener.name}: {listener.host}:{listener.port}"
        raise OSError(cause.errno, f"{where} cannot be listened on: {cause.strerror}") from cause
    bound.setblocking(False)
    return bound

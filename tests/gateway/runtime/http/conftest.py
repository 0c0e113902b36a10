"""A server and a client on loopback, and peers that say exactly the bytes a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.server import HttpServer, Request, Response

GENEROUS_S = 20


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both event loops must behave alike."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


async def echo(request: Request) -> Response:
    """Answer with what was asked: method, target, body."""
    body = await request.read()
    return Response(body=f"{request.method} {request.target} ".encode() + body)


StartServer = Callable[..., Awaitable[HttpServer]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Start servers that are closed when the test ends."""
    servers: list[HttpServer] = []

    async def start(handler: Any = echo, **options: Any) -> HttpServer:
        server = HttpServer(handler, **options)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.close(grace_s=0.2)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client that is closed when the test ends."""
    async with HttpClient(ClientLimits(response_timeout_s=GENEROUS_S, body_idle_timeout_s=GENEROUS_S)) as opened:
        yield opened


Talk = Callable[..., Awaitable[bytes]]


@pytest.fixture
def talk() -> Talk:
    """Send bytes to a port and return everything that comes back until the end of the connection."""

    async def say(port: int, *pieces: bytes, end: bool = True) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if end:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(-1), GENEROUS_S)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    return say


@dataclass
class Script:
    """A peer that reads a request's head, notes it, and says its lines; one per connection, the last repeats."""

    answers: list[bytes]
    close_after: bool = True
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self.answers[min(self.connections, len(self.answers) - 1)]
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head)
                writer.write(answer)
                await writer.drain()
                if self.close_after:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


StartScript = Callable[..., Awaitable[Script]]


@pytest.fixture
async def start_script() -> AsyncIterator[StartScript]:
    """Start scripted peers."""
    servers: list[asyncio.Server] = []

    async def start(*answers: bytes, close_after: bool = True) -> Script:
        script = Script(list(answers), close_after)
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        servers.append(server)
        script.port = server.sockets[0].getsockname()[1]
        return script

    yield start
    for server in servers:
        server.close()
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail when it never does."""
    async with asyncio.timeout(GENEROUS_S):
        while not condition():
            await asyncio.sleep(0.005)

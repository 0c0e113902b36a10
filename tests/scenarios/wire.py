"""A truthful small HTTP server: what it answers are the bytes that a test sets, also where they are no good HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it came in."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


Answer = Callable[[WireRequest], bytes]


def http_answer(
    body: bytes,
    content_type: str | None = "text/xml; charset=UTF-8",
    *,
    status: str = "200 OK",
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return an HTTP answer as bytes."""
    lines = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
    if content_type is not None:
        lines.insert(0, ("Content-Type", content_type))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@dataclass
class WireServer:
    """Answers each connection once with the bytes of `answer`, and keeps what was asked."""

    host: str
    port: int
    answer: Answer
    ssl: ssl.SSLContext | None = None
    requests: list[WireRequest] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.ssl)

    async def stop(self) -> None:
        """Stop listening; what is being answered ends by itself."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                request = await _read(reader)
                self.requests.append(request)
                writer.write(self.answer(request))
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> WireRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    request = WireRequest(method, target, headers, b"")
    if (request.header("transfer-encoding") or "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(request.header("content-length") or 0))
    return WireRequest(method, target, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body

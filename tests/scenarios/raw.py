"""Speak HTTP as bytes: what is sent is what the test wrote, what came back is read as it is."""

from __future__ import annotations

import asyncio

from tests.factories.recordings import Recording, parse_recording

HTTP_PORT = 8080
_WITHIN_S = 30.0


async def exchange(host: str, request: bytes, port: int = HTTP_PORT) -> Recording:
    """Send the bytes of one request, which must ask to close, and read the answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return parse_recording(await asyncio.wait_for(reader.read(), _WITHIN_S))
    finally:
        writer.close()
        await writer.wait_closed()


def request_bytes(method: str, target: str, headers: list[tuple[str, str]], body: bytes | None = None) -> bytes:
    """Return a request with these headers and no others but framing."""
    framing = [("Host", "security-server.test"), ("Connection", "close")]
    if body is not None:
        framing.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*framing, *headers))
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


def status_of(answer: Recording) -> int:
    """The status of an answer."""
    return int(answer.start_line.split(" ")[1])

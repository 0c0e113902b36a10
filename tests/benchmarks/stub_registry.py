"""A registry that costs next to nothing, in a process of its own: SOAP of 1.5 KB, and bodies of any size.

python -m tests.benchmarks.stub_registry --host 127.0.0.1 --port 8090

GET /wsdl gives the WSDL, GET /bulk/SIZE that many bytes; POST /soap is answered with the SOAP header echoed,
POST /bulk with the number of bytes received. Nothing large is ever held.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from typing import Final, cast

import httptools
import uvloop

from tests.benchmarks.messages import NAMESPACE, OPERATION, PIECE, VERSION, answer_to

WSDL: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}">
<wsdl:portType name="PortType"><wsdl:operation name="{OPERATION}"/></wsdl:portType>
<wsdl:binding name="Binding" type="tns:PortType"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="{OPERATION}"><xrd:version>{VERSION}</xrd:version></wsdl:operation></wsdl:binding>
<wsdl:service name="Stub"><wsdl:port name="Port" binding="tns:Binding"><soap:address location="http://%s/soap"/>
</wsdl:port></wsdl:service></wsdl:definitions>
"""
# The SOAP of a request stands at its beginning, also in a package; what follows is counted only.
HELD_BYTES: Final = 64 * 1024


class StubRegistry(asyncio.Protocol):
    """One connection."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._streaming: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._held = bytearray()
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._streaming is not None:
            self._streaming.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        if len(self._held) < HELD_BYTES:
            self._held += body

    def on_message_complete(self) -> None:
        if self._target.startswith(b"/bulk/"):
            size = int(self._target.rpartition(b"/")[2])
            self._head(b"application/octet-stream", size)
            self._streaming = asyncio.get_running_loop().create_task(self._stream(size))
        elif self._target == b"/bulk":
            self._answer(b"text/plain", b"%d" % self._received)
        elif self._parser.get_method() == b"GET":
            self._answer(b"text/xml; charset=utf-8", (WSDL % self._host).encode())
        else:
            self._answer(b"text/xml; charset=utf-8", answer_to(bytes(self._held[self._held.index(b"<?xml") :])))
        self._begin()

    def _head(self, content_type: bytes, size: int) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (content_type, size)
        )

    def _answer(self, content_type: bytes, content: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (content_type, len(content), content)
        )

    async def _stream(self, size: int) -> None:
        while size:
            await self._may_write.wait()
            self._transport.write(PIECE[:size])
            size -= min(size, len(PIECE))


async def serve(host: str, port: int) -> None:
    """Answer until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: StubRegistry(f"{host}:{port}"), host, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(options.host, options.port))

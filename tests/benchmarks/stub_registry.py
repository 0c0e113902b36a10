"""A registry that costs next to nothing: it echoes the SOAP header and answers 1.5 KB, in a process of its own.

python -m tests.benchmarks.stub_registry --host 127.0.0.1 --port 8090
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from typing import Final

import httptools
import uvloop

from tests.benchmarks.messages import NAMESPACE, OPERATION, VERSION, answer_to

WSDL: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:tns="{NAMESPACE}" targetNamespace="{NAMESPACE}">
<wsdl:portType name="PortType"><wsdl:operation name="{OPERATION}"/></wsdl:portType>
<wsdl:binding name="Binding" type="tns:PortType"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<wsdl:operation name="{OPERATION}"><xrd:version>{VERSION}</xrd:version></wsdl:operation></wsdl:binding>
<wsdl:service name="Stub"><wsdl:port name="Port" binding="tns:Binding"><soap:address location="http://%s/soap"/>
</wsdl:port></wsdl:service></wsdl:definitions>
"""


class StubRegistry(asyncio.Protocol):
    """One connection: GET gives the WSDL, POST the answer to a SOAP request."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        is_get = self._parser.get_method() == b"GET"
        content = (WSDL % self._host).encode() if is_get else answer_to(bytes(self._body))
        self._body.clear()
        self._transport.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
            % (len(content), content)
        )


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

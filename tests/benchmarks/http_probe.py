"""What one keep-alive request costs the HTTP server and client, in CPU microseconds.

    python -m tests.benchmarks.http_probe

A child process keeps the server busy with requests prepared as bytes, so the server's own process shows the
server's cost alone; then our client asks a server in another process. Figures depend on the machine and
on its other work: read them beside the floor, a protocol that answers without reading, of the same run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.runtime import tls
from gateway.runtime.http.client import HttpClient
from gateway.runtime.http.server import HttpServer, Request, Response
from gateway.runtime.http.streams import READ_BYTES
from tests.factories.pki import Authority, a_key, a_name, a_root

REQUESTS = int(os.environ.get("PROBE_REQUESTS", "20000"))
BODY = b"x" * 1500
HEADERS = [
    ("x-hash-algorithm", "SHA-512"),
    ("x-original-content-type", "text/xml; charset=UTF-8"),
    ("x-road-request-id", "0b1c2d3e-0000-4000-8000-0123456789ab"),
    ("x-proxy-version", "7.8.0"),
    ("Content-Type", "multipart/mixed; charset=UTF-8; boundary=xtopabcdefghijklmnopqrstuvwxyzabcd"),
    ("User-Agent", "probe"),
]


async def answer(request: Request) -> Response:
    """Read the request, answer with as much."""
    return Response(headers=[("Content-Type", "text/xml")], body=await request.read())


def identity(root: Authority, name: str) -> tls.TlsIdentity:
    key = a_key(name)
    return tls.TlsIdentity(root.issue(a_name(name), key.public_key(), "auth").public_bytes(Encoding.DER), key)


def prepared_request() -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS)
    return f"POST / HTTP/1.1\r\nHost: 127.0.0.1:5500\r\n{lines}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


def hammer(port: int, context: ssl.SSLContext | None) -> None:
    """Send prepared requests one after another and take the answers as bytes."""
    sock: Any = socket.create_connection(("127.0.0.1", port))
    if context is not None:
        sock = context.wrap_socket(sock)
    request = prepared_request()
    for _ in range(REQUESTS):
        sock.sendall(request)
        received = sock.recv(65536)
        while not received.endswith(BODY):
            received += sock.recv(65536)
    sock.close()


async def cost_of_serving(port: int, calling: ssl.SSLContext | None) -> float:
    child = multiprocessing.get_context("fork").Process(target=hammer, args=(port, calling))
    child.start()
    begin = time.process_time()
    while child.is_alive():
        await asyncio.sleep(0.05)
    spent = time.process_time() - begin
    child.join()
    return spent / REQUESTS * 1e6


async def measure_server(context: ssl.SSLContext | None, calling: ssl.SSLContext | None) -> float:
    async with HttpServer(answer, ssl=context) as server:
        return await cost_of_serving(server.port, calling)


class Deaf(asyncio.BufferedProtocol):
    """Answers without reading: what event loop, socket and TLS cost anybody."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = memoryview(bytearray(READ_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)  # type: ignore[attr-defined]


async def measure_floor(context: ssl.SSLContext | None, calling: ssl.SSLContext | None) -> float:
    server = await asyncio.get_running_loop().create_server(Deaf, "127.0.0.1", 0, ssl=context)
    async with server:
        return await cost_of_serving(server.sockets[0].getsockname()[1], calling)


async def _serve(context: ssl.SSLContext | None, port: Any) -> None:
    async with HttpServer(answer, ssl=context) as server:
        port.send(server.port)
        while not port.poll():
            await asyncio.sleep(0.05)


def serve(context: ssl.SSLContext | None, port: Any) -> None:
    uvloop.run(_serve(context, port))


async def measure_client(port: int, calling: ssl.SSLContext | None) -> float:
    async with HttpClient() as client:
        begin = time.process_time()
        for _ in range(REQUESTS):
            response = await client.request("POST", "127.0.0.1", port, "/", HEADERS, BODY, ssl=calling)
            await response.read()
        return (time.process_time() - begin) / REQUESTS * 1e6


def client_against_child(
    run: Callable[..., Any], context: ssl.SSLContext | None, calling: ssl.SSLContext | None
) -> float:
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=serve, args=(context, theirs))
    child.start()
    cost: float = run(measure_client(ours.recv(), calling))
    ours.send("stop")
    child.join()
    return cost


def main() -> None:
    gc.collect()
    gc.freeze()
    root = a_root()
    listening = tls.peer_server_context(identity(root, "two"), [root.der])
    calling = tls.peer_client_context(identity(root, "one"), [root.der])
    results: dict[str, float] = {}
    for loop, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
        for kind, pair in (("plain", (None, None)), ("mTLS", (listening, calling))):
            results[f"floor {kind} {loop}"] = run(measure_floor(*pair))
            results[f"server {kind} {loop}"] = run(measure_server(*pair))
            results[f"client {kind} {loop}"] = client_against_child(run, *pair)
    for name, cost in results.items():
        sys.stdout.write(f"{name:24} {cost:7.1f} µs\n")
    sys.stdout.write(json.dumps({name: round(cost, 1) for name, cost in results.items()}) + "\n")


if __name__ == "__main__":
    main()

"""Callers, peers and services that send slowly, stop, or do not read: each is let go of, and harms nobody else.

The landscape has limits of half a second; no test measures time, each waits for what must happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
import pytest_asyncio

from gateway.landscape.federation import MESSAGE_PORT
from gateway.main import Gateway
from gateway.runtime.tls import peer_client_context
from gateway.settings import GatewaySettings
from gateway.xroad.identifiers import ServiceId
from tests.landscape import eventually, kinds_of
from tests.scenarios.asking import ASK, SNAP, SOAP_TYPE, VISITOR, envelope, new_id
from tests.scenarios.hand_made import Headers, der
from tests.scenarios.raw import HTTP_PORT
from tests.scenarios.scene import Scene, a_scene
from tests.scenarios.wire import WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

LIMIT_S: Final = 0.5
WITHIN_S: Final = 30.0
VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")
VISITOR_THINGS = ServiceId(VISITOR, "things")
PORTS = pytest.mark.parametrize("port", [HTTP_PORT, MESSAGE_PORT])
Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def impatient(settings: GatewaySettings) -> GatewaySettings:
    """Wait for nobody longer than half a second."""
    return dataclasses.replace(
        settings,
        limits=dataclasses.replace(settings.limits, header_timeout_s=LIMIT_S, body_idle_timeout_s=LIMIT_S),
        consumer=dataclasses.replace(settings.consumer, response_timeout_s=2 * LIMIT_S),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A landscape with short limits."""
    async with a_scene(tmp_path_factory.mktemp("impatient"), impatient) as scene:
        yield scene


@pytest_asyncio.fixture(loop_scope="session")
async def scene(impatient_scene: Scene) -> AsyncIterator[Scene]:
    """That landscape; afterwards both gateways answer, and no body is left in a spool."""
    yield impatient_scene
    await impatient_scene.still_answers()
    await eventually(lambda: spooled(impatient_scene) == [])


def spooled(scene: Scene) -> list[str]:
    """Return the files in the spools."""
    spools = (gateway.paths.spool for gateway in scene.federation.gateways.values())
    return [path.name for spool in spools for path in spool.glob("*/*")]


def gateway_at(scene: Scene, port: int) -> Gateway:
    return scene.federation.consumer if port == HTTP_PORT else scene.federation.provider


@asynccontextmanager
async def opened(scene: Scene, port: int, *, tls: bool = True) -> AsyncIterator[Pipe]:
    """Connect to a port: as an information system, or as the visitor's server."""
    context: ssl.SSLContext | None = None
    if port == MESSAGE_PORT and tls:
        context = peer_client_context(scene.visitor.identity(), [der(scene.visitor.root)])
    reader, writer = await asyncio.open_connection(gateway_at(scene, port).settings.address, port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.close()


def a_request(scene: Scene, port: int, query_id: str) -> tuple[bytes, bytes]:
    """Return head and body of a request that is served when it arrives whole."""
    headers: Headers
    if port == HTTP_PORT:
        headers, body = (("Content-Type", SOAP_TYPE),), envelope(ASK, SNAP, query_id)
    else:
        signed = scene.visitor.sign(scene.visitor.soap_message(envelope(ASK, VISITOR, query_id)))
        headers, body = scene.visitor.request(signed)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body), body


async def dribble(pipe: Pipe, data: bytes) -> bytes:
    """Send a byte now and then until the other side has had enough, and return what it said."""
    reader, writer = pipe
    said = asyncio.ensure_future(reader.read(-1))
    with contextlib.suppress(ConnectionError):
        for byte in data:
            writer.write(bytes((byte,)))
            await writer.drain()
            done, _ = await asyncio.wait({said}, timeout=LIMIT_S / 10)
            if done:
                break
    return await asyncio.wait_for(said, WITHIN_S)


async def others_are_served(scene: Scene) -> None:
    """Hold that a SOAP and a REST call go through meanwhile."""
    await scene.still_answers()


@PORTS
async def test_caller_who_dribbles_a_head_is_told_to_hurry(scene: Scene, port: int) -> None:
    head, _ = a_request(scene, port, new_id())
    async with opened(scene, port) as pipe:
        dribbling = asyncio.ensure_future(dribble(pipe, head))
        await others_are_served(scene)
        assert (await dribbling).startswith(b"HTTP/1.1 408 ")


@PORTS
async def test_caller_who_dribbles_a_body_is_refused(scene: Scene, port: int) -> None:
    query_id = new_id()
    head, body = a_request(scene, port, query_id)
    async with opened(scene, port) as pipe:
        pipe[1].write(head)
        dribbling = asyncio.ensure_future(dribble(pipe, body))
        await others_are_served(scene)
        answer = await dribbling
    assert b".io_error</faultcode>" in answer
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == []


@PORTS
async def test_caller_who_stops_inside_a_body_is_refused(scene: Scene, port: int) -> None:
    query_id = new_id()
    head, body = a_request(scene, port, query_id)
    async with opened(scene, port) as (reader, writer):
        writer.write(head + body[:-1])
        answer = await asyncio.wait_for(reader.read(-1), WITHIN_S)
    assert b".io_error</faultcode>" in answer
    assert kinds_of(gateway_at(scene, port), query_id) == []


@PORTS
async def test_connection_that_says_nothing_is_closed(scene: Scene, port: int) -> None:
    async with opened(scene, port) as (reader, _):
        await others_are_served(scene)
        assert await asyncio.wait_for(reader.read(-1), WITHIN_S) == b""


@PORTS
async def test_caller_who_hangs_up_inside_a_body_leaves_nothing(scene: Scene, port: int) -> None:
    query_id, before = new_id(), len(scene.stand_in.asked)
    head, body = a_request(scene, port, query_id)
    async with opened(scene, port) as (_, writer):
        writer.write(head + body[: len(body) // 2])
        await writer.drain()
        writer.transport.abort()
    await others_are_served(scene)
    assert kinds_of(gateway_at(scene, port), query_id) == []
    assert len(scene.stand_in.asked) == before


@PORTS
async def test_what_was_asked_is_recorded_also_when_the_caller_has_gone(scene: Scene, port: int) -> None:
    query_id = new_id()
    head, body = a_request(scene, port, query_id)
    async with opened(scene, port) as (_, writer):
        writer.write(head + body)
        await writer.drain()
        await eventually(lambda: kinds_of(scene.federation.provider, query_id) != [])
        writer.transport.abort()
    await eventually(lambda: kinds_of(gateway_at(scene, port), query_id) == ["request", "response"])


async def test_caller_who_closes_its_half_after_the_request_is_answered(scene: Scene) -> None:
    head, body = a_request(scene, HTTP_PORT, new_id())
    async with opened(scene, HTTP_PORT) as (reader, writer):
        writer.write(head + body)
        writer.write_eof()
        assert b"askResponse" in await asyncio.wait_for(reader.read(-1), WITHIN_S)


async def test_caller_who_closes_its_half_inside_the_request_is_refused(scene: Scene) -> None:
    query_id = new_id()
    head, body = a_request(scene, HTTP_PORT, query_id)
    async with opened(scene, HTTP_PORT) as (reader, writer):
        writer.write(head + body[:-1])
        writer.write_eof()
        assert b".io_error</faultcode>" in await asyncio.wait_for(reader.read(-1), WITHIN_S)
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_peer_who_does_not_finish_its_handshake_harms_nobody(scene: Scene) -> None:
    async with opened(scene, MESSAGE_PORT, tls=False) as (_, writer):
        writer.write(b"\x16\x03\x01\x02\0")
        await others_are_served(scene)


async def test_peer_without_a_certificate_gets_no_connection(scene: Scene) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    address = scene.federation.provider.settings.address
    answer = b""
    with contextlib.suppress(ssl.SSLError, ConnectionError):  # told in the handshake, or right behind it
        reader, writer = await asyncio.open_connection(address, MESSAGE_PORT, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await reader.read(-1)
    assert answer == b""


@PORTS
async def test_hundred_silent_connections_keep_nobody_waiting(scene: Scene, port: int) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(opened(scene, port, tls=False))
        await others_are_served(scene)


@pytest.mark.parametrize("rest", [False, True], ids=["SOAP", "REST"])
async def test_caller_who_does_not_read_a_large_answer_harms_nobody(scene: Scene, rest: bool) -> None:
    address = scene.federation.consumer.settings.address
    large = b"x" * (8 * 1024 * 1024)

    def answer(request: WireRequest) -> bytes:
        if rest:
            return http_answer(large, "application/octet-stream")
        right = request.body.replace(b"<s:ask ", b"<s:askResponse ").replace(b"</s:ask>", large + b"</s:askResponse>")
        return http_answer(right)

    if rest:
        line = b"GET /r1/UA-DEMO/GOV/10000002/STANDIN/things HTTP/1.1\r\nHost: a\r\n"
        sent = line + b"X-Road-Client: UA-DEMO/GOV/10000001/SNAP\r\n\r\n"
    else:
        sent = b"".join(a_request(scene, HTTP_PORT, new_id()))
    before = len(scene.stand_in.asked)
    with socket.create_connection((address, HTTP_PORT)) as deaf, scene.stand_in.answering(answer):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(sent)
        await eventually(lambda: len(scene.stand_in.asked) > before)
        for _ in range(3):
            await others_are_served(scene)


# peers that answer


async def test_peer_that_never_answers_is_given_up(scene: Scene) -> None:
    silence = asyncio.Event()
    query_id = new_id()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    async with answering_by(scene, never):
        asking = asyncio.ensure_future(scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id)))
        await others_are_served(scene)
        reply = await asking
        silence.set()
    assert reply.code == "server.clientproxy.io_error"
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]


async def test_peer_that_dribbles_its_head_is_given_up(scene: Scene) -> None:
    async def dribbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 100:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(LIMIT_S / 10)
        writer.close()

    async with answering_by(scene, dribbles):
        reply = await scene.caller.soap(envelope(VISITOR_ASK))
    assert reply.code == "server.clientproxy.io_error"


async def test_peer_that_answers_before_it_was_asked_is_not_believed(scene: Scene) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(envelope(VISITOR_ASK)))
        with contextlib.suppress(ConnectionError):
            await reader.read(-1)
        writer.close()

    async with answering_by(scene, early):
        reply = await scene.caller.soap(envelope(VISITOR_ASK))
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.")


async def test_peer_that_leaves_in_the_handshake_is_named(scene: Scene) -> None:
    async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with answering_by(scene, leaves, tls=False):
        reply = await scene.caller.soap(envelope(VISITOR_ASK))
    assert reply.code == "server.clientproxy.ssl_authentication_failed"


async def test_peer_that_speaks_no_tls_is_refused(scene: Scene) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http_answer(envelope(VISITOR_ASK)))
        writer.close()

    async with answering_by(scene, plain, tls=False):
        reply = await scene.caller.soap(envelope(VISITOR_ASK))
    assert reply.code == "server.clientproxy.ssl_authentication_failed"


@asynccontextmanager
async def answering_by(scene: Scene, serve: object, *, tls: bool = True) -> AsyncIterator[None]:
    """Let a coroutine be the visitor's port 5500."""
    visitor = scene.visitor
    assert visitor._port is not None
    await visitor._port.stop()
    scene.federation.consumer.peer_http.close_idle()
    server = await asyncio.start_server(
        serve,  # type: ignore[arg-type]
        visitor.address,
        MESSAGE_PORT,
        ssl=visitor._port.ssl if tls else None,
    )
    try:
        yield
    finally:
        server.close()
        scene.federation.consumer.peer_http.close_idle()
        await visitor._port.start()

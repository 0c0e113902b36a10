"""Server and client over TLS: certificates handed out, refusals named, truncation noticed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.runtime import tls
from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.model import ConnectionFacts
from gateway.runtime.http.problems import ConnectionLost, PeerRefused, TlsFailed
from gateway.runtime.http.server import HttpLimits, Request, Response
from gateway.runtime.http.streams import READ_BYTES
from gateway.runtime.tls import TlsIdentity
from tests.factories.pki import a_key, a_name, a_root

from .conftest import StartScript, StartServer, until

HOST = "127.0.0.1"
ROOT = a_root()


def identity(name: str) -> TlsIdentity:
    key = a_key(name)
    certificate = ROOT.issue(a_name(name), key.public_key(), "auth")
    return TlsIdentity(certificate.public_bytes(Encoding.DER), key)


ONE, TWO = identity("one"), identity("two")


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def calling(request: pytest.FixtureRequest) -> ssl.SSLContext:
    """A client's context, once for each version."""
    context = tls.peer_client_context(ONE, [ROOT.der])
    context.maximum_version = request.param
    return context


@pytest.fixture
def listening() -> ssl.SSLContext:
    """A message port's context."""
    return tls.peer_server_context(TWO, [ROOT.der])


async def test_each_side_learns_the_other_s_certificate(
    client: HttpClient, start_server: StartServer, calling: ssl.SSLContext, listening: ssl.SSLContext
) -> None:
    facts: list[ConnectionFacts] = []

    async def who(request: Request) -> Response:
        assert request.scheme == "https"
        return Response(body=request.peer_certificate or b"")

    server = await start_server(who, ssl=listening)
    for _ in range(2):
        response = await client.request("GET", HOST, server.port, ssl=calling, on_connected=facts.append)
        assert await response.read() == ONE.certificate_der
    assert [known.peer_certificate for known in facts] == [TWO.certificate_der] * 2
    assert facts[0].tls_version == ("TLSv1.2" if calling.maximum_version == ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
    assert server.open_connections == 1


async def test_large_bodies_pass_both_ways(
    client: HttpClient, start_server: StartServer, calling: ssl.SSLContext, listening: ssl.SSLContext
) -> None:
    async def mirror(request: Request) -> Response:
        return Response(body=request.body)

    server = await start_server(mirror, ssl=listening)
    parts = (b"%d" % (number % 10) * 70_000 for number in range(60))
    response = await client.request("POST", HOST, server.port, "/", (), parts, ssl=calling)
    size = 0
    async for piece in response.body:
        size += len(piece)
    assert size == 60 * 70_000


@pytest.mark.parametrize("size", [1, 16_384, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 5 * READ_BYTES + 7])
async def test_bodies_around_and_beyond_one_read_arrive_whole(
    client: HttpClient, start_server: StartServer, calling: ssl.SSLContext, listening: ssl.SSLContext, size: int
) -> None:
    async def mirror(request: Request) -> Response:
        return Response(body=await request.read())

    server = await start_server(mirror, ssl=listening)
    bodies = [random.Random(size + number).randbytes(size) for number in range(4)]

    async def ask(body: bytes) -> bytes:
        return await (await client.request("POST", HOST, server.port, "/", (), body, ssl=calling)).read()

    for _ in range(2):
        assert await asyncio.gather(*map(ask, bodies)) == bodies
    assert server.open_connections == 4


async def test_pinned_certificate_is_asked_for_before_the_first_byte(
    client: HttpClient, start_server: StartServer, listening: ssl.SSLContext, calling: ssl.SSLContext
) -> None:
    asked: list[Request] = []

    async def note(request: Request) -> Response:
        asked.append(request)
        return Response()

    server = await start_server(note, ssl=listening)
    with pytest.raises(PeerRefused):
        await client.request("GET", HOST, server.port, ssl=calling, on_connected=tls.pinned([ONE.certificate_der]))
    await (
        await client.request("GET", HOST, server.port, ssl=calling, on_connected=tls.pinned([TWO.certificate_der]))
    ).read()
    assert len(asked) == 1


async def test_server_of_an_unknown_authority_fails_before_the_handshake_ends(
    client: HttpClient, start_server: StartServer, calling: ssl.SSLContext
) -> None:
    stranger = a_root("Other CA")
    key = a_key("three")
    der = stranger.issue(a_name("three"), key.public_key(), "auth").public_bytes(Encoding.DER)
    server = await start_server(ssl=tls.peer_server_context(TlsIdentity(der, key), [ROOT.der]))
    with pytest.raises(TlsFailed) as failure:
        await client.request("GET", HOST, server.port, ssl=calling)
    assert not failure.value.handshaken
    assert "issuer" in failure.value.reason
    await until(lambda: server.open_connections == 0)


async def test_refusal_of_our_certificate_is_a_tls_failure_in_either_version(
    client: HttpClient, listening: ssl.SSLContext, calling: ssl.SSLContext
) -> None:
    anonymous = tls.service_client_context()
    anonymous.maximum_version = calling.maximum_version

    def refuse(sock: socket.socket) -> None:
        accepted = sock.accept()[0]
        with listening.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as secured:
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            with contextlib.suppress(OSError):
                while socket.socket.recv(secured, 1000):
                    pass  # an unread request would reset the connection and take the alert along

    with socket.create_server((HOST, 0)) as sock:
        refusing = asyncio.create_task(asyncio.to_thread(refuse, sock))
        with pytest.raises(TlsFailed) as failure:
            await client.request("POST", HOST, sock.getsockname()[1], "/", (), b"x" * 10, ssl=anonymous)
        await refusing
    assert failure.value.handshaken is (calling.maximum_version == ssl.TLSVersion.TLSv1_3)


async def test_port_that_speaks_no_tls_fails(
    client: HttpClient, start_server: StartServer, calling: ssl.SSLContext
) -> None:
    server = await start_server()
    with pytest.raises(TlsFailed):
        await client.request("GET", HOST, server.port, ssl=calling)


async def test_handshake_that_does_not_end_is_cut_on_both_sides(
    start_server: StartServer, start_script: StartScript, listening: ssl.SSLContext, calling: ssl.SSLContext
) -> None:
    server = await start_server(ssl=listening, limits=HttpLimits(tls_handshake_timeout_s=0.05))
    reader, writer = await asyncio.open_connection(HOST, server.port)
    assert await reader.read(-1) == b""
    await until(lambda: server.open_connections == 0)
    writer.close()
    silent = await start_script(b"")
    async with HttpClient(ClientLimits(tls_handshake_timeout_s=0.05)) as hasty:
        with pytest.raises(TlsFailed):
            await hasty.request("GET", HOST, silent.port, ssl=calling)


async def test_unfinished_handshakes_count_as_connections(start_server: StartServer, listening: ssl.SSLContext) -> None:
    server = await start_server(ssl=listening, limits=HttpLimits(max_connections=2))
    held = [await asyncio.open_connection(HOST, server.port) for _ in range(2)]
    await until(lambda: server.open_connections == 2)
    reader, writer = await asyncio.open_connection(HOST, server.port)
    assert await reader.read(1) == b""
    for _, open_writer in [*held, (reader, writer)]:
        open_writer.close()


async def test_context_replaced_while_running_is_used_from_the_next_connection_on(
    client: HttpClient, start_server: StartServer, listening: ssl.SSLContext, calling: ssl.SSLContext
) -> None:
    facts: list[ConnectionFacts] = []
    server = await start_server(ssl=listening)
    for context in (listening, tls.peer_server_context(ONE, [ROOT.der])):
        server.ssl = context
        response = await client.request("GET", HOST, server.port, ssl=calling, close=True, on_connected=facts.append)
        await response.read()
    assert [known.peer_certificate for known in facts] == [TWO.certificate_der, ONE.certificate_der]


@pytest.mark.parametrize("orderly", [True, False])
async def test_body_without_framing_needs_an_orderly_end_of_tls(
    client: HttpClient, listening: ssl.SSLContext, calling: ssl.SSLContext, orderly: bool
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()
        if orderly:
            writer.close()
        else:
            await asyncio.sleep(0.05)
            writer.transport.abort()

    server = await asyncio.start_server(answer, HOST, 0, ssl=listening)
    response = await client.request("GET", HOST, server.sockets[0].getsockname()[1], ssl=calling)
    if orderly:
        assert await response.read() == b"hello"
    else:
        with pytest.raises(ConnectionLost):
            await response.read()
    server.close()


@pytest.mark.parametrize("pause", [False, True], ids=["read at once", "read late"])
@pytest.mark.parametrize("farewell", [False, True], ids=["no farewell", "close_notify"])
@pytest.mark.parametrize("size", [READ_BYTES + 1, 3 * READ_BYTES, 7 * READ_BYTES + 5, 40 * READ_BYTES])
async def test_answer_of_a_peer_that_closes_right_behind_it_arrives_whole(
    client: HttpClient, listening: ssl.SSLContext, calling: ssl.SSLContext, size: int, farewell: bool, pause: bool
) -> None:
    body = random.Random(size).randbytes(size)

    def answer(listener: socket.socket) -> None:
        plain, _ = listener.accept()
        with listening.wrap_socket(plain, server_side=True) as secured:
            while not secured.recv(4096).endswith(b"\r\n\r\n"):
                pass
            secured.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + body)
            secured.setblocking(not farewell)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError):  # the client may be gone by then
                if farewell:
                    secured.unwrap()
            with contextlib.suppress(OSError):
                secured.shutdown(socket.SHUT_WR)
                secured.setblocking(True)
                while secured.recv(4096):
                    pass

    with socket.create_server((HOST, 0)) as listener:
        served = asyncio.get_running_loop().run_in_executor(None, answer, listener)
        response = await client.request("GET", HOST, listener.getsockname()[1], ssl=calling)
        if pause:
            await asyncio.sleep(0.02)
        assert await response.read() == body
        await client.close()
        await served

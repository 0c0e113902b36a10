"""The client over real sockets: what it sends, what it accepts, when it reuses and when it gives up."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.runtime.http.client import ClientLimits, HttpClient
from gateway.runtime.http.model import ConnectionFacts
from gateway.runtime.http.problems import (
    ConnectFailed,
    ConnectionLost,
    HttpTimeout,
    HttpTooLarge,
    MalformedHttp,
    UnknownHost,
)
from gateway.runtime.http.server import HttpLimits, HttpServer, Request, Response
from gateway.runtime.http.streams import READ_BYTES

from .conftest import StartScript, StartServer, until
from .test_framing import BROKEN_CHUNKS, REFUSED_RESPONSES

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOST = "127.0.0.1"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_headers_go_out_as_given_with_host_and_framing(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(OK)
    headers = [("x-a", "1"), ("X-B", "2"), ("x-a", "3")]
    await (await client.request("POST", HOST, peer.port, "/a%2F?b", headers, b"hi")).read()
    assert peer.heads[0] == (
        b"POST /a%%2F?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nx-a: 1\r\nX-B: 2\r\nx-a: 3\r\nContent-Length: 2\r\n\r\n"
        % peer.port
    )


async def test_host_given_by_the_caller_stands_where_it_was_put(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(OK)
    await (await client.request("GET", HOST, peer.port, "/", [("A", "b"), ("host", "localhost:5500")])).read()
    assert peer.heads[0] == b"GET / HTTP/1.1\r\nA: b\r\nhost: localhost:5500\r\n\r\n"


@pytest.mark.parametrize("header", [("A", "b\r\nC: d"), ("A\r\n", "b"), ("Transfer-Encoding", "chunked")])
async def test_header_that_would_split_the_request_is_never_sent(
    client: HttpClient, start_script: StartScript, header: tuple[str, str]
) -> None:
    peer = await start_script(OK)
    with pytest.raises(ValueError):  # noqa: PT011 (the family is the contract)
        await client.request("GET", HOST, peer.port, "/", [header])
    assert peer.connections == 0


@pytest.mark.parametrize("target", ["/a b", "/a\r\nB: c", "/\u0454", ""])
async def test_target_that_would_split_the_request_is_never_sent(client: HttpClient, target: str) -> None:
    with pytest.raises(ValueError, match="request line"):
        await client.request("GET", HOST, 1, target)


async def test_response_comes_with_its_headers_as_written(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 404 Nothing here\r\nx-A: 1\r\nX-a: 2\r\nContent-Length: 0\r\n\r\n")
    response = await client.request("GET", HOST, peer.port)
    assert (response.status, response.reason) == (404, "Nothing here")
    assert response.headers == [("x-A", "1"), ("X-a", "2"), ("Content-Length", "0")]
    assert response.header("X-A") == "1"
    assert await response.read() == b""


@pytest.mark.parametrize("kind", ["async", "sync", "long_bytes"])
async def test_body_of_any_kind_arrives_whole(client: HttpClient, start_server: StartServer, kind: str) -> None:
    async def measure(request: Request) -> Response:
        body = await request.read()
        return Response(body=b"%d %d" % (len(body), request.length or 0))

    server = await start_server(measure)
    parts = [b"x" * 30_000] * 20
    body = {"async": pieces(*parts), "sync": iter(parts), "long_bytes": b"".join(parts)}[kind]
    answer = await (await client.request("POST", HOST, server.port, "/", (), body)).read()
    assert answer == (b"600000 600000" if kind == "long_bytes" else b"600000 0")
    assert client.idle_connections == 1


async def test_iterator_with_a_stated_length_is_sent_plainly(client: HttpClient, start_server: StartServer) -> None:
    server = await start_server()
    headers = [("Content-Length", "4")]
    answer = await (await client.request("POST", HOST, server.port, "/", headers, iter([b"ab", b"cd"]))).read()
    assert answer == b"POST / abcd"


async def test_failing_body_cuts_the_request_and_reaches_the_caller(
    client: HttpClient, start_server: StartServer
) -> None:
    lost: list[Exception] = []

    async def read(request: Request) -> Response:
        try:
            await request.read()
        except ConnectionLost as problem:
            lost.append(problem)
        return Response()

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise LookupError("the signer is away")

    server = await start_server(read)
    with pytest.raises(LookupError):
        await client.request("POST", HOST, server.port, "/", (), broken())
    await until(lambda: lost)
    assert client.idle_connections == 0


async def test_connection_is_used_again(client: HttpClient, start_server: StartServer) -> None:
    server = await start_server()
    for _ in range(3):
        await (await client.request("POST", HOST, server.port, "/", (), pieces(b"a"))).read()
        assert (client.idle_connections, server.open_connections) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: TE, Close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    ],
)
async def test_connection_is_not_used_again_when_the_peer_says_so(
    client: HttpClient, start_script: StartScript, answer: bytes
) -> None:
    peer = await start_script(answer, close_after=False)
    assert await (await client.request("GET", HOST, peer.port)).read() == b"ok"
    assert client.idle_connections == 0
    await (await client.request("GET", HOST, peer.port)).read()
    assert peer.connections == 2


async def test_close_is_said_and_done_when_asked_for(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(OK, close_after=False)
    await (await client.request("GET", HOST, peer.port, close=True)).read()
    assert b"Connection: close\r\n" in peer.heads[0]
    assert client.idle_connections == 0


async def test_idle_connection_that_the_peer_closed_is_noticed_before_use(
    client: HttpClient, start_script: StartScript
) -> None:
    peer = await start_script(OK)
    for _ in range(3):
        assert await (await client.request("POST", HOST, peer.port, "/", (), b"once")).read() == b"ok"
    assert (peer.connections, len(peer.heads)) == (3, 3)


async def test_nothing_is_sent_twice_when_the_peer_leaves_after_the_request(
    client: HttpClient, start_script: StartScript
) -> None:
    peer = await start_script(b"")
    with pytest.raises(ConnectionLost) as loss:
        await client.request("POST", HOST, peer.port, "/", (), b"once")
    assert loss.value.stage == "response"
    assert loss.value.sent
    assert len(peer.heads) == 1


async def test_tags_keep_connections_apart(client: HttpClient, start_server: StartServer) -> None:
    server = await start_server()
    for tag in ("a", "b", "a"):
        await (await client.request("GET", HOST, server.port, tag=tag)).read()
    assert client.idle_connections == 2


async def test_idle_connections_are_bounded_and_expire(start_server: StartServer) -> None:
    server = await start_server()
    limits = ClientLimits(max_idle_per_address=2, keep_alive_timeout_s=0.1)
    async with HttpClient(limits) as client:
        responses = await asyncio.gather(*(client.request("GET", HOST, server.port) for _ in range(5)))
        for response in responses:
            await response.read()
        assert client.idle_connections == 2
        await until(lambda: client.open_connections == 0)
        assert client.idle_connections == 0


async def test_hook_is_asked_on_new_and_kept_connections_before_any_byte(
    client: HttpClient, start_script: StartScript
) -> None:
    peer = await start_script(OK, close_after=False)
    seen: list[tuple[ConnectionFacts, int]] = []

    async def hook(facts: ConnectionFacts) -> None:
        await asyncio.sleep(0.01)
        seen.append((facts, len(peer.heads)))

    for _ in range(2):
        await (await client.request("GET", HOST, peer.port, on_connected=hook)).read()
    assert [heads for _, heads in seen] == [0, 1]
    assert seen[0][0].address == (HOST, peer.port)
    assert peer.connections == 1


async def test_hook_that_refuses_ends_the_exchange_without_a_byte(
    client: HttpClient, start_script: StartScript
) -> None:
    peer = await start_script(OK, close_after=False)
    await (await client.request("GET", HOST, peer.port)).read()

    def refuse(facts: ConnectionFacts) -> None:
        raise PermissionError("not that server")

    with pytest.raises(PermissionError):
        await client.request("GET", HOST, peer.port, on_connected=refuse)
    assert len(peer.heads) == 1
    await until(lambda: client.open_connections == 0)


@pytest.mark.parametrize("name", REFUSED_RESPONSES)
async def test_response_that_could_be_read_two_ways_is_refused(
    client: HttpClient, start_script: StartScript, name: str
) -> None:
    peer = await start_script(REFUSED_RESPONSES[name] + b"hello")
    with pytest.raises(MalformedHttp):
        await client.request("GET", HOST, peer.port)


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
async def test_broken_chunks_never_end_a_body_cleanly(client: HttpClient, start_script: StartScript, name: str) -> None:
    peer = await start_script(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + BROKEN_CHUNKS[name])
    with pytest.raises(MalformedHttp):
        await (await client.request("GET", HOST, peer.port)).read()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n",
    ],
)
async def test_body_cut_short_never_ends_cleanly(client: HttpClient, start_script: StartScript, answer: bytes) -> None:
    peer = await start_script(answer)
    with pytest.raises(ConnectionLost):
        await (await client.request("GET", HOST, peer.port)).read()


async def test_body_without_framing_lasts_until_the_end(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert await (await client.request("GET", HOST, peer.port)).read() == b"hello"
    assert client.idle_connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["length", "chunked", "interim"],
)
async def test_response_split_anywhere_is_read_like_a_whole_one(client: HttpClient, answer: bytes) -> None:
    connections: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        for edge in range(1, len(answer) + 1):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer[:edge])
            await asyncio.sleep(0.001)
            writer.write(answer[edge:])

    peer = await asyncio.start_server(serve, HOST, 0)
    for _ in range(len(answer)):
        response = await client.request("GET", HOST, peer.sockets[0].getsockname()[1])
        assert (response.status, await response.read()) == (200, b"hello")
    assert len(connections) == 1
    connections[0].close()
    peer.close()


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
    ],
)
async def test_response_that_has_no_body_leaves_the_connection_for_the_next(
    client: HttpClient, start_script: StartScript, method: str, answer: bytes
) -> None:
    peer = await start_script(answer, close_after=False)
    for _ in range(3):
        assert await (await client.request(method, HOST, peer.port)).read() == b""
    assert (peer.connections, client.idle_connections) == (1, 1)


@pytest.mark.parametrize("size", [READ_BYTES - 100, READ_BYTES, READ_BYTES + 1, 5 * READ_BYTES + 7])
async def test_bodies_around_and_beyond_one_read_arrive_whole(
    client: HttpClient, start_server: StartServer, size: int
) -> None:
    server = await start_server()
    body = random.Random(size).randbytes(size)
    for _ in range(2):
        answer = await (await client.request("POST", HOST, server.port, "/", (), body)).read()
        assert answer == b"POST / " + body
    assert server.open_connections == 1


@pytest.mark.parametrize("answers", [1, 2, 3])
async def test_connection_that_the_peer_closed_after_some_answers_is_not_used_again(
    client: HttpClient, answers: int
) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(answers):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
        writer.close()

    peer = await asyncio.start_server(serve, HOST, 0)
    for _ in range(2 * answers):
        assert await (await client.request("GET", HOST, peer.sockets[0].getsockname()[1])).read() == b"ok"
        if len(heads) % answers == 0:
            await until(lambda: client.open_connections == 0)
    assert len(heads) == 2 * answers
    peer.close()


async def test_interim_responses_are_passed_over(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + OK)
    response = await client.request("GET", HOST, peer.port)
    assert (response.status, await response.read()) == (200, b"ok")


async def test_change_of_protocol_is_refused(client: HttpClient, start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    with pytest.raises(MalformedHttp):
        await client.request("GET", HOST, peer.port)


async def test_head_of_a_response_is_bounded(start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 5000 + b"\r\n\r\n")
    async with HttpClient(ClientLimits(max_header_bytes=1000)) as client:
        with pytest.raises(HttpTooLarge):
            await client.request("GET", HOST, peer.port)


async def test_body_of_a_response_is_bounded(start_script: StartScript) -> None:
    peer = await start_script(b"HTTP/1.1 200 OK\r\n\r\n" + b"b" * 5000)
    async with HttpClient(ClientLimits(max_body_bytes=1000)) as client:
        with pytest.raises(HttpTooLarge):
            await (await client.request("GET", HOST, peer.port)).read()


async def test_answer_that_does_not_come_is_a_timeout(client: HttpClient, start_server: StartServer) -> None:
    async def never(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    server = await start_server(never)
    async with HttpClient(ClientLimits(keep_alive_timeout_s=0.05)) as impatient:
        with pytest.raises(HttpTimeout) as timeout:
            await impatient.request("GET", HOST, server.port, response_timeout_s=0.05)
    assert timeout.value.stage == "response"


async def test_answer_that_stops_is_a_timeout(start_server: StartServer) -> None:
    async def stop() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    async def answer(request: Request) -> Response:
        return Response(body=stop())

    server = await start_server(answer)
    async with HttpClient(ClientLimits(body_idle_timeout_s=0.05)) as client:
        response = await client.request("GET", HOST, server.port)
        with pytest.raises(HttpTimeout):
            await response.read()


async def test_server_that_takes_no_request_is_a_timeout() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100_000

    with socket.create_server((HOST, 0)) as listening:
        async with HttpClient(ClientLimits(stalled_reader_timeout_s=0.1)) as client:
            with pytest.raises(HttpTimeout) as timeout:
                await client.request("POST", HOST, listening.getsockname()[1], "/", (), endless())
    assert timeout.value.stage == "sending"


async def test_answer_before_the_request_is_complete_is_delivered(
    client: HttpClient, start_server: StartServer
) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def refuse(request: Request) -> Response:
        return Response(403, body=b"no")

    server = await start_server(refuse, limits=HttpLimits(buffer_bytes=1024))
    response = await client.request("POST", HOST, server.port, "/", (), endless())
    assert (response.status, await response.read()) == (403, b"no")
    await asyncio.wait_for(closed.wait(), 10)
    assert client.idle_connections == 0


async def test_both_directions_stream_at_once(client: HttpClient, start_server: StartServer) -> None:
    async def mirror(request: Request) -> Response:
        return Response(body=request.body)

    sent = asyncio.Queue[bytes]()

    async def from_queue() -> AsyncIterator[bytes]:
        while piece := await sent.get():
            yield piece

    server = await start_server(mirror)
    await sent.put(b"one")
    response = await client.request("POST", HOST, server.port, "/", (), from_queue())
    assert await anext(response.body) == b"one"
    await sent.put(b"two")
    assert await anext(response.body) == b"two"
    await sent.put(b"")
    assert await response.read() == b""


async def test_server_is_stopped_while_nobody_reads_the_response(client: HttpClient, start_server: StartServer) -> None:
    produced = 0

    async def many() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(400):
            produced += 1
            yield b"x" * 100_000

    async def answer(request: Request) -> Response:
        return Response(body=many())

    server = await start_server(answer)
    response = await client.request("GET", HOST, server.port)
    await asyncio.sleep(0.1)
    before = produced
    assert before < 400
    size = 0
    async for piece in response.body:
        size += len(piece)
    assert size == 40_000_000
    assert client.idle_connections == 1


async def test_response_given_up_cuts_the_connection(client: HttpClient, start_server: StartServer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def answer(request: Request) -> Response:
        return Response(body=endless())

    server = await start_server(answer)
    async with await client.request("GET", HOST, server.port) as response:
        assert response.status == 200
    await until(lambda: server.open_connections == 0)
    assert client.open_connections == 0


async def test_cancelled_request_cuts_the_connection(client: HttpClient, start_server: StartServer) -> None:
    started = asyncio.Event()

    async def slow(request: Request) -> Response:
        started.set()
        await until(lambda: request.disconnected)
        return Response()

    server = await start_server(slow)
    asking = asyncio.create_task(client.request("GET", HOST, server.port))
    await started.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await until(lambda: server.open_connections == 0)


async def test_port_nobody_listens_on_is_named(client: HttpClient, start_server: StartServer) -> None:
    server = await start_server()
    port = server.port
    await server.close()
    with pytest.raises(ConnectFailed) as failure:
        await client.request("GET", HOST, port)
    assert failure.value.facts == {"host": HOST, "port": port, "reason": "Connection refused"}


async def test_name_without_address_is_named(client: HttpClient) -> None:
    with pytest.raises(UnknownHost):
        await client.request("GET", "no-such-host.invalid", 80)


async def test_first_server_to_connect_is_asked(client: HttpClient, start_server: StartServer) -> None:
    server, gone = await start_server(), await start_server()
    dead_port = gone.port
    await gone.close()
    addresses = [(HOST, dead_port), (HOST, server.port)]
    response = await client.request_any("GET", addresses)
    assert response.facts.address == (HOST, server.port)
    await response.read()
    assert await (await client.request_any("GET", addresses)).read() == b"GET / "
    assert server.open_connections == 1


async def test_server_the_hook_refuses_is_dropped_for_the_next(client: HttpClient, start_server: StartServer) -> None:
    first, second = await start_server(), await start_server()

    def only_second(facts: ConnectionFacts) -> None:
        if facts.address != (HOST, second.port):
            raise PermissionError("not that one")

    for _ in range(3):
        response = await client.request_any("GET", [(HOST, first.port), (HOST, second.port)], on_connected=only_second)
        assert response.facts.address == (HOST, second.port)
        await response.read()


class Listener:
    """A server that counts who connects, and says nothing."""

    def __init__(self) -> None:
        self.knocks = 0

    def __call__(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        writer.close()


async def asked_first(client: HttpClient, fast: HttpServer, listener: asyncio.Server) -> list[tuple[str, int]]:
    """Have the client learn that `fast` is the fastest of both; return their addresses."""
    addresses = [(HOST, fast.port), (HOST, listener.sockets[0].getsockname()[1])]

    def only_fast(facts: ConnectionFacts) -> None:
        if facts.address != addresses[0]:
            raise PermissionError("not that one")

    await (await client.request_any("GET", addresses, on_connected=only_fast, close=True)).read()
    return addresses


async def test_fastest_server_is_asked_alone_next_time(client: HttpClient, start_server: StartServer) -> None:
    counting, fast = Listener(), await start_server()
    async with await asyncio.start_server(counting, HOST, 0) as other:
        addresses = await asked_first(client, fast, other)
        counting.knocks = 0
        for _ in range(5):
            response = await client.request_any("GET", addresses, close=True)
            assert response.facts.address == addresses[0]
            await response.read()
    assert counting.knocks == 0


@pytest.mark.parametrize("remember_s", [0, 0.001], ids=["never remembered", "forgotten"])
async def test_fastest_server_is_remembered_no_longer_than_allowed(
    start_server: StartServer, remember_s: float
) -> None:
    counting, fast = Listener(), await start_server()
    async with (
        HttpClient(ClientLimits(remember_fastest_s=remember_s)) as client,
        await asyncio.start_server(counting, HOST, 0) as other,
    ):
        addresses = frozenset(await asked_first(client, fast, other))
        await asyncio.sleep(0.01)
        assert client._remembered(addresses) is None


async def test_remembered_server_that_is_gone_is_replaced(client: HttpClient, start_server: StartServer) -> None:
    servers = [await start_server(), await start_server()]
    addresses = [(HOST, server.port) for server in servers]

    def only_first(facts: ConnectionFacts) -> None:
        if facts.address != addresses[0]:
            raise PermissionError("not that one")

    await (await client.request_any("GET", addresses, on_connected=only_first, close=True)).read()
    await servers[0].close()

    for _ in range(2):
        response = await client.request_any("GET", addresses, close=True)
        assert response.facts.address == addresses[1]
        await response.read()


async def test_last_problem_is_raised_when_no_server_is_left(client: HttpClient, start_server: StartServer) -> None:
    servers = [await start_server(), await start_server()]

    def refuse(facts: ConnectionFacts) -> None:
        raise PermissionError(str(facts.address))

    with pytest.raises(PermissionError):
        await client.request_any("GET", [(HOST, server.port) for server in servers], on_connected=refuse)


async def test_many_exchanges_at_once_do_not_mix(client: HttpClient, start_server: StartServer) -> None:
    server = await start_server()

    async def ask(number: int) -> bytes:
        body = b"%d" % number
        return await (await client.request("POST", HOST, server.port, f"/{number}", (), body)).read()

    for _ in range(3):
        answers = await asyncio.gather(*(ask(number) for number in range(40)))
        assert answers == [b"POST /%d %d" % (number, number) for number in range(40)]
    assert server.open_connections <= 64


async def test_relayed_response_is_given_up_when_its_reader_leaves(
    client: HttpClient, start_server: StartServer
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    async def produce(request: Request) -> Response:
        return Response(body=endless())

    async def relay(request: Request) -> Response:
        inner = await client.request("GET", HOST, source.port)
        return Response(body=inner.body)

    source = await start_server(produce)
    server = await start_server(relay)
    async with HttpClient() as reader, await reader.request("GET", HOST, server.port) as response:
        await anext(response.body)
    await until(lambda: server.open_connections == source.open_connections == 0)
    assert client.open_connections == 0


async def test_relayed_response_that_breaks_never_ends_cleanly(
    client: HttpClient, start_server: StartServer, start_script: StartScript
) -> None:
    source = await start_script(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    async def relay(request: Request) -> Response:
        inner = await client.request("GET", HOST, source.port)
        return Response(body=inner.body)

    server = await start_server(relay)
    async with HttpClient() as reader:
        response = await reader.request("GET", HOST, server.port)
        with pytest.raises(ConnectionLost):
            await response.read()

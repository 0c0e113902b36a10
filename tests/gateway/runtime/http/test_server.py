"""The server over real sockets: what it reads, what it answers, how it defends itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.runtime.http.problems import ConnectionLost, HttpProblem, HttpTimeout, HttpTooLarge
from gateway.runtime.http.server import HttpLimits, HttpServer, Request, Response
from gateway.runtime.http.streams import READ_BYTES

from .conftest import StartServer, Talk, echo, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def test_request_reaches_the_handler_as_written(start_server: StartServer, talk: Talk) -> None:
    seen: list[Request] = []

    async def note(request: Request) -> Response:
        seen.append(request)
        return Response(body=await request.read())

    server = await start_server(note)
    answer = await talk(
        server.port, b"POST /r1/A%2FB/?x=%20 HTTP/1.1\r\nhOST: a\r\nX-a: 1\r\nx-A: 2\r\nContent-Length: 5\r\n\r\nhello"
    )
    request = seen[0]
    assert (request.method, request.target, request.version) == ("POST", "/r1/A%2FB/?x=%20", "1.1")
    assert request.headers == [("hOST", "a"), ("X-a", "1"), ("x-A", "2"), ("Content-Length", "5")]
    assert (request.scheme, request.peer_certificate) == ("http", None)
    assert body_of(answer) == b"hello"


async def test_absolute_target_is_not_touched(start_server: StartServer, talk: Talk) -> None:
    server = await start_server()
    answer = await talk(server.port, b"GET http://other/x%41 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert body_of(answer) == b"GET http://other/x%41 "


async def test_headers_of_a_response_keep_case_and_order(start_server: StartServer, talk: Talk) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, "Fine", [("x-Hash", "1"), ("A", "\xd1"), ("x-Hash", "2"), ("date", "never")])

    server = await start_server(answer)
    raw = await talk(server.port, CLOSE)
    assert raw == (
        b"HTTP/1.1 200 Fine\r\nx-Hash: 1\r\nA: \xd1\r\nx-Hash: 2\r\ndate: never\r\n"
        b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    )


async def test_body_of_a_get_is_passed(start_server: StartServer, talk: Talk) -> None:
    server = await start_server()
    answer = await talk(server.port, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
    assert body_of(answer) == b"GET / hi"


async def test_pipelined_requests_are_answered_in_order(start_server: StartServer, talk: Talk) -> None:
    async def slow_first(request: Request) -> Response:
        if request.target == "/1":
            await asyncio.sleep(0.02)
        return Response(body=request.target.encode() + await request.read() + b";")

    server = await start_server(slow_first)
    pipeline = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" % n
        for n in range(1, 5)
    )
    answer = await talk(server.port, pipeline + CLOSE)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"/1hi;", b"/2hi;", b"/3hi;", b"/4hi;", b"/last;"]


async def test_pipeline_longer_than_the_buffers_with_a_large_body_last_is_served(
    start_server: StartServer, talk: Talk
) -> None:
    sizes: list[int] = []

    async def measure(request: Request) -> Response:
        await asyncio.sleep(0.001)
        sizes.append(len(await request.read()))
        return Response()

    server = await start_server(measure, limits=HttpLimits(max_header_bytes=1024, buffer_bytes=4096))
    small = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
    large = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    await talk(server.port, small * 50 + large + small, end=True)
    assert sizes == [100] * 50 + [300_000, 100]


POSTED = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    "message",
    [POSTED, POSTED.replace(b"Content-Length: 5", b"Transfer-Encoding: chunked")[:-5] + b"5\r\nhello\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
async def test_request_split_anywhere_is_served_like_a_whole_one(start_server: StartServer, message: bytes) -> None:
    server = await start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for edge in range(1, len(message) + 1):
        writer.write(message[:edge])
        await asyncio.sleep(0.001)
        writer.write(message[edge:])
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(13) == b"POST /a hello"
    writer.close()


async def test_whole_requests_in_one_piece_are_answered_in_order(start_server: StartServer, talk: Talk) -> None:
    server = await start_server()
    whole = b"".join(POSTED.replace(b"/a", b"/%d" % number) for number in range(1, 4))
    answer = await talk(server.port, whole + GET + POSTED[:-2], b"lo" + CLOSE)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"POST /1 hello", b"POST /2 hello", b"POST /3 hello", b"GET / ", b"POST /a hello", b"GET /last "]


@pytest.mark.parametrize("size", [READ_BYTES - 100, READ_BYTES, READ_BYTES + 1, 5 * READ_BYTES + 7])
async def test_body_around_and_beyond_one_read_arrives_whole(start_server: StartServer, talk: Talk, size: int) -> None:
    server = await start_server()
    body = random.Random(size).randbytes(size)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    raw = await talk(server.port, head + body + CLOSE)
    first, _, rest = raw.partition(b"\r\n\r\n")
    assert first.endswith(b"Content-Length: %d" % (size + 7))
    assert rest[: size + 7] == b"POST / " + body
    assert rest.endswith(b"GET /last ")


async def test_what_comes_by_one_connection_never_shows_in_another(start_server: StartServer) -> None:
    server = await start_server()

    async def ask(letter: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
        for _ in range(30):
            writer.write(letter * 10_000)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n\r\nPOST / ")
        body = await reader.readexactly(300_000)
        writer.close()
        return body

    letters = [b"%c" % code for code in range(ord("a"), ord("a") + 8)]
    for letter, body in zip(letters, await asyncio.gather(*map(ask, letters)), strict=True):
        assert body == letter * 300_000


async def test_connection_is_kept_between_requests(start_server: StartServer) -> None:
    server = await start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(3):
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Connection" not in head
        assert await reader.readexactly(6) == b"GET / "
    assert server.open_connections == 1
    writer.close()


async def test_http_1_0_is_answered_and_closed_without_chunks(start_server: StartServer, talk: Talk) -> None:
    async def stream(request: Request) -> Response:
        return Response(body=iter([b"a", b"b"]))

    server = await start_server(stream)
    answer = await talk(server.port, b"GET / HTTP/1.0\r\n\r\n", end=False)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head
    assert body == b"ab"


@pytest.mark.parametrize(
    ("method", "status", "body", "length"),
    [(b"HEAD", 200, b"hello", b"5"), (b"GET", 204, b"", None), (b"GET", 304, b"", None), (b"HEAD", 200, b"", None)],
)
async def test_bodyless_answers_have_no_body(
    start_server: StartServer, talk: Talk, method: bytes, status: int, body: bytes, length: bytes | None
) -> None:
    async def answer(request: Request) -> Response:
        return Response(status, body=body)

    server = await start_server(answer)
    raw = await talk(server.port, method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", CLOSE)
    first, _, rest = raw.partition(b"\r\n\r\n")
    assert rest.startswith(b"HTTP/1.1 ")
    assert (b"Content-Length: " + (length or b"") in first) is (length is not None)


async def test_iterators_are_sent_in_chunks(start_server: StartServer, talk: Talk) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"ab", b"", b"cde"):
            yield piece

    async def answer(request: Request) -> Response:
        return Response(body=pieces() if request.target == "/last" else iter([b"ab", b"", b"cde"]))

    server = await start_server(answer)
    raw = await talk(server.port, GET, CLOSE)
    assert raw.count(b"Transfer-Encoding: chunked") == 2
    assert b"\r\n\r\n5\r\nabcde\r\n0\r\n\r\n" in raw
    assert raw.endswith(b"\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")


async def test_iterator_with_a_stated_length_is_sent_plainly(start_server: StartServer, talk: Talk) -> None:
    async def answer(request: Request) -> Response:
        return Response(headers=[("Content-Length", "4")], body=iter([b"ab", b"cd"]))

    server = await start_server(answer)
    raw = await talk(server.port, CLOSE)
    assert raw.endswith(b"\r\n\r\nabcd")
    assert b"chunked" not in raw


@pytest.mark.parametrize("pieces", [[b"ab"], [b"abcdef"]])
async def test_iterator_that_breaks_its_stated_length_cuts_the_connection(
    start_server: StartServer, talk: Talk, pieces: list[bytes]
) -> None:
    async def answer(request: Request) -> Response:
        return Response(headers=[("Content-Length", "4")], body=iter(pieces))

    server = await start_server(answer)
    raw = await talk(server.port, GET, end=False)
    assert len(body_of(raw)) < 4


async def test_handler_that_fails_mid_stream_cuts_the_connection(start_server: StartServer, talk: Talk) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise RuntimeError("no more")

    async def answer(request: Request) -> Response:
        return Response(body=broken())

    server = await start_server(answer)
    raw = await talk(server.port, GET, end=False)
    assert not raw.endswith(b"0\r\n\r\n")


async def test_handler_that_raises_is_answered_by_the_hook(
    start_server: StartServer, talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Response:
        raise RuntimeError("secret")

    def hook(request: Request, error: Exception) -> Response:
        return Response(500, body=b"sorry for " + request.target.encode())

    caplog.set_level(logging.CRITICAL)
    server = await start_server(broken, on_error=hook)
    raw = await talk(server.port, GET, CLOSE)
    assert raw.count(b"HTTP/1.1 500 ") == 2
    assert raw.endswith(b"sorry for /last")


@pytest.mark.parametrize(
    "header", [("A", "b\r\nC: d"), ("A", "b\0"), ("A b", "c"), ("A:", "b"), ("Transfer-Encoding", "chunked"),
               ("Content-Length", "7"), ("A", "\u0454")],
)  # fmt: skip
async def test_header_that_would_split_the_response_is_never_sent(
    start_server: StartServer, talk: Talk, header: tuple[str, str]
) -> None:
    async def answer(request: Request) -> Response:
        return Response(headers=[header], body=b"x")

    server = await start_server(answer)
    raw = await talk(server.port, GET)
    assert raw.startswith(b"HTTP/1.1 500 ")
    assert b"C: d" not in raw


async def test_refused_request_is_answered_by_the_hook_and_the_connection_ends(
    start_server: StartServer, talk: Talk
) -> None:
    problems: list[HttpProblem] = []

    def hook(problem: HttpProblem) -> Response:
        problems.append(problem)
        return Response(problem.status, body=b"no")

    server = await start_server(on_bad_request=hook)
    smuggled = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET
    raw = await talk(server.port, smuggled, end=False)
    assert raw.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert raw.count(b"HTTP/1.1") == 1
    assert [problem.text_id for problem in problems] == ["http.length_and_coding"]


async def test_http_2_preface_gets_505(start_server: StartServer, talk: Talk) -> None:
    server = await start_server()
    raw = await talk(server.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0", end=False)
    assert raw.startswith(b"HTTP/1.1 505 ")


async def test_broken_chunk_reaches_the_reader_as_a_problem(start_server: StartServer, talk: Talk) -> None:
    server = await start_server()
    raw = await talk(
        server.port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + GET
    )
    assert raw.startswith(b"HTTP/1.1 400 ")
    assert raw.count(b"HTTP/1.1") == 1


async def test_body_announced_beyond_the_limit_is_refused_unread(start_server: StartServer, talk: Talk) -> None:
    server = await start_server(limits=HttpLimits(max_body_bytes=1000))
    raw = await talk(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001)
    assert raw.startswith(b"HTTP/1.1 413 ")


async def test_body_streamed_beyond_the_limit_is_refused(start_server: StartServer, talk: Talk) -> None:
    server = await start_server(limits=HttpLimits(max_body_bytes=1000))
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = await talk(server.port, head, *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 11)
    assert raw.startswith(b"HTTP/1.1 413 ")


async def test_read_with_a_limit_stops_there(start_server: StartServer, talk: Talk) -> None:
    caught: list[HttpProblem] = []

    async def read_little(request: Request) -> Response:
        try:
            await request.read(10)
        except HttpTooLarge as problem:
            caught.append(problem)
        return Response(400)

    server = await start_server(read_little)
    await talk(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n" + b"x" * 11)
    assert caught[0].facts == {"limit": 10}


async def test_continue_is_said_when_the_body_is_wanted(start_server: StartServer) -> None:
    server = await start_server()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hi")
    assert (await reader.readuntil(b"hi")).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_continue_is_not_said_when_nobody_reads_the_body(start_server: StartServer, talk: Talk) -> None:
    async def refuse(request: Request) -> Response:
        return Response(403)

    server = await start_server(refuse)
    raw = await talk(
        server.port, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", end=False
    )
    assert raw.startswith(b"HTTP/1.1 403 ")
    assert b"Connection: close" in raw


async def test_answer_to_an_unread_request_arrives_while_the_peer_is_sending(
    start_server: StartServer,
) -> None:
    async def refuse(request: Request) -> Response:
        return Response(403, body=b"no")

    server = await start_server(refuse, limits=HttpLimits(buffer_bytes=4096))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
    raw = await reader.read(-1)
    assert raw.endswith(b"\r\n\r\nno")
    writer.close()


async def test_sender_is_stopped_while_the_handler_does_not_read(start_server: StartServer) -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def read_late(request: Request) -> Response:
        await go_on.wait()
        size = 0
        async for piece in request.body:
            size += len(piece)
        sizes.append(size)
        return Response()

    server = await start_server(read_late, limits=HttpLimits(buffer_bytes=4096))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    total = 20_000_000
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
    sending = asyncio.create_task(send_all(writer, b"x" * total))
    await asyncio.sleep(0.1)
    assert not sending.done()
    go_on.set()
    await sending
    await reader.readuntil(b"\r\n\r\n")
    assert sizes == [total]
    writer.close()


async def send_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.transport.set_write_buffer_limits(high=1)
    for start in range(0, len(data), 100_000):
        writer.write(data[start : start + 100_000])
        await writer.drain()


async def test_producer_is_stopped_while_the_peer_does_not_read(start_server: StartServer) -> None:
    produced = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            produced += 1
            yield b"x" * 100_000

    async def answer(request: Request) -> Response:
        return Response(body=endless())

    server = await start_server(answer)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
    writer.write(GET)
    await asyncio.sleep(0.1)
    before = produced
    await asyncio.sleep(0.05)
    assert produced == before
    writer.transport.abort()
    await until(lambda: server.open_connections == 0)


async def test_stalled_reader_is_cut_off(start_server: StartServer) -> None:
    closed = asyncio.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    async def answer(request: Request) -> Response:
        return Response(body=endless())

    server = await start_server(answer, limits=HttpLimits(stalled_reader_timeout_s=0.05))
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
    writer.write(GET)
    await asyncio.wait_for(closed.wait(), 10)
    await until(lambda: server.open_connections == 0)
    writer.close()


async def test_head_that_does_not_end_is_answered_408(start_server: StartServer, talk: Talk) -> None:
    server = await start_server(limits=HttpLimits(header_timeout_s=0.05))
    raw = await talk(server.port, b"GET / HTTP/1.1\r\nHost:", end=False)
    assert raw.startswith(b"HTTP/1.1 408 ")


async def test_dribbled_head_is_not_kept_alive_by_its_dribble(start_server: StartServer) -> None:
    server = await start_server(limits=HttpLimits(header_timeout_s=0.1))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\n")

    async def dribble() -> None:
        while True:
            writer.write(b"A: b\r\n")
            await asyncio.sleep(0.01)

    dribbling = asyncio.create_task(dribble())
    raw = await asyncio.wait_for(reader.read(-1), 10)
    dribbling.cancel()
    assert raw.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_silent_connection_is_closed(start_server: StartServer, talk: Talk) -> None:
    server = await start_server(limits=HttpLimits(header_timeout_s=0.05))
    assert await talk(server.port, end=False) == b""


async def test_idle_connection_is_closed_after_its_time(start_server: StartServer, talk: Talk) -> None:
    server = await start_server(limits=HttpLimits(keep_alive_timeout_s=0.05))
    assert (await talk(server.port, GET, end=False)).endswith(b"GET / ")


async def test_body_that_stops_is_a_timeout_for_the_reader(start_server: StartServer, talk: Talk) -> None:
    problems: list[HttpProblem] = []

    def hook(problem: HttpProblem) -> Response:
        problems.append(problem)
        return Response(problem.status)

    server = await start_server(on_bad_request=hook, limits=HttpLimits(body_idle_timeout_s=0.05))
    raw = await talk(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi", end=False)
    assert raw.startswith(b"HTTP/1.1 408 ")
    assert isinstance(problems[0], HttpTimeout)
    assert problems[0].stage == "body"


async def test_body_below_the_least_rate_is_a_timeout(start_server: StartServer) -> None:
    server = await start_server(limits=HttpLimits(body_idle_timeout_s=0.2, min_body_rate=100_000))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")

    async def dribble() -> None:
        while True:
            writer.write(b"x" * 10)
            await asyncio.sleep(0.01)

    dribbling = asyncio.create_task(dribble())
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)).startswith(b"HTTP/1.1 408 ")
    dribbling.cancel()
    writer.close()


async def test_waiting_for_a_slow_handler_costs_the_sender_no_time(start_server: StartServer, talk: Talk) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response(body=await request.read())

    limits = HttpLimits(body_idle_timeout_s=0.05, header_timeout_s=0.05, keep_alive_timeout_s=0.05, buffer_bytes=1024)
    server = await start_server(slow, limits=limits)
    raw = await talk(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
    assert body_of(raw) == b"x" * 5000


async def test_peer_that_leaves_does_not_cancel_the_handler(start_server: StartServer) -> None:
    requests: list[Request] = []
    seen: list[bool] = []

    async def work(request: Request) -> Response:
        requests.append(request)
        await until(lambda: request.disconnected)
        await asyncio.sleep(0.01)
        seen.append(request.disconnected)
        return Response(body=b"too late")

    server = await start_server(work)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await until(lambda: requests)
    writer.transport.abort()
    await until(lambda: server.open_connections == 0)
    assert seen == [True]


async def test_body_cut_short_is_a_loss_for_the_reader(start_server: StartServer, talk: Talk) -> None:
    caught: list[Exception] = []

    async def read(request: Request) -> Response:
        try:
            await request.read()
        except ConnectionLost as problem:
            caught.append(problem)
        return Response()

    server = await start_server(read)
    await talk(server.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")
    await until(lambda: caught)


async def test_connections_beyond_the_limit_are_closed_and_others_served(start_server: StartServer) -> None:
    server = await start_server(limits=HttpLimits(max_connections=2))
    first = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
    await until(lambda: server.open_connections == 2)
    reader, refused = await asyncio.open_connection("127.0.0.1", server.port)
    assert await reader.read(1) == b""
    reader, writer = first[0]
    writer.write(GET)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    for _, open_writer in first:
        open_writer.close()
    refused.close()
    await until(lambda: server.open_connections == 0)


async def test_many_idle_and_dribbling_connections_keep_nobody_waiting(start_server: StartServer) -> None:
    server = await start_server()
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    for _, writer in held[::2]:
        writer.write(b"GET / HTTP/1.1\r\nHost:")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(20):
        writer.write(GET)
        assert (await asyncio.wait_for(reader.readuntil(b"GET / "), 5)).startswith(b"HTTP/1.1 200")
    for _, open_writer in [*held, (reader, writer)]:
        open_writer.close()


async def test_connections_of_one_caller_are_bounded(start_server: StartServer) -> None:
    server = await start_server(host=["127.0.0.1"], limits=HttpLimits(max_connections_per_address=1))
    _, held = await asyncio.open_connection("127.0.0.1", server.port)
    await until(lambda: server.open_connections == 1)
    reader, same = await asyncio.open_connection("127.0.0.1", server.port)
    assert await reader.read(1) == b""
    reader, other = await asyncio.open_connection("127.0.0.1", server.port, local_addr=("127.0.0.9", 0))
    other.write(GET)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    for writer in (held, same, other):
        writer.close()


async def test_close_waits_for_the_answer_in_progress(start_server: StartServer) -> None:
    go_on = asyncio.Event()

    async def slow(request: Request) -> Response:
        await go_on.wait()
        return Response(body=b"done")

    server = await start_server(slow)
    idle_reader, idle = await asyncio.open_connection("127.0.0.1", server.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await until(lambda: server.open_connections == 2)
    await asyncio.sleep(0.02)
    closing = asyncio.create_task(server.close(grace_s=10))
    assert await idle_reader.read(1) == b""
    go_on.set()
    raw = await reader.read(-1)
    await closing
    assert b"Connection: close" in raw
    assert raw.endswith(b"done")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    idle.close()


async def test_close_cuts_what_outlives_the_grace(start_server: StartServer) -> None:
    cancelled = asyncio.Event()

    async def endless(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    server = await start_server(endless)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(GET)
    await until(lambda: server.open_connections == 1)
    await asyncio.sleep(0.02)
    await server.close(grace_s=0.01)
    assert cancelled.is_set()
    writer.close()


async def test_one_port_serves_several_addresses(start_server: StartServer) -> None:
    server = await start_server(host=["127.0.0.1", "127.0.0.2"])
    assert [host for host, _ in server.addresses] == ["127.0.0.1", "127.0.0.2"]
    for host, port in server.addresses:
        assert port == server.port
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_two_servers_share_a_port_when_told(start_server: StartServer) -> None:
    first = await start_server(reuse_port=True)
    second = await start_server(reuse_port=True, port=first.port)
    assert second.port == first.port


async def test_port_in_use_is_an_error_at_start(start_server: StartServer) -> None:
    first = await start_server()
    with pytest.raises(OSError, match="in use"):
        await HttpServer(echo, port=first.port).start()


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([GET, CLOSE, b"POST / HTTP/1.1\r\nHost: a\r\n", b"Content-Length: 5\r\n", b"\r\n", b"5\r\n",
                         b"hello", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n",
                         b"Expect: 100-continue\r\n", b"\n", b" "]),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES)
def test_any_bytes_are_answered_or_the_connection_ends(pieces: list[bytes]) -> None:
    asyncio.run(_any_bytes(pieces))


async def _any_bytes(pieces: list[bytes]) -> None:
    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    limits = HttpLimits(max_header_bytes=512, header_timeout_s=5, linger_s=0)
    async with HttpServer(echo, limits=limits) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            if not writer.is_closing():
                writer.write_eof()
            raw = await asyncio.wait_for(reader.read(-1), 10)
            assert raw == b"" or raw.startswith(b"HTTP/1.1 ")
            assert b"500 Internal" not in raw
        except OSError:
            pass  # cut off while still sending
        finally:
            writer.close()
    assert problems == []

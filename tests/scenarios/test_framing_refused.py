"""HTTP that two readers could cut differently, on the port of information systems and on that of peers.

Behind each wrong request stands a whole right one. A server that misreads where the first ends serves
the second: a request that nobody upstream has seen (request smuggling, RFC 9112 11.2).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from gateway.landscape.federation import MESSAGE_PORT
from gateway.runtime.tls import peer_client_context
from tests.landscape import kinds_of
from tests.scenarios.asking import ASK, SNAP, SOAP_TYPE, VISITOR, envelope, new_id
from tests.scenarios.hand_made import Headers, der
from tests.scenarios.raw import HTTP_PORT
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

WITHIN_S: Final = 30.0
PORTS = pytest.mark.parametrize("port", [HTTP_PORT, MESSAGE_PORT])


@dataclass(frozen=True)
class Message:
    """A request that is served when it is framed rightly."""

    headers: bytes
    body: bytes

    def framed(self, framing: bytes | None = None, body: bytes | None = None, *, first: bytes = b"") -> bytes:
        """Return the request with framing headers and body of the test's choice."""
        framing = b"Content-Length: %d\r\n" % len(self.body) if framing is None else framing
        line = first or b"POST / HTTP/1.1"
        return line + b"\r\nHost: a\r\n" + self.headers + framing + b"\r\n" + (self.body if body is None else body)

    def chunked(self, body: bytes) -> bytes:
        """Return the request with these bytes as its chunked body."""
        return self.framed(b"Transfer-Encoding: chunked\r\n", body)


def a_message(scene: Scene, port: int, query_id: str) -> Message:
    """Return a right request for a port: SOAP by itself, or a signed transport message."""
    headers: Headers
    if port == HTTP_PORT:
        headers, body = (("Content-Type", SOAP_TYPE),), envelope(ASK, SNAP, query_id)
    else:
        signed = scene.visitor.sign(scene.visitor.soap_message(envelope(ASK, VISITOR, query_id)))
        headers, body = scene.visitor.request(signed)
    return Message("".join(f"{name}: {value}\r\n" for name, value in headers).encode(), body)


async def talk(scene: Scene, port: int, sent: bytes) -> bytes:
    """Send bytes to a port and return what comes back until the connection ends."""
    gateway, tls = scene.federation.consumer, None
    if port == MESSAGE_PORT:
        gateway = scene.federation.provider
        tls = peer_client_context(scene.visitor.identity(), [der(scene.visitor.root)])
    reader, writer = await asyncio.open_connection(gateway.settings.address, port, ssl=tls)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(-1), WITHIN_S)
    finally:
        writer.close()


def statuses_in(answer: bytes) -> list[int]:
    """Return the status of each answer."""
    return [int(status) for status in re.findall(rb"(?:^|[\n>])HTTP/1\.1 (\d{3})", answer)]


def length(message: Message, text: bytes) -> bytes:
    return message.framed(b"Content-Length: " + text + b"\r\n")


def coding(message: Message, line: bytes) -> bytes:
    return message.framed(line + b"\r\n", chunks_of(message.body))


def chunks_of(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def sized(message: Message) -> bytes:
    return b"Content-Length: %d\r\n" % len(message.body)


CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"

HEADS: dict[str, tuple[Callable[[Message], bytes], int]] = {
    "CL before TE": (lambda m: m.framed(sized(m) + CHUNKED, chunks_of(m.body)), 400),
    "TE before CL": (lambda m: m.framed(CHUNKED + sized(m), chunks_of(m.body)), 400),
    "CL 0 and TE": (lambda m: m.framed(b"Content-Length: 0\r\n" + CHUNKED, chunks_of(m.body)), 400),
    "two CL that differ": (lambda m: m.framed(b"Content-Length: 0\r\n" + sized(m)), 400),
    "two CL alike": (lambda m: m.framed(sized(m) * 2), 400),
    "list of CL": (lambda m: length(m, b"%d, %d" % (len(m.body), len(m.body))), 400),
    "CL with a plus": (lambda m: length(m, b"+%d" % len(m.body)), 400),
    "CL in hexadecimal": (lambda m: length(m, b"0x%x" % len(m.body)), 400),
    "negative CL": (lambda m: length(m, b"-1"), 400),
    "TE xchunked": (lambda m: coding(m, b"Transfer-Encoding: xchunked"), 400),
    "TE identity": (lambda m: coding(m, b"Transfer-Encoding: identity"), 400),
    "TE chunked not last": (lambda m: coding(m, b"Transfer-Encoding: chunked, identity"), 400),
    "TE chunked twice": (lambda m: coding(m, b"Transfer-Encoding: chunked, chunked"), 400),
    "two TE": (lambda m: coding(m, b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"), 400),
    "TE in quotes": (lambda m: coding(m, b'Transfer-Encoding: "chunked"'), 400),
    "TE behind a vertical tab": (lambda m: coding(m, b"Transfer-Encoding: \x0bchunked"), 400),
    "TE gzip": (lambda m: coding(m, b"Transfer-Encoding: gzip, chunked"), 501),
    "space before the colon of TE": (lambda m: coding(m, b"Transfer-Encoding : chunked"), 400),
    "TE on a folded line": (lambda m: coding(m, b"Transfer-Encoding:\r\n chunked"), 400),
    "TE in HTTP/1.0": (lambda m: m.framed(CHUNKED, chunks_of(m.body), first=b"POST / HTTP/1.0"), 400),
    "folded header": (lambda m: m.framed(b"X: a\r\n\tb\r\n" + sized(m)), 400),
    "bare LF behind a header": (lambda m: m.framed(b"X: a\n" + sized(m)), 400),
    "bare LF behind all headers": (lambda m: m.framed().replace(b"\r\n", b"\n", 4), 400),
    "bare CR in a header": (lambda m: m.framed(b"X: a\rContent-Length: 0\r\n" + sized(m)), 400),
    "NUL in a header": (lambda m: m.framed(b"X: a\0\r\n" + sized(m)), 400),
    "header without a colon": (lambda m: m.framed(b"X\r\n" + sized(m)), 400),
    "no Host": (lambda m: m.framed().replace(b"Host: a\r\n", b"", 1), 400),
    "two Hosts": (lambda m: m.framed(b"Host: b\r\n" + sized(m)), 400),
    "another expectation": (lambda m: m.framed(b"Expect: 200-ok\r\n" + sized(m)), 417),
    "space behind the version": (lambda m: m.framed(first=b"POST / HTTP/1.1 "), 400),
    "two spaces in the request line": (lambda m: m.framed(first=b"POST  / HTTP/1.1"), 400),
    "CONNECT": (lambda m: m.framed(first=b"CONNECT a:1 HTTP/1.1"), 501),
    "HTTP/0.9": (lambda m: m.framed(first=b"POST /"), 400),
    "HTTP/1.2": (lambda m: m.framed(first=b"POST / HTTP/1.2"), 505),
    "HTTP/2": (lambda m: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + m.framed(), 505),
    "TLS to a port without, HTTP to a port with": (lambda m: b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + m.body, 400),
    "endless header": (lambda m: m.framed(b"X: " + b"a" * 200_000 + b"\r\n" + sized(m)), 431),
    "endless request line": (lambda m: m.framed(first=b"POST /" + b"a" * 200_000 + b" HTTP/1.1"), 431),
    "too many headers": (lambda m: m.framed(b"X: a\r\n" * 1000 + sized(m)), 431),
    "body without end": (lambda m: length(m, b"9" * 17), 413),
}  # fmt: skip

BODIES: dict[str, Callable[[bytes], bytes]] = {
    "size with 0x": lambda body: b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "size with a plus": lambda body: b"+%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "size with a space": lambda body: b"%x \r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "negative size": lambda body: b"-%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "size that overflows": lambda body: b"1%016x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "size line ends with LF": lambda body: b"%x\n%b\r\n0\r\n\r\n" % (len(body), body),
    "chunk ends with LF": lambda body: b"%x\r\n%b\n0\r\n\r\n" % (len(body), body),
    "chunk longer than its size": lambda body: b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 2, body),
    "extension ends with LF": lambda body: b"%x;a\n0\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    "endless extension": lambda body: b"%x;%b\r\n%b\r\n0\r\n\r\n" % (len(body), b"a" * 1000, body),
    "folded trailer": lambda body: b"%x\r\n%b\r\n0\r\nX: a\r\n b\r\n\r\n" % (len(body), body),
    "trailer ends with LF": lambda body: b"%x\r\n%b\r\n0\r\nX: a\n\r\n" % (len(body), body),
    "endless trailers": lambda body: b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, b"X: a\r\n" * 10_000),
}


async def nothing_passes(scene: Scene, port: int, wrong: Callable[[Message], bytes]) -> bytes:
    """Send a wrong request and a right one behind it; hold that neither was acted on, and that one answer came."""
    ids, before = (new_id(), new_id()), len(scene.stand_in.asked)
    first, smuggled = (a_message(scene, port, query_id) for query_id in ids)
    answer = await talk(scene, port, wrong(first) + smuggled.framed())
    assert len(statuses_in(answer)) == 1, answer
    assert len(scene.stand_in.asked) == before
    for gateway in scene.federation.gateways.values():
        assert [kinds_of(gateway, query_id) for query_id in ids] == [[], []]
    return answer


@PORTS
@pytest.mark.parametrize("wrong", HEADS)
async def test_request_that_could_be_cut_in_two_ways_is_refused(scene: Scene, port: int, wrong: str) -> None:
    spoil, status = HEADS[wrong]
    assert statuses_in(await nothing_passes(scene, port, spoil)) == [status]


@PORTS
@pytest.mark.parametrize("wrong", BODIES)
async def test_chunks_that_could_be_cut_in_two_ways_are_refused(scene: Scene, port: int, wrong: str) -> None:
    spoil = BODIES[wrong]
    answer = await nothing_passes(scene, port, lambda message: message.chunked(spoil(message.body)))
    role = b"clientproxy" if port == HTTP_PORT else b"serverproxy"
    assert b"<faultcode>server." + role + b".io_error<" in answer, answer


# what is unusual and right


async def served(scene: Scene, port: int, sent: Callable[[Message], bytes], times: int = 1) -> bytes:
    """Hold that requests are answered, each once."""
    ids = [new_id() for _ in range(times)]
    messages = [a_message(scene, port, query_id) for query_id in ids]
    before = len(scene.stand_in.asked)
    answer = await talk(scene, port, b"".join(map(sent, messages)))
    assert statuses_in(answer) == [200] * times, answer
    assert answer.count(b"askResponse") >= times
    asked = [request.body for request in scene.stand_in.asked[before:]]
    assert [query_id.encode() in body for query_id, body in zip(ids, asked, strict=True)] == [True] * times
    return answer


CLOSE: Final = b"Connection: close\r\n"

UNUSUAL: dict[str, Callable[[Message], bytes]] = {
    "chunks": lambda m: m.framed(CLOSE + CHUNKED, chunks_of(m.body)),
    "TE in capitals": lambda m: m.framed(CLOSE + b"TRANSFER-ENCODING: Chunked\r\n", chunks_of(m.body)),
    "chunks of one byte": lambda m: m.framed(
        CLOSE + CHUNKED, b"".join(b"1\r\n%c\r\n" % byte for byte in m.body) + b"0\r\n\r\n"
    ),
    "extensions": lambda m: m.framed(CLOSE + CHUNKED, b"%x;a=\"b\";c\r\n%b\r\n0;d\r\n\r\n" % (len(m.body), m.body)),
    "trailers": lambda m: m.framed(
        CLOSE + CHUNKED, b"%x\r\n%b\r\n0\r\nContent-Length: 0\r\nX: a\r\n\r\n" % (len(m.body), m.body)
    ),
    "absolute target": lambda m: m.framed(CLOSE + sized(m), first=b"POST http://elsewhere.test:1/ HTTP/1.1"),
    "HTTP/1.0": lambda m: m.framed(first=b"POST / HTTP/1.0"),
    "HTTP/1.0 with an empty line before": lambda m: b"\r\n" + m.framed(first=b"POST / HTTP/1.0"),
    "Upgrade": lambda m: m.framed(b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n" + sized(m)),
}  # fmt: skip


@PORTS
@pytest.mark.parametrize("unusual", UNUSUAL)
async def test_unusual_request_that_has_one_meaning_is_served(scene: Scene, port: int, unusual: str) -> None:
    await served(scene, port, UNUSUAL[unusual])


@PORTS
async def test_caller_who_waits_for_a_go_ahead_gets_it(scene: Scene, port: int) -> None:
    message = a_message(scene, port, new_id())
    head = message.framed(CLOSE + b"Expect: 100-continue\r\n" + sized(message), b"")
    gateway, tls = scene.federation.consumer, None
    if port == MESSAGE_PORT:
        gateway = scene.federation.provider
        tls = peer_client_context(scene.visitor.identity(), [der(scene.visitor.root)])
    reader, writer = await asyncio.open_connection(gateway.settings.address, port, ssl=tls)
    writer.write(head)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(message.body)
    answer = await asyncio.wait_for(reader.read(-1), WITHIN_S)
    writer.close()
    assert statuses_in(answer) == [200]
    assert b"askResponse" in answer


@PORTS
async def test_requests_sent_in_one_go_are_answered_in_their_order(scene: Scene, port: int) -> None:
    ids = [new_id() for _ in range(5)]
    messages = [a_message(scene, port, query_id) for query_id in ids]
    sent = [message.framed() for message in messages[:-1]] + [messages[-1].framed(CLOSE + sized(messages[-1]))]
    answer = await talk(scene, port, b"".join(sent))
    assert statuses_in(answer) == [200] * 5
    places = [answer.index(f">{query_id}<".encode()) for query_id in ids]
    assert places == sorted(places)


@PORTS
async def test_request_behind_a_refused_one_is_not_served(scene: Scene, port: int) -> None:
    ids = [new_id() for _ in range(3)]
    good, bad, late = (a_message(scene, port, query_id) for query_id in ids)
    answer = await talk(scene, port, good.framed() + bad.framed(sized(bad) + CHUNKED) + late.framed())
    assert statuses_in(answer) == [200, 400]
    recorded = [kinds_of(scene.federation.provider, query_id) for query_id in ids]
    assert recorded == [["request", "response"], [], []]

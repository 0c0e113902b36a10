"""Answers over HTTP that two readers could cut differently, or that never end: of another server and of a service.

Nothing of such an answer reaches the caller, and the connection is not used again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import pytest

from gateway.landscape.federation import OCSP_PORT
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.pki.profiles import auth_subject
from tests.factories.pki import FIVRK
from tests.landscape import kinds_of
from tests.scenarios.asking import SOAP_TYPE, VISITOR, Reply, envelope, new_id
from tests.scenarios.hand_made import VISITOR_SERVER, HandMadeServer, issue
from tests.scenarios.scene import Scene
from tests.scenarios.stand_in import truthful
from tests.scenarios.wire import Answer, WireRequest, WireServer, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

Wrong = Callable[[bytes, bytes], bytes]
VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")
OK: Final = b"HTTP/1.1 200 OK\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


def chunks_of(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def sized(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


# From the headers of a right answer and its body.
WRONG: dict[str, Wrong] = {
    "CL beside TE": lambda head, body: OK + head + sized(body) + CHUNKED + b"\r\n" + chunks_of(body),
    "two CL that differ": lambda head, body: OK + head + sized(body) + b"Content-Length: 3\r\n\r\n" + body,
    "two CL alike": lambda head, body: OK + head + sized(body) * 2 + b"\r\n" + body,
    "CL with a plus": lambda head, body: OK + head + b"Content-Length: +%d\r\n\r\n" % len(body) + body,
    "TE gzip": lambda head, body: OK + head + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks_of(body),
    "TE chunked twice": lambda head, body: OK + head + CHUNKED * 2 + b"\r\n" + chunks_of(body),
    "TE in HTTP/1.0": lambda head, body: b"HTTP/1.0 200 OK\r\n" + head + CHUNKED + b"\r\n" + chunks_of(body),
    "folded header": lambda head, body: OK + head + b"X: a\r\n b\r\n" + sized(body) + b"\r\n" + body,
    "bare LF": lambda head, body: OK.replace(b"\r", b"") + head + sized(body) + b"\r\n" + body,
    "bare CR": lambda head, body: OK + head + b"X: a\rb\r\n" + sized(body) + b"\r\n" + body,
    "NUL in a header": lambda head, body: OK + head + b"X: \0\r\n" + sized(body) + b"\r\n" + body,
    "space before a colon": lambda head, body: OK + head + sized(body).replace(b":", b" :") + b"\r\n" + body,
    "no status": lambda head, body: b"HTTP/1.1 OK\r\n" + head + sized(body) + b"\r\n" + body,
    "status of four digits": lambda head, body: b"HTTP/1.1 2000 OK\r\n" + head + sized(body) + b"\r\n" + body,
    "HTTP/2": lambda head, body: b"HTTP/2 200\r\n" + head + sized(body) + b"\r\n" + body,
    "body without a head": lambda head, body: body + b"\r\n\r\n",
    "endless header": lambda head, body: OK + head + b"X: " + b"a" * 200_000 + b"\r\n" + sized(body) + b"\r\n" + body,
    "too many headers": lambda head, body: OK + head + b"X: a\r\n" * 2000 + sized(body) + b"\r\n" + body,
    "endless interim answers": lambda head, body: b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + OK + head + b"\r\n" + body,
    "another protocol": lambda head, body: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n" + body,
    "chunk size with 0x": lambda head, body: OK + head + CHUNKED + b"\r\n0x" + chunks_of(body),
    "chunk ends with LF": lambda head, body: OK + head + CHUNKED + b"\r\n" + chunks_of(body).replace(b"\r\n0", b"\n0"),
    "chunk too short": lambda head, body: OK + head + CHUNKED + b"\r\n%x\r\n%b\r\n" % (len(body) + 9, body),
    "last chunk missing": lambda head, body: OK + head + CHUNKED + b"\r\n%x\r\n%b\r\n" % (len(body), body),
    "CL too long": lambda head, body: OK + head + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + body,
    "trailer without a colon": lambda head, body: OK + head + CHUNKED + b"\r\n" + chunks_of(body)[:-2] + b"X\r\n\r\n",
}


def spoiled(right: Answer, wrong: Wrong) -> Answer:
    """Frame a right answer wrongly."""

    def answer(request: WireRequest) -> bytes:
        head, _, body = right(request).partition(b"\r\n\r\n")
        kept = (line for line in head.split(b"\r\n")[1:] if not line.startswith((b"Content-Length", b"Connection")))
        return wrong(b"".join(line + b"\r\n" for line in kept), body)

    return answer


@pytest.mark.parametrize("wrong", WRONG)
async def test_reply_of_a_peer_cut_wrong_is_refused(scene: Scene, wrong: str) -> None:
    query_id = new_id()
    with scene.visitor.answering(spoiled(scene.visitor.truthful, WRONG[wrong])):
        reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert reply.code in ("server.clientproxy.io_error", "server.clientproxy.service_failed.io_error"), reply.text
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert (await scene.caller.soap(envelope(VISITOR_ASK))).code is None


@pytest.mark.parametrize("wrong", WRONG)
async def test_answer_of_a_soap_service_cut_wrong_is_refused(scene: Scene, wrong: str) -> None:
    query_id = new_id()
    with scene.stand_in.answering(spoiled(truthful, WRONG[wrong])):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code == "server.serverproxy.service_failed.io_error", reply.text
    assert kinds_of(scene.federation.provider, query_id) == ["request"]


@pytest.mark.parametrize("wrong", WRONG)
async def test_answer_of_a_rest_service_cut_wrong_is_refused(scene: Scene, wrong: str) -> None:
    query_id = new_id()
    with scene.stand_in.answering(spoiled(truthful, WRONG[wrong])):
        reply = await scene.caller.rest(query_id=query_id)
    assert (reply.status, reply.code) == (500, "server.serverproxy.io_error")
    assert kinds_of(scene.federation.provider, query_id) == ["request"]


async def test_bytes_behind_an_answer_are_nobodys_answer(scene: Scene) -> None:
    forged = http_answer(b"forged", SOAP_TYPE)
    with scene.visitor.answering(lambda request: scene.visitor.truthful(request) + forged):
        replies = [await scene.caller.soap(envelope(VISITOR_ASK)) for _ in range(3)]
    assert [reply.code for reply in replies] == [None] * 3
    assert not any(b"forged" in reply.content for reply in replies)


# the certificate status that a peer gives on its port 5577


@asynccontextmanager
async def status_answered(visitor: HandMadeServer, answer: bytes) -> AsyncIterator[None]:
    """Answer so on port 5577, with a certificate that nobody has asked about before."""
    unknown = await issue(visitor.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    await visitor.close()
    visitor.federation.consumer.peer_http.close_idle()
    await visitor.listen(visitor.truthful, unknown)
    assert visitor._ocsp is not None
    await visitor._ocsp.close(0)
    wrong = WireServer(visitor.address, OCSP_PORT, lambda _: answer)
    await wrong.start()
    try:
        yield
        assert wrong.requests
        assert visitor.asked == []
    finally:
        await wrong.stop()
        with contextlib.suppress(OSError):
            await visitor.close()
        await asyncio.sleep(0)
        await visitor.listen(visitor.truthful)


def multipart(*parts: bytes) -> bytes:
    body = b"".join(b"--b\r\ncontent-type: application/ocsp-response\r\n\r\n" + part + b"\r\n" for part in parts)
    return http_answer(body + b"--b--\r\n", 'multipart/related; type="application/ocsp-response"; boundary=b')


STATUS_WRONG: dict[str, bytes] = {
    "nothing": b"",
    "500": http_answer(b"no such certificate", "text/plain", status="500 Internal Server Error"),
    "404": http_answer(b"", "text/plain", status="404 Not Found"),
    "elsewhere": http_answer(b"", None, status="302 Found", headers=(("Location", "http://127.0.0.1:1/"),)),
    "no multipart": http_answer(b"0\x03\n\x01\0", "application/ocsp-response"),
    "no parts": multipart(),
    "too many parts": multipart(b"0\x03\n\x01\0", b"0\x03\n\x01\0"),
    "no OCSP": multipart(b"good"),
    "an error of OCSP": multipart(b"0\x03\n\x01\x06"),
    "empty part": multipart(b""),
    "broken off": multipart(b"0\x03\n\x01\0")[:-20],
}


@pytest.mark.parametrize("wrong", STATUS_WRONG)
async def test_peer_that_gives_a_wrong_certificate_status_is_sent_nothing(scene: Scene, wrong: str) -> None:
    async with status_answered(scene.visitor, STATUS_WRONG[wrong]):
        reply: Reply = await scene.caller.soap(envelope(VISITOR_ASK))
    assert reply.code == "server.clientproxy.ssl_authentication_failed", reply.text
    assert "certificate status" in reply.text or "OCSP response" in reply.text, reply.text

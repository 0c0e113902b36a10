"""A registry that is down or answers wrong: the caller gets a fault that says so, and no response is kept."""

from __future__ import annotations

import json

import pytest

from tests.landscape import kinds_of
from tests.scenarios.asking import Reply, envelope, new_id
from tests.scenarios.scene import Scene
from tests.scenarios.stand_in import soap_answer, truthful
from tests.scenarios.wire import Answer, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

FAULT = (
    b'<?xml version="1.0"?>\n<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>'
    b"<faultcode>soap:Server.Busy</faultcode><faultstring>\xd0\x97\xd0\xb0\xd0\xb9\xd0\xbd\xd1\x8f\xd1\x82\xd0\xbe"
    b"</faultstring><detail><why xmlns='urn:r'>night</why></detail></soap:Fault></soap:Body></soap:Envelope>\n"
)


async def faulted(scene: Scene, answer: Answer | bytes) -> Reply:
    """Ask a registry that answers so; hold that both servers keep the request, and no response."""
    before, query_id = len(scene.stand_in.asked), new_id()
    with scene.stand_in.answering(answer):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    assert len(scene.stand_in.asked) == before + 1
    assert reply.status == 200
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert kinds_of(scene.federation.provider, query_id) == ["request"]
    return reply


def answer_with(*changes: tuple[bytes, bytes]) -> Answer:
    """Answer rightly but for some bytes."""

    def answer(request: object) -> bytes:
        right = soap_answer(request.body)  # type: ignore[attr-defined]
        for old, new in changes:
            assert old in right
            right = right.replace(old, new)
        return http_answer(right)

    return answer


async def test_registry_that_is_down_is_named(scene: Scene) -> None:
    query_id = new_id()
    await scene.stand_in.server.stop()
    try:
        reply = await scene.caller.soap(envelope(query_id=query_id))
    finally:
        await scene.stand_in.server.start()
    assert reply.code == "server.serverproxy.service_failed.network_error"
    assert "UA-DEMO/GOV/10000002/STANDIN/ask/v1 cannot be reached" in reply.text
    assert "tell the administrator of that side" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert kinds_of(scene.federation.provider, query_id) == ["request"]


async def test_rest_service_that_is_down_is_named(scene: Scene) -> None:
    await scene.stand_in.server.stop()
    try:
        reply = await scene.caller.rest()
    finally:
        await scene.stand_in.server.start()
    assert (reply.status, reply.code) == (500, "server.serverproxy.network_error")
    assert "tell the administrator of that side" in reply.text


WRONG = {
    "a page instead of SOAP": (
        http_answer(b"<html><body>Login</body></html>", "text/html"),
        "server.serverproxy.service_failed.invalid_content_type",
    ),
    "404": (http_answer(b"no", status="404 Not Found"), "server.serverproxy.service_failed.http_error"),
    "401": (http_answer(b"no", status="401 Unauthorized"), "server.serverproxy.service_failed.http_error"),
    "redirect": (
        http_answer(b"", status="302 Found", headers=(("Location", "http://127.0.0.1:1/"),)),
        "server.serverproxy.service_failed.http_error",
    ),
    "a page called XML": (http_answer(b"<html/>"), "server.serverproxy.service_failed.invalid_soap"),
    "text called XML": (http_answer(b"Internal error"), "server.serverproxy.service_failed.invalid_soap"),
    "DOCTYPE": (
        answer_with((b"?>", b"?><!DOCTYPE a>")),
        "server.serverproxy.service_failed.invalid_soap",
    ),
    "no content type": (http_answer(b"<a/>", None), "server.serverproxy.service_failed.invalid_content_type"),
    "empty": (http_answer(b""), "server.serverproxy.service_failed.invalid_soap"),
    "another id": (
        answer_with((b"<xrd:id>", b"<xrd:id>other-")),
        "server.serverproxy.service_failed.inconsistent_response",
    ),
    "another client": (answer_with((b"SNAP", b"SNAK")), "server.serverproxy.service_failed.inconsistent_response"),
    "one header field lost": (
        lambda request: http_answer(
            soap_answer(request.body.replace(b"<xrd:protocolVersion>4.0</xrd:protocolVersion>", b""))
        ),
        "server.serverproxy.service_failed.missing_header_field",
    ),
    "closed without an answer": (b"", "server.serverproxy.service_failed.io_error"),
    "broken off in the head": (b"HTTP/1.1 200 OK\r\nContent-", "server.serverproxy.service_failed.io_error"),
    "broken off in the body": (
        lambda request: truthful(request)[:-10],
        "server.serverproxy.service_failed.io_error",
    ),
    "no HTTP": (b"220 mail.test ESMTP\r\n", "server.serverproxy.service_failed.io_error"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_wrong_answer_of_the_registry_ends_in_a_fault(scene: Scene, wrong: str) -> None:
    answer, code = WRONG[wrong]
    reply = await faulted(scene, answer)  # type: ignore[arg-type]
    assert reply.code == code, reply.text
    assert len(reply.text) > 20


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
async def test_fault_of_the_registry_reaches_the_caller_byte_for_byte(scene: Scene, status: str) -> None:
    reply = await faulted(scene, http_answer(FAULT, status=status))
    assert reply.content == FAULT
    assert reply.code == "soap:Server.Busy"


async def test_answer_without_any_header_is_given_that_of_the_request(scene: Scene) -> None:
    query_id = new_id()

    def bare(request: object) -> bytes:
        right = soap_answer(request.body)  # type: ignore[attr-defined]
        begin, end = right.index(b"<SOAP-ENV:Header>"), right.index(b"</SOAP-ENV:Header>") + len(b"</SOAP-ENV:Header>")
        return http_answer(right[:begin] + right[end:])

    with scene.stand_in.answering(bare):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code is None, reply.text
    assert f"<xrd:id>{query_id}</xrd:id>".encode() in reply.content
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]


@pytest.mark.parametrize("status", ["404 Not Found", "409 Conflict", "503 Service Unavailable"])
async def test_status_of_a_rest_service_is_signed_and_passed_on(scene: Scene, status: str) -> None:
    query_id = new_id()
    said = http_answer(b'{"sorry": true}', "application/json", status=status)
    with scene.stand_in.answering(said):
        reply = await scene.caller.rest(query_id=query_id)
    assert (reply.status, reply.content, reply.code) == (int(status[:3]), b'{"sorry": true}', None)
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]
    assert kinds_of(scene.federation.provider, query_id) == ["request", "response"]


async def test_rest_answer_that_breaks_off_is_not_passed_on(scene: Scene) -> None:
    query_id = new_id()
    with scene.stand_in.answering(lambda request: truthful(request)[:-10]):
        reply = await scene.caller.rest(query_id=query_id)
    assert (reply.status, reply.code) == (500, "server.serverproxy.io_error")
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert kinds_of(scene.federation.provider, query_id) == ["request"]


async def test_service_hears_who_asks_and_nothing_that_the_caller_forged(scene: Scene) -> None:
    forged = {"X-Road-Request-Id": "forged", "X-Road-Request-Hash": "forged"}
    reply = await scene.caller.rest("/7?x=%20y", headers=forged)
    assert json.loads(reply.content)["target"] == "/things/7?x=%20y"
    heard = dict(scene.stand_in.asked[-1].headers)
    assert heard["X-Road-Client"] == "UA-DEMO/GOV/10000001/SNAP"
    assert "forged" not in heard.values()

"""SOAP of a wrong shape, wherever it enters: from a caller, from a service, from another security server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest

from gateway.xroad.identifiers import ServiceId
from gateway.xroad.soap.faults import build_soap_fault
from tests.landscape import kinds_of
from tests.scenarios.asking import ASK, VISITOR, envelope, new_id
from tests.scenarios.scene import Scene
from tests.scenarios.stand_in import soap_answer
from tests.scenarios.wire import WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")
BODY: Final = re.compile(rb"<SOAP-ENV:Body>.*</SOAP-ENV:Body>", re.S)
CHILD: Final = re.compile(rb"(?<=<SOAP-ENV:Body>).*(?=</SOAP-ENV:Body>)", re.S)
HEADER: Final = re.compile(rb"<SOAP-ENV:Header>.*</SOAP-ENV:Header>", re.S)
PROTOCOL: Final = b"<xrd:protocolVersion>4.0</xrd:protocolVersion>"


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(message: bytes) -> bytes:
        assert old in message
        return message.replace(old, new)

    return change


# The change, and the leaf of the code; a service's answer without any header is completed, not refused.
SHAPES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no body": (lambda m: BODY.sub(b"", m), "missing_body"),
    "empty body": (lambda m: CHILD.sub(b"", m), "invalid_body"),
    "two elements in the body": (lambda m: CHILD.sub(lambda found: found[0] * 2, m), "invalid_body"),
    "text in the place of an element": (lambda m: CHILD.sub(b"hello", m), "invalid_body"),
    "body of another operation": (replaced(b"<s:ask", b"<s:tell"), "invalid_soap"),
    "no protocol version": (replaced(PROTOCOL, b""), "missing_header_field"),
    "protocol version twice": (replaced(PROTOCOL, PROTOCOL * 2), "duplicate_header_field"),
    "protocol version of no meaning": (replaced(b">4.0<", b">new<"), "invalid_protocol_version"),
    "protocol version without a point": (replaced(b">4.0<", b">4<"), "invalid_protocol_version"),
    "user twice": (replaced(b"<xrd:userId>", b"<xrd:userId>a</xrd:userId><xrd:userId>"), "duplicate_header_field"),
    "object type missing": (replaced(b' id:objectType="SERVICE"', b""), "invalid_xml"),
    "object type unknown": (replaced(b'"SERVICE"', b'"SERVANT"'), "invalid_xml"),
    "root of another namespace": (replaced(b"schemas.xmlsoap.org/soap/envelope", b"elsewhere.test"), "invalid_soap"),
    "DOCTYPE": (replaced(b"<SOAP-ENV:Envelope", b"<!DOCTYPE a []><SOAP-ENV:Envelope"), "invalid_soap"),
    "not closed": (lambda m: m[:-6], "invalid_soap"),
    "not UTF-8": (replaced(b">clerk-1<", b">\xc3\x28<"), "invalid_soap"),
    "NUL": (replaced(b">clerk-1<", b">a\0b<"), "invalid_soap"),
    "prefix of nobody": (replaced(b"xmlns:xrd=", b"xmlns:xrt="), "invalid_soap"),
    "attribute twice": (replaced(b"<xrd:userId>", b'<xrd:userId a="1" a="2">'), "invalid_soap"),
    "more behind the end": (lambda m: m + b"<more/>", "invalid_soap"),
    "two envelopes": (lambda m: m + m, "invalid_soap"),
    "no XML": (lambda _: b"hello", "invalid_soap"),
    "nothing": (lambda _: b"", "invalid_soap"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_request_of_a_wrong_shape_is_refused_by_the_consumer(scene: Scene, shape: str) -> None:
    change, code = SHAPES[shape]
    query_id, before = new_id(), len(scene.stand_in.asked)
    reply = await scene.caller.soap(change(envelope(query_id=query_id)))
    assert reply.code == f"client.{code}", reply.text
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.consumer, query_id) == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_answer_of_a_wrong_shape_is_refused_by_the_provider(scene: Scene, shape: str) -> None:
    change, code = SHAPES[shape]
    query_id = new_id()
    with scene.stand_in.answering(lambda request: http_answer(change(soap_answer(request.body)))):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    assert reply.code == f"server.serverproxy.service_failed.{code}", reply.text
    assert kinds_of(scene.federation.provider, query_id) == ["request"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_request_of_a_wrong_shape_is_refused_from_a_peer(scene: Scene, shape: str) -> None:
    change, code = SHAPES[shape]
    query_id, before = new_id(), len(scene.stand_in.asked)
    raw = envelope(ASK, VISITOR, query_id)
    headers, body = scene.visitor.request(scene.visitor.sign(scene.visitor.soap_message(raw)))
    reply = await scene.visitor.send(headers, body.replace(raw, change(raw)))
    assert reply.code == f"server.serverproxy.service_failed.{code}", reply.text
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.provider, query_id) == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_reply_of_a_wrong_shape_is_refused_by_the_consumer(scene: Scene, shape: str) -> None:
    change, code = SHAPES[shape]
    query_id = new_id()

    def answer(request: WireRequest) -> bytes:
        whole = scene.visitor.truthful(request)
        head, _, body = whole.partition(b"\r\n\r\n")
        begin, end = body.index(b"<?xml"), body.index(b"\r\n--", body.index(b"<?xml"))
        body = body[:begin] + change(body[begin:end]) + body[end:]
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
        return head + b"\r\n\r\n" + body

    with scene.visitor.answering(answer):
        reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert reply.code == f"server.clientproxy.service_failed.{code}", reply.text
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]


async def test_request_without_a_header_is_refused(scene: Scene) -> None:
    reply = await scene.caller.soap(HEADER.sub(b"", envelope()))
    assert reply.code == "client.missing_header"


async def test_fault_in_the_place_of_a_request_is_refused(scene: Scene) -> None:
    reply = await scene.caller.soap(build_soap_fault("code", "It is I who has a problem", "", "d"))
    assert reply.code == "client.invalid_message"


async def test_service_whose_host_has_no_address_is_named(scene: Scene) -> None:
    path = "/services/UA-DEMO:GOV:10000002:STANDIN:ask.v1"
    async with scene.federation.api_of(scene.federation.provider) as api:
        before = await api.get(path)
        kept = {"timeout": before["timeout"], "ssl_auth": before["ssl_auth"], "ignore_warnings": True}
        await api.patch(path, {**kept, "url": "http://registry.invalid/soap"})
        reply = await scene.caller.soap(envelope())
        await api.patch(path, {**kept, "url": before["url"]})
    assert reply.code == "server.serverproxy.service_failed.unknown_host", reply.text
    assert (await scene.caller.soap(envelope())).code is None

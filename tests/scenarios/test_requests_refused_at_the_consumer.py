"""What an information system sends wrong: refused at its own security server, before anything leaves it."""

from __future__ import annotations

import pytest

from gateway.xroad.identifiers import MemberId, SecurityServerId, ServiceId, SubsystemId
from tests.landscape import kinds_of
from tests.scenarios.asking import (
    DEMOGRAPHIC,
    INSTANCE,
    OWNER,
    PROVIDER_MEMBER,
    SNAP,
    THINGS,
    Reply,
    envelope,
    new_id,
)
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

NOBODY = SubsystemId(OWNER, "NOBODY")


async def refused(scene: Scene, content: bytes, content_type: str | None = "text/xml", **options: str) -> Reply:
    """Send a SOAP request; hold that a fault came back and that nobody else heard of it."""
    before = len(scene.stand_in.asked), len(scene.visitor.asked)
    reply = await scene.caller.soap(content, content_type, **options)
    assert (len(scene.stand_in.asked), len(scene.visitor.asked)) == before
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/xml;charset=utf-8"
    return reply


def without(tag: bytes, message: bytes) -> bytes:
    """Return a message without an element of its header."""
    begin, end = message.index(b"<" + tag), message.index(b"</" + tag + b">") + len(tag) + 3
    return message[:begin] + message[end:]


def twice(tag: bytes, message: bytes) -> bytes:
    """Return a message with an element of its header doubled."""
    begin, end = message.index(b"<" + tag), message.index(b"</" + tag + b">") + len(tag) + 3
    return message[:end] + message[begin:end] + message[end:]


# who asks


async def test_unregistered_client_is_refused_and_its_administrator_named(scene: Scene) -> None:
    query_id = new_id()
    reply = await refused(scene, envelope(client=NOBODY, query_id=query_id))
    assert reply.code == "server.clientproxy.unknown_member"
    assert "Its administrator must register the client" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_client_of_another_server_is_refused(scene: Scene) -> None:
    query_id = new_id()
    reply = await refused(scene, envelope(client=DEMOGRAPHIC, query_id=query_id))
    assert reply.code == "server.clientproxy.unknown_member"
    assert "the client's own security server" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_unregistered_client_is_refused_by_rest_too(scene: Scene) -> None:
    query_id = new_id()
    reply = await scene.caller.rest(client=NOBODY, query_id=query_id)
    assert (reply.status, reply.code) == (500, "server.clientproxy.unknown_member")
    assert "must register the client" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_rest_call_that_names_no_client_is_refused(scene: Scene) -> None:
    before = len(scene.stand_in.asked)
    reply = await scene.caller.rest(client=None)
    assert (reply.status, reply.code) == (500, "server.clientproxy.invalid_client_identifier")
    assert len(scene.stand_in.asked) == before


# whom they ask


async def test_provider_that_nobody_knows_is_refused(scene: Scene) -> None:
    stranger = SubsystemId(MemberId(INSTANCE, "GOV", "99999999"), "NOWHERE")
    reply = await refused(scene, envelope(ServiceId(stranger, "ask", "v1")))
    assert reply.code == "server.clientproxy.unknown_member"
    assert "Check the identifier" in reply.text


async def test_server_that_does_not_serve_the_provider_is_refused(scene: Scene) -> None:
    query_id = new_id()
    other = SecurityServerId(OWNER, "SS-SNAP")
    reply = await refused(scene, envelope(query_id=query_id, security_server=other))
    assert reply.code == "server.clientproxy.invalid_security_server"
    assert "Correct or leave out the security server" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_naming_the_right_server_is_served(scene: Scene) -> None:
    reply = await scene.caller.soap(envelope(security_server=SecurityServerId(PROVIDER_MEMBER, "SS-DMS")))
    assert reply.code is None, reply.text


# what they send

SENT_WRONG = {
    "cut off": (lambda m: m[:-5], "client.invalid_soap", "The system that made it must correct it"),
    "empty": (lambda _: b"", "client.invalid_soap", "The system that made it must correct it"),
    "no XML": (lambda _: b"who is 1991?", "client.invalid_soap", "The system that made it must correct it"),
    "DOCTYPE": (
        lambda m: m.replace(b"?>", b'?><!DOCTYPE e [<!ENTITY x SYSTEM "file:///etc/passwd">]>', 1),
        "client.invalid_soap",
        "must leave it out",
    ),
    "no envelope": (lambda _: b"<a/>", "client.invalid_soap", "a SOAP 1.1 Envelope is expected"),
    "client missing": (lambda m: without(b"xrd:client", m), "client.missing_header_field", "must add it"),
    "service missing": (lambda m: without(b"xrd:service", m), "client.missing_header_field", "must add it"),
    "id missing": (lambda m: without(b"xrd:id", m), "client.missing_header_field", "must add it"),
    "version missing": (
        lambda m: without(b"xrd:protocolVersion", m),
        "client.missing_header_field",
        "must add it",
    ),
    "id twice": (lambda m: twice(b"xrd:id", m), "client.duplicate_header_field", "must send it once"),
    "client twice": (lambda m: twice(b"xrd:client", m), "client.duplicate_header_field", "must send it once"),
    "older version": (
        lambda m: m.replace(b">4.0<", b">3.1<"),
        "client.invalid_protocol_version",
        "Use version 4.0",
    ),
    "another operation in the body": (
        lambda m: m.replace(b"s:ask", b"s:tell"),
        "client.inconsistent_headers",
        "must begin with the service code",
    ),
    "empty body": (lambda m: without(b"s:ask", m), "client.invalid_body", "must send one request at a time"),
    "no body": (lambda m: without(b"SOAP-ENV:Body", m), "client.missing_body", "must add the Body"),
}


@pytest.mark.parametrize("wrong", SENT_WRONG)
async def test_message_sent_wrong_is_refused_and_its_maker_named(scene: Scene, wrong: str) -> None:
    spoil, code, words = SENT_WRONG[wrong]
    query_id = new_id()
    reply = await refused(scene, spoil(envelope(query_id=query_id)))
    assert reply.code == code, reply.text
    assert words in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_request_of_another_content_type_is_refused(scene: Scene) -> None:
    reply = await refused(scene, envelope(), "application/json")
    assert reply.code == "client.invalid_content_type"
    assert "SOAP is sent as text/xml" in reply.text


async def test_request_without_content_type_is_refused(scene: Scene) -> None:
    reply = await refused(scene, envelope(), None)
    assert reply.code == "client.invalid_request"
    assert "text/xml" in reply.text


async def test_get_on_the_soap_port_is_refused(scene: Scene) -> None:
    reply = await refused(scene, b"", None, method="GET")
    assert reply.code == "client.invalid_http_method"
    assert "SOAP is only accepted by POST" in reply.text


async def test_soap_action_that_is_no_quoted_uri_is_refused(scene: Scene) -> None:
    reply = await refused(scene, envelope(), SOAPAction="not quoted")
    assert reply.code == "client.invalid_soap_action"
    assert "URI in double quotes" in reply.text


async def test_fault_text_is_ukrainian_for_who_asks_so(scene: Scene) -> None:
    reply = await refused(scene, envelope(client=NOBODY), Accept_Language="uk")
    assert reply.code == "server.clientproxy.unknown_member"
    assert "не зареєстрован" in reply.text


async def test_path_with_a_traversal_is_refused(scene: Scene) -> None:
    before = len(scene.stand_in.asked)
    reply = await scene.caller.rest("/%2e%2e/closed", service=THINGS, client=SNAP)
    assert reply.status >= 400
    assert len(scene.stand_in.asked) == before

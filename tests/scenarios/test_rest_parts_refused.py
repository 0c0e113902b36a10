"""REST messages that are signed rightly and say something wrong, from another server and to it.

What is wrong here no signature shows: the member itself signed it. A reply must belong to the request in
every field; a header part must be one that two readers understand alike.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from gateway.xroad.bodies import BytesBody
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import SignedMessage
from tests.landscape import kinds_of
from tests.scenarios.asking import VISITOR, envelope, new_id
from tests.scenarios.scene import Scene
from tests.scenarios.wire import WireRequest

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

Change = Callable[[bytes], bytes]
VISITOR_THINGS = ServiceId(VISITOR, "things")
THINGS_TARGET = "/r1/UA-DEMO/GOV/10000002/STANDIN/things/7"
INCONSISTENT = "inconsistent_response"
UNREADABLE = "service_failed.internal_error"


def field(name: bytes, value: bytes | None) -> Change:
    """Give a header of the part another value, or leave it out."""

    def change(raw: bytes) -> bytes:
        line = b"" if value is None else name + b":" + value + b"\r\n"
        changed, count = re.subn(rb"(?im)^" + name + rb":.*\r\n", lambda _: line, raw)
        assert count == 1
        return changed

    return change


def more(line: bytes) -> Change:
    """Add a line to the part."""
    return lambda raw: raw + line + b"\r\n"


def first_line(line: bytes) -> Change:
    """Put another first line."""
    return lambda raw: line + raw[raw.index(b"\r\n") :]


REPLIES: dict[str, tuple[Change, str]] = {
    "another X-Road-Id": (field(b"x-road-id", b"another"), INCONSISTENT),
    "another client": (field(b"x-road-client", b"UA-DEMO/GOV/10000001/MUTUAL"), INCONSISTENT),
    "another service": (field(b"x-road-service", b"UA-DEMO/GOV/10000003/VISITOR/others"), INCONSISTENT),
    "another provider": (field(b"x-road-service", b"UA-DEMO/GOV/10000002/STANDIN/things"), INCONSISTENT),
    "another request id": (field(b"x-road-request-id", b"another"), INCONSISTENT),
    "another request hash": (field(b"x-road-request-hash", b"AAAA"), INCONSISTENT),
    "request hash that is no base64": (field(b"x-road-request-hash", b"!"), UNREADABLE),
    "no X-Road-Id": (field(b"x-road-id", None), UNREADABLE),
    "no client": (field(b"x-road-client", None), UNREADABLE),
    "no service": (field(b"x-road-service", None), UNREADABLE),
    "no request id": (field(b"x-road-request-id", None), UNREADABLE),
    "no request hash": (field(b"x-road-request-hash", None), UNREADABLE),
    "last X-Road-Id of two another": (more(b"X-Road-Id:another"), INCONSISTENT),
    "status that is no number": (first_line(b"OK"), UNREADABLE),
    "status of two digits": (first_line(b"20"), UNREADABLE),
    "interim status": (first_line(b"100"), UNREADABLE),
    "no lines": (lambda _: b"", UNREADABLE),
    "header without a colon": (more(b"oops"), UNREADABLE),
    "empty line": (more(b""), UNREADABLE),
    "header of the connection": (more(b"Transfer-Encoding:chunked"), UNREADABLE),
    "length of its own": (more(b"Content-Length:3"), UNREADABLE),
    "NUL in a header": (more(b"X-A:\0"), UNREADABLE),
}


@pytest.mark.parametrize("wrong", REPLIES)
async def test_signed_rest_reply_that_says_something_wrong_is_refused(scene: Scene, wrong: str) -> None:
    change, code = REPLIES[wrong]
    visitor, query_id = scene.visitor, new_id()

    def answer(request: WireRequest) -> bytes:
        right = visitor.reply_to(visitor.read(request))
        assert isinstance(right, RestResponse)
        return visitor.packed(visitor.sign(dataclasses.replace(right, raw=change(right.raw))))

    with visitor.answering(answer):
        reply = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
    assert reply.status == 500
    assert b'"from"' not in reply.content
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert reply.code == f"server.clientproxy.{code}", reply.text


async def test_status_altered_on_the_way_is_refused(scene: Scene) -> None:
    query_id = new_id()
    with scene.visitor.answering(
        lambda request: scene.visitor.truthful(request).replace(b"200\r\nOK", b"404\r\nNo", 1)
    ):
        reply = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
    assert (reply.status, kinds_of(scene.federation.consumer, query_id)) == (500, ["request"])
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.signature_verification.")


async def test_body_of_another_reply_is_refused(scene: Scene) -> None:
    visitor = scene.visitor

    def answer(request: WireRequest) -> bytes:
        message = visitor.read(request)
        signed = visitor.sign(visitor.reply_to(message))
        other = visitor.reply_to(message, b'{"from": "elsewhere"}')
        return visitor.packed(SignedMessage(other, signed.signature))

    with visitor.answering(answer):
        reply = await scene.caller.rest("/1", service=VISITOR_THINGS)
    assert reply.code == "server.clientproxy.signature_verification.malformed_signature.invalid_hash_chain"
    assert b"elsewhere" not in reply.content


async def test_soap_reply_to_a_rest_request_is_refused(scene: Scene) -> None:
    kept: list[bytes] = []

    def keep(request: WireRequest) -> bytes:
        kept.append(scene.visitor.truthful(request))
        return kept[0]

    with scene.visitor.answering(keep):
        assert (await scene.caller.soap(envelope(ServiceId(VISITOR, "ask", "v1")))).code is None
        reply = await scene.caller.rest("/1", service=VISITOR_THINGS)
    assert (reply.status, reply.code) == (500, "server.clientproxy.missing_rest")


async def test_rest_reply_to_a_soap_request_is_refused(scene: Scene) -> None:
    kept: list[bytes] = []

    def keep(request: WireRequest) -> bytes:
        kept.append(scene.visitor.truthful(request))
        return kept[0]

    with scene.visitor.answering(keep):
        assert (await scene.caller.rest("/1", service=VISITOR_THINGS)).status == 200
        reply = await scene.caller.soap(envelope(ServiceId(VISITOR, "ask", "v1")))
    assert reply.code == "server.clientproxy.missing_soap"


SPOKEN_WRONG = "service_failed.internal_error"
REQUESTS: dict[str, tuple[Change, str]] = {
    "method nobody knows": (first_line(b"FETCH"), "service_failed.invalid_http_method"),
    "no client": (field(b"X-Road-Client", None), "service_failed.invalid_client_identifier"),
    "client without a member": (field(b"X-Road-Client", b"UA-DEMO/GOV"), SPOKEN_WRONG),
    "client of another member": (
        field(b"X-Road-Client", b"UA-DEMO/GOV/10000001/SNAP"), "service_failed.ssl_authentication_failed"
    ),
    "no X-Road-Id": (field(b"X-Road-Id", None), SPOKEN_WRONG),
    "path that leaves the service": (lambda raw: raw.replace(b"things/7", b"things/../closed"), SPOKEN_WRONG),
    "path that leaves it encoded": (lambda raw: raw.replace(b"things/7", b"things/%2e%2e/closed"), SPOKEN_WRONG),
    "space in the target": (lambda raw: raw.replace(b"things/7", b"things/7 8"), SPOKEN_WRONG),
    "raw letters in the target": (lambda raw: raw.replace(b"things/7", b"things/\xd0\x84"), SPOKEN_WRONG),
    "service missing": (lambda raw: raw.replace(b"STANDIN/things/7", b"STANDIN"), SPOKEN_WRONG),
    "other version of the protocol": (lambda raw: raw.replace(b"/r1/", b"/r2/"), SPOKEN_WRONG),
    "absolute target": (lambda raw: raw.replace(b"/r1/", b"http://127.0.0.1/r1/"), SPOKEN_WRONG),
    "header of the connection": (more(b"Transfer-Encoding:chunked"), SPOKEN_WRONG),
    "Host of its own": (more(b"Host:elsewhere"), SPOKEN_WRONG),
    "header without a colon": (more(b"oops"), SPOKEN_WRONG),
    "space before a colon": (more(b"X-A :b"), SPOKEN_WRONG),
    "NUL in a header": (more(b"X-A:\0"), SPOKEN_WRONG),
    "no lines": (lambda _: b"", SPOKEN_WRONG),
    "response in the place of a request": (first_line(b"200"), "service_failed.invalid_http_method"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", REQUESTS)
async def test_signed_rest_request_that_says_something_wrong_is_refused(scene: Scene, wrong: str) -> None:
    change, code = REQUESTS[wrong]
    before = len(scene.stand_in.asked)
    right = scene.visitor.rest_message(THINGS_TARGET, method="POST", body=b"body")
    assert isinstance(right, RestRequest)
    assert right.body == BytesBody(b"body")
    spoiled = dataclasses.replace(right, raw=change(right.raw))
    reply = await scene.visitor.send(*scene.visitor.request(scene.visitor.sign(spoiled)))
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.provider, right.id) == []
    assert reply.code == f"server.serverproxy.{code}", reply.text

"""Replies that another security server sends wrong: nothing unproven reaches the caller or the message log.

The visitor's hand-made server answers on port 5500 of its own; as the first tests hold, it is
believed when it answers rightly, so each refusal is for what the test changed.
"""

from __future__ import annotations

import pytest

from gateway.xroad.bodies import BytesBody
from gateway.xroad.identifiers import SecurityServerId, ServiceId
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.profiles import auth_subject, sign_subject
from gateway.xroad.rest.message import RestResponse
from gateway.xroad.signature.signed_message import SignedMessage
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import SoapMessage, parse_soap
from tests.factories.pki import FIVRK, Issued, a_root
from tests.landscape import kinds_of
from tests.scenarios.asking import OWNER, SOAP_TYPE, VISITOR, Reply, envelope, new_id
from tests.scenarios.hand_made import VISITOR_SERVER, issue, status_of
from tests.scenarios.scene import Scene
from tests.scenarios.wire import Answer, WireRequest, http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")
VISITOR_THINGS = ServiceId(VISITOR, "things")


async def refused(scene: Scene, answer: Answer) -> Reply:
    """Ask the visitor, who answers so; hold that only the request is kept and a fault comes back."""
    query_id, before = new_id(), len(scene.visitor.asked)
    with scene.visitor.answering(answer):
        reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert len(scene.visitor.asked) == before + 1
    assert b"askResponse" not in reply.content
    assert reply.code is not None
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    return reply


async def refused_rest(scene: Scene, answer: Answer) -> Reply:
    """The same by REST."""
    query_id = new_id()
    with scene.visitor.answering(answer):
        reply = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
    assert reply.status == 500
    assert reply.code is not None
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    return reply


async def test_well_made_soap_reply_is_believed_and_recorded(scene: Scene) -> None:
    query_id = new_id()
    reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert reply.code is None, reply.text
    assert b"askResponse" in reply.content
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]


async def test_well_made_rest_reply_is_believed_and_recorded(scene: Scene) -> None:
    query_id = new_id()
    reply = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
    assert (reply.status, reply.content) == (200, b'{"from": "visitor"}')
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response"]


# what is signed, and by whom


async def test_reply_altered_on_the_way_is_refused(scene: Scene) -> None:
    reply = await refused(scene, lambda request: scene.visitor.truthful(request).replace(b">who<", b">you<"))
    assert reply.code == "server.clientproxy.signature_verification.invalid_signature_value"


async def test_rest_reply_altered_on_the_way_is_refused(scene: Scene) -> None:
    reply = await refused_rest(
        scene, lambda request: scene.visitor.truthful(request).replace(b'"visitor"', b'"nobodys"')
    )
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.signature_verification.")
    assert b"nobodys" not in reply.content


async def test_unsigned_reply_is_refused(scene: Scene) -> None:
    def unsigned(request: WireRequest) -> bytes:
        head, _, body = scene.visitor.truthful(request).partition(b"\r\n\r\n")
        boundary = body[: body.index(b"\r\n")]
        cut = body[: body.index(boundary + b"\r\ncontent-type: signature")] + boundary + b"--\r\n"
        length = f"Content-Length: {len(body)}".encode()
        return head.replace(length, f"Content-Length: {len(cut)}".encode()) + b"\r\n\r\n" + cut

    reply = await refused(scene, unsigned)
    assert reply.code == "server.clientproxy.missing_signature"


async def test_reply_signed_by_another_member_is_refused(scene: Scene) -> None:
    foreign = await issue(
        scene.federation, "sign", sign_subject(FIVRK, SecurityServerId(OWNER, "SS-SNAP"), OWNER, "SNAP")
    )
    scene.visitor.statuses[foreign.der] = await status_of(scene.federation, foreign)

    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.reply_to(scene.visitor.read(request))
        return scene.visitor.packed(scene.visitor.sign(message, member=OWNER, issued=foreign))

    reply = await refused(scene, answer)
    assert reply.code == "server.clientproxy.signature_verification.incorrect_certificate"


async def test_reply_signed_under_an_unapproved_authority_is_refused(scene: Scene) -> None:
    foreign = a_root("Unapproved CA").signer(VISITOR.member, "SS-VISITOR")

    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.reply_to(scene.visitor.read(request))
        return scene.visitor.packed(scene.visitor.sign(message, issued=foreign))

    reply = await refused(scene, answer)
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.signature_verification.")


async def test_reply_with_the_signature_of_another_reply_is_refused(scene: Scene) -> None:
    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.reply_to(scene.visitor.read(request))
        assert isinstance(message, SoapMessage)
        other = parse_soap(message.raw.replace(b">who<", b">you<"), SOAP_TYPE)
        assert isinstance(other, SoapMessage)
        return scene.visitor.packed(SignedMessage(message, scene.visitor.sign(other).signature))

    reply = await refused(scene, answer)
    assert reply.code == "server.clientproxy.signature_verification.invalid_signature_value"


async def test_reply_to_another_request_is_refused(scene: Scene) -> None:
    kept: list[bytes] = []

    def keep(request: WireRequest) -> bytes:
        kept.append(scene.visitor.truthful(request))
        return kept[0]

    query_id = new_id()
    with scene.visitor.answering(keep):
        first = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
        # The same header fields, another question: only the request hash tells them apart.
        second = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id, question="another"))
    assert first.code is None, first.text
    assert second.code == "server.clientproxy.inconsistent_response"
    assert "belongs to other bytes than were sent" in second.text
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response", "request"]


async def test_rest_reply_to_another_request_is_refused(scene: Scene) -> None:
    kept: list[bytes] = []

    def keep(request: WireRequest) -> bytes:
        kept.append(scene.visitor.truthful(request))
        return kept[0]

    query_id = new_id()
    with scene.visitor.answering(keep):
        first = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
        second = await scene.caller.rest("/1", service=VISITOR_THINGS, query_id=query_id)
    assert (first.status, second.status) == (200, 500)
    assert second.code is not None
    assert second.code.endswith("inconsistent_response")
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "response", "request"]


async def test_reply_without_a_request_hash_is_refused(scene: Scene) -> None:
    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.reply_to(scene.visitor.read(request))
        assert isinstance(message, SoapMessage)
        begin, end = message.raw.index(b"<xrd:requestHash"), message.raw.index(b"</xrd:requestHash>") + 18
        bare = parse_soap(message.raw[:begin] + message.raw[end:], SOAP_TYPE)
        assert isinstance(bare, SoapMessage)
        return scene.visitor.packed(scene.visitor.sign(bare))

    reply = await refused(scene, answer)
    assert reply.code == "server.clientproxy.inconsistent_response"


async def test_reply_with_another_id_is_refused(scene: Scene) -> None:
    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.reply_to(scene.visitor.read(request))
        assert isinstance(message, SoapMessage)
        other = parse_soap(message.raw.replace(b"<xrd:id>", b"<xrd:id>x"), SOAP_TYPE)
        assert isinstance(other, SoapMessage)
        return scene.visitor.packed(scene.visitor.sign(other))

    reply = await refused(scene, answer)
    assert reply.code == "server.clientproxy.service_failed.inconsistent_response"


async def test_rest_reply_whose_body_nobody_signed_is_refused(scene: Scene) -> None:
    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.read(request)
        whole = scene.visitor.reply_to(message)  # type: ignore[arg-type]
        assert isinstance(whole, RestResponse)
        bare = RestResponse(
            whole.raw, whole.status, whole.reason, whole.headers, whole.client, whole.service, whole.id,
            whole.request_id, whole.request_hash, None,
        )  # fmt: skip
        smuggled = scene.visitor.reply_to(message, b"smuggled")  # type: ignore[arg-type]
        assert smuggled.body == BytesBody(b"smuggled")  # type: ignore[union-attr]
        return scene.visitor.packed(SignedMessage(smuggled, scene.visitor.sign(bare).signature))

    reply = await refused_rest(scene, answer)
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.signature_verification.")
    assert b"smuggled" not in reply.content


async def test_request_sent_back_as_a_reply_is_refused(scene: Scene) -> None:
    def answer(request: WireRequest) -> bytes:
        message = scene.visitor.read(request)
        assert isinstance(message, SoapMessage)
        return scene.visitor.packed(scene.visitor.sign(message))

    reply = await refused(scene, answer)
    assert reply.code is not None
    assert reply.code.startswith("server.clientproxy.")


# how it is wrapped


async def test_fault_of_the_peer_reaches_the_caller_byte_for_byte(scene: Scene) -> None:
    fault = build_soap_fault("server.serverproxy.access_denied", "Ні, не можна", "", "detail-1")
    reply = await refused(scene, lambda _: http_answer(fault))
    assert reply.content == fault


async def test_fault_of_the_peer_becomes_a_rest_error(scene: Scene) -> None:
    fault = build_soap_fault("server.serverproxy.access_denied", "Ні, не можна", "", "detail-1")
    reply = await refused_rest(scene, lambda _: http_answer(fault))
    assert (reply.code, reply.text) == ("server.serverproxy.access_denied", "Ні, не можна")


LABELLED = (("x-hash-algorithm", "SHA-512"),)
WRAPPED_WRONG = {
    "SOAP that is no fault": (http_answer(envelope()), "server.clientproxy.service_failed.invalid_message"),
    "a page": (
        http_answer(b"<html/>", "text/html", headers=LABELLED),
        "server.clientproxy.service_failed.invalid_content_type",
    ),
    "text called XML": (http_answer(b"oops"), "server.clientproxy.service_failed.invalid_soap"),
    "404": (http_answer(b"no", status="404 Not Found"), "server.clientproxy.http_error"),
    "302": (
        http_answer(b"", status="302 Found", headers=(("Location", "/other"),)),
        "server.clientproxy.http_error",
    ),
    "no content type": (http_answer(b"<a/>", None), "server.clientproxy.invalid_content_type"),
    "no boundary": (
        http_answer(b"--a", "multipart/mixed", headers=LABELLED),
        "server.clientproxy.service_failed.invalid_content_type",
    ),
    "no parts": (
        http_answer(b"--a--\r\n", "multipart/mixed; boundary=a", headers=LABELLED),
        None,
    ),
    "closed before the head": (b"", "server.clientproxy.io_error"),
    "broken off in the head": (b"HTTP/1.1 200 OK\r\nContent", "server.clientproxy.io_error"),
}


@pytest.mark.parametrize("wrong", WRAPPED_WRONG)
async def test_reply_wrapped_wrong_is_refused(scene: Scene, wrong: str) -> None:
    answer, code = WRAPPED_WRONG[wrong]
    reply = await refused(scene, lambda _: answer)
    assert reply.code is not None
    assert reply.code == code or (code is None and reply.code.startswith("server.clientproxy."))
    assert len(reply.text) > 20


async def test_reply_that_breaks_off_inside_its_body_is_refused(scene: Scene) -> None:
    reply = await refused(scene, lambda request: scene.visitor.truthful(request)[:-50])
    assert reply.code == "server.clientproxy.service_failed.io_error"


async def test_reply_without_a_hash_algorithm_is_refused(scene: Scene) -> None:
    reply = await refused(
        scene, lambda request: scene.visitor.truthful(request).replace(b"x-hash-algorithm: SHA-512\r\n", b"")
    )
    assert reply.code == "server.clientproxy.service_failed.internal_error"


# who answers


async def unreached(scene: Scene, certificate: Issued) -> Reply:
    """Let the visitor show another certificate; hold that no byte of the message was sent to it."""
    await scene.visitor.close()
    scene.federation.consumer.peer_http.close_idle()
    await scene.visitor.listen(scene.visitor.truthful, certificate)
    query_id = new_id()
    try:
        reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
        assert scene.visitor.asked == []
    finally:
        await scene.visitor.close()
        await scene.visitor.listen(scene.visitor.truthful)
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    return reply


async def test_server_that_is_down_is_named(scene: Scene) -> None:
    await scene.visitor.close()
    try:
        reply = await scene.caller.soap(envelope(VISITOR_ASK))
    finally:
        await scene.visitor.listen(scene.visitor.truthful)
    assert reply.code == "server.clientproxy.network_error"
    assert scene.visitor.address in reply.text
    assert "tell the administrator of that side" in reply.text


async def test_server_with_a_certificate_of_an_unapproved_authority_is_refused(scene: Scene) -> None:
    reply = await unreached(scene, a_root("Unapproved CA").server(VISITOR_SERVER))
    assert reply.code == "server.clientproxy.ssl_authentication_failed"


async def test_server_with_an_unregistered_certificate_is_refused(scene: Scene) -> None:
    unlisted = await issue(scene.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    scene.visitor.presented = await status_of(scene.federation, unlisted)
    reply = await unreached(scene, unlisted)
    assert reply.code == "server.clientproxy.ssl_authentication_failed"
    assert "must register it with the central services" in reply.text


async def test_server_with_the_certificate_of_another_server_is_refused(scene: Scene) -> None:
    other = scene.federation.provider.signer.authentication()
    scene.visitor.presented = other.ocsp_responses[0]
    reply = await unreached(scene, Issued(load_certificate(other.certificate_der), other.private_key))
    assert reply.code == "server.clientproxy.ssl_authentication_failed"
    assert "is not registered on security server" in reply.text


async def test_server_that_cannot_give_its_certificate_status_is_refused(scene: Scene) -> None:
    unlisted = await issue(scene.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    scene.visitor.presented = scene.visitor.statuses[scene.visitor.signing.der]
    reply = await unreached(scene, unlisted)
    assert reply.code == "server.clientproxy.ssl_authentication_failed"
    assert "certificate status" in reply.text


async def test_server_with_a_revoked_certificate_is_refused(scene: Scene) -> None:
    lost = await issue(scene.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    await scene.revoke(lost)
    scene.visitor.presented = await status_of(scene.federation, lost)
    reply = await unreached(scene, lost)
    assert reply.code == "server.clientproxy.ssl_authentication_failed"
    assert "certificate status" in reply.text

"""Requests that another security server sends wrong to port 5500: refused before the registry hears of them.

The visitor's hand-made server is registered and may call the service, as the first tests hold; so
each refusal is for what the test changed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest

from gateway.runtime.http.problems import HttpProblem
from gateway.xroad.identifiers import SecurityServerId
from gateway.xroad.pki.certificates import load_certificate
from gateway.xroad.pki.profiles import auth_subject, sign_subject
from gateway.xroad.signature.signed_message import SignedMessage
from tests.factories.pki import FIVRK, Issued, a_root
from tests.landscape import kinds_of
from tests.scenarios.asking import ASK, OWNER, SNAP, THINGS, VISITOR, VISITOR_MEMBER, envelope, new_id
from tests.scenarios.hand_made import VISITOR_SERVER, Headers, PeerReply, issue, status_of
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

Change = Callable[[bytes], bytes]
THINGS_TARGET = "/r1/UA-DEMO/GOV/10000002/STANDIN/things/7"


def a_soap_request(scene: Scene, query_id: str, **facts: object) -> SignedMessage:
    """A request of the visitor, signed by its member."""
    raw = envelope(ASK, VISITOR, query_id, **facts)  # type: ignore[arg-type]
    return scene.visitor.sign(scene.visitor.soap_message(raw))


async def refused(scene: Scene, headers: Headers, body: bytes, query_id: str = "", **options: object) -> PeerReply:
    """Send bytes; hold that a fault came back, nothing reached the registry and nothing was recorded."""
    before = len(scene.stand_in.asked)
    reply = await scene.visitor.send(headers, body, **options)  # type: ignore[arg-type]
    assert len(scene.stand_in.asked) == before
    assert reply.status == 200
    assert reply.code is not None
    assert kinds_of(scene.federation.provider, query_id) == []
    return reply


def changed(headers: Headers, name: str, value: str | None) -> Headers:
    """Return headers with one of them replaced, or left out."""
    kept = tuple(header for header in headers if header[0] != name)
    return kept if value is None else (*kept, (name, value))


async def test_well_made_soap_request_of_a_peer_is_served_and_recorded(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await scene.visitor.send(headers, body)
    assert reply.code is None, reply.text
    assert b"askResponse" in reply.content
    assert kinds_of(scene.federation.provider, query_id) == ["request", "response"]


async def test_well_made_rest_request_of_a_peer_is_served_and_recorded(scene: Scene) -> None:
    message = scene.visitor.rest_message(THINGS_TARGET, method="POST", body=b"a body")
    headers, body = scene.visitor.request(scene.visitor.sign(message))
    reply = await scene.visitor.send(headers, body)
    assert reply.code is None, reply.text
    assert kinds_of(scene.federation.provider, message.id) == ["request", "response"]


# bytes altered on the way


async def test_soap_message_altered_on_the_way_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id, question="mine"))
    assert body.count(b">mine<") == 1
    reply = await refused(scene, headers, body.replace(b">mine<", b">thine<"), query_id)
    assert reply.code == "server.serverproxy.signature_verification.invalid_signature_value"


async def test_client_exchanged_on_the_way_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await refused(
        scene, headers, body.replace(b"10000003", b"10000001").replace(b"VISITOR<", b"SNAP<"), query_id
    )
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "Client UA-DEMO/GOV/10000001/SNAP is not registered on security server" in reply.text


async def test_rest_body_altered_on_the_way_is_refused(scene: Scene) -> None:
    message = scene.visitor.rest_message(THINGS_TARGET, method="POST", body=b"pay 100 hryvnias")
    headers, body = scene.visitor.request(scene.visitor.sign(message))
    reply = await refused(scene, headers, body.replace(b"pay 100", b"pay 900"), message.id)
    assert reply.code is not None
    assert reply.code.startswith("server.serverproxy.signature_verification.")


async def test_rest_target_altered_on_the_way_is_refused(scene: Scene) -> None:
    message = scene.visitor.rest_message(THINGS_TARGET)
    headers, body = scene.visitor.request(scene.visitor.sign(message))
    reply = await refused(scene, headers, body.replace(b"things/7", b"things/8"), message.id)
    assert reply.code == "server.serverproxy.signature_verification.invalid_signature_value"


async def test_rest_body_added_on_the_way_is_refused(scene: Scene) -> None:
    message = scene.visitor.rest_message(THINGS_TARGET, method="POST")
    headers, body = scene.visitor.request(scene.visitor.sign(message))
    boundary = body[: body.index(b"\r\n")]
    added = boundary + b"\r\ncontent-type: application/x-road-rest-body\r\n\r\nsmuggled\r\n"
    place = body.index(boundary + b"\r\ncontent-type: signature")
    reply = await refused(scene, headers, body[:place] + added + body[place:], message.id)
    assert reply.code is not None
    assert reply.code.startswith("server.serverproxy.signature_verification.")


async def test_signature_value_altered_on_the_way_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    begin = body.index(b"<ds:SignatureValue")
    place = body.index(b">", begin) + 10
    other = b"A" if body[place : place + 1] != b"A" else b"B"
    reply = await refused(scene, headers, body[:place] + other + body[place + 1 :], query_id)
    assert reply.code == "server.serverproxy.signature_verification.invalid_signature_value"


async def test_signature_of_another_request_is_refused(scene: Scene) -> None:
    query_id = new_id()
    one, other = a_soap_request(scene, query_id), a_soap_request(scene, new_id())
    reply = await refused(scene, *scene.visitor.request(SignedMessage(one.message, other.signature)), query_id)
    assert reply.code == "server.serverproxy.signature_verification.invalid_signature_value"


# parts and headers


async def test_request_without_the_status_of_its_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id), ocsp_responses=())
    reply = await refused(scene, headers, body, query_id)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "Its administrator must check its OCSP responder" in reply.text


async def test_request_without_a_hash_algorithm_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await refused(scene, changed(headers, "x-hash-algorithm", None), body, query_id)
    assert reply.code == "server.serverproxy.internal_error"


async def test_request_labelled_with_another_hash_algorithm_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await refused(scene, changed(headers, "x-hash-algorithm", "SHA-256"), body, query_id)
    assert reply.code == "server.serverproxy.internal_error"


async def test_get_on_the_message_port_is_refused(scene: Scene) -> None:
    reply = await refused(scene, (), b"", method="GET")
    assert reply.code == "server.serverproxy.invalid_http_method"


async def test_request_that_is_no_multipart_is_refused(scene: Scene) -> None:
    headers, _ = scene.visitor.request(a_soap_request(scene, new_id()))
    reply = await refused(scene, changed(headers, "content-type", "text/xml"), envelope(client=VISITOR))
    assert reply.code == "server.serverproxy.service_failed.invalid_content_type"


async def test_request_without_a_signature_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    boundary = body[: body.index(b"\r\n")]
    place = body.index(boundary + b"\r\ncontent-type: signature")
    reply = await refused(scene, headers, body[:place] + boundary + b"--\r\n", query_id)
    assert reply.code == "server.serverproxy.missing_signature"


async def test_request_without_any_part_is_refused(scene: Scene) -> None:
    headers, body = scene.visitor.request(a_soap_request(scene, new_id()))
    reply = await refused(scene, headers, body[: body.index(b"\r\n")] + b"--\r\n")
    assert reply.code in ("server.serverproxy.missing_soap", "server.serverproxy.service_failed.mime_parsing_failed")


async def test_request_cut_off_inside_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await refused(scene, headers, body[:-200], query_id)
    assert reply.code in (
        "server.serverproxy.service_failed.mime_parsing_failed",
        "server.serverproxy.missing_signature",
    )


async def test_data_after_the_signature_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    boundary = body[: body.index(b"\r\n")]
    end = body.rindex(boundary)
    more = boundary + b"\r\ncontent-type: text/xml\r\n\r\n<more/>\r\n"
    reply = await refused(scene, headers, body[:end] + more + body[end:], query_id)
    assert reply.code == "server.serverproxy.service_failed.invalid_message"


async def test_request_for_another_server_is_refused(scene: Scene) -> None:
    query_id = new_id()
    target = SecurityServerId(OWNER, "SS-SNAP")
    headers, body = scene.visitor.request(a_soap_request(scene, query_id, security_server=target))
    reply = await refused(scene, headers, body, query_id)
    assert reply.code == "server.serverproxy.service_failed.invalid_security_server"


async def test_provider_of_another_server_is_refused(scene: Scene) -> None:
    query_id = new_id()
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    reply = await scene.visitor.send(headers, body, to=scene.federation.consumer)
    assert reply.code == "server.serverproxy.service_failed.unknown_member"
    assert kinds_of(scene.federation.consumer, query_id) == []


# who signed


async def test_request_signed_by_another_member_is_refused(scene: Scene) -> None:
    query_id = new_id()
    subject = sign_subject(FIVRK, SecurityServerId(OWNER, "SS-SNAP"), OWNER, "SNAP")
    foreign = await issue(scene.federation, "sign", subject)
    scene.visitor.statuses[foreign.der] = await status_of(scene.federation, foreign)
    message = scene.visitor.soap_message(envelope(ASK, VISITOR, query_id))
    signed = scene.visitor.sign(message, member=OWNER, issued=foreign)
    reply = await refused(scene, *scene.visitor.request(signed), query_id)
    assert reply.code == "server.serverproxy.signature_verification.incorrect_certificate"


async def test_request_signed_with_the_authentication_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    message = scene.visitor.soap_message(envelope(ASK, VISITOR, query_id))
    signed = scene.visitor.sign(message, issued=scene.visitor.auth)
    reply = await refused(scene, *scene.visitor.request(signed), query_id)
    assert reply.code is not None
    assert reply.code.startswith("server.serverproxy.signature_verification.")


async def test_request_signed_with_a_certificate_of_an_unapproved_authority_is_refused(scene: Scene) -> None:
    query_id = new_id()
    foreign = a_root("Unapproved CA").signer(VISITOR_MEMBER, "SS-VISITOR")
    message = scene.visitor.soap_message(envelope(ASK, VISITOR, query_id))
    reply = await refused(scene, *scene.visitor.request(scene.visitor.sign(message, issued=foreign)), query_id)
    assert reply.code is not None
    assert reply.code.startswith("server.serverproxy.signature_verification.")


async def test_request_whose_signature_carries_the_status_of_another_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    unasked = await issue(scene.federation, "sign", sign_subject(FIVRK, VISITOR_SERVER, VISITOR_MEMBER, "Visitor"))
    message = scene.visitor.soap_message(envelope(ASK, VISITOR, query_id))
    reply = await refused(scene, *scene.visitor.request(scene.visitor.sign(message, issued=unasked)), query_id)
    assert reply.code is not None
    assert reply.code.startswith("server.serverproxy.signature_verification.")


# who connects


async def test_peer_with_an_unregistered_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    unlisted = await issue(scene.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    status = await status_of(scene.federation, unlisted)
    headers, body = scene.visitor.request(a_soap_request(scene, query_id), ocsp_responses=[status])
    reply = await refused(scene, headers, body, query_id, certificate=unlisted)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "must register it with the central services" in reply.text


async def test_peer_with_the_certificate_of_another_server_is_refused(scene: Scene) -> None:
    query_id = new_id()
    other = scene.federation.consumer.signer.authentication()
    borrowed = Issued(load_certificate(other.certificate_der), other.private_key)
    headers, body = scene.visitor.request(a_soap_request(scene, query_id), ocsp_responses=other.ocsp_responses)
    reply = await refused(scene, headers, body, query_id, certificate=borrowed)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "is not registered on security server" in reply.text


async def test_client_of_another_server_is_refused_to_a_peer(scene: Scene) -> None:
    query_id = new_id()
    message = scene.visitor.soap_message(envelope(ASK, SNAP, query_id))
    reply = await refused(scene, *scene.visitor.request(scene.visitor.sign(message)), query_id)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "Client UA-DEMO/GOV/10000001/SNAP is not registered on security server" in reply.text


async def test_peer_with_a_signing_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    status = scene.visitor.statuses[scene.visitor.signing.der]
    headers, body = scene.visitor.request(a_soap_request(scene, query_id), ocsp_responses=[status])
    reply = await refused(scene, headers, body, query_id, certificate=scene.visitor.signing)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "not an authentication certificate" in reply.text


async def test_peer_with_a_certificate_of_an_unapproved_authority_gets_no_connection(scene: Scene) -> None:
    before, query_id = len(scene.stand_in.asked), new_id()
    foreign = a_root("Unapproved CA").server(VISITOR_SERVER)
    headers, body = scene.visitor.request(a_soap_request(scene, query_id))
    with pytest.raises((HttpProblem, ssl.SSLError, ConnectionError)):
        await scene.visitor.send(headers, body, certificate=foreign)
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.provider, query_id) == []


async def test_peer_that_revoked_its_certificate_is_refused(scene: Scene) -> None:
    query_id = new_id()
    lost = await issue(scene.federation, "auth", auth_subject(FIVRK, VISITOR_SERVER, "Visitor", "visitor.test"))
    await scene.revoke(lost)
    status = await status_of(scene.federation, lost)
    headers, body = scene.visitor.request(a_soap_request(scene, query_id), ocsp_responses=[status])
    reply = await refused(scene, headers, body, query_id, certificate=lost)
    assert reply.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert "certificate status" in reply.text


async def test_unproven_caller_does_not_learn_which_services_exist(scene: Scene) -> None:
    codes = set()
    for service in (ASK, THINGS):
        query_id = new_id()
        message = scene.visitor.soap_message(envelope(service, VISITOR, query_id))
        headers, body = scene.visitor.request(scene.visitor.sign(message))
        reply = await refused(scene, headers, body.replace(b">who<", b">you<"), query_id)
        codes.add(reply.code)
    assert codes == {"server.serverproxy.signature_verification.invalid_signature_value"}

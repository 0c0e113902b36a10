"""What the message log says of calls that were refused or failed: on both sides, with what is known of the caller."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import quote

import pytest

from gateway.main import Gateway
from gateway.messagelog.model import RefusalContent, Side
from gateway.messagelog.reasons import explain
from gateway.xroad.identifiers import ServiceId, SubsystemId, encode_path
from gateway.xroad.soap.faults import build_soap_fault
from tests.landscape import kinds_of, records_of, refusals_of
from tests.scenarios.asking import ASK, CLOSED, OWNER, SNAP, STANDIN, VISITOR, envelope, new_id, slashes
from tests.scenarios.raw import exchange, request_bytes
from tests.scenarios.scene import Scene
from tests.scenarios.wire import http_answer

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


def the_refusal(gateway: Gateway, query_id: str) -> RefusalContent:
    """The one entry about a query."""
    (said,) = refusals_of(gateway, query_id)
    return said


def count(gateway: Gateway) -> int:
    """How many refusals of any query a gateway holds."""
    with gateway.stores.message_log.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM refusals").scalar_one())


async def test_call_without_a_right_is_told_on_both_sides(scene: Scene) -> None:
    query_id = new_id()
    reply = await scene.caller.soap(envelope(CLOSED, query_id=query_id))
    consumer = the_refusal(scene.federation.consumer, query_id)
    provider = the_refusal(scene.federation.provider, query_id)
    for said in (consumer, provider):
        assert said.fault_code == reply.code == "server.serverproxy.access_denied"
        assert (said.client, said.provider) == (encode_path(SNAP), encode_path(STANDIN))
        assert (said.service_code, said.service_version) == (CLOSED.service_code, "v1")
        assert (said.is_failure, said.times) == (False, 1)
        (asked,) = records_of(scene.federation.consumer, query_id)
        assert said.message_digest == asked.message_digest
        assert said.x_request_id == asked.x_request_id
    assert (consumer.side, provider.side) == (Side.CONSUMER, Side.PROVIDER)
    assert explain(provider) == reply.text
    assert reply.text.rstrip(".") in explain(consumer)
    assert provider.address is not None
    assert " certificate " in provider.address


async def test_answered_call_leaves_no_refusal(scene: Scene) -> None:
    before = [count(gateway) for gateway in scene.federation.gateways.values()]
    query_id = new_id()
    assert (await scene.caller.soap(envelope(query_id=query_id))).code is None
    assert [count(gateway) for gateway in scene.federation.gateways.values()] == before
    assert kinds_of(scene.federation.provider, query_id) == ["request", "response"]


async def test_fault_of_the_service_is_a_failed_exchange_on_both_sides(scene: Scene) -> None:
    fault = build_soap_fault("Server.NotToday", "the registry is closed", "", None)
    query_id = new_id()
    with scene.stand_in.answering(http_answer(fault, status="500 Error")):
        await scene.caller.soap(envelope(query_id=query_id))
    for gateway in scene.federation.gateways.values():
        said = the_refusal(gateway, query_id)
        facts = json.loads(said.facts)
        assert (said.is_failure, said.text_id) == (True, "exchange.fault_of_service")
        assert (facts["code"], facts["text"]) == ("Server.NotToday", "the registry is closed")
        assert facts["sha512"] == hashlib.sha512(fault).hexdigest()


async def test_unknown_client_is_named_with_its_address(scene: Scene) -> None:
    nobody, query_id = SubsystemId(OWNER, "NOBODY"), new_id()
    await scene.caller.soap(envelope(client=nobody, query_id=query_id))
    await scene.caller.rest(client=nobody, query_id=query_id)
    for said in refusals_of(scene.federation.consumer, query_id):
        assert (said.fault_code, said.client) == ("server.clientproxy.unknown_member", encode_path(nobody))
        assert (said.address, said.is_failure) == ("127.0.0.1", False)
    assert len(refusals_of(scene.federation.consumer, query_id)) == 2


async def test_rest_request_that_never_was_a_message_still_says_who_asked(scene: Scene) -> None:
    query_id = new_id()
    reply = await scene.caller.rest("/%2e%2e/x", query_id=query_id)
    said = the_refusal(scene.federation.consumer, query_id)
    assert (said.client, said.service_code, said.message_digest) == (encode_path(SNAP), None, None)
    assert explain(said) == reply.text


async def test_request_of_the_dialect_without_a_purpose_says_who_asked(scene: Scene) -> None:
    query_id, service = new_id(), ServiceId(SubsystemId(OWNER, "PD_PERSONS"), "things")
    headers = [("Uxp-Client", slashes(SNAP)), ("Uxp-Service", encode_path(service)), ("Uxp-Id", query_id)]
    await exchange(scene.federation.consumer.settings.address, request_bytes("GET", "/restapi", headers, None))
    said = the_refusal(scene.federation.consumer, query_id)
    assert (said.text_id, said.client) == ("uxp.purpose_missing", encode_path(SNAP))
    assert (said.provider, said.service_code) == (encode_path(service.provider), "things")


async def test_bytes_that_are_no_message_are_told_without_a_caller(scene: Scene) -> None:
    before = refusals_of(scene.federation.consumer, None)
    reply = await scene.caller.soap(b"<not-soap/>")
    (said,) = refusals_of(scene.federation.consumer, None)[len(before) :]
    assert (said.fault_code, said.client, said.message_digest) == (reply.code, None, None)


async def test_peer_whose_message_breaks_off_before_its_signature_is_told_with_what_it_claimed(scene: Scene) -> None:
    query_id = new_id()
    signed = scene.visitor.sign(scene.visitor.soap_message(envelope(ASK, VISITOR, query_id)))
    headers, body = scene.visitor.request(signed)
    reply = await scene.visitor.send(headers, body[: body.index(b"SignatureValue")])
    said = the_refusal(scene.federation.provider, query_id)
    assert (said.fault_code, said.client) == (reply.code, encode_path(VISITOR))
    assert said.message_digest == signed.message.digest.value
    assert kinds_of(scene.federation.provider, query_id) == []


async def test_message_signed_by_somebody_else_is_told_with_the_check_that_failed(scene: Scene) -> None:
    query_id = new_id()
    signed = scene.visitor.sign(scene.visitor.soap_message(envelope(ASK, SNAP, query_id)))
    reply = await scene.visitor.send(*scene.visitor.request(signed))
    said = the_refusal(scene.federation.provider, query_id)
    assert (said.fault_code, said.client, said.is_failure) == (reply.code, encode_path(SNAP), False)
    assert explain(said) == reply.text


async def test_service_that_cannot_be_reached_is_a_failed_exchange(scene: Scene) -> None:
    query_id = new_id()
    with scene.stand_in.answering(b""):
        reply = await scene.caller.soap(envelope(query_id=query_id))
    provider = the_refusal(scene.federation.provider, query_id)
    assert (provider.fault_code, provider.is_failure) == (reply.code, True)
    assert the_refusal(scene.federation.consumer, query_id).is_failure


async def test_description_that_could_not_be_fetched_leaves_an_entry_of_the_servers_owner(scene: Scene) -> None:
    member = STANDIN.member
    parts = {
        "xRoadInstance": member.xroad_instance,
        "memberClass": member.member_class,
        "memberCode": member.member_code,
        "subsystemCode": STANDIN.subsystem_code,
        "serviceCode": "noSuchService",
    }
    before = count(scene.federation.consumer)
    query = "&".join(f"{name}={quote(value)}" for name, value in parts.items())
    await exchange(scene.federation.consumer.settings.address, request_bytes("GET", f"/wsdl?{query}", [], None))
    assert count(scene.federation.consumer) == before + 1

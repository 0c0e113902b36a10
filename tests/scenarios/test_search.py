"""What auditors of both servers find of a call: by its case and purpose, with its outcome, and nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.auditing.model import Exchange, Outcome, Query, Scope
from gateway.main import Gateway
from gateway.messagelog.model import Side
from gateway.xroad.asic.verify import examine_container
from gateway.xroad.identifiers import encode_path
from tests.factories.index import ALL
from tests.scenarios.asking import CLOSED, PROVIDER_MEMBER, SNAP, STANDIN, envelope, new_id, slashes
from tests.scenarios.raw import exchange, request_bytes, status_of
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


async def find(gateway: Gateway, scope: Scope = ALL, **conditions: Any) -> tuple[Exchange, ...]:
    """What an auditor finds once everything is indexed."""
    await gateway.indexer.catch_up()
    page = await asyncio.to_thread(gateway.evidence.search, Query(**conditions), scope)
    return page.exchanges


async def test_answered_call_is_found_on_both_servers_by_its_case(scene: Scene) -> None:
    query_id, case = new_id(), new_id()
    assert (await scene.caller.soap(envelope(query_id=query_id, issue=case))).code is None
    (asked,) = await find(scene.federation.consumer, issue=case)
    (served,) = await find(scene.federation.provider, issue=case)
    for one in (asked, served):
        assert (one.query_id, one.outcome, one.user_id) == (query_id, Outcome.ANSWERED, "clerk-1")
        assert (one.client, one.provider) == (encode_path(SNAP), encode_path(STANDIN))
    assert (asked.side, asked.party) == (Side.CONSUMER, encode_path(SNAP))
    assert (served.side, served.party) == (Side.PROVIDER, encode_path(STANDIN))
    assert asked.x_request_id == served.x_request_id


async def test_purpose_of_trembita_s_dialect_is_searched_on_both_servers(scene: Scene) -> None:
    purposes = [new_id(), new_id()]
    parties = [("Uxp-Client", slashes(SNAP)), ("Uxp-Service", f"{slashes(STANDIN)}/things")]
    headers = [*parties, ("Uxp-QueryID", new_id()), ("Uxp-Purpose-Ids", ",".join(purposes))]
    answer = await exchange(scene.federation.consumer.settings.address, request_bytes("GET", "/restapi?x=15", headers))
    assert status_of(answer) == 200
    for gateway in (scene.federation.consumer, scene.federation.provider):
        for purpose in purposes:
            (found,) = await find(gateway, purpose=purpose)
            assert (found.purpose, found.outcome) == (",".join(purposes), Outcome.ANSWERED)


async def test_refused_call_is_one_exchange_on_each_side(scene: Scene) -> None:
    query_id = new_id()
    await scene.caller.soap(envelope(CLOSED, query_id=query_id))
    (asked,) = await find(scene.federation.consumer, query_id=query_id)
    (served,) = await find(scene.federation.provider, query_id=query_id)
    assert (asked.outcome, asked.request is not None, asked.refusal is not None) == (Outcome.REFUSED, True, True)
    assert (served.outcome, served.request, served.refusal is not None) == (Outcome.REFUSED, None, True)
    assert asked.fault_code == served.fault_code == "server.serverproxy.access_denied"


async def test_auditor_of_another_member_finds_nothing(scene: Scene) -> None:
    query_id = new_id()
    await scene.caller.soap(envelope(query_id=query_id))
    stranger, own = Scope(frozenset({encode_path(PROVIDER_MEMBER)})), Scope(frozenset({encode_path(SNAP.member)}))
    (found,) = await find(scene.federation.consumer, own, query_id=query_id)
    assert await find(scene.federation.consumer, stranger, query_id=query_id) == ()
    source = scene.federation.consumer.evidence
    assert source.find_entry(found.id, stranger) is None
    assert source.find_document(found.id, stranger) is None


async def test_document_of_an_auditor_is_verified_with_the_configuration_of_its_time(scene: Scene) -> None:
    query_id = new_id()
    await scene.caller.soap(envelope(query_id=query_id))
    gateway = scene.federation.consumer
    (found,) = await find(gateway, query_id=query_id)
    await gateway.timestamper.stamp_waiting()
    for number in (found.request, found.response):
        assert number is not None
        document = await asyncio.to_thread(gateway.evidence.find_document, number, ALL)
        assert document is not None
        assert examine_container(document.container, gateway.evidence.globalconf_at).fault is None


async def test_status_says_that_everything_is_indexed(scene: Scene) -> None:
    await scene.caller.soap(envelope())
    gateway = scene.federation.provider
    await gateway.indexer.catch_up()
    status = await asyncio.to_thread(gateway.evidence.status)
    assert status.first_sequence == 1
    assert 1 < status.indexed_through == status.last_sequence
    assert status.name == str(gateway.registrations.current().server)

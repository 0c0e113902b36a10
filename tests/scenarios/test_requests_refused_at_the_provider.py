"""A proven request that may not have what it asks for: refused at the provider's server, before the registry."""

from __future__ import annotations

import pytest

from gateway.xroad.identifiers import ServiceId
from tests.landscape import kinds_of
from tests.scenarios.asking import (
    ASK,
    CLOSED,
    CLOSED_THINGS,
    STANDIN,
    THINGS,
    Reply,
    envelope,
    new_id,
)
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]


async def refused(scene: Scene, service: ServiceId, *, rest: bool = False) -> Reply:
    """Ask; hold that the registry was not reached, and that only the consumer's server holds the request."""
    before, query_id = len(scene.stand_in.asked), new_id()
    if rest:
        reply = await scene.caller.rest(service=service, query_id=query_id)
        assert reply.status == 500
    else:
        reply = await scene.caller.soap(envelope(service, query_id=query_id))
        assert reply.status == 200
    assert len(scene.stand_in.asked) == before
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert kinds_of(scene.federation.provider, query_id) == []
    return reply


async def test_soap_service_without_a_right_is_refused(scene: Scene) -> None:
    reply = await refused(scene, CLOSED)
    assert reply.code == "server.serverproxy.access_denied"
    assert "ask the owner of the service" in reply.text


async def test_rest_service_without_a_right_is_refused(scene: Scene) -> None:
    reply = await refused(scene, CLOSED_THINGS, rest=True)
    assert reply.code == "server.serverproxy.access_denied"
    assert "ask the owner of the service" in reply.text


async def test_unknown_soap_service_is_refused(scene: Scene) -> None:
    reply = await refused(scene, ServiceId(STANDIN, "askAgain", "v1"))
    assert reply.code == "server.serverproxy.unknown_service"
    assert "askAgain" in reply.text


async def test_unknown_version_of_a_service_is_refused(scene: Scene) -> None:
    reply = await refused(scene, ServiceId(STANDIN, "ask", "v2"))
    assert reply.code == "server.serverproxy.unknown_service"


async def test_unknown_rest_service_is_refused(scene: Scene) -> None:
    reply = await refused(scene, ServiceId(STANDIN, "nothing"), rest=True)
    assert reply.code == "server.serverproxy.unknown_service"


async def test_soap_call_of_a_rest_service_is_refused(scene: Scene) -> None:
    reply = await refused(scene, THINGS)
    assert reply.code == "server.serverproxy.service_type"
    assert "REST" in reply.text


async def test_rest_call_of_a_soap_service_is_refused(scene: Scene) -> None:
    reply = await refused(scene, ServiceId(STANDIN, "ask"), rest=True)
    assert reply.code in ("server.serverproxy.service_type", "server.serverproxy.unknown_service")


async def test_disabled_service_is_refused_with_its_notice_until_it_is_enabled(scene: Scene) -> None:
    async with scene.federation.api_of(scene.federation.provider) as api:
        listed = await api.get("/clients/UA-DEMO:GOV:10000002:STANDIN/service-descriptions")
        (described,) = [one for one in listed if any(s["service_code"] == ASK.service_code for s in one["services"])]
        await api.put(f"/service-descriptions/{described['id']}/disable", {"disabled_notice": "back on Monday"})
        reply = await refused(scene, ASK)
        await api.put(f"/service-descriptions/{described['id']}/enable")
    assert reply.code == "server.serverproxy.service_disabled"
    assert "back on Monday" in reply.text
    assert (await scene.caller.soap(envelope())).code is None


async def test_right_taken_away_ends_access_at_once(scene: Scene) -> None:
    service = "UA-DEMO:GOV:10000002:STANDIN:ask.v1"
    rights = {"items": [{"id": "UA-DEMO:GOV:10000001:SNAP", "service_client_type": "SUBSYSTEM"}]}
    async with scene.federation.api_of(scene.federation.provider) as api:
        await api.post(f"/services/{service}/service-clients/delete", rights)
        reply = await refused(scene, ASK)
        await api.post(f"/services/{service}/service-clients", rights)
    assert reply.code == "server.serverproxy.access_denied"
    assert (await scene.caller.soap(envelope())).code is None

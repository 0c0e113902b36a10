"""Parts that fail for a while: who is told what meanwhile, and that everything goes on by itself afterwards.

These tests stop parts and move the clock, always forward, in a landscape of their own with short intervals.
"""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio

from gateway.main import Gateway
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.store import count_unstamped
from gateway.runtime.admin_client import AdminRequestFailed
from gateway.settings import ConfigurationSettings, GatewaySettings
from gateway.xroad.identifiers import ServiceId
from tests.landscape import PIN, eventually, kinds_of, with_records
from tests.scenarios.asking import ASK, SNAP, VISITOR, Reply, envelope, new_id
from tests.scenarios.hand_made import PeerReply
from tests.scenarios.scene import Scene, a_scene
from tests.scenarios.stand_in import truthful
from tests.scenarios.wire import WireRequest

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

ACCEPTABLE_FAILURE_S = 100
VISITOR_ASK = ServiceId(VISITOR, "ask", "v1")


def restless(settings: GatewaySettings) -> GatewaySettings:
    """Do within a second what else takes a minute."""
    quick = with_records(
        settings,
        timestamp_interval_s=0.2,
        timestamp_retry_delay_s=0.2,
        acceptable_timestamp_failure_period_s=ACCEPTABLE_FAILURE_S,
        commit_timeout_s=3,
    )
    return dataclasses.replace(quick, configuration=ConfigurationSettings(update_interval_s=0.3))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def restless_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """A landscape that notices everything soon."""
    async with a_scene(tmp_path_factory.mktemp("restless"), restless) as scene:
        yield scene


@pytest_asyncio.fixture(loop_scope="session")
async def scene(restless_scene: Scene) -> AsyncIterator[Scene]:
    """That landscape; afterwards it works and both logs are whole."""
    await restless_scene.federation.renew()
    await restless_scene.visitor.renew()
    await eventually(lambda: stamping_works(restless_scene))
    await eventually(lambda: answers(restless_scene))
    yield restless_scene
    await restless_scene.still_answers()
    for gateway in restless_scene.federation.gateways.values():
        verdict = verify_log(gateway.stores.message_log)
        assert verdict.holds, verdict.broken


async def ask(scene: Scene, query_id: str | None = None) -> Reply:
    """Ask the stand-in by SOAP."""
    return await scene.caller.soap(envelope(query_id=query_id))


async def visit(scene: Scene, query_id: str) -> PeerReply:
    """Let the visitor's server ask the stand-in on port 5500."""
    signed = scene.visitor.sign(scene.visitor.soap_message(envelope(ASK, VISITOR, query_id)))
    return await scene.visitor.send(*scene.visitor.request(signed))


async def answers(scene: Scene) -> bool:
    """Tell whether calls are answered again."""
    return (await ask(scene)).code is None


def stamping_works(scene: Scene) -> bool:
    """Tell whether no gateway remembers that time-stamping failed."""
    return all(gateway.message_log.health.failing_since is None for gateway in scene.federation.gateways.values())


def unstamped(gateway: Gateway) -> int:
    """Return how many records wait for a time-stamp."""
    with gateway.stores.message_log.reading() as connection:
        return count_unstamped(connection)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process grow, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# the message log


async def test_nothing_is_exchanged_while_the_message_log_cannot_be_written(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    with full_disk():
        reply = await ask(scene, query_id)
        visited = await visit(scene, query_id)
    assert reply.code == "server.clientproxy.logging_failed"
    assert visited.code == "server.serverproxy.logging_failed"
    for text in (reply.text, visited.text):
        assert "The administrator of this security server must see to the message log" in text
    assert len(scene.stand_in.asked) == asked
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == []
    assert await answers(scene)


async def test_body_that_cannot_be_kept_is_not_exchanged(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    with full_disk():
        reply = await scene.caller.rest("/7", query_id=query_id, method="POST", content=b"x" * 10_000)
    assert reply.code == "server.clientproxy.logging_failed"
    assert len(scene.stand_in.asked) == asked
    assert kinds_of(scene.federation.consumer, query_id) == []


async def test_answer_that_cannot_be_recorded_is_not_given(scene: Scene) -> None:
    query_id = new_id()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(request: WireRequest) -> bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        return truthful(request)

    try:
        with scene.stand_in.answering(fill_the_disk):
            reply = await ask(scene, query_id)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert reply.code == "server.serverproxy.logging_failed"
    assert b"askResponse" not in reply.content
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == ["request"]


async def test_proven_answer_that_the_consumer_cannot_record_is_not_given(scene: Scene) -> None:
    query_id = new_id()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(request: WireRequest) -> bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        return scene.visitor.truthful(request)

    try:
        with scene.visitor.answering(fill_the_disk):
            reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert reply.code == "server.clientproxy.logging_failed"
    assert b"askResponse" not in reply.content
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]


# the token


async def test_locked_token_of_the_consumer_is_named_until_somebody_logs_in(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    async with scene.federation.api_of(scene.federation.consumer) as api:
        await api.put("/tokens/0/logout")
        locked = await ask(scene, query_id)
        with pytest.raises(AdminRequestFailed) as refused:
            await api.put("/tokens/0/login", {"password": "not the PIN"})
        still_locked = await ask(scene, query_id)
        await api.put("/tokens/0/login", {"password": PIN})
    assert "pin_incorrect" in str(refused.value)
    assert locked.code == still_locked.code == "server.clientproxy.token_not_active"
    assert "Log in with the PIN" in locked.text
    assert len(scene.stand_in.asked) == asked
    assert kinds_of(scene.federation.consumer, query_id) == []
    assert await answers(scene)


async def test_locked_token_of_the_provider_gives_no_unsigned_answer(scene: Scene) -> None:
    query_id = new_id()
    async with scene.federation.api_of(scene.federation.provider) as api:
        await api.put("/tokens/0/logout")
        reply = await ask(scene, query_id)
        await api.put("/tokens/0/login", {"password": PIN})
    assert reply.code is not None
    assert b"askResponse" not in reply.content
    assert "response" not in kinds_of(scene.federation.consumer, query_id)
    assert "response" not in kinds_of(scene.federation.provider, query_id)
    assert await answers(scene)


async def test_server_started_with_a_wrong_pin_says_so_and_recovers_by_login(scene: Scene) -> None:
    pin_file = scene.federation.pin_file("SS-SNAP")
    pin_file.write_text("not the PIN")
    await scene.restart("SS-SNAP")
    pin_file.write_text(PIN)
    reply = await ask(scene)
    assert reply.code == "server.clientproxy.token_not_active"
    async with scene.federation.api_of(scene.federation.consumer) as api:
        await api.put("/tokens/0/login", {"password": PIN})
    assert await answers(scene)


# a security server


@pytest.mark.parametrize("code", ["SS-SNAP", "SS-DMS"])
async def test_restarted_server_works_without_hands_and_its_chain_goes_on(scene: Scene, code: str) -> None:
    before = verify_log(scene.federation.gateways[code].stores.message_log)
    gateway = await scene.restart(code)
    assert await answers(scene)
    after = verify_log(gateway.stores.message_log)
    assert (after.holds, after.broken) == (True, None)
    assert after.records == before.records + 2


async def test_provider_that_is_down_is_named_until_it_is_back(scene: Scene) -> None:
    query_id, address = new_id(), scene.federation.provider.settings.address
    async with scene.federation.without_gateway("SS-DMS"):
        reply = await ask(scene, query_id)
    assert reply.code == "server.clientproxy.network_error"
    assert address in reply.text
    assert "tell the administrator of that side" in reply.text
    assert kinds_of(scene.federation.consumer, query_id) == ["request"]
    assert await answers(scene)


# the global configuration


async def test_expired_configuration_stops_both_sides_until_the_centre_is_back(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    async with scene.federation.without_central():
        scene.federation.clock.advance(seconds=601)
        reply, visited = await ask(scene, query_id), await visit(scene, query_id)
        rest = await scene.caller.rest(query_id=query_id)
    assert reply.code == rest.code == "server.clientproxy.global_conf_outdated"
    assert visited.code == "server.serverproxy.global_conf_outdated"
    assert rest.status == 500
    assert "See in diagnostics why it is not updated" in reply.text
    assert len(scene.stand_in.asked) == asked
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == []
    await eventually(lambda: answers(scene))


async def test_unexpired_configuration_outlives_the_centre(scene: Scene) -> None:
    async with scene.federation.without_central():
        scene.federation.clock.advance(seconds=300)
        assert await answers(scene)


# the certificate status


async def test_own_status_that_is_too_old_stops_the_consumer_until_it_is_renewed(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    async with scene.federation.without_trust():
        scene.federation.clock.advance(seconds=3601)
        await scene.federation.renew(status=False)
        reply = await ask(scene, query_id)
    assert reply.code == "server.clientproxy.cannot_create_signature"
    assert "3601 s old; at most 3600 s are allowed" in reply.text
    assert "The administrator of this security server must see to the certificate and its status" in reply.text
    assert len(scene.stand_in.asked) == asked
    assert kinds_of(scene.federation.consumer, query_id) == []
    await scene.federation.renew()
    await scene.visitor.renew()
    await eventually(lambda: answers(scene))  # a time-stamp must come first


async def test_status_of_a_peer_that_is_too_old_is_refused_on_both_sides(scene: Scene) -> None:
    asked, visits, query_id = len(scene.stand_in.asked), len(scene.visitor.asked), new_id()
    old = dict(scene.visitor.statuses)
    scene.federation.clock.advance(seconds=3601)
    await scene.federation.renew()
    visited = await visit(scene, query_id)
    reply = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert visited.code == "server.serverproxy.service_failed.ssl_authentication_failed"
    assert reply.code == "server.clientproxy.ssl_authentication_failed"
    for text in (visited.text, reply.text):
        assert "certificate status of the other security server is refused" in text
    # A fresh status of its certificate, an old one in its signatures.
    await scene.visitor.renew()
    scene.visitor.statuses[scene.visitor.signing.der] = old[scene.visitor.signing.der]
    signed_old = await visit(scene, query_id)
    replied_old = await scene.caller.soap(envelope(VISITOR_ASK, query_id=query_id))
    assert signed_old.code is not None
    assert signed_old.code.startswith("server.serverproxy.signature_verification.")
    assert replied_old.code is not None
    assert replied_old.code.startswith("server.clientproxy.signature_verification.")
    assert (len(scene.stand_in.asked), len(scene.visitor.asked)) == (asked, visits + 1)
    assert kinds_of(scene.federation.provider, query_id) == []
    assert kinds_of(scene.federation.consumer, query_id) == ["request", "request"]
    await scene.visitor.renew()
    assert (await visit(scene, new_id())).code is None
    assert (await scene.caller.soap(envelope(VISITOR_ASK))).code is None


# time-stamps


async def test_calls_go_on_without_time_stamps_and_all_records_are_stamped_afterwards(scene: Scene) -> None:
    async with scene.federation.without_trust():
        for _ in range(5):
            assert await answers(scene)
        assert min(unstamped(gateway) for gateway in scene.federation.gateways.values()) >= 10
    for gateway in scene.federation.gateways.values():
        await eventually(lambda gateway=gateway: unstamped(gateway) == 0)  # type: ignore[misc]


async def test_evidence_says_why_it_cannot_be_stamped(scene: Scene) -> None:
    query_id = new_id()
    async with scene.federation.without_trust():
        assert (await ask(scene, query_id)).code is None
        reply = await scene.caller.evidence("/signature", SNAP, query_id)
    assert reply.status == 500
    assert "The time-stamping service" in reply.content.decode()


async def test_time_stamping_that_fails_too_long_stops_the_exchange_until_it_works_again(scene: Scene) -> None:
    asked, query_id = len(scene.stand_in.asked), new_id()
    async with scene.federation.without_trust():
        assert await answers(scene)
        for gateway in scene.federation.gateways.values():
            await eventually(lambda gateway=gateway: gateway.message_log.health.failing_since is not None)  # type: ignore[misc]
        scene.federation.clock.advance(seconds=ACCEPTABLE_FAILURE_S + 1)
        reply, visited = await ask(scene, query_id), await visit(scene, query_id)
    assert reply.code == "server.clientproxy.logging_failed.timestamping_failed"
    assert visited.code == "server.serverproxy.logging_failed.timestamping_failed"
    assert "must restore the connection to the time-stamping service" in reply.text
    assert len(scene.stand_in.asked) == asked + 1
    for gateway in scene.federation.gateways.values():
        assert kinds_of(gateway, query_id) == []
    await eventually(lambda: answers(scene))


async def test_records_that_waited_through_a_restart_are_stamped_after_it(scene: Scene) -> None:
    async with scene.federation.without_trust():
        assert await answers(scene)
        gateway = await scene.restart("SS-SNAP")
        assert unstamped(gateway) >= 2
    await eventually(lambda: unstamped(gateway) == 0)

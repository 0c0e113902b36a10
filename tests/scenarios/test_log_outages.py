"""The message log fails: nothing is exchanged without a record, refusals go on and are counted, nobody has to help.

The consumer's server stands on a small disk of its own where that can be mounted, the provider's log on
PostgreSQL where there is one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from gateway.main import Gateway
from gateway.messagelog import store
from gateway.messagelog.integrity import verify_log
from gateway.messagelog.model import RefusalContent
from gateway.settings import ConfigurationSettings, GatewaySettings
from gateway.xroad.identifiers import SubsystemId
from tests.landscape import eventually, kinds_of, with_records
from tests.scenarios.asking import ASK, OWNER, VISITOR, Reply, envelope, new_id
from tests.scenarios.hand_made import PeerReply
from tests.scenarios.scene import Scene, a_scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

ACCEPTABLE_FAILURE_S = 100
DISK = "64m"
NOBODY = SubsystemId(OWNER, "NOBODY")


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of the consumer's server, on a disk of its own where one can be mounted."""
    state = tmp_path_factory.mktemp("outages")
    place = state / "server-SS-SNAP"
    place.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield place
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.fixture(scope="module")
def log_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, empty itself where there is no PostgreSQL."""
    try:
        server = request.getfixturevalue("postgres_url")
    except pytest.skip.Exception:
        yield ""
        return
    name = f"outages_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outage_scene(small_disk: Path, log_server: str) -> AsyncIterator[Scene]:
    """A landscape that notices everything soon."""

    def tune(settings: GatewaySettings) -> GatewaySettings:
        quick = with_records(
            settings,
            timestamp_interval_s=0.2,
            timestamp_retry_delay_s=0.2,
            acceptable_timestamp_failure_period_s=ACCEPTABLE_FAILURE_S,
            commit_timeout_s=3,
        )
        section = quick.messagelog
        if settings.address.split(".")[2] == "3":
            section = dataclasses.replace(section, database_url=log_server)
        return dataclasses.replace(
            quick, messagelog=section, configuration=ConfigurationSettings(update_interval_s=0.3)
        )

    async with a_scene(small_disk.parent, tune) as scene:
        yield scene


@pytest_asyncio.fixture(loop_scope="session")
async def scene(outage_scene: Scene) -> AsyncIterator[Scene]:
    """That landscape, an interval later; afterwards it answers by itself and both logs are whole."""
    outage_scene.federation.clock.advance(seconds=61)
    await outage_scene.federation.renew()
    await outage_scene.visitor.renew()
    await eventually(lambda: answers(outage_scene))
    yield outage_scene
    await eventually(lambda: answers(outage_scene))
    for gateway in outage_scene.federation.gateways.values():
        verdict = verify_log(gateway.stores.message_log)
        assert verdict.holds, verdict.broken


@contextmanager
def full_disk(place: Path) -> Iterator[None]:
    """Fill a disk to its last byte; where it is everybody's, let no file of this process grow instead."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    filler = place / "filler"
    try:
        if os.path.ismount(place):
            fill(filler)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        filler.unlink(missing_ok=True)


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert shutil.disk_usage(path.parent).free == 0


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


async def is_well(scene: Scene, gateway: Gateway) -> bool:
    return bool((await status_of(scene, gateway))["status_class"] == "OK")


async def status_of(scene: Scene, gateway: Gateway) -> dict[str, Any]:
    """What the admin API says of a message log."""
    async with scene.federation.api_of(gateway) as api:
        found: dict[str, Any] = await api.get("/diagnostics/message-log")
    return found


def last_of(gateway: Gateway) -> int:
    """Where a message log ends."""
    with gateway.stores.message_log.reading() as connection:
        return store.read_last_sequence(connection)


def refused_since(gateway: Gateway, after: int) -> list[RefusalContent]:
    """The refusals that were written after a number, the most frequent first."""
    with gateway.stores.message_log.reading() as connection:
        found = [refusal.content for refusal in store.walk_refusals(connection, after=after)]
    return sorted(found, key=lambda said: -said.times)


async def recorded(gateway: Gateway) -> bool:
    """Tell whether nothing waits in memory any more."""
    return gateway.message_log.refusals.in_memory == 0


async def test_full_disk_stops_calls_but_not_refusals_and_each_is_counted(scene: Scene, small_disk: Path) -> None:
    gateway, asked, query_id = scene.federation.consumer, len(scene.stand_in.asked), new_id()
    last = last_of(gateway)
    with full_disk(small_disk):
        refused = [await ask(scene, query_id) for _ in range(7)]
        with_body = await scene.caller.rest("/7", query_id=query_id, method="POST", content=b"x" * 100_000)
        strangers = [await scene.caller.soap(envelope(client=NOBODY)) for _ in range(3)]
        status = await status_of(scene, gateway)
        waiting = gateway.message_log.refusals.in_memory
    assert {reply.code for reply in refused} == {"server.clientproxy.logging_failed"}
    assert with_body.code in ("server.clientproxy.io_error", "server.clientproxy.logging_failed")
    assert "must see to the" in with_body.text
    assert {reply.code for reply in strangers} == {"server.clientproxy.unknown_member"}
    assert "must see to the message log's disk and database; exchanges go on by themselves" in refused[0].text
    assert (len(scene.stand_in.asked), kinds_of(gateway, query_id)) == (asked, [])
    assert (status["status_class"], status["refusals_in_memory"], waiting) == ("FAIL", 11, 11)
    assert status["error"]["code"] == "not_writable"
    assert "See to the disk and the database of the message log" in status["error"]["metadata"][0]

    await eventually(lambda: recorded(gateway))
    entries = refused_since(gateway, last)
    assert [(said.times, said.fault_code) for said in entries] == [
        (7, "server.clientproxy.logging_failed"),
        (3, "server.clientproxy.unknown_member"),
        (1, with_body.code),
    ]
    assert [said.is_failure for said in entries] == [True, False, True]
    assert entries[0].service_code == ASK.service_code
    await eventually(lambda: answers(scene))
    await eventually(lambda: is_well(scene, gateway))  # what waits for its time-stamp is stamped meanwhile


async def test_answer_is_not_given_when_the_disk_fills_up_while_the_service_works(
    scene: Scene, small_disk: Path
) -> None:
    gateway, query_id = scene.federation.consumer, new_id()
    last = last_of(gateway)
    with contextlib.ExitStack() as stack:

        def fill_the_disk(request: Any) -> bytes:
            stack.enter_context(full_disk(small_disk))
            return scene.visitor.truthful(request)

        with scene.visitor.answering(fill_the_disk):
            service = dataclasses.replace(ASK, provider=VISITOR)
            reply = await scene.caller.soap(envelope(service, query_id=query_id))
    assert reply.code == "server.clientproxy.logging_failed"
    assert b"askResponse" not in reply.content
    assert kinds_of(gateway, query_id) == ["request"]
    await eventually(lambda: recorded(gateway))
    assert [said.times for said in refused_since(gateway, last)] == [1]


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let a database take nothing any more, as a server that became a standby, and end its sessions."""
    database = make_url(url)
    server = database.set(database="postgres").render_as_string(hide_password=False)

    def say(statement: str) -> None:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(statement)  # type: ignore[arg-type]

    say(f"ALTER DATABASE {database.database} SET default_transaction_read_only = on")
    say(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database.database}'")
    try:
        yield
    finally:
        say(f"ALTER DATABASE {database.database} RESET default_transaction_read_only")


async def test_database_that_became_read_only_stops_calls_but_not_refusals(scene: Scene, log_server: str) -> None:
    if not log_server:
        pytest.skip("no PostgreSQL")
    gateway, asked, query_id = scene.federation.provider, len(scene.stand_in.asked), new_id()
    last = last_of(gateway)
    with read_only(log_server):
        await visit(scene, new_id())  # the first to find its session ended
        refused = [await visit(scene, query_id) for _ in range(5)]
        through_us = await ask(scene, query_id)
        status = await status_of(scene, gateway)
    assert {reply.code for reply in (*refused, through_us)} == {"server.serverproxy.logging_failed"}
    assert "disk and database" in refused[0].text
    assert (len(scene.stand_in.asked), kinds_of(gateway, query_id)) == (asked, [])
    assert (status["status_class"], status["error"]["code"]) == ("FAIL", "not_writable")

    await eventually(lambda: recorded(gateway))
    assert [(said.times, said.client) for said in refused_since(gateway, last)] == [
        (6, "UA-DEMO/GOV/10000003/VISITOR"),
        (1, "UA-DEMO/GOV/10000001/SNAP"),
    ]


async def test_time_stamps_that_fail_too_long_stop_calls_but_not_refusals(scene: Scene) -> None:
    gateways = scene.federation.gateways.values()
    asked, query_id = len(scene.stand_in.asked), new_id()
    async with scene.federation.without_trust():
        assert await answers(scene)
        for gateway in gateways:
            await eventually(lambda gateway=gateway: gateway.message_log.health.failing_since is not None)  # type: ignore[misc]
        scene.federation.clock.advance(seconds=ACCEPTABLE_FAILURE_S // 2)
        warned = await status_of(scene, scene.federation.consumer)
        scene.federation.clock.advance(seconds=ACCEPTABLE_FAILURE_S // 2 + 1)
        ends = {gateway: last_of(gateway) for gateway in gateways}
        refused = [await ask(scene, query_id) for _ in range(6)]
        visited = [await visit(scene, query_id) for _ in range(4)]
        strangers = [await scene.caller.soap(envelope(client=NOBODY)) for _ in range(2)]
        stopped = await status_of(scene, scene.federation.consumer)
    assert {reply.code for reply in refused} == {"server.clientproxy.logging_failed.timestamping_failed"}
    assert {reply.code for reply in visited} == {"server.serverproxy.logging_failed.timestamping_failed"}
    assert {reply.code for reply in strangers} == {"server.clientproxy.unknown_member"}
    assert len(scene.stand_in.asked) == asked + 1
    for gateway in gateways:
        assert kinds_of(gateway, query_id) == []
    assert warned["status_class"] == "WAITING"
    assert 0 < warned["stamping"]["refuses_in_s"] <= ACCEPTABLE_FAILURE_S // 2
    assert "Restore the connection to a time-stamping service" in warned["error"]["metadata"][0]
    assert (stopped["status_class"], stopped["stamping"]["refuses_in_s"]) == ("FAIL", 0)
    assert stopped["refusals_in_memory"] == 6

    for gateway in gateways:
        await eventually(lambda gateway=gateway: recorded(gateway))  # type: ignore[misc]
    consumer, provider = gateways
    assert [said.times for said in refused_since(consumer, ends[consumer])] == [6, 1, 1]
    assert [said.times for said in refused_since(provider, ends[provider])] == [4]
    await eventually(lambda: answers(scene))


async def test_diagnostics_say_how_each_time_stamping_service_does(scene: Scene) -> None:
    async with scene.federation.api_of(scene.federation.consumer) as api:
        await eventually(lambda: scene.federation.consumer.timestamper.authorities()[0].last_success_at is not None)
        (well,) = await api.get("/diagnostics/timestamping-services")
        async with scene.federation.without_trust():
            await answers(scene)
            await eventually(lambda: scene.federation.consumer.timestamper.authorities()[0].is_failing)
            (failing,) = await api.get("/diagnostics/timestamping-services")
        addons = await api.get("/diagnostics/addon-status")
    assert (well["status_class"], "error" in well) == ("OK", False)
    assert well["prev_update_at"]
    assert failing["status_class"] == "FAIL"
    assert failing["error"]["metadata"][0].startswith("The time-stamping service")
    assert addons == {"messagelog_enabled": True, "opmonitoring_enabled": False}

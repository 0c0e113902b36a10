"""Kill -9 under load: what was answered has records on both sides, and the log opens by itself.

`SURMA_CRASH_KILLS` says how often (2 unless told otherwise); with 10 there are 500 calls.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from gateway.auditing.configurations import configurations_of
from gateway.landscape.federation import Federation
from gateway.landscape.tour import Tour
from gateway.messagelog import store
from gateway.runtime.database import open_database
from gateway.xroad.asic.container import read_container
from gateway.xroad.asic.verdict import Direction
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.globalconf.lookup import GlobalConf
from tests.crash.federation import Load, kill_at_random, running_federation

pytestmark = [pytest.mark.scenario, pytest.mark.slow]

KILLS = int(os.environ.get("SURMA_CRASH_KILLS", "2"))
CALLS = 500 if KILLS >= 10 else 60
SEED = random.SystemRandom().randrange(1_000_000)


async def test_what_was_answered_is_recorded_on_both_sides_however_often_a_gateway_dies(tmp_path: Path) -> None:
    async with running_federation(tmp_path / "state") as federation:
        load = Load(Tour.of(federation.landscape), CALLS)
        calling = asyncio.create_task(load.run())
        killed = await kill_at_random(federation, load, KILLS, random.Random(SEED))
        await calling
        assert len(killed) == KILLS
        assert len(load.outcomes) == CALLS
        assert len(load.answered) >= CALLS // 2, f"seed {SEED}: {[one.what for one in load.outcomes]}"
        await every_answer_is_proven(federation, load)
    for code in federation.servers:
        state = federation.server_state(code)
        await log_is_unbroken(state, at_least=2 * len(load.answered))
        assert not any(path.is_file() for path in (state / "spool").rglob("*")), f"seed {SEED}: orphans of {code}"
        assert orphan_bodies(state) == set(), f"seed {SEED}: bodies of {code}"


async def every_answer_is_proven(federation: Federation, load: Load) -> None:
    """Both servers give request and response of every answered call, and they verify."""
    tour = load.tour
    history = federation.server_state(federation.landscape.server_of(tour.client).code) / "history"
    globalconf = configurations_of(history, federation.anchor())(None).globalconf
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        for url, client in ((tour.consumer_url, tour.client), (tour.provider_url, tour.soap.client)):
            for query_id in load.answered:
                found = await verified_directions(http, url, tour, client, query_id, globalconf)
                assert found == [Direction.REQUEST, Direction.RESPONSE], f"seed {SEED}: {url} {query_id}"


async def verified_directions(
    http: httpx.AsyncClient, url: str, tour: Tour, client: str, query_id: str, globalconf: GlobalConf
) -> list[Direction]:
    """What the containers of one call are, each proven."""
    member_class, member_code, subsystem = client.split("/")
    answer = await http.get(
        f"{url}/asic",
        params={
            "xRoadInstance": tour.landscape.instance, "memberClass": member_class, "memberCode": member_code,
            "subsystemCode": subsystem, "queryId": query_id, "force": "",
        },
    )  # fmt: skip
    assert answer.status_code == 200, f"seed {SEED}: {url} {query_id}: {answer.text}"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        containers = [archive.read(name) for name in archive.namelist()]
    verdicts = [verify_container(read_container(data), globalconf) for data in containers]
    assert {verdict.id for verdict in verdicts} == {query_id}
    return [verdict.direction for verdict in verdicts]


async def log_is_unbroken(state: Path, *, at_least: int) -> None:
    """`surma gateway log check` says so, in a process of its own."""
    checking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "gateway", "log", "check", "--state", str(state), "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await checking.communicate()
    verdict = json.loads(output)
    assert checking.returncode == 0, f"seed {SEED}: {verdict}"
    assert verdict["records"] >= at_least


def orphan_bodies(state: Path) -> set[str]:
    """Bodies on disk that no record names."""
    folder = state / "bodies"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    database = open_database(f"sqlite:///{state}/messagelog.db")
    try:
        with database.reading() as connection:
            named = {
                body.location
                for record in store.walk_records(connection)
                for body in record.bodies
                if body.location is not None
            }
    finally:
        database.close()
    assert named <= there
    return there - named

"""A registry of one's own, as `docs/expose-a-registry.md` has it: published at one server, asked through the other."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.runtime.database import open_database
from gateway.xroad.identifiers import ServiceId
from registry_adapters.cli.publish import Publication, publish_through
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.registry import build, prepare
from registry_adapters.settings import RegistrySettings
from tests.factories.registry import served
from tests.scenarios.asking import DEMOGRAPHIC
from tests.scenarios.scene import Scene

pytestmark = [pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session")]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLIENT, SNAP = "GOV/10000002/DEMOGRAPHIC", "GOV/10000001/SNAP"
KENNELS = ServiceId(DEMOGRAPHIC, "kennels")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[tuple[str, AccessLog]]:
    """The example of a CSV file, served; its URL and its access log."""
    spec = importlib.util.spec_from_file_location("example_kennels", EXAMPLES / "kennels.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with closing(open_database(f"sqlite:///{tmp_path}/kennels.db")) as database:
        prepare(module.registry, database, RegistrySettings())
        with served(build(module.registry, database, RegistrySettings())) as url:
            yield url, AccessLog(database)


@pytest_asyncio.fixture(loop_scope="session")
async def published(scene: Scene, registry: tuple[str, AccessLog]) -> AsyncIterator[AccessLog]:
    """The example, published; taken back afterwards."""
    url, log = registry
    async with scene.federation.api_of(scene.federation.provider) as api:
        try:
            await publish_through(api, Publication(CLIENT, url, (SNAP,)))
            assert await publish_through(api, Publication(CLIENT, url, (SNAP,))) == []
            yield log
        finally:
            for one in await api.get(f"/clients/UA-DEMO:{CLIENT.replace('/', ':')}/service-descriptions"):
                if one["url"].startswith(url):
                    await api._send("DELETE", f"/service-descriptions/{one['id']}")


async def test_published_registry_is_asked_by_soap_and_rest(scene: Scene, published: AccessLog) -> None:
    where = scene.federation.url_of(scene.federation.consumer)
    command = [sys.executable, str(EXAMPLES / "ask.py"), where]
    asked = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr
    assert "<name>Будка на Подолі</name>" in asked.stdout
    assert "'owner_rnokpp': '3347300028'" in asked.stdout
    looks = published.looks_at("3347300028")
    assert [(look["dialect"], look["user_id"], look["issue"]) for look in looks] == [
        ("rest", "clerk-1", "case-7"),
        ("soap", "clerk-1", "case-7"),
    ]


async def test_who_was_given_no_right_is_refused(scene: Scene, published: AccessLog) -> None:
    answer = await scene.owner.rest("/kennels/0001", service=KENNELS, client=DEMOGRAPHIC)
    assert answer.code == "server.serverproxy.access_denied"
    assert published.looks_at("3347300028") == []

"""The admin API of a security server without an anchor and of one that is initialised, and a registry beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories.security_server import PIN, Registry, Server, a_published, a_registry, a_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that nobody has given an anchor yet."""
    async with a_server(tmp_path) as made:
        yield made


@pytest.fixture
async def fresh(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """Its admin API, called with every role."""
    async with server.client() as client:
        yield client


@pytest.fixture
async def api(fresh: httpx.AsyncClient) -> httpx.AsyncClient:
    """The admin API of a server with anchor, owner, PIN and one subsystem that nobody registered yet."""
    assert (await fresh.post("/system/anchor", content=a_published().anchor_xml())).status_code == 201
    initial = {
        "owner_member_class": "GOV",
        "owner_member_code": "1001",
        "security_server_code": "SS1",
        "software_token_pin": PIN,
    }
    assert (await fresh.post("/initialization", json=initial)).status_code == 201
    described = {"member_class": "GOV", "member_code": "1001", "subsystem_code": "client", "connection_type": "HTTP"}
    assert (await fresh.post("/clients", json={"client": described})).status_code == 201
    return fresh


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry's web server on loopback."""
    with a_registry() as serving:
        yield serving

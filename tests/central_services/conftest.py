"""A running central server and running trust services, each new for a test.

Initialising takes a while, so it is done once for the run; a test gets a copy of that state.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from central_services.main import CentralServices
from central_services.settings import CentralSettings
from central_services.state import StateDirectory
from central_services.trust.services import TrustServices
from gateway.runtime.accounts.api_keys import write_secret
from tests.factories.central import PIN, AdminClient, admin_client, central_settings, initialise, trust_settings


@pytest.fixture(scope="session")
def initialised_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a central server that publishes, stopped."""
    root = tmp_path_factory.mktemp("initialised")

    async def prepare() -> None:
        async with CentralServices(central_settings(), StateDirectory(root)) as running, admin_client(running) as api:
            await initialise(api, running.ports.configuration)

    asyncio.run(prepare())
    write_secret(root / "pin", PIN)
    return root


@pytest.fixture
def state(initialised_state: Path, tmp_path: Path) -> StateDirectory:
    """A copy of it."""
    return StateDirectory(shutil.copytree(initialised_state, tmp_path / "central", symlinks=True))


@pytest.fixture
def settings(state: StateDirectory) -> CentralSettings:
    """Settings that find the PIN in that copy."""
    return central_settings(token_pin_file=str(state.root / "pin"))


@pytest.fixture
async def running(state: StateDirectory, settings: CentralSettings) -> AsyncIterator[CentralServices]:
    """A central server that publishes."""
    async with CentralServices(settings, state) as central:
        yield central


@pytest.fixture
async def ready(running: CentralServices) -> AsyncIterator[AdminClient]:
    """Its admin API, over real TLS, with the first key."""
    async with admin_client(running) as client:
        yield client


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[CentralServices]:
    """A central server that nobody has initialised yet."""
    async with CentralServices(central_settings(), StateDirectory(tmp_path / "fresh")) as central:
        yield central


@pytest.fixture
async def fresh_api(fresh: CentralServices) -> AsyncIterator[AdminClient]:
    """Its admin API."""
    async with admin_client(fresh) as client:
        yield client


@pytest.fixture
async def trust(tmp_path: Path) -> AsyncIterator[TrustServices]:
    """Running trust services."""
    async with TrustServices(trust_settings(), tmp_path / "trust") as services:
        yield services

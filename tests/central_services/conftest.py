"""A running central server and running trust services, each new for a test.

Initialising takes a while, so it is done once for the run; a test gets a copy of that state.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from central_services.main import CentralServices
from central_services.settings import CentralSettings
from central_services.state import StateDirectory
from central_services.trust.services import TrustServices
from gateway.runtime.database import Database, open_database
from gateway.runtime.private_files import write_private
from tests.factories.central import PIN, AdminClient, admin_client, central_settings, initialise, trust_settings
from tests.factories.registered import fill, migrated


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def tables_made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database with all tables, once of each kind for the run; nothing is ever committed to it."""
    if request.param == "sqlite":
        yield from _with_tables(f"sqlite:///{tmp_path_factory.mktemp('tables')}/central.db")
        return
    server = request.getfixturevalue("postgres_url")
    name = f"central_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield from _with_tables(make_url(server).set(database=name).render_as_string(hide_password=False))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _with_tables(url: str) -> Iterator[Database]:
    database = migrated(open_database(url))
    yield database
    database.close()


@pytest.fixture
def empty(tables_made: Database) -> Iterator[Connection]:
    """A transaction over empty tables, rolled back at the end."""
    with tables_made.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@pytest.fixture
def tx(empty: Connection) -> Connection:
    """A transaction over a filled registry."""
    fill(empty)
    return empty


@pytest.fixture(scope="session")
def initialised_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a central server that publishes, stopped."""
    root = tmp_path_factory.mktemp("initialised")

    async def prepare() -> None:
        async with CentralServices(central_settings(), StateDirectory(root)) as running, admin_client(running) as api:
            await initialise(api, running.ports.configuration)

    asyncio.run(prepare())
    write_private(root / "pin", PIN)
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

"""A console with accounts over real TLS, with the user olena, and browsers that come to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.runtime.accounts import store, store_users
from gateway.runtime.accounts.model import AccountSettings, Grant
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock
from gateway.runtime.console.app import Console, console_app
from gateway.runtime.console.sign_in_pages import SessionDoor, account_pages
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database
from gateway.runtime.self_signed import ensure_tls_files, server_context
from tests.factories.pki import NOON

PASSWORD = "потяг до Ковеля о шостій"
SCOPE = "UA-DEMO/GOV/10000001"


class Port:
    """A console with the user olena, and browsers that come to it."""

    def __init__(self, url: str, context: ssl.SSLContext, clock: FixedClock, trail: Trail) -> None:
        self.url = url
        self.context = context
        self.clock = clock
        self.trail = trail

    def browser(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url, verify=self.context, trust_env=False, headers={"Accept-Language": "en", **headers}
        )

    def events(self) -> list[dict[str, Any]]:
        return self.trail.read()[::-1]


@pytest.fixture
async def port(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Port]:
    clock, trail = FixedClock(NOON), Trail(tmp_path, FixedClock(NOON))
    passwords = Passwords(memory_kib=64, passes=1, lanes=1)
    store.migrate_accounts(sqlite_database)
    with sqlite_database.transaction() as tx:
        user = store_users.add_user(tx, "olena", passwords.hash(PASSWORD), NOON)
        store_users.add_grant(tx, user, Grant("READER", SCOPE))
    sign_in = SignIn(sqlite_database, clock, passwords, AccountSettings())
    parts = [account_pages(sign_in, trail)]
    app = console_app(Console(SessionDoor(sign_in), lambda: "SS1", parts, requests_per_second=0, requests_per_minute=0))
    certificate, key = ensure_tls_files(tmp_path / "tls", "admin", NOON)
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    async with ControlServer(Listener(app, ssl_context=server_context(certificate, key))) as running:
        yield Port(running.url, context, clock, trail)

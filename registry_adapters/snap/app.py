"""The counter put together: databases, security server, cases, API and pages.

/api/…   the composer for other systems, by API key
/…       the pages of clerks, by name and password
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.runtime import texts
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.console.app import Console, console_app
from gateway.runtime.console.sign_in_pages import SessionDoor, account_pages
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import client_of
from registry_adapters.sdk.client import XRoadClient
from registry_adapters.snap.accounts import open_accounts, open_trail
from registry_adapters.snap.api import composer_api
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.pages import PREFIX, snap_pages
from registry_adapters.snap.recipes import load_recipes
from registry_adapters.snap.registries import Registries
from registry_adapters.snap.settings import SecurityServerSettings, SnapSettings

_API: Final = "/api"
POOL: Final = 16  # connections of readers; one writes


@dataclass(frozen=True, slots=True)
class Site:
    """The counter's application and the cases behind it."""

    app: ASGIApp
    cases: CaseService


class SnapPort:
    """Sends a request to the API or to the pages, by its path; each has a door of its own."""

    def __init__(self, api: ASGIApp, console: ASGIApp) -> None:
        self._api = api
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        for_api = path == _API or path.startswith(f"{_API}/")
        await (self._api if for_api else self._console)(scope, receive, send)


@contextmanager
def built(settings: SnapSettings, state: Path, *, clock: Clock | None = None) -> Iterator[Site]:
    """Give the counter over a state directory, with its threads running; they end with the block.

    Raises RecipeError for recipes that cannot be used, ValueError for settings that name nothing.
    """
    clock = clock or SystemClock()
    texts.register("registry_adapters")
    recipes = load_recipes(settings.recipes)
    with ExitStack() as stack:
        accounts = open_accounts(settings, state)
        stack.callback(accounts.close)
        database = open_state(settings, state)
        stack.callback(database.close)
        client = stack.enter_context(client_for(settings))
        cases = CaseService(database, recipes, Registries(client), settings, clock=clock)
        cases.go()
        stack.callback(cases.stop)
        sign_in = SignIn(accounts, clock, Passwords(), settings.accounts)
        console = Console(
            SessionDoor(sign_in),
            lambda: settings.security_server.client.rpartition("/")[2],
            [snap_pages(cases), account_pages(sign_in, open_trail(state, clock))],
            zone=ZoneInfo(settings.zone),
            secure=settings.listen.tls,
            requests_per_second=settings.listen.requests_per_second,
            requests_per_minute=settings.listen.requests_per_minute,
            name_id="snap.name",
            home=PREFIX,
        )
        api = composer_api(cases, accounts, settings.api, clock=clock)
        yield Site(SnapPort(api, console_app(console)), cases)


def open_state(settings: SnapSettings, state: Path) -> Database:
    """Return the database of cases."""
    return open_database(settings.database_url or f"sqlite:///{(state / 'snap.db').absolute()}", pool_size=POOL)


def client_for(settings: SnapSettings) -> XRoadClient:
    """Return the client of our security server."""
    server = settings.security_server
    identifier = client_of((server.instance, *server.client.split("/")))
    tls = _tls(server) if server.url.startswith("https:") else None
    return XRoadClient(server.url, identifier, tls=tls, timeout_s=settings.timeout_s)


def _tls(server: SecurityServerSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.authorities)
    if server.certificate is not None:
        context.load_cert_chain(server.certificate, server.key)
    return context

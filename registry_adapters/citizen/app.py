"""Composition of the citizen's site: one console for citizens, one for the holders of registries, over one database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.runtime import texts
from gateway.runtime.accounts.model import AccountSettings
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.console.app import Console, console_app
from gateway.runtime.console.formats import zone_named
from gateway.runtime.console.sign_in_pages import SessionDoor, account_pages
from gateway.runtime.database import Database
from registry_adapters.citizen.correction_pages import correction_pages
from registry_adapters.citizen.corrections import Corrections
from registry_adapters.citizen.deps import CitizenDeps
from registry_adapters.citizen.gathering import Gathering
from registry_adapters.citizen.holder_pages import PREFIX as QUEUE
from registry_adapters.citizen.holder_pages import holder_pages
from registry_adapters.citizen.oidc import OidcClient
from registry_adapters.citizen.settings import CitizenSettings, client_id
from registry_adapters.citizen.sign_in import CitizenSignIn
from registry_adapters.citizen.sign_in_pages import CALLBACK, FIRST_PAGE, sign_in_pages
from registry_adapters.citizen.usage_pages import usage_pages
from registry_adapters.sdk.client import XRoadClient


@dataclass(frozen=True, slots=True)
class CitizenSite:
    """The two applications and what has to be closed after them."""

    citizens: ASGIApp
    holders: ASGIApp
    deps: CitizenDeps

    def close(self) -> None:
        """Close connections and threads; the database is the caller's."""
        self.deps.gathering.close()
        self.deps.client.close()
        self.deps.sign_in.oidc.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def build(
    database: Database,
    settings: CitizenSettings,
    state: Path,
    clock: Clock | None = None,
    passwords: Passwords | None = None,
) -> CitizenSite:
    """Return the site over a prepared database; the audit trail of holders lies in `state`."""
    texts.register("registry_adapters")
    clock, zone = clock or SystemClock(), zone_named(settings.zone)
    public_url = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    holders_url = (settings.holders_url or f"http://{settings.holders_host}:{settings.holders_port}").rstrip("/")
    client = XRoadClient(settings.security_server, client_id(settings.client), timeout_s=settings.timeout_s)
    corrections = Corrections(database, clock, zone, settings.corrections)
    deps = CitizenDeps(
        settings,
        clock,
        CitizenSignIn(database, OidcClient(settings.oidc, public_url + CALLBACK, clock), clock, settings),
        client,
        Gathering(client, settings),
        corrections,
    )
    citizens = Console(
        deps.sign_in,
        lambda: settings.client,
        [usage_pages(deps), correction_pages(deps), sign_in_pages(deps)],
        zone=zone,
        name_id="citizen.name_citizens",
        secure=public_url.startswith("https:"),
        requests_per_second=settings.requests_per_second,
        requests_per_minute=settings.requests_per_minute,
    )
    (state / "audit").mkdir(parents=True, exist_ok=True)
    trail = Trail(state / "audit", clock)
    sign_in = SignIn(database, clock, passwords or Passwords(), AccountSettings())
    holders = Console(
        SessionDoor(sign_in),
        lambda: settings.client,
        [holder_pages(corrections, settings, trail), account_pages(sign_in, trail)],
        zone=zone,
        name_id="citizen.name_holders",
        secure=holders_url.startswith("https:"),
        requests_per_second=settings.requests_per_second,
        requests_per_minute=settings.requests_per_minute,
    )
    return CitizenSite(
        _beginning_at(FIRST_PAGE, console_app(citizens)), _beginning_at(QUEUE, console_app(holders)), deps
    )


def _beginning_at(path: str, app: ASGIApp) -> ASGIApp:
    """Return the application whose root leads to `path`: these sites have one thing to begin with."""

    async def begin(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await RedirectResponse(path, status_code=303)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return begin

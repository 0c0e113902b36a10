"""Port 4000: the admin API behind keys (X-Road security server admin API), and the console behind sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admin import roles
from gateway.admin.api.audit_trail import audit_trail_router
from gateway.admin.api.certificates import certificates_router
from gateway.admin.api.clients import clients_router
from gateway.admin.api.local_groups import local_groups_router
from gateway.admin.api.members import members_router
from gateway.admin.api.message_log import message_log_router
from gateway.admin.api.service_clients import service_clients_router
from gateway.admin.api.service_descriptions import service_descriptions_router
from gateway.admin.api.services import services_router
from gateway.admin.api.system import anchor_router, initialization_router, system_router, timestamping_router
from gateway.admin.api.tokens import keys_router, tokens_router
from gateway.admin.audit_events import EVENT_NAMES
from gateway.admin.deps import AdminDeps
from gateway.runtime.accounts.routes import accounts_router, authenticator
from gateway.runtime.admin_api import API_PREFIX, AdminApiSettings, install_error_handlers, protect
from gateway.runtime.audit.requests import RefusedKeys, recorded
from gateway.runtime.console.app import Console, ConsolePart, console_app
from gateway.runtime.console.sign_in_pages import SessionDoor, account_pages
from gateway.runtime.console.trail_pages import trail_pages

_API: Final = "/api"
# Routers that put deeds on record themselves, each with what it was asked.
_RECORD_THEMSELVES: Final = (f"{API_PREFIX}/audit/",)


class AdminPort:
    """Sends a request to the API or to the console, by its path; each has a door of its own."""

    def __init__(self, api: FastAPI, guarded_api: ASGIApp, console: ASGIApp) -> None:
        self.api = api
        self._guarded_api = guarded_api
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        path = scope.get("path", "")
        for_api = scope["type"] != "http" or path == _API or path.startswith(f"{_API}/")
        await (self._guarded_api if for_api else self._console)(scope, receive, send)


def admin_app(
    deps: AdminDeps,
    settings: AdminApiSettings,
    *,
    routers: Sequence[APIRouter] = (),
    consoles: Sequence[ConsolePart] = (),
    zone: tzinfo = UTC,
) -> AdminPort:
    """Return the ASGI application; `routers` and `consoles` are parts of other areas, under /api/v1 and under /."""
    api = _api(deps, routers)
    changes = recorded(api, deps.trail, EVENT_NAMES, prefix=API_PREFIX, watch=deps.watch, apart=_RECORD_THEMSELVES)
    guarded = protect(changes, authenticator(deps.database), settings, public=(), on_refused=RefusedKeys(deps.trail))
    console = Console(
        SessionDoor(deps.sign_in),
        deps.server_name,
        [
            account_pages(deps.sign_in, deps.trail),
            *consoles,
            trail_pages(deps.trail, roles.READ_AUDIT_LOG),
        ],
        zone=zone,
        requests_per_second=settings.requests_per_second,
        requests_per_minute=settings.requests_per_minute,
    )
    return AdminPort(api, guarded, console_app(console))


def _api(deps: AdminDeps, routers: Sequence[APIRouter]) -> FastAPI:
    app = FastAPI(title="Surma security server", openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    router = APIRouter(prefix=API_PREFIX)
    for part_of in (
        anchor_router,
        initialization_router,
        timestamping_router,
        system_router,
        message_log_router,
        tokens_router,
        keys_router,
        certificates_router,
        clients_router,
        service_descriptions_router,
        services_router,
        service_clients_router,
        local_groups_router,
        members_router,
    ):
        router.include_router(part_of(deps))
    router.include_router(audit_trail_router(deps))
    router.include_router(
        accounts_router(
            deps.database,
            deps.clock,
            roles=roles.GRANTABLE,
            managed_by=roles.SYSTEM_ADMINISTRATOR,
            check_grant=roles.checked_grant,
        )
    )
    for part in routers:
        router.include_router(part)
    app.include_router(router)
    return app

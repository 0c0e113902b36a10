"""The admin application of port 4000: every route behind an API key (X-Road security server admin API)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import PlainTextResponse

from gateway.admin import roles
from gateway.admin.api.certificates import certificates_router
from gateway.admin.api.clients import clients_router
from gateway.admin.api.local_groups import local_groups_router
from gateway.admin.api.members import members_router
from gateway.admin.api.service_clients import service_clients_router
from gateway.admin.api.service_descriptions import service_descriptions_router
from gateway.admin.api.services import services_router
from gateway.admin.api.system import anchor_router, initialization_router, system_router, timestamping_router
from gateway.admin.api.tokens import keys_router, tokens_router
from gateway.admin.deps import AdminDeps
from gateway.runtime.accounts.routes import accounts_router, authenticator
from gateway.runtime.admin_api import API_PREFIX, AdminApiSettings, install_error_handlers, protect


def admin_app(deps: AdminDeps, settings: AdminApiSettings) -> Any:
    """Return the ASGI application."""
    app = FastAPI(title="Surma security server", openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    router = APIRouter(prefix=API_PREFIX)
    for part in (
        anchor_router,
        initialization_router,
        timestamping_router,
        system_router,
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
        router.include_router(part(deps))
    router.include_router(
        accounts_router(deps.database, deps.clock, roles=roles.ALL, managed_by=roles.SYSTEM_ADMINISTRATOR)
    )
    app.include_router(router)

    @app.get("/", response_class=PlainTextResponse)
    def root() -> str:
        return "Surma security server. The admin API is under /api/v1.\n"

    return protect(app, authenticator(deps.database), settings)

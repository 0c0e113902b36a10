"""The admin application: every route behind a key, and each refusal with its code."""

from __future__ import annotations

from typing import Final

import yaml
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy.exc import IntegrityError
from starlette.types import ASGIApp

from central_services.admin import roles
from central_services.admin.api import (
    certification_services,
    clients,
    configuration_sources,
    global_groups,
    initialization,
    management_requests,
    management_services,
    members,
    security_servers,
    timestamping_services,
    tokens,
)
from central_services.admin.central import Central
from central_services.configuration_source.software_token import TokenError
from central_services.registry.errors import Conflict, NotFound, RegistryError
from gateway.runtime.accounts.routes import accounts_router, authenticator
from gateway.runtime.admin_api import API_PREFIX, ApiError, error_response, install_error_handlers, protect

_ROUTERS: Final = (
    initialization.router,
    tokens.router,
    configuration_sources.router,
    members.router,
    clients.router,
    security_servers.router,
    global_groups.router,
    certification_services.router,
    timestamping_services.router,
    management_services.router,
    management_requests.router,
)


def create_app(central: Central) -> ASGIApp:
    """Return the application for port 4000."""
    app = FastAPI(title="Surma central services", openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    app.add_exception_handler(RegistryError, _on_registry_error)
    app.add_exception_handler(TokenError, _on_token_error)
    app.add_exception_handler(IntegrityError, _on_integrity_error)
    for router in _ROUTERS:
        app.include_router(router(central), prefix=API_PREFIX)
    accounts = accounts_router(central.database, central.clock, roles=roles.ALL, managed_by=roles.SYSTEM_ADMINISTRATOR)
    app.include_router(accounts, prefix=API_PREFIX)

    @app.get(f"{API_PREFIX}/openapi.yaml")
    async def openapi() -> Response:
        return Response(yaml.safe_dump(app.openapi(), sort_keys=False), media_type="application/yaml")

    @app.get("/")
    async def index() -> PlainTextResponse:
        return PlainTextResponse("Surma central services\n")

    return protect(app, authenticator(central.database), central.settings.api)


async def _on_registry_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RegistryError)
    status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, Conflict) else 400
    return error_response(ApiError(status, error.code, *error.metadata))


async def _on_token_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TokenError)
    return error_response(tokens.token_refusal(error))


async def _on_integrity_error(_request: Request, _error: Exception) -> JSONResponse:
    """Two requests raced for one name: the database let only one of them have it."""
    return error_response(ApiError(409, "duplicate_entry"))

"""One registry behind one port: SOAP, REST, their descriptions and a health check, as an ASGI application.

    POST /  and  /soap              the SOAP service
    GET  /wsdl  (also /?wsdl)       its description
    any declared method and path    the REST service
    GET  /openapi.yaml .json        its description
    GET  /health                    200 while the database answers, else 503
    /usage/...                      what was asked about a person: a REST service with its own description

Requests come from security servers. Where the settings name their addresses, anybody else is refused
everything but the health check. A right to the REST service reaches every path here, also that of the SOAP
service, whose messages name their client themselves: SOAP that comes as REST is refused. Each request runs
in a worker thread; what goes wrong is one exception, written as a fault or a problem document here and
nowhere else.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import anyio
import anyio.to_thread
import yaml
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway.runtime.logs import exchange
from registry_adapters.sdk.context import CLIENT_HEADERS, context_of_http
from registry_adapters.sdk.errors import (
    InternalError,
    MethodError,
    NoSuchOperationError,
    Problem,
    RefusedError,
    RegistryError,
    TooLargeError,
    UnsupportedFormError,
)
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.openapi import build_openapi
from registry_adapters.sdk.operations import Runner, as_registry_error
from registry_adapters.sdk.rest_service import RestService, Route, read_query, read_request
from registry_adapters.sdk.soap_service import SoapService, answer_soap
from registry_adapters.sdk.wsdl import build_wsdl

_log: Final = logging.getLogger(__name__)

SOAP_PATHS: Final = ("/", "/soap")
SOAP_TYPE: Final = "text/xml; charset=UTF-8"
PROBLEM_TYPE: Final = "application/problem+json"
USAGE_PREFIX: Final = "/usage"
MAX_BODY_BYTES: Final = 1024 * 1024
WORKERS: Final = 8  # threads; the database's pool serves as many
_PRIVATE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Served:
    """What an application is built of."""

    soap: SoapService
    rest: RestService
    runner: Runner
    language: str = "en"
    public_url: str = ""  # as security servers see it; empty: what the request was addressed to
    security_servers: frozenset[str] = frozenset()  # addresses requests may come from; empty: any
    max_body_bytes: int = MAX_BODY_BYTES
    workers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WORKERS))
    usage: RestService | None = None  # served below /usage, outside the rules of purposes
    prefix: str = ""  # of the REST service within the registry's URL

    def address(self, request: Request) -> str:
        """Return the registry's own URL without a slash at its end."""
        return (self.public_url or str(request.base_url)).rstrip("/") + self.prefix


Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(registry: Served) -> FastAPI:
    """Return the application."""
    app = FastAPI(title=registry.rest.title, openapi_url=None, docs_url=None, redoc_url=None)
    soap_problem, rest_problem = _soap_problem(registry), _rest_problem(registry)
    soap, wsdl = _guarded(registry, _soap(registry), soap_problem), _guarded(registry, _wsdl(registry), rest_problem)
    for path in SOAP_PATHS:
        app.add_route(path, soap, methods=["POST"])
        app.add_route(path, wsdl, methods=["GET"])
    app.add_route("/wsdl", wsdl, methods=["GET"])
    app.add_route("/health", _health(registry), methods=["GET"])
    if registry.usage is not None:
        runner = replace(registry.runner, purposes=None)
        _add_rest(app, replace(registry, rest=registry.usage, runner=runner, prefix=USAGE_PREFIX), rest_problem)
    _add_rest(app, registry, rest_problem)
    app.add_exception_handler(HTTPException, _no_such_path(rest_problem))
    return app


def _add_rest(app: FastAPI, registry: Served, problem: Callable[[RegistryError], Response]) -> None:
    for suffix in ("json", "yaml"):
        described = _guarded(registry, _openapi(registry, suffix), problem)
        app.add_route(f"{registry.prefix}/openapi.{suffix}", described, methods=["GET"])
    for route in sorted(registry.rest.routes, key=lambda route: len(route.path_parameters)):
        answer = _guarded(registry, _rest(registry, route), problem)
        app.add_route(registry.prefix + route.path, answer, methods=[route.method])


def _guarded(registry: Served, endpoint: Endpoint, problem: Callable[[RegistryError], Response]) -> Endpoint:
    async def guard(request: Request) -> Response:
        identifier = request.headers.get("x-road-request-id") or request.headers.get("x-road-id") or ""
        with exchange(identifier[:100]):
            try:
                peer = request.client.host if request.client else ""
                if registry.security_servers and peer not in registry.security_servers:
                    raise RefusedError("registry.not_a_security_server", address=peer)
                return await endpoint(request)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as cause:  # the edge: whatever it is, the asker gets an answer
                error = as_registry_error(cause)
                if isinstance(error, InternalError):
                    _log.exception("a request failed")
                return problem(error)

    return guard


def _soap(registry: Served) -> Endpoint:
    async def soap(request: Request) -> Response:
        if any(name in request.headers for name in CLIENT_HEADERS):  # nobody has verified the client in the envelope
            raise RefusedError("registry.soap_as_rest")
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "text/xml":
            raise UnsupportedFormError("registry.content_type", expected="text/xml")
        raw = await _read_body(request, registry.max_body_bytes)
        answer = await anyio.to_thread.run_sync(
            answer_soap, registry.soap, raw, content_type, registry.runner, limiter=registry.workers
        )
        return Response(answer, media_type=SOAP_TYPE, headers=_PRIVATE)

    return soap


def _rest(registry: Served, route: Route) -> Endpoint:
    def answer(request: Request, body: bytes) -> bytes:
        query = read_query(request.scope["query_string"])
        context = context_of_http(request.headers, dict(query))
        path = [(name, str(value)) for name, value in request.path_params.items()]
        asked = read_request(route, path, query, body, request.headers.get("content-type", ""))
        return _dumped(to_json(registry.runner.run(route.operation, asked, context)))

    async def rest(request: Request) -> Response:
        body = await _read_body(request, registry.max_body_bytes)
        content = await anyio.to_thread.run_sync(answer, request, body, limiter=registry.workers)
        return Response(content, media_type="application/json", headers=_PRIVATE)

    return rest


def _wsdl(registry: Served) -> Endpoint:
    async def wsdl(request: Request) -> Response:
        if request.url.path in SOAP_PATHS and request.url.query.lower() != "wsdl":
            raise MethodError("registry.soap_by_post")
        described = build_wsdl(registry.soap, registry.address(request) + SOAP_PATHS[1])
        return Response(described, media_type=SOAP_TYPE)

    return wsdl


def _openapi(registry: Served, suffix: str) -> Endpoint:
    async def openapi(request: Request) -> Response:
        document = build_openapi(registry.rest, registry.address(request))
        if suffix == "json":
            return Response(_dumped(document), media_type="application/json")
        written = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        return Response(written, media_type="application/x-yaml")

    return openapi


def _health(registry: Served) -> Endpoint:
    def check() -> None:
        with registry.runner.database.reading() as connection:
            connection.execute(text("SELECT 1"))

    async def health(_request: Request) -> Response:
        try:
            await anyio.to_thread.run_sync(check, limiter=registry.workers)
        except SQLAlchemyError:
            _log.exception("the database does not answer")
            return JSONResponse({"status": "database_unavailable", "registry": registry.rest.name}, status_code=503)
        return JSONResponse({"status": "ok", "registry": registry.rest.name})

    return health


async def _read_body(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLargeError("registry.body_too_large", limit_bytes=limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _soap_problem(registry: Served) -> Callable[[RegistryError], Response]:
    def problem(error: RegistryError) -> Response:
        described = _logged(Problem(error, registry.language))
        return Response(described.as_soap_fault(), 500, media_type=SOAP_TYPE)  # SOAP 1.1, 6.2: a fault is a 500

    return problem


def _rest_problem(registry: Served) -> Callable[[RegistryError], Response]:
    def problem(error: RegistryError) -> Response:
        described = _logged(Problem(error, registry.language))
        return Response(_dumped(described.as_document()), error.status, media_type=PROBLEM_TYPE)

    return problem


def _no_such_path(problem: Callable[[RegistryError], Response]) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, cause: Exception) -> Response:
        status = cause.status_code if isinstance(cause, HTTPException) else 404
        if status == 405:
            return problem(MethodError("registry.method", method=request.method, path=request.url.path[:200]))
        return problem(NoSuchOperationError("registry.no_such_path", path=request.url.path[:200]))

    return handle


def _logged(problem: Problem) -> Problem:
    _log.info("no answer", extra={"fault_id": problem.id, "fault": str(problem.error)})
    return problem


def _dumped(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

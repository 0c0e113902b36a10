"""Services and endpoints: where they lie, and who may call (X-Road ServicesApiController.java)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import full_code, parse_service, row_id, show_service_id
from gateway.admin.subjects import Subjects
from gateway.runtime.admin_api import bad_request, conflict, not_found
from gateway.serverconf import store_services
from gateway.serverconf.model import Endpoint, ServiceKind, ServiceRecord
from gateway.xroad.identifiers import ClientId

MAX_TIMEOUT_S = 1000


class ServiceUpdate(BaseModel):
    """Body of PATCH /services/{id}; the `_all` flags change every service of the same description."""

    url: str
    timeout: int = Field(ge=0, le=MAX_TIMEOUT_S)
    ssl_auth: bool = True
    url_all: bool = False
    timeout_all: bool = False
    ssl_auth_all: bool = False
    ignore_warnings: bool = False


class ServiceClient(BaseModel):
    """A subject of a right."""

    id: str
    service_client_type: str | None = None
    local_group_code: str | None = None


class ServiceClients(BaseModel):
    """Body of granting and revoking."""

    items: list[ServiceClient]


class EndpointBody(BaseModel):
    """A method and path rule."""

    method: str = Field(pattern=r"^(\*|GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS|TRACE)$")
    path: str = Field(pattern=r"^(/|\*\*$)", max_length=4096)
    service_code: str | None = None


def show_service(tx: Connection, record: ServiceRecord) -> dict[str, Any]:
    """Return a service as the API shows it."""
    endpoints = store_services.list_endpoints(tx, record.id.provider, record.id.service_code)
    rights = store_services.list_rights(tx, [endpoint.id for endpoint in endpoints])
    shown = {
        "id": show_service_id(record.id),
        "full_service_code": full_code(record.id),
        "service_code": record.id.service_code,
        "timeout": record.timeout_s,
        "title": record.title or "",
        "ssl_auth": record.verify_tls,
        "subjects_count": len({right[1] for right in rights}),
        "url": record.url,
        "endpoints": [show_endpoint(endpoint, record.id.service_code) for endpoint in endpoints],
    }
    return shown


def show_endpoint(endpoint: Endpoint, service_code: str) -> dict[str, Any]:
    """Return an endpoint as the API shows it."""
    return {
        "id": str(endpoint.id),
        "service_code": service_code,
        "method": endpoint.method,
        "path": endpoint.path,
        "generated": endpoint.generated,
    }


def check_url(url: str) -> str:
    """Return the address of a description or service, which must be http or https."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise bad_request("invalid_url", url)
    return url


def services_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    _service_routes(router, deps)
    _endpoint_routes(router, deps)
    return router


def _subjects_of(deps: AdminDeps, provider: ClientId, endpoint_id: int) -> list[dict[str, Any]]:
    with deps.database.reading() as tx:
        subjects = Subjects(deps, tx, provider)
        return [subjects.show(value, at) for _, value, at in store_services.list_rights(tx, [endpoint_id])]


async def _grant(deps: AdminDeps, provider: ClientId, endpoint_id: int, body: ServiceClients) -> list[dict[str, Any]]:
    with deps.database.transaction() as tx:
        subjects = Subjects(deps, tx, provider)
        for item in body.items:
            subject = subjects.require(subjects.read(item.id, item.service_client_type))
            if not store_services.grant(tx, endpoint_id, subject, deps.now_ms()):
                raise conflict("duplicate_accessright", item.id)
    await deps.after_change()
    return _subjects_of(deps, provider, endpoint_id)


async def _revoke(deps: AdminDeps, provider: ClientId, endpoint_id: int, body: ServiceClients) -> None:
    with deps.database.transaction() as tx:
        subjects = Subjects(deps, tx, provider)
        for item in body.items:
            if not store_services.revoke(tx, endpoint_id, subjects.read(item.id, item.service_client_type)):
                raise not_found("accessright_not_found", item.id)
    await deps.after_change()


def _service_routes(router: APIRouter, deps: AdminDeps) -> None:
    def existing(text: str) -> ServiceRecord:
        services = deps.registrations.current().services
        found = services.get(parse_service(text, frozenset(services)))
        if found is None:
            raise not_found("service_not_found", text)
        return found

    def shown(record: ServiceRecord) -> dict[str, Any]:
        with deps.database.reading() as tx:
            return show_service(tx, record)

    def base_endpoint(record: ServiceRecord) -> int:
        with deps.database.reading() as tx:
            endpoints = store_services.list_endpoints(tx, record.id.provider, record.id.service_code)
        return next(endpoint.id for endpoint in endpoints if endpoint.is_base)

    @router.get("/services/{id}", dependencies=roles.VIEW)
    async def get(id: str) -> dict[str, Any]:
        return shown(existing(id))

    @router.patch("/services/{id}", dependencies=roles.KEEP_SERVICES)
    async def change(id: str, body: ServiceUpdate) -> dict[str, Any]:
        record = existing(id)
        url = check_url(body.url)
        with deps.database.transaction() as tx:
            description = store_services.find_description(tx, record.description_id)
            assert description is not None
            if record.kind is ServiceKind.REST:  # its description is its address
                store_services.set_description(tx, description.id, url=url)
            for other in description.services:
                mine = other.id == record.id
                changed = ServiceRecord(
                    other.id,
                    other.kind,
                    url if mine or body.url_all else other.url,
                    body.timeout if mine or body.timeout_all else other.timeout_s,
                    body.ssl_auth if mine or body.ssl_auth_all else other.verify_tls,
                    other.description_id,
                    other.title,
                )
                if changed != other:
                    store_services.put_service(tx, description.id, changed)
        await deps.after_change()
        return shown(existing(id))

    @router.get("/services/{id}/service-clients", dependencies=roles.VIEW)
    async def service_clients(id: str) -> list[dict[str, Any]]:
        record = existing(id)
        return _subjects_of(deps, record.id.provider, base_endpoint(record))

    @router.post("/services/{id}/service-clients", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def grant_service(id: str, body: ServiceClients) -> list[dict[str, Any]]:
        record = existing(id)
        return await _grant(deps, record.id.provider, base_endpoint(record), body)

    @router.post("/services/{id}/service-clients/delete", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def revoke_service(id: str, body: ServiceClients) -> None:
        record = existing(id)
        await _revoke(deps, record.id.provider, base_endpoint(record), body)

    @router.post("/services/{id}/endpoints", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def add_endpoint(id: str, body: EndpointBody) -> dict[str, Any]:
        record = existing(id)
        if record.kind is ServiceKind.WSDL:
            raise bad_request("wrong_servicedescription_type", record.kind.value)
        provider, code = record.id.provider, record.id.service_code
        with deps.database.transaction() as tx:
            there = store_services.list_endpoints(tx, provider, code)
            if any((endpoint.method, endpoint.path) == (body.method, body.path) for endpoint in there):
                raise conflict("endpoint_already_exists", body.method, body.path)
            new_id = store_services.put_endpoint(tx, provider, code, body.method, body.path, generated=False)
        await deps.after_change()
        return show_endpoint(Endpoint(new_id, body.method, body.path), code)


def _endpoint_routes(router: APIRouter, deps: AdminDeps) -> None:
    def existing(text: str) -> tuple[ClientId, str, Endpoint]:
        number = row_id(text)
        with deps.database.reading() as tx:
            found = store_services.find_endpoint(tx, number) if number is not None else None
        if found is None:
            raise not_found("endpoint_not_found", text)
        return found

    @router.get("/endpoints/{id}", dependencies=roles.VIEW)
    async def get_endpoint(id: str) -> dict[str, Any]:
        _, code, endpoint = existing(id)
        return show_endpoint(endpoint, code)

    @router.patch("/endpoints/{id}", dependencies=roles.KEEP_SERVICES)
    async def change_endpoint(id: str, body: EndpointBody) -> dict[str, Any]:
        provider, code, endpoint = existing(id)
        if endpoint.generated:
            raise bad_request("illegal_generated_endpoint_update", endpoint.path)
        with deps.database.transaction() as tx:
            for other in store_services.list_endpoints(tx, provider, code):
                if (other.method, other.path) == (body.method, body.path) and other.id != endpoint.id:
                    raise conflict("endpoint_already_exists", body.method, body.path)
            store_services.set_endpoint(tx, endpoint.id, body.method, body.path)
        await deps.after_change()
        return show_endpoint(Endpoint(endpoint.id, body.method, body.path), code)

    @router.delete("/endpoints/{id}", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def delete_endpoint(id: str) -> None:
        _, _, endpoint = existing(id)
        if endpoint.generated:
            raise bad_request("illegal_generated_endpoint_remove", endpoint.path)
        with deps.database.transaction() as tx:
            store_services.delete_endpoint(tx, endpoint.id)
        await deps.after_change()

    @router.get("/endpoints/{id}/service-clients", dependencies=roles.VIEW)
    async def endpoint_clients(id: str) -> list[dict[str, Any]]:
        provider, _, endpoint = existing(id)
        return _subjects_of(deps, provider, endpoint.id)

    @router.post("/endpoints/{id}/service-clients", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def grant_endpoint(id: str, body: ServiceClients) -> list[dict[str, Any]]:
        provider, _, endpoint = existing(id)
        return await _grant(deps, provider, endpoint.id, body)

    @router.post("/endpoints/{id}/service-clients/delete", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def revoke_endpoint(id: str, body: ServiceClients) -> None:
        provider, _, endpoint = existing(id)
        await _revoke(deps, provider, endpoint.id, body)

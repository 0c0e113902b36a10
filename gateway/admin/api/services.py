"""Services and endpoints: where they lie, and who may call (X-Road ServicesApiController.java)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import full_code, parse_service, show_ms, show_service_id, show_subject, subject
from gateway.runtime.admin_api import bad_request, conflict, not_found
from gateway.serverconf import store
from gateway.serverconf.model import BASE_METHOD, BASE_PATH, Endpoint, ServiceRecord, Subject
from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId

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
    service_client_type: str
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
    endpoints = store.list_endpoints(tx, record.id.provider, record.id.service_code)
    rights = store.list_rights(tx, [endpoint.id for endpoint in endpoints])
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


def show_client_of_service(value: Subject, given_at_ms: int, name: str | None) -> dict[str, Any]:
    """Return a subject with its right as the API shows it."""
    shown = {
        "id": show_subject(value),
        "name": name or "",
        "service_client_type": value.object_type,
        "rights_given_at": show_ms(given_at_ms),
    }
    if isinstance(value, LocalGroupId):
        shown["local_group_code"] = value.group_code
    return shown


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

    def existing(text: str) -> ServiceRecord:
        services = deps.registrations.current().services
        found = services.get(parse_service(text, frozenset(services)))
        if found is None:
            raise not_found("service_not_found", text)
        return found

    def existing_endpoint(text: str) -> tuple[ClientId, str, Endpoint]:
        with deps.database.reading() as tx:
            found = store.find_endpoint(tx, int(text)) if text.isdecimal() else None
        if found is None:
            raise not_found("endpoint_not_found", text)
        return found

    def shown(record: ServiceRecord) -> dict[str, Any]:
        with deps.database.reading() as tx:
            return show_service(tx, record)

    def subjects_of(endpoint_id: int) -> list[dict[str, Any]]:
        globalconf = deps.find_globalconf()

        def name(value: Subject) -> str | None:
            if globalconf is None or isinstance(value, GlobalGroupId | LocalGroupId):
                return None
            return globalconf.member_name(value)

        with deps.database.reading() as tx:
            rights = store.list_rights(tx, [endpoint_id])
        return [show_client_of_service(value, at, name(value)) for _, value, at in rights]

    def base_endpoint(record: ServiceRecord) -> int:
        with deps.database.transaction() as tx:
            provider, code = record.id.provider, record.id.service_code
            return store.put_endpoint(tx, provider, code, BASE_METHOD, BASE_PATH, generated=True)

    def read_subjects(body: ServiceClients) -> list[Subject]:
        return [
            subject(item.service_client_type, item.local_group_code or item.id)
            if item.service_client_type == "LOCALGROUP"
            else subject(item.service_client_type, item.id)
            for item in body.items
        ]

    async def grant(endpoint_id: int, body: ServiceClients) -> list[dict[str, Any]]:
        subjects = read_subjects(body)
        with deps.database.transaction() as tx:
            given = [store.grant(tx, endpoint_id, value, deps.now_ms()) for value in subjects]
            if subjects and not all(given):
                raise conflict("service_client_already_has_access", show_subject(subjects[given.index(False)]))
        await deps.after_change()
        return subjects_of(endpoint_id)

    async def revoke(endpoint_id: int, body: ServiceClients) -> None:
        with deps.database.transaction() as tx:
            for value in read_subjects(body):
                if not store.revoke(tx, endpoint_id, value):
                    raise bad_request("access_right_not_found", show_subject(value))
        await deps.after_change()

    @router.get("/services/{id}", dependencies=roles.VIEW)
    async def get(id: str) -> dict[str, Any]:
        return shown(existing(id))

    @router.patch("/services/{id}", dependencies=roles.KEEP_SERVICES)
    async def change(id: str, body: ServiceUpdate) -> dict[str, Any]:
        record = existing(id)
        url = check_url(body.url)
        with deps.database.transaction() as tx:
            description = store.find_description(tx, record.description_id)
            assert description is not None
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
                    store.put_service(tx, description.id, changed)
        await deps.after_change()
        return shown(existing(id))

    @router.get("/services/{id}/service-clients", dependencies=roles.VIEW)
    async def service_clients(id: str) -> list[dict[str, Any]]:
        return subjects_of(base_endpoint(existing(id)))

    @router.post("/services/{id}/service-clients", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def grant_service(id: str, body: ServiceClients) -> list[dict[str, Any]]:
        return await grant(base_endpoint(existing(id)), body)

    @router.post("/services/{id}/service-clients/delete", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def revoke_service(id: str, body: ServiceClients) -> None:
        await revoke(base_endpoint(existing(id)), body)

    @router.post("/services/{id}/endpoints", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def add_endpoint(id: str, body: EndpointBody) -> dict[str, Any]:
        record = existing(id)
        provider, code = record.id.provider, record.id.service_code
        with deps.database.transaction() as tx:
            if any((e.method, e.path) == (body.method, body.path) for e in store.list_endpoints(tx, provider, code)):
                raise conflict("endpoint_already_exists", body.method, body.path)
            new_id = store.put_endpoint(tx, provider, code, body.method, body.path, generated=False)
        await deps.after_change()
        return show_endpoint(Endpoint(new_id, body.method, body.path), code)

    @router.get("/endpoints/{id}", dependencies=roles.VIEW)
    async def get_endpoint(id: str) -> dict[str, Any]:
        _, code, endpoint = existing_endpoint(id)
        return show_endpoint(endpoint, code)

    @router.patch("/endpoints/{id}", dependencies=roles.KEEP_SERVICES)
    async def change_endpoint(id: str, body: EndpointBody) -> dict[str, Any]:
        _, code, endpoint = existing_endpoint(id)
        if endpoint.generated:
            raise bad_request("action_not_possible", "generated")
        with deps.database.transaction() as tx:
            store.set_endpoint(tx, endpoint.id, body.method, body.path)
        await deps.after_change()
        return show_endpoint(Endpoint(endpoint.id, body.method, body.path), code)

    @router.delete("/endpoints/{id}", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def delete_endpoint(id: str) -> None:
        _, _, endpoint = existing_endpoint(id)
        if endpoint.generated:
            raise bad_request("action_not_possible", "generated")
        with deps.database.transaction() as tx:
            store.delete_endpoint(tx, endpoint.id)
        await deps.after_change()

    @router.get("/endpoints/{id}/service-clients", dependencies=roles.VIEW)
    async def endpoint_clients(id: str) -> list[dict[str, Any]]:
        return subjects_of(existing_endpoint(id)[2].id)

    @router.post("/endpoints/{id}/service-clients", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def grant_endpoint(id: str, body: ServiceClients) -> list[dict[str, Any]]:
        return await grant(existing_endpoint(id)[2].id, body)

    @router.post("/endpoints/{id}/service-clients/delete", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def revoke_endpoint(id: str, body: ServiceClients) -> None:
        await revoke(existing_endpoint(id)[2].id, body)

    return router

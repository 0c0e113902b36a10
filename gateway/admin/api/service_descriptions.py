"""Service descriptions: WSDL, REST or OpenAPI; they start disabled (X-Road ServiceDescriptionService.java)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection

from gateway.admin import roles
from gateway.admin.api.services import check_url, show_service
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import full_code, row_id, show_client_id, show_ms
from gateway.runtime.admin_api import (
    ApiError,
    ApiWarning,
    bad_request,
    check_identifier,
    conflict,
    not_found,
    warnings_detected,
)
from gateway.runtime.fetch import FetchError, expect_ok
from gateway.serverconf import store_services
from gateway.serverconf.descriptions import DescribedService, parse_openapi, parse_wsdl
from gateway.serverconf.model import ServiceDescription, ServiceKind, ServiceRecord
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId

FIRST_NOTICE: Final = "Out of order"
DEFAULT_TIMEOUT_S: Final = 60
# X-Road: codes that the gateway answers itself (PR-META, PR-MREST, PR-OPMON).
RESERVED_CODES: Final = frozenset(
    {
        "allowedMethods",
        "getOpenAPI",
        "getSecurityServerHealthData",
        "getSecurityServerMetrics",
        "getSecurityServerOperationalData",
        "getWsdl",
        "listMethods",
    }
)


class ServiceDescriptionAdd(BaseModel):
    """Body of POST /clients/{id}/service-descriptions."""

    url: str
    type: str
    rest_service_code: str | None = None
    ignore_warnings: bool = False


class ServiceDescriptionUpdate(BaseModel):
    """Body of PATCH /service-descriptions/{id}."""

    url: str
    type: str
    rest_service_code: str | None = None
    new_rest_service_code: str | None = None
    ignore_warnings: bool = False


class DisabledNotice(BaseModel):
    """Body of PUT /service-descriptions/{id}/disable."""

    disabled_notice: str | None = None


class IgnoreWarnings(BaseModel):
    """Body of PUT /service-descriptions/{id}/refresh."""

    ignore_warnings: bool = False


@dataclass(frozen=True, slots=True)
class ReadDescription:
    """What a description says: its services, and endpoints of the one REST service."""

    services: tuple[DescribedService, ...]
    endpoints: tuple[tuple[str, str], ...] = ()


def show_description(description: ServiceDescription, deps: AdminDeps) -> dict[str, Any]:
    """Return a service description as the API shows it."""
    with deps.database.reading() as tx:
        services = [show_service(tx, record) for record in description.services]
    return {
        "id": str(description.id),
        "url": description.url,
        "type": description.kind.value,
        "disabled": description.disabled,
        "disabled_notice": description.disabled_notice or "",
        "refreshed_at": show_ms(description.refreshed_at_ms),
        "services": services,
        "client_id": show_client_id(description.client),
    }


async def read_description(deps: AdminDeps, kind: ServiceKind, url: str, rest_code: str | None) -> ReadDescription:
    """Download and read a description; a REST base address needs none.

    Raises ApiError (400) saying what is wrong with it.
    """
    if kind is not ServiceKind.WSDL:
        code = check_identifier("rest_service_code", rest_code or "")
        if kind is ServiceKind.REST:
            return ReadDescription((DescribedService(code, None, None, url),))
    try:
        document = expect_ok(await deps.fetcher.get(url))
    except FetchError as failure:
        raise bad_request("service_description_download_failed", url, str(failure)) from failure
    try:
        if kind is ServiceKind.WSDL:
            return ReadDescription(tuple(_checked(service) for service in parse_wsdl(document)))
        api = parse_openapi(document)
    except XRoadFault as fault:
        raise bad_request("invalid_wsdl" if kind is ServiceKind.WSDL else "openapi_parsing_error", str(fault)) from None
    return ReadDescription((DescribedService(code, None, None, _api_url(api.url, url)),), api.endpoints)


def _checked(service: DescribedService) -> DescribedService:
    for part in (service.code, *([] if service.version is None else [service.version])):
        try:
            check_identifier("service", part)
        except ApiError:
            raise bad_request("invalid_wsdl_service_identifier", part) from None
    try:
        check_url(service.url)
    except ApiError:
        raise bad_request("invalid_service_url", service.url) from None
    return service


def _api_url(server_url: str, document_url: str) -> str:
    if server_url.startswith(("http://", "https://")):
        return server_url
    origin = "/".join(document_url.split("/")[:3])
    return origin + (server_url if server_url.startswith("/") else "")


def store_description(tx: Connection, deps: AdminDeps, description: ServiceDescription, read: ReadDescription) -> None:
    """Make the stored services and generated endpoints those that were read; what people set by hand stays."""
    known = {record.id: record for record in description.services}
    wanted = {ServiceId(description.client, s.code, s.version): s for s in read.services}
    for gone in known.keys() - wanted.keys():
        store_services.delete_service(tx, description.id, gone)
    for service, described in wanted.items():
        before = known.get(service)
        # The address of a REST service is that of its description.
        keeps_url = before is not None and description.kind is not ServiceKind.REST
        store_services.put_service(
            tx,
            description.id,
            ServiceRecord(
                service,
                description.kind,
                before.url if before is not None and keeps_url else described.url,
                before.timeout_s if before is not None else DEFAULT_TIMEOUT_S,
                before.verify_tls if before is not None else described.url.startswith("https"),
                description.id,
                described.title,
            ),
        )
        if description.kind is ServiceKind.OPENAPI3:
            store_services.drop_generated_endpoints(tx, description.client, service.service_code, read.endpoints)
        for method, path in read.endpoints:
            store_services.put_endpoint(tx, description.client, service.service_code, method, path, generated=True)
    store_services.set_description(tx, description.id, refreshed_at_ms=deps.now_ms())


def check_free(deps: AdminDeps, client: ClientId, kind: ServiceKind, read: ReadDescription, own_id: int | None) -> None:
    """Refuse service codes that another description of this client, or the gateway itself, uses.

    Rights are kept by code, so a REST service shares its code with nobody, in whatever version.
    """
    others = [
        record
        for record in deps.registrations.current().services.values()
        if record.id.provider == client and record.description_id != own_id
    ]
    for described in read.services:
        if described.code in RESERVED_CODES:
            raise bad_request("service_code_reserved", described.code)
        for other in others:
            if other.id.service_code != described.code:
                continue
            if kind is not ServiceKind.WSDL or other.kind is not ServiceKind.WSDL:
                raise conflict("service_code_already_exists", full_code(other.id))
            if other.id.service_version == described.version:
                raise conflict("service_already_exists", full_code(other.id))


def check_url_free(tx: Connection, client: ClientId, kind: ServiceKind, url: str, own_id: int | None) -> None:
    """Refuse an address that another description of this client has."""
    for other in store_services.list_descriptions(tx, client):
        if other.url == url and other.id != own_id:
            raise conflict("wsdl_exists" if kind is ServiceKind.WSDL else "url_already_exists", url)


def warn_of_changes(description: ServiceDescription, read: ReadDescription) -> None:
    """Say which services of a WSDL would come and which would go, with their rights."""
    before = {full_code(record.id) for record in description.services}
    after = {full_code(ServiceId(description.client, s.code, s.version)) for s in read.services}
    changes = (("adding_services", after - before), ("deleting_services", before - after))
    warnings = [ApiWarning(code, tuple(sorted(names))) for code, names in changes if names]
    if description.kind is ServiceKind.WSDL and warnings:
        raise warnings_detected(warnings)


def service_descriptions_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    def existing(text: str) -> ServiceDescription:
        number = row_id(text)
        with deps.database.reading() as tx:
            found = store_services.find_description(tx, number) if number is not None else None
        if found is None:
            raise not_found("service_description_not_found", text)
        return found

    @router.get("/clients/{id}/service-descriptions", dependencies=roles.VIEW)
    async def list_descriptions(id: str) -> list[dict[str, Any]]:
        client = deps.existing_client(id).id
        with deps.database.reading() as tx:
            found = store_services.list_descriptions(tx, client)
        return [show_description(description, deps) for description in found]

    @router.post("/clients/{id}/service-descriptions", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def add(id: str, body: ServiceDescriptionAdd) -> dict[str, Any]:
        client = deps.existing_client(id).id
        kind = _kind(body.type)
        url = check_url(body.url)
        read = await read_description(deps, kind, url, body.rest_service_code)
        check_free(deps, client, kind, read, None)
        with deps.database.transaction() as tx:
            check_url_free(tx, client, kind, url, None)
            new_id = store_services.add_description(
                tx, client, url=url, kind=kind, disabled_notice=FIRST_NOTICE, refreshed_at_ms=deps.now_ms()
            )
            store_description(tx, deps, _found(tx, new_id), read)
        await deps.after_change()
        return show_description(existing(str(new_id)), deps)

    @router.get("/service-descriptions/{id}", dependencies=roles.VIEW)
    async def get(id: str) -> dict[str, Any]:
        return show_description(existing(id), deps)

    @router.get("/service-descriptions/{id}/services", dependencies=roles.VIEW)
    async def services(id: str) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = show_description(existing(id), deps)["services"]
        return shown

    @router.patch("/service-descriptions/{id}", dependencies=roles.KEEP_SERVICES)
    async def change(id: str, body: ServiceDescriptionUpdate) -> dict[str, Any]:
        description = existing(id)
        if _kind(body.type) is not description.kind:
            raise bad_request("wrong_servicedescription_type", description.kind.value)
        url = check_url(body.url)
        code = body.new_rest_service_code or body.rest_service_code
        read = await read_description(deps, description.kind, url, code)
        check_free(deps, description.client, description.kind, read, description.id)
        if not body.ignore_warnings:
            warn_of_changes(description, read)
        with deps.database.transaction() as tx:
            check_url_free(tx, description.client, description.kind, url, description.id)
            store_services.set_description(tx, description.id, url=url)
            if code is not None and description.kind is not ServiceKind.WSDL:
                for record in description.services:
                    store_services.rename_service(tx, description.id, record.id, code)
            store_description(tx, deps, _found(tx, description.id), read)
        await deps.after_change()
        return show_description(existing(id), deps)

    @router.put("/service-descriptions/{id}/refresh", dependencies=roles.KEEP_SERVICES)
    async def refresh(id: str, body: IgnoreWarnings | None = None) -> dict[str, Any]:
        description = existing(id)
        code = description.services[0].id.service_code if description.services else None
        read = await read_description(deps, description.kind, description.url, code)
        check_free(deps, description.client, description.kind, read, description.id)
        if body is None or not body.ignore_warnings:
            warn_of_changes(description, read)
        with deps.database.transaction() as tx:
            store_description(tx, deps, description, read)
        await deps.after_change()
        return show_description(existing(id), deps)

    # The reference's shipped answer to enable is 200, to disable 204.
    @router.put("/service-descriptions/{id}/enable", dependencies=roles.KEEP_SERVICES)
    async def enable(id: str) -> None:
        description = existing(id)
        with deps.database.transaction() as tx:
            store_services.set_description(tx, description.id, disabled=False, disabled_notice=None)
        await deps.after_change()

    @router.put("/service-descriptions/{id}/disable", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def disable(id: str, body: DisabledNotice | None = None) -> None:
        description = existing(id)
        notice = (body.disabled_notice if body is not None else None) or FIRST_NOTICE
        with deps.database.transaction() as tx:
            store_services.set_description(tx, description.id, disabled=True, disabled_notice=notice)
        await deps.after_change()

    @router.delete("/service-descriptions/{id}", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def delete(id: str) -> None:
        description = existing(id)
        with deps.database.transaction() as tx:
            store_services.delete_description(tx, description.id)
        await deps.after_change()

    return router


def _found(tx: Connection, description_id: int) -> ServiceDescription:
    description = store_services.find_description(tx, description_id)
    assert description is not None
    return description


def _kind(text: str) -> ServiceKind:
    try:
        return ServiceKind(text)
    except ValueError:
        raise bad_request("invalid_service_type", text) from None

"""/management-requests: submit, look at, approve, decline.

201 only when the request is approved at once, else 202, the types without a status included.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.configuration_source.addresses import is_address
from central_services.management import decisions, store
from central_services.management.model import ManagementRequest, NewRequest, Origin, RequestType, Status
from central_services.registry import store as registry_store
from gateway.runtime.accounts.model import Principal
from gateway.runtime.admin_api import (
    ApiError,
    api_time,
    bad_request,
    encode_id,
    principal_of,
    requires,
    validation_failure,
)
from gateway.runtime.certificate_details import certificate_details


class ManagementRequestBody(BaseModel):
    """Body of POST /management-requests; `type` says which of the optional fields matter."""

    type: RequestType
    origin: Origin
    security_server_id: str
    client_id: str | None = None
    server_address: str | None = Field(default=None, max_length=255)
    authentication_certificate: str | None = None
    subsystem_name: str | None = Field(default=None, max_length=255)
    message: str | None = Field(default=None, max_length=255)
    comments: str | None = Field(default=None, max_length=1000)

    def request(self) -> NewRequest:
        """Return the request as a fact."""
        if self.server_address and not is_address(self.server_address):
            raise bad_request("management_request_invalid_server_address")
        if self.type.names_client and not self.client_id:
            raise validation_failure({"clientId": ["NotNull"]})
        return NewRequest(
            type=self.type,
            origin=self.origin,
            server=answers.parse_server_id(self.security_server_id),
            client=answers.parse_client_id(self.client_id) if self.client_id else None,
            address=self.server_address,
            certificate_der=_certificate(self.authentication_certificate),
            subsystem_name=self.subsystem_name or None,
            message=self.message,
            comments=self.comments,
        )


def _certificate(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as cause:
        raise bad_request("management_request_invalid_auth_certificate") from cause


_SORT_KEYS: Final[dict[str, Callable[[ManagementRequest], Any]]] = {
    "id": lambda item: item.id,
    "created_at": lambda item: item.created_at,
    "type": lambda item: item.submitted.type.value,
    "security_server_owner": lambda item: str(item.submitted.server.owner),
    "security_server_id": lambda item: str(item.submitted.server),
    "status": lambda item: "" if item.status is None else item.status.value,
}


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/management-requests")
    officer = [requires(roles.REGISTRATION_OFFICER)]
    _submission(routes, central)

    @routes.get("", dependencies=officer)
    async def find(
        query: str = "",
        origin: Origin | None = None,
        types: list[RequestType] | None = Query(default=None),  # noqa: B008  FastAPI's way
        status: Status | None = None,
        server_id: str | None = None,
        sort: str = "id",
        desc: bool = False,
        limit: int = Query(default=25),
        offset: int = Query(default=0),
    ) -> dict[str, Any]:
        if sort not in _SORT_KEYS:
            raise bad_request("invalid_sort_properties", sort)
        server = answers.parse_server_id(server_id) if server_id else None

        def matches(item: ManagementRequest) -> bool:
            said = item.submitted
            return (
                (origin is None or said.origin is origin)
                and (not types or said.type in types)
                and (status is None or item.status is status)
                and (server is None or said.server == server)
                and all(w in f"{said.server} {said.client or ''}".lower() for w in query.lower().split())
            )

        def work(tx: Connection) -> tuple[list[dict[str, Any]], dict[str, int]]:
            found = sorted(filter(matches, store.requests(tx)), key=_SORT_KEYS[sort], reverse=desc)
            wanted, metadata = answers.page(found, limit, offset)
            return [_listed(tx, item) for item in wanted], metadata

        items, metadata = await central.read(work)
        return {"items": items, "paging_metadata": metadata}

    @routes.get("/{request_id}", dependencies=officer)
    async def get(request_id: int) -> dict[str, Any]:
        return await central.read(lambda tx: _detailed(tx, decisions.require(tx, request_id)))

    @routes.post("/{request_id}/approval", dependencies=officer)
    async def approve(request_id: int, request: Request) -> dict[str, Any]:
        now = central.clock.now()
        return await central.change(request, lambda tx: _shown(tx, decisions.approve(tx, request_id, now)))

    @routes.delete("/{request_id}", dependencies=officer)
    async def decline(request_id: int, request: Request) -> Response:
        # 200 and not the 204 of the OpenAPI file: what ManagementRequestsApiController.java answers.
        now = central.clock.now()
        await central.change(request, lambda tx: decisions.decline(tx, request_id, now))
        return Response(status_code=200)

    return routes


def _submission(routes: APIRouter, central: Central) -> None:
    @routes.post("", dependencies=[requires(roles.REGISTRATION_OFFICER, roles.MANAGEMENT_SERVICE)])
    async def add(body: ManagementRequestBody, request: Request, response: Response) -> dict[str, Any]:
        principal = principal_of(request)
        _may_submit(principal, body)
        new, now = body.request(), central.clock.now()
        at_once = _approved_at_once(central, principal, new)

        def work(tx: Connection) -> tuple[Status | None, dict[str, Any]]:
            made = decisions.submit(tx, new, now, approve_at_once=at_once)
            return made.status, _shown(tx, made)

        status, shown = await central.change(request, work)
        response.status_code = 201 if status is Status.APPROVED else 202
        return shown


def _may_submit(principal: Principal, body: ManagementRequestBody) -> None:
    """Only the management services speak for a security server; an officer asks for the plain four."""
    if body.origin is Origin.SECURITY_SERVER and not principal.has_any(roles.MANAGEMENT_SERVICE):
        raise ApiError(403, "forbidden")
    by_officer = (
        RequestType.AUTH_CERT_REGISTRATION,
        RequestType.AUTH_CERT_DELETION,
        RequestType.CLIENT_REGISTRATION,
        RequestType.CLIENT_DELETION,
    )
    if body.type not in by_officer and not principal.has_any(roles.MANAGEMENT_SERVICE):
        raise ApiError(403, "forbidden")


def _approved_at_once(central: Central, principal: Principal, new: NewRequest) -> bool:
    settings = central.settings.management
    if settings.approve_own_requests and principal.has_any(roles.REGISTRATION_OFFICER):
        return True
    automatic = {
        RequestType.AUTH_CERT_REGISTRATION: settings.auto_approve_auth_cert_reg_requests,
        RequestType.CLIENT_REGISTRATION: settings.auto_approve_client_reg_requests,
    }
    return new.origin is Origin.SECURITY_SERVER and automatic.get(new.type, False)


def _shown(tx: Connection, item: ManagementRequest) -> dict[str, Any]:
    """Return a ManagementRequest with the fields of its type."""
    said = item.submitted
    owner = registry_store.find_member(tx, said.server.owner)
    shown: dict[str, Any] = {
        "id": item.id,
        "type": said.type.value,
        "origin": said.origin.value,
        "status": None if item.status is None else item.status.value,
        "security_server_id": encode_id(said.server.parts),
        "security_server_owner": None if owner is None else owner.name,
        "created_at": api_time(item.created_at),
        "updated_at": api_time(item.updated_at),
    }
    if said.client is not None:
        shown["client_id"] = encode_id(said.client.parts)
    if said.address is not None:
        shown["server_address"] = said.address
    if said.certificate_der is not None:
        shown["authentication_certificate"] = base64.b64encode(said.certificate_der).decode("ascii")
    if said.subsystem_name is not None:
        shown["subsystem_name"] = said.subsystem_name
    if said.message is not None:
        shown["message"] = said.message
    return shown


def _listed(tx: Connection, item: ManagementRequest) -> dict[str, Any]:
    """Return a ManagementRequestListView."""
    said = item.submitted
    owner = registry_store.find_member(tx, said.server.owner)
    member = None if said.client is None else registry_store.find_member(tx, said.client.member)
    return {
        "id": item.id,
        "type": said.type.value,
        "origin": said.origin.value,
        "status": None if item.status is None else item.status.value,
        "security_server_id": answers.server_id(said.server),
        "security_server_owner": None if owner is None else owner.name,
        "address": said.address,
        "client_id": None if said.client is None else answers.client_id(said.client),
        "client_owner_name": None if member is None else member.name,
        "client_subsystem_name": said.subsystem_name,
        "created_at": api_time(item.created_at),
    }


def _detailed(tx: Connection, item: ManagementRequest) -> dict[str, Any]:
    """Return a ManagementRequestDetailedView."""
    der = item.submitted.certificate_der
    return {
        **_listed(tx, item),
        "comments": item.submitted.comments,
        "certificate_details": None if der is None else certificate_details(der),
    }

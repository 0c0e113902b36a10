"""/security-servers: addresses, authentication certificates and clients of the registered servers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.configuration_source.addresses import is_address
from central_services.management import withdrawals
from central_services.registry import security_servers, store, store_servers
from central_services.registry.model import SecurityServer
from gateway.runtime.admin_api import bad_request, requires, validation_failure
from gateway.runtime.certificate_details import certificate_details


class SecurityServerAddress(BaseModel):
    """Body of PATCH /security-servers/{id}."""

    server_address: str = Field(max_length=255)


_SORT_KEYS = {
    "xroad_id.server_code": lambda server: server.id.server_code,
    "server_code": lambda server: server.id.server_code,
    "owner_name": lambda server: server.owner_name.lower(),
    "id": lambda server: str(server.id),
}


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/security-servers", dependencies=[requires(roles.REGISTRATION_OFFICER)])

    @routes.get("")
    async def find(
        q: str = "",
        sort: str = "id",
        desc: bool = False,
        limit: int = Query(default=25),
        offset: int = Query(default=0),
    ) -> dict[str, Any]:
        if sort not in _SORT_KEYS:
            raise bad_request("invalid_sort_properties", sort)

        def matches(server: SecurityServer) -> bool:
            return all(word in f"{server.owner_name} {server.id}".lower() for word in q.lower().split())

        found = filter(matches, await central.read(store_servers.servers))
        shown, metadata = answers.page(sorted(found, key=_SORT_KEYS[sort], reverse=desc), limit, offset)
        return {"items": [answers.security_server(item) for item in shown], "paging_metadata": metadata}

    @routes.get("/{server_id}")
    async def get(server_id: str) -> dict[str, Any]:
        server = answers.parse_server_id(server_id)
        return answers.security_server(await central.read(lambda tx: security_servers.require_server(tx, server)))

    @routes.patch("/{server_id}")
    async def set_address(server_id: str, body: SecurityServerAddress, request: Request) -> dict[str, Any]:
        server, address = answers.parse_server_id(server_id), body.server_address.strip()
        if not is_address(address):
            raise validation_failure({"securityServerAddress.serverAddress": ["ServerAddress"]})
        now = central.clock.now()
        return answers.security_server(
            await central.change(request, lambda tx: security_servers.set_address(tx, server, address, now))
        )

    @routes.delete("/{server_id}", status_code=204)
    async def delete(server_id: str, request: Request) -> Response:
        server, now = answers.parse_server_id(server_id), central.clock.now()
        await central.change(request, lambda tx: withdrawals.withdraw_server(tx, server, now))
        return Response(status_code=204)

    @routes.get("/{server_id}/authentication-certificates")
    async def certificates(server_id: str) -> list[dict[str, Any]]:
        server = answers.parse_server_id(server_id)

        def work(tx: Connection) -> list[dict[str, Any]]:
            security_servers.require_server(tx, server)
            found = store_servers.auth_certificates(tx, server)
            return [{"id": item.id, **certificate_details(item.certificate_der)} for item in found]

        return await central.read(work)

    @routes.delete("/{server_id}/authentication-certificates/{certificate_id}", status_code=204)
    async def delete_certificate(server_id: str, certificate_id: int, request: Request) -> Response:
        server, now = answers.parse_server_id(server_id), central.clock.now()
        await central.change(request, lambda tx: withdrawals.withdraw_certificate(tx, server, certificate_id, now))
        return Response(status_code=204)

    @routes.get("/{server_id}/clients")
    async def clients(server_id: str) -> list[dict[str, Any]]:
        server = answers.parse_server_id(server_id)

        def work(tx: Connection) -> list[dict[str, Any]]:
            security_servers.require_server(tx, server)
            found = [item.client for item in store_servers.registrations_on(tx, server)]
            return [answers.client(client, name) for client, name in store.names_of(tx, found).items()]

        return await central.read(work)

    return routes

"""Clients: members and subsystems of this server, how they connect and their TLS certificates."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import show_client_id
from gateway.admin.token_shapes import show_certificate
from gateway.runtime.admin_api import (
    ApiWarning,
    bad_request,
    check_identifier,
    conflict,
    not_found,
    warnings_detected,
)
from gateway.runtime.certificate_details import certificate_details
from gateway.serverconf import store
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId
from gateway.xroad.pki.certificates import der_of, load_certificate, sha256_of

_WITH_THE_CENTRE: Final = (ClientStatus.REGISTRATION_IN_PROGRESS, ClientStatus.REGISTERED)


class ClientBody(BaseModel):
    """A client as callers describe it; the instance is this server's."""

    member_class: str
    member_code: str
    subsystem_code: str | None = None
    subsystem_name: str | None = None
    connection_type: str = "HTTPS"


class ClientAdd(BaseModel):
    """Body of POST /clients."""

    client: ClientBody
    ignore_warnings: bool = False


class ConnectionTypeWrapper(BaseModel):
    """Body of PATCH /clients/{id}."""

    connection_type: str


def show_client(client: LocalClient, conf: ServerConf, member_name: str | None) -> dict[str, Any]:
    """Return a client as the API shows it."""
    return {
        **_show_id(client.id),
        "member_name": member_name or "",
        "owner": conf.server is not None and client.id == conf.server.owner,
        "connection_type": client.connection_type.name,
        "status": client.status.name,
    }


def _show_id(client: ClientId) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": show_client_id(client),
        "instance_id": client.xroad_instance,
        "member_class": client.member.member_class,
        "member_code": client.member.member_code,
    }
    if client.subsystem_code is not None:
        shown["subsystem_code"] = client.subsystem_code
    return shown


def connection_type(name: str) -> ConnectionType:
    """Read HTTP, HTTPS or HTTPS_NO_AUTH."""
    try:
        return ConnectionType[name]
    except KeyError:
        raise bad_request("invalid_connection_type", name) from None


def clients_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    _client_routes(router, deps)
    _registration_routes(router, deps)
    _certificate_routes(router, deps)
    return router


def _is_owner(deps: AdminDeps, local: LocalClient) -> bool:
    conf = deps.registrations.current()
    return conf.server is not None and local.id == conf.server.owner


def _client_routes(router: APIRouter, deps: AdminDeps) -> None:
    def shown(client: ClientId) -> dict[str, Any]:
        conf = deps.registrations.current()
        local = conf.find_client(client)
        assert local is not None
        globalconf = deps.find_globalconf()
        return show_client(local, conf, globalconf.member_name(client) if globalconf is not None else None)

    def elsewhere() -> list[dict[str, Any]]:
        """Return everybody else whom the global configuration lists."""
        globalconf = deps.find_globalconf()
        if globalconf is None:
            return []
        here = deps.registrations.current().clients
        return [
            {**_show_id(client), "member_name": globalconf.member_name(client) or ""}
            for client in globalconf.clients()
            if client not in here
        ]

    @router.get("/clients", dependencies=roles.VIEW)
    async def list_clients(
        name: str | None = None,
        instance: str | None = None,
        member_class: str | None = None,
        member_code: str | None = None,
        subsystem_code: str | None = None,
        show_members: bool = True,
        internal_search: bool = False,
        exclude_local: bool = False,
    ) -> list[dict[str, Any]]:
        found = [] if exclude_local else [shown(client) for client in deps.registrations.current().clients]
        if not internal_search:
            found += elsewhere()
        wanted = {
            "member_name": name,
            "instance_id": instance,
            "member_class": member_class,
            "member_code": member_code,
            "subsystem_code": subsystem_code,
        }
        return [
            client
            for client in found
            if (show_members or "subsystem_code" in client)
            and all(part is None or part.lower() in client.get(key, "").lower() for key, part in wanted.items())
        ]

    @router.post("/clients", status_code=201, dependencies=roles.REGISTER)
    async def add_client(body: ClientAdd) -> dict[str, Any]:
        conf = deps.registrations.current()
        if conf.server is None:
            raise conflict("server_conf_not_initialized")
        asked = body.client
        member = MemberId(
            conf.server.owner.xroad_instance,
            check_identifier("client.member_class", asked.member_class),
            check_identifier("client.member_code", asked.member_code),
        )
        client: ClientId = member
        if asked.subsystem_code:
            client = SubsystemId(member, check_identifier("client.subsystem_code", asked.subsystem_code))
        globalconf = deps.find_globalconf()
        known = globalconf is not None and globalconf.member_name(member) is not None
        if not known and not body.ignore_warnings:
            raise warnings_detected([ApiWarning("unregistered_member", (show_client_id(member),))])
        kind = connection_type(asked.connection_type)
        try:
            with deps.database.transaction() as tx:
                store.add_client(tx, client, status=ClientStatus.SAVED, connection_type=kind)
        except IntegrityError:
            raise conflict("client_already_exists", show_client_id(client)) from None
        await deps.after_change()
        return shown(client)

    @router.get("/clients/{id}", dependencies=roles.VIEW)
    async def get_client(id: str) -> dict[str, Any]:
        return shown(deps.existing_client(id).id)

    @router.patch("/clients/{id}", dependencies=roles.CONNECT)
    async def set_connection_type(id: str, body: ConnectionTypeWrapper) -> dict[str, Any]:
        local = deps.existing_client(id)
        kind = connection_type(body.connection_type)
        with deps.database.transaction() as tx:
            store.set_connection_type(tx, local.id, kind)
        await deps.after_change()
        return shown(local.id)

    @router.delete("/clients/{id}", status_code=204, dependencies=roles.REGISTER)
    async def delete_client(id: str) -> None:
        local = deps.existing_client(id)
        if _is_owner(deps, local):
            raise conflict("cannot_delete_owner", id)
        if local.status in _WITH_THE_CENTRE:
            raise conflict("action_not_possible", local.status.name)
        with deps.database.transaction() as tx:
            store.delete_client(tx, local.id)
        await deps.after_change()


def _registration_routes(router: APIRouter, deps: AdminDeps) -> None:
    async def set_status(local: LocalClient, status: ClientStatus) -> None:
        with deps.database.transaction() as tx:
            store.set_client_status(tx, local.id, status)
        await deps.after_change()

    # The requests to the central services are made by their own API for now; these note that they are under way.
    @router.put("/clients/{id}/register", status_code=204, dependencies=roles.REGISTER)
    async def register(id: str) -> None:
        local = deps.existing_client(id)
        if _is_owner(deps, local):
            raise conflict("cannot_register_owner", id)
        if local.status not in (ClientStatus.SAVED, ClientStatus.REGISTRATION_IN_PROGRESS):
            raise conflict("action_not_possible", local.status.name)
        await set_status(local, ClientStatus.REGISTRATION_IN_PROGRESS)

    @router.put("/clients/{id}/unregister", status_code=204, dependencies=roles.REGISTER)
    async def unregister(id: str) -> None:
        local = deps.existing_client(id)
        if _is_owner(deps, local):
            raise conflict("cannot_unregister_owner", id)
        if local.status not in _WITH_THE_CENTRE:
            raise conflict("action_not_possible", local.status.name)
        await set_status(local, ClientStatus.DELETION_IN_PROGRESS)


def _certificate_routes(router: APIRouter, deps: AdminDeps) -> None:
    @router.get("/clients/{id}/sign-certificates", dependencies=roles.VIEW)
    def sign_certificates(id: str) -> list[dict[str, Any]]:
        member = deps.existing_client(id).id.member
        return [
            show_certificate(record, deps)
            for token in deps.keyring.tokens()
            for key in token.keys
            for record in key.certificates
            if record.member == member
        ]

    @router.get("/clients/{id}/tls-certificates", dependencies=roles.VIEW)
    async def list_certificates(id: str) -> list[dict[str, Any]]:
        return [certificate_details(der) for der in sorted(deps.existing_client(id).tls_certificates)]

    @router.post("/clients/{id}/tls-certificates", status_code=201, dependencies=roles.CONNECT)
    async def add_certificate(id: str, request: Request) -> dict[str, Any]:
        local = deps.existing_client(id)
        try:
            certificate = load_certificate(await request.body())
        except XRoadFault as fault:
            raise bad_request("invalid_certificate", str(fault)) from None
        try:
            with deps.database.transaction() as tx:
                store.add_tls_certificate(tx, local.id, sha256_of(certificate), der_of(certificate))
        except IntegrityError:
            raise conflict("certificate_already_exists") from None
        await deps.after_change()
        return certificate_details(der_of(certificate))

    @router.get("/clients/{id}/tls-certificates/{hash}", dependencies=roles.VIEW)
    async def get_certificate(id: str, hash: str) -> dict[str, Any]:
        wanted = hash.lower()
        for der in deps.existing_client(id).tls_certificates:
            if hashlib.sha256(der).hexdigest() == wanted:
                return certificate_details(der)
        raise not_found("certificate_not_found", hash)

    @router.delete("/clients/{id}/tls-certificates/{hash}", status_code=204, dependencies=roles.CONNECT)
    async def delete_certificate(id: str, hash: str) -> Response:
        local = deps.existing_client(id)
        with deps.database.transaction() as tx:
            removed = store.delete_tls_certificate(tx, local.id, hash.lower())
        if not removed:
            raise not_found("certificate_not_found", hash)
        await deps.after_change()
        return Response(status_code=204)

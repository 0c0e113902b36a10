"""Clients: members and subsystems of this server, how they connect and their TLS certificates."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import client_id, show_client_id
from gateway.runtime.admin_api import ApiWarning, bad_request, conflict, not_found, warnings_detected
from gateway.runtime.certificate_details import certificate_details
from gateway.serverconf import store
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId
from gateway.xroad.pki.certificates import der_of, load_certificate, sha256_of


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
    shown = {
        "id": show_client_id(client.id),
        "instance_id": client.id.xroad_instance,
        "member_name": member_name or "",
        "member_class": client.id.member.member_class,
        "member_code": client.id.member.member_code,
        "owner": conf.server is not None and client.id == conf.server.owner,
        "connection_type": client.connection_type.name,
        "status": client.status.name,
    }
    if client.id.subsystem_code is not None:
        shown["subsystem_code"] = client.id.subsystem_code
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

    def existing(text: str) -> LocalClient:
        found = deps.registrations.current().find_client(client_id(text))
        if found is None:
            raise not_found("client_not_found", text)
        return found

    def shown(client: ClientId) -> dict[str, Any]:
        conf = deps.registrations.current()
        local = conf.find_client(client)
        assert local is not None
        globalconf = deps.find_globalconf()
        return show_client(local, conf, globalconf.member_name(client) if globalconf is not None else None)

    @router.get("/clients", dependencies=roles.VIEW)
    async def list_clients() -> list[dict[str, Any]]:
        return [shown(client) for client in deps.registrations.current().clients]

    @router.post("/clients", status_code=201, dependencies=roles.REGISTER)
    async def add_client(body: ClientAdd) -> dict[str, Any]:
        conf = deps.registrations.current()
        if conf.server is None:
            raise conflict("server_conf_not_initialized")
        asked = body.client
        member = MemberId(conf.server.owner.xroad_instance, asked.member_class, asked.member_code)
        client: ClientId = SubsystemId(member, asked.subsystem_code) if asked.subsystem_code else member
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
        return shown(existing(id).id)

    @router.patch("/clients/{id}", dependencies=roles.CONNECT)
    async def set_connection_type(id: str, body: ConnectionTypeWrapper) -> dict[str, Any]:
        local = existing(id)
        kind = connection_type(body.connection_type)
        with deps.database.transaction() as tx:
            store.set_connection_type(tx, local.id, kind)
        await deps.after_change()
        return shown(local.id)

    @router.delete("/clients/{id}", status_code=204, dependencies=roles.REGISTER)
    async def delete_client(id: str) -> None:
        local = existing(id)
        conf = deps.registrations.current()
        if conf.server is not None and local.id == conf.server.owner:
            raise conflict("action_not_possible", "owner")
        if local.status is ClientStatus.REGISTERED:
            raise conflict("action_not_possible", "registered")
        with deps.database.transaction() as tx:
            store.delete_client(tx, local.id)
        await deps.after_change()

    @router.get("/clients/{id}/tls-certificates", dependencies=roles.VIEW)
    async def list_certificates(id: str) -> list[dict[str, Any]]:
        return [certificate_details(der) for der in sorted(existing(id).tls_certificates)]

    @router.post("/clients/{id}/tls-certificates", status_code=201, dependencies=roles.CONNECT)
    async def add_certificate(id: str, request: Request) -> dict[str, Any]:
        local = existing(id)
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
        for der in existing(id).tls_certificates:
            if hashlib.sha256(der).hexdigest() == wanted:
                return certificate_details(der)
        raise not_found("certificate_not_found", hash)

    @router.delete("/clients/{id}/tls-certificates/{hash}", status_code=204, dependencies=roles.CONNECT)
    async def delete_certificate(id: str, hash: str) -> Response:
        local = existing(id)
        with deps.database.transaction() as tx:
            removed = store.delete_tls_certificate(tx, local.id, hash.lower())
        if not removed:
            raise not_found("certificate_not_found", hash)
        await deps.after_change()
        return Response(status_code=204)

    return router

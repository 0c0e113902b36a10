"""Who is in the global configuration: instances, member classes, names, security servers; only looked up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import client_id, show_server_id
from gateway.runtime.admin_api import decode_id, not_found
from gateway.xroad.identifiers import MemberId, SecurityServerId, server_of


def members_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    def show_server(server: SecurityServerId) -> dict[str, Any]:
        globalconf = deps.find_globalconf()
        listed = globalconf.server(server) if globalconf is not None else None
        return {
            "id": show_server_id(server),
            "instance_id": server.owner.xroad_instance,
            "member_class": server.owner.member_class,
            "member_code": server.owner.member_code,
            "server_code": server.server_code,
            "server_address": (listed.address if listed is not None else None) or "",
        }

    @router.get("/security-servers", dependencies=roles.VIEW)
    def servers(current_server: bool = False) -> list[dict[str, Any]]:
        globalconf, mine = deps.find_globalconf(), deps.registrations.current().server
        if current_server:
            return [] if mine is None else [show_server(mine)]
        return [] if globalconf is None else [show_server(server.id) for server in globalconf.servers()]

    @router.get("/security-servers/{id}", dependencies=roles.VIEW)
    def server(id: str) -> dict[str, Any]:
        asked, globalconf = server_of(decode_id(id, 4)), deps.find_globalconf()
        if globalconf is None or globalconf.server(asked) is None:
            raise not_found("security_server_not_found", id)
        return show_server(asked)

    @router.get("/clients/{id}/security-servers", dependencies=roles.VIEW)
    def servers_of_client(id: str) -> list[dict[str, Any]]:
        globalconf, client = deps.find_globalconf(), client_id(id)
        return [] if globalconf is None else [show_server(server.id) for server in globalconf.servers_of(client)]

    @router.get("/xroad-instances", dependencies=roles.VIEW)
    def instances() -> list[dict[str, Any]]:
        globalconf = deps.find_globalconf()
        if globalconf is None:
            return []
        return [{"identifier": name, "local": name == globalconf.instance} for name in globalconf.instances]

    @router.get("/member-classes", dependencies=roles.VIEW)
    def member_classes(current_instance: bool = False) -> list[str]:
        globalconf = deps.find_globalconf()
        if globalconf is None:
            return []
        return list(globalconf.member_classes(globalconf.instance if current_instance else None))

    @router.get("/member-classes/{instance}", dependencies=roles.VIEW)
    def member_classes_of(instance: str) -> list[str]:
        globalconf = deps.find_globalconf()
        if globalconf is None or instance not in globalconf.instances:
            raise not_found("instance_identifier_not_found", instance)
        return list(globalconf.member_classes(instance))

    @router.get("/member-names", dependencies=roles.VIEW)
    def member_name(member_class: str, member_code: str) -> dict[str, str]:
        globalconf = deps.find_globalconf()
        name = None
        if globalconf is not None and member_class and member_code:
            name = globalconf.member_name(MemberId(globalconf.instance, member_class, member_code))
        if name is None:
            raise not_found("member_name_not_found", member_class, member_code)
        return {"member_name": name}

    return router

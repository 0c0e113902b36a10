"""GET /clients: members and subsystems, filtered and by pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.registry import store, store_groups, store_servers
from gateway.runtime.admin_api import bad_request, requires
from gateway.xroad.identifiers import ClientId

_Found = tuple[ClientId, str]

_SORT_KEYS: Final[dict[str, Callable[[_Found], str]]] = {
    "member_name": lambda found: found[1].lower(),
    "client_id.instance_id": lambda found: found[0].xroad_instance,
    "client_id.member_class": lambda found: found[0].member.member_class,
    "client_id.member_code": lambda found: found[0].member.member_code,
    "client_id.subsystem_code": lambda found: found[0].subsystem_code or "",
    "client_id.type": lambda found: found[0].object_type,
    "id": lambda found: str(found[0]),
}


def router(central: Central) -> APIRouter:
    """Return the route."""
    routes = APIRouter()

    @routes.get("/clients", dependencies=[requires(roles.REGISTRATION_OFFICER, roles.SECURITY_OFFICER)])
    async def clients(
        q: str = "",
        name: str = "",
        instance: str = "",
        member_class: str = "",
        member_code: str = "",
        subsystem_code: str = "",
        client_type: str = "",
        security_server: str = "",
        excluding_group: str = "",
        sort: str = "id",
        desc: bool = False,
        limit: int = Query(default=25),
        offset: int = Query(default=0),
    ) -> dict[str, Any]:
        if sort not in _SORT_KEYS:
            raise bad_request("invalid_sort_properties", sort)
        parts = {
            "xroad_instance": instance,
            "member_class": member_class,
            "member_code": member_code,
            "subsystem_code": subsystem_code,
        }

        def matches(found: _Found) -> bool:
            client, member_name = found
            own = {
                "xroad_instance": client.xroad_instance,
                "member_class": client.member.member_class,
                "member_code": client.member.member_code,
                "subsystem_code": client.subsystem_code or "",
            }
            everything = " ".join((member_name, *client.parts)).lower()
            return (
                (not client_type or client.object_type == client_type)
                and name.lower() in member_name.lower()
                and all(part.lower() in own[key].lower() for key, part in parts.items())
                and all(word in everything for word in q.lower().split())
            )

        found = await central.read(lambda tx: _all_clients(tx, security_server, excluding_group))
        ordered = sorted(filter(matches, found), key=_SORT_KEYS[sort], reverse=desc)
        shown, metadata = answers.page(ordered, limit, offset)
        return {"clients": [answers.client(*item) for item in shown], "paging_metadata": metadata}

    return routes


def _all_clients(tx: Connection, security_server: str, excluding_group: str) -> list[_Found]:
    names = {item.id: item.name for item in store.members(tx)}
    clients: list[ClientId] = [*names, *(item.id for item in store.subsystems(tx))]
    if security_server:
        server = answers.parse_server_id(security_server)
        on_server = {item.client for item in store_servers.registrations_on(tx, server)} | {server.owner}
        clients = [client for client in clients if client in on_server]
    if excluding_group:
        excluded = {item.client for item in store_groups.group_members(tx, excluding_group)}
        clients = [client for client in clients if client not in excluded]
    return [(client, names[client.member]) for client in clients]

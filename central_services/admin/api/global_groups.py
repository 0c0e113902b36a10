"""/global-groups and their members."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.registry import groups, store, store_groups
from central_services.registry.model import GroupMember
from gateway.runtime.admin_api import api_time, check_identifier, encode_id, requires

_DESCRIPTION = Field(min_length=1, max_length=255)


class GlobalGroupCodeAndDescription(BaseModel):
    """Body of POST /global-groups."""

    code: str
    description: str = _DESCRIPTION


class GlobalGroupDescription(BaseModel):
    """Body of PATCH /global-groups/{code}."""

    description: str = _DESCRIPTION


class Members(BaseModel):
    """Encoded identifiers of clients."""

    items: list[str] = Field(default_factory=list, max_length=10_000)


class PagingSorting(BaseModel):
    """How to page a search that is asked in a body."""

    sort: str = "id"
    desc: bool = False
    limit: int = 25
    offset: int = 0


class GroupMembersFilter(BaseModel):
    """Body of POST /global-groups/{code}/members."""

    query: str = ""
    member_class: str | None = None
    instance: str | None = None
    codes: list[str] = Field(default_factory=list)
    subsystems: list[str] = Field(default_factory=list)
    types: list[str] = Field(default_factory=list)
    paging_sorting: PagingSorting = Field(default_factory=PagingSorting)

    def matches(self, item: GroupMember, name: str) -> bool:
        """Tell whether a member of the group is sought."""
        client = item.client
        words = " ".join((name, *client.parts)).lower()
        return (
            all(word in words for word in self.query.lower().split())
            and self.member_class in (None, client.member.member_class)
            and self.instance in (None, client.xroad_instance)
            and (not self.codes or client.member.member_code in self.codes)
            and (not self.subsystems or client.subsystem_code in self.subsystems)
            and (not self.types or client.object_type in self.types)
        )


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/global-groups", dependencies=[requires(roles.REGISTRATION_OFFICER)])
    _group_routes(routes, central)
    _member_routes(routes, central)
    return routes


def _group_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("")
    async def find() -> list[dict[str, Any]]:
        return [answers.group(item) for item in await central.read(store_groups.groups)]

    @routes.post("", status_code=201)
    async def add(body: GlobalGroupCodeAndDescription, request: Request) -> dict[str, Any]:
        strict = central.settings.api.strict_identifier_checks
        code = check_identifier("globalGroupCodeAndDescription.code", body.code, strict=strict)
        now = central.clock.now()
        return answers.group(
            await central.change(request, lambda tx: groups.add_group(tx, code, body.description.strip(), now))
        )

    @routes.get("/{group_code}")
    async def get(group_code: str) -> dict[str, Any]:
        return answers.group(await central.read(lambda tx: groups.require_group(tx, group_code)))

    @routes.patch("/{group_code}")
    async def describe(group_code: str, body: GlobalGroupDescription, request: Request) -> dict[str, Any]:
        now, said = central.clock.now(), body.description.strip()
        return answers.group(await central.change(request, lambda tx: groups.describe_group(tx, group_code, said, now)))

    @routes.delete("/{group_code}", status_code=204)
    async def delete(group_code: str, request: Request) -> Response:
        await central.change(request, lambda tx: groups.delete_group(tx, group_code))
        return Response(status_code=204)


def _member_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("/{group_code}/members/filter-model")
    async def filter_model(group_code: str) -> dict[str, Any]:
        def work(tx: Connection) -> dict[str, Any]:
            groups.require_group(tx, group_code)
            clients = [item.client for item in store_groups.group_members(tx, group_code)]
            return {
                "instances": sorted({client.xroad_instance for client in clients}),
                "member_classes": sorted({client.member.member_class for client in clients}),
                "codes": sorted({client.member.member_code for client in clients}),
                "subsystems": sorted({client.subsystem_code for client in clients if client.subsystem_code}),
            }

        return await central.read(work)

    @routes.post("/{group_code}/members/add", status_code=201)
    async def add_members(group_code: str, body: Members, request: Request) -> dict[str, Any]:
        clients = [answers.parse_client_id(item) for item in body.items]
        now = central.clock.now()
        added = await central.change(request, lambda tx: groups.add_members(tx, group_code, clients, now))
        return {"items": [encode_id(client.parts) for client in added]}

    @routes.post("/{group_code}/members")
    async def find_members(group_code: str, body: GroupMembersFilter) -> dict[str, Any]:
        def work(tx: Connection) -> list[dict[str, Any]]:
            groups.require_group(tx, group_code)
            found = store_groups.group_members(tx, group_code)
            names = store.names_of(tx, (item.client for item in found))
            return [
                {
                    "id": item.id,
                    "client_id": answers.client_id(item.client),
                    "name": names[item.client],
                    "created_at": api_time(item.created_at),
                }
                for item in found
                if body.matches(item, names[item.client] or "")
            ]

        paging = body.paging_sorting
        found = await central.read(work)
        shown, metadata = answers.page(found[::-1] if paging.desc else found, paging.limit, paging.offset)
        return {"items": shown, "paging_metadata": metadata}

    @routes.delete("/{group_code}/members/{client_id}", status_code=204)
    async def delete_member(group_code: str, client_id: str, request: Request) -> Response:
        client = answers.parse_client_id(client_id)
        await central.change(request, lambda tx: groups.delete_member(tx, group_code, client))
        return Response(status_code=204)

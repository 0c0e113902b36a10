"""Local groups: others that a client calls together to give them rights (X-Road LocalGroupsApiController.java)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.exc import IntegrityError

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import client_id, row_id, show_client_id, show_ms
from gateway.runtime.admin_api import check_identifier, conflict, not_found
from gateway.serverconf import store_groups
from gateway.serverconf.model import LocalGroup
from gateway.xroad.identifiers import ClientId


class LocalGroupAdd(BaseModel):
    """Body of POST /clients/{id}/local-groups."""

    code: str
    description: str = Field(min_length=1, max_length=255)


class LocalGroupDescription(BaseModel):
    """Body of PATCH /local-groups/{id}."""

    description: str = Field(min_length=1, max_length=255)


class Members(BaseModel):
    """Body of adding and removing members: ids of clients."""

    items: list[str]


def local_groups_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    def existing(text: str) -> LocalGroup:
        number = row_id(text)
        with deps.database.reading() as tx:
            found = store_groups.find_local_group(tx, number) if number is not None else None
        if found is None:
            raise not_found("local_group_not_found", text)
        return found

    def show(group: LocalGroup, *, members: bool = True) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": str(group.id),
            "code": group.code,
            "description": group.description,
            "member_count": len(group.members),
            "updated_at": show_ms(group.updated_at_ms),
        }
        if members:
            globalconf = deps.find_globalconf()
            shown["members"] = [
                {
                    "id": show_client_id(member),
                    "member_name": (globalconf.member_name(member) if globalconf is not None else None) or "",
                    "created_at": show_ms(added_at_ms),
                }
                for _, member, added_at_ms in group.members
            ]
        return shown

    def known(text: str) -> ClientId:
        client, globalconf = client_id(text), deps.find_globalconf()
        if globalconf is None or not globalconf.is_known(client):
            raise not_found("local_group_member_not_found", text)
        return client

    @router.get("/clients/{id}/local-groups", dependencies=roles.VIEW)
    async def list_groups(id: str) -> list[dict[str, Any]]:
        client = deps.existing_client(id).id
        with deps.database.reading() as tx:
            return [show(group, members=False) for group in store_groups.list_local_groups(tx, client)]

    @router.post("/clients/{id}/local-groups", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def add_group(id: str, body: LocalGroupAdd) -> dict[str, Any]:
        client, code = deps.existing_client(id).id, check_identifier("code", body.code)
        try:
            with deps.database.transaction() as tx:
                new_id = store_groups.put_local_group(tx, client, code, body.description, deps.now_ms())
        except IntegrityError:
            raise conflict("local_group_code_already_exists", code) from None
        await deps.after_change()
        return show(existing(str(new_id)))

    @router.get("/local-groups/{id}", dependencies=roles.VIEW)
    async def get_group(id: str) -> dict[str, Any]:
        return show(existing(id))

    @router.patch("/local-groups/{id}", dependencies=roles.KEEP_SERVICES)
    async def describe(id: str, body: LocalGroupDescription) -> dict[str, Any]:
        group = existing(id)
        with deps.database.transaction() as tx:
            store_groups.set_local_group(tx, group.id, body.description, deps.now_ms())
        await deps.after_change()
        return show(existing(id))

    @router.delete("/local-groups/{id}", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def delete_group(id: str) -> None:
        group = existing(id)
        with deps.database.transaction() as tx:
            store_groups.delete_local_group(tx, group)
        await deps.after_change()

    @router.post("/local-groups/{id}/members", status_code=201, dependencies=roles.KEEP_SERVICES)
    async def add_members(id: str, body: Members) -> Members:
        group, members = existing(id), [known(text) for text in body.items]
        with deps.database.transaction() as tx:
            if not store_groups.add_to_local_group(tx, group.id, members, deps.now_ms()):
                raise conflict("local_group_member_already_exists")
        await deps.after_change()
        return body

    @router.post("/local-groups/{id}/members/delete", status_code=204, dependencies=roles.KEEP_SERVICES)
    async def remove_members(id: str, body: Members) -> None:
        group, members = existing(id), [client_id(text) for text in body.items]
        with deps.database.transaction() as tx:
            if not store_groups.take_from_local_group(tx, group.id, members, deps.now_ms()):
                raise not_found("local_group_member_not_found")
        await deps.after_change()

    return router

"""/member-classes, /members and /subsystems."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.management import withdrawals
from central_services.registry import members, store, store_groups, store_servers
from central_services.registry.model import MemberClass
from gateway.runtime.admin_api import api_time, check_identifier, encode_id, requires
from gateway.xroad.identifiers import MemberId, SubsystemId

_DESCRIPTION = Field(min_length=1, max_length=255)
_NAME = Field(min_length=1, max_length=255)


class NewMemberClass(BaseModel):
    """Body of POST /member-classes."""

    code: str
    description: str = _DESCRIPTION


class MemberClassDescription(BaseModel):
    """Body of PATCH /member-classes/{code}."""

    description: str = _DESCRIPTION


class NewMemberId(BaseModel):
    """A member without its instance, which is always this one."""

    member_class: str
    member_code: str


class MemberAdd(BaseModel):
    """Body of POST /members."""

    member_id: NewMemberId
    member_name: str = _NAME


class MemberName(BaseModel):
    """Body of PATCH /members/{id}."""

    member_name: str = _NAME


class NewSubsystemId(NewMemberId):
    """A subsystem without its instance."""

    subsystem_code: str


class SubsystemAdd(BaseModel):
    """Body of POST /subsystems."""

    subsystem_id: NewSubsystemId
    subsystem_name: str | None = Field(default=None, max_length=255)


class SubsystemName(BaseModel):
    """Body of PATCH /subsystems/{id}."""

    subsystem_name: str | None = Field(default=None, max_length=255)


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _class_routes(routes, central)
    _member_routes(routes, central)
    _member_views(routes, central)
    _subsystem_routes(routes, central)
    return routes


def _class_routes(routes: APIRouter, central: Central) -> None:
    readers = [requires(*roles.OFFICERS)]
    officer = [requires(roles.SECURITY_OFFICER)]

    def shown(item: MemberClass) -> dict[str, Any]:
        return {"code": item.code, "description": item.description}

    @routes.get("/member-classes", dependencies=readers)
    async def classes() -> list[dict[str, Any]]:
        return [shown(item) for item in await central.read(store.member_classes)]

    @routes.post("/member-classes", dependencies=officer, status_code=201)
    async def add_class(body: NewMemberClass, request: Request) -> dict[str, Any]:
        code = check_identifier("memberClass.code", body.code, strict=central.settings.api.strict_identifier_checks)
        return shown(
            await central.change(request, lambda tx: members.add_member_class(tx, code, body.description.strip()))
        )

    @routes.patch("/member-classes/{code}", dependencies=officer)
    async def describe_class(code: str, body: MemberClassDescription, request: Request) -> dict[str, Any]:
        return shown(
            await central.change(request, lambda tx: members.describe_member_class(tx, code, body.description.strip()))
        )

    @routes.delete("/member-classes/{code}", dependencies=officer, status_code=204)
    async def delete_class(code: str, request: Request) -> Response:
        await central.change(request, lambda tx: members.delete_member_class(tx, code))
        return Response(status_code=204)


def _member_routes(routes: APIRouter, central: Central) -> None:
    officer = [requires(roles.REGISTRATION_OFFICER)]

    @routes.post("/members", dependencies=officer, status_code=201)
    async def add_member(body: MemberAdd, request: Request) -> dict[str, Any]:
        strict = central.settings.api.strict_identifier_checks
        code = check_identifier("memberAdd.memberId.memberCode", body.member_id.member_code, strict=strict)
        item = await central.change(
            request,
            lambda tx: members.add_member(tx, body.member_id.member_class.strip(), code, body.member_name.strip()),
        )
        return answers.client(item.id, item.name)

    @routes.get("/members/{member_id}", dependencies=officer)
    async def get_member(member_id: str) -> dict[str, Any]:
        identifier = answers.parse_member_id(member_id)
        item = await central.read(lambda tx: members.require_member(tx, identifier))
        return answers.client(item.id, item.name)

    @routes.patch("/members/{member_id}", dependencies=officer)
    async def rename_member(member_id: str, body: MemberName, request: Request) -> dict[str, Any]:
        identifier = answers.parse_member_id(member_id)
        item = await central.change(request, lambda tx: members.rename_member(tx, identifier, body.member_name.strip()))
        return answers.client(item.id, item.name)

    @routes.delete("/members/{member_id}", dependencies=officer, status_code=204)
    async def delete_member(member_id: str, request: Request) -> Response:
        identifier = answers.parse_member_id(member_id)
        await central.change(request, lambda tx: members.delete_member(tx, identifier))
        return Response(status_code=204)

    @routes.delete("/members/{member_id}/servers/{server_id}", dependencies=officer, status_code=204)
    async def unregister_member(member_id: str, server_id: str, request: Request) -> Response:
        identifier, server = answers.parse_member_id(member_id), answers.parse_server_id(server_id)
        now = central.clock.now()
        await central.change(request, lambda tx: withdrawals.withdraw_client(tx, server, identifier, now))
        return Response(status_code=204)


def _member_views(routes: APIRouter, central: Central) -> None:
    officer = [requires(roles.REGISTRATION_OFFICER)]

    @routes.get("/members/{member_id}/subsystems", dependencies=officer)
    async def subsystems(member_id: str) -> list[dict[str, Any]]:
        identifier = answers.parse_member_id(member_id)
        return await central.read(lambda tx: _shown_subsystems(tx, identifier))

    @routes.get("/members/{member_id}/global-groups", dependencies=officer)
    async def groups(member_id: str) -> list[dict[str, Any]]:
        identifier = answers.parse_member_id(member_id)

        def work(tx: Connection) -> list[dict[str, Any]]:
            members.require_member(tx, identifier)
            return [
                {
                    "group_code": item.group_code,
                    "subsystem": item.client.subsystem_code,
                    "added_to_group": api_time(item.created_at),
                }
                for item in store_groups.groups_of(tx, identifier)
            ]

        return await central.read(work)

    @routes.get("/members/{member_id}/owned-servers", dependencies=officer)
    async def owned(member_id: str) -> list[dict[str, Any]]:
        identifier = answers.parse_member_id(member_id)
        found = await central.read(lambda tx: store_servers.servers_owned_by(tx, identifier))
        return [answers.security_server(item) for item in found]

    @routes.get("/members/{member_id}/used-servers", dependencies=officer)
    async def used(member_id: str) -> list[dict[str, Any]]:
        identifier = answers.parse_member_id(member_id)
        found = await central.read(lambda tx: store_servers.servers_used_by(tx, identifier))
        return [answers.security_server(item) for item in found]


def _shown_subsystems(tx: Connection, member: MemberId) -> list[dict[str, Any]]:
    members.require_member(tx, member)
    owners = {server.id: server.owner_name for server in store_servers.servers(tx)}
    return [
        {
            "subsystem_id": answers.client_id(item.id),
            "subsystem_name": item.name,
            "used_security_servers": [
                {
                    "encoded_id": encode_id(registration.server.parts),
                    "server_code": registration.server.server_code,
                    "server_owner": owners[registration.server],
                    "status": "APPROVED" if registration.enabled else "DISABLED",
                }
                for registration in store_servers.registrations_of(tx, item.id)
            ],
        }
        for item in store.subsystems(tx, member)
    ]


def _subsystem_routes(routes: APIRouter, central: Central) -> None:
    officer = [requires(roles.REGISTRATION_OFFICER)]

    def named(tx: Connection, subsystem: SubsystemId, name: str | None) -> dict[str, Any]:
        shown = answers.client(subsystem, members.require_member(tx, subsystem.member).name)
        return {**shown, "subsystem_name": name}

    @routes.post("/subsystems", dependencies=officer, status_code=201)
    async def add_subsystem(body: SubsystemAdd, request: Request) -> dict[str, Any]:
        strict = central.settings.api.strict_identifier_checks
        wanted = body.subsystem_id
        code = check_identifier("subsystemAdd.subsystemId.subsystemCode", wanted.subsystem_code, strict=strict)

        def work(tx: Connection) -> dict[str, Any]:
            member = MemberId(members.require_instance(tx), wanted.member_class.strip(), wanted.member_code.strip())
            item = members.add_subsystem(tx, SubsystemId(member, code), (body.subsystem_name or "").strip())
            return named(tx, item.id, item.name)

        return await central.change(request, work)

    @routes.patch("/subsystems/{subsystem_id}", dependencies=officer)
    async def rename(subsystem_id: str, body: SubsystemName, request: Request) -> dict[str, Any]:
        identifier = answers.parse_subsystem_id(subsystem_id)

        def work(tx: Connection) -> dict[str, Any]:
            item = members.rename_subsystem(tx, identifier, (body.subsystem_name or "").strip())
            return named(tx, item.id, item.name)

        return await central.change(request, work)

    @routes.delete("/subsystems/{subsystem_id}", dependencies=officer, status_code=204)
    async def delete(subsystem_id: str, request: Request) -> Response:
        identifier = answers.parse_subsystem_id(subsystem_id)
        await central.change(request, lambda tx: members.delete_subsystem(tx, identifier))
        return Response(status_code=204)

    @routes.delete("/subsystems/{subsystem_id}/servers/{server_id}", dependencies=officer, status_code=204)
    async def unregister(subsystem_id: str, server_id: str, request: Request) -> Response:
        identifier, server = answers.parse_subsystem_id(subsystem_id), answers.parse_server_id(server_id)
        now = central.clock.now()
        await central.change(request, lambda tx: withdrawals.withdraw_client(tx, server, identifier, now))
        return Response(status_code=204)

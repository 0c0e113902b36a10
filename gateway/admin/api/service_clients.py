"""Service clients: who may call what of one client, seen from those who call (X-Road ServiceClientService.java).

Rights here are rights to whole services; those to single endpoints stand beside the services.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Connection

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.ids import show_ms
from gateway.admin.subjects import Subjects
from gateway.runtime.admin_api import conflict, not_found
from gateway.serverconf import store_services
from gateway.serverconf.model import AccessRight, Subject
from gateway.xroad.identifiers import ClientId


class AccessRightBody(BaseModel):
    """A right to a service code, whatever the version."""

    service_code: str
    service_title: str | None = None
    rights_given_at: str | None = None


class AccessRights(BaseModel):
    """Body of granting and revoking."""

    items: list[AccessRightBody]


def service_clients_router(deps: AdminDeps) -> APIRouter:
    """Return the routes."""
    router = APIRouter()

    def rights_of(provider: ClientId) -> list[AccessRight]:
        rights = deps.registrations.current().rights
        return [right for (owner, _), given in rights.items() if owner == provider for right in given]

    def subject_with_rights(tx: Connection, provider: ClientId, text: str) -> Subject:
        subject = Subjects(deps, tx, provider).read(text)
        if not any(right.subject == subject for right in rights_of(provider)):
            raise not_found("service_client_not_found", text)
        return subject

    def show_rights(provider: ClientId, subject: Subject) -> list[dict[str, Any]]:
        services = deps.registrations.current().services
        titles = {s.service_code: record.title for s, record in services.items() if s.provider == provider}
        return [
            {
                "service_code": right.service_code,
                "service_title": titles.get(right.service_code) or "",
                "rights_given_at": show_ms(right.given_at_ms),
            }
            for right in sorted(rights_of(provider), key=lambda right: right.service_code)
            if right.subject == subject and right.endpoint.is_base
        ]

    def base_endpoint(tx: Connection, provider: ClientId, service_code: str) -> int:
        for endpoint in store_services.list_endpoints(tx, provider, service_code):
            if endpoint.is_base:
                return endpoint.id
        raise not_found("service_not_found", service_code)

    @router.get("/clients/{id}/service-clients", dependencies=roles.VIEW)
    async def list_subjects(id: str) -> list[dict[str, Any]]:
        provider = deps.existing_client(id).id
        first: dict[Subject, int] = {}
        for right in rights_of(provider):
            first[right.subject] = min(right.given_at_ms, first.get(right.subject, right.given_at_ms))
        with deps.database.reading() as tx:
            subjects = Subjects(deps, tx, provider)
            return [subjects.show(subject, given_at_ms) for subject, given_at_ms in first.items()]

    @router.get("/clients/{id}/service-client-candidates", dependencies=roles.VIEW)
    async def list_candidates(id: str, service_client_type: str | None = None) -> list[dict[str, Any]]:
        provider = deps.existing_client(id).id
        with deps.database.reading() as tx:
            subjects = Subjects(deps, tx, provider)
            return [
                subjects.show(one)
                for one in subjects.candidates()
                if service_client_type in (None, one.object_type) and one != provider
            ]

    @router.get("/clients/{id}/service-clients/{subject_id}", dependencies=roles.VIEW)
    async def get_subject(id: str, subject_id: str) -> dict[str, Any]:
        provider = deps.existing_client(id).id
        with deps.database.reading() as tx:
            return Subjects(deps, tx, provider).show(subject_with_rights(tx, provider, subject_id))

    @router.get("/clients/{id}/service-clients/{subject_id}/access-rights", dependencies=roles.VIEW)
    async def list_rights(id: str, subject_id: str) -> list[dict[str, Any]]:
        provider = deps.existing_client(id).id
        with deps.database.reading() as tx:
            subject = subject_with_rights(tx, provider, subject_id)
        return show_rights(provider, subject)

    @router.post(
        "/clients/{id}/service-clients/{subject_id}/access-rights",
        status_code=201,
        dependencies=roles.KEEP_SERVICES,
    )
    async def grant(id: str, subject_id: str, body: AccessRights) -> list[dict[str, Any]]:
        provider = deps.existing_client(id).id
        with deps.database.transaction() as tx:
            subjects = Subjects(deps, tx, provider)
            subject = subjects.require(subjects.read(subject_id))
            for item in body.items:
                if not store_services.grant(tx, base_endpoint(tx, provider, item.service_code), subject, deps.now_ms()):
                    raise conflict("duplicate_accessright", item.service_code)
        await deps.after_change()
        return show_rights(provider, subject)

    @router.post(
        "/clients/{id}/service-clients/{subject_id}/access-rights/delete",
        status_code=204,
        dependencies=roles.KEEP_SERVICES,
    )
    async def revoke(id: str, subject_id: str, body: AccessRights) -> None:
        provider = deps.existing_client(id).id
        with deps.database.transaction() as tx:
            subject = Subjects(deps, tx, provider).read(subject_id)
            for item in body.items:
                if not store_services.revoke(tx, base_endpoint(tx, provider, item.service_code), subject):
                    raise not_found("accessright_not_found", item.service_code)
        await deps.after_change()

    return router

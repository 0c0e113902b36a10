"""Certificates of our keys: import, use, registration (X-Road TokenCertificatesApiController.java).

The reference ships 204 for `register`, not the 200 of its OpenAPI file.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.faults import api_errors
from gateway.admin.key_rules import check_officer, usable_globalconf
from gateway.admin.token_shapes import show_certificate
from gateway.runtime.admin_api import bad_request, conflict
from gateway.signer.model import CertificateRecord, CertificateStatus, KeyUsage

_BEFORE_REGISTRATION: Final = (
    CertificateStatus.SAVED,
    CertificateStatus.REGISTRATION_IN_PROGRESS,
    CertificateStatus.GLOBAL_ERROR,
)
_WITH_THE_CENTRE: Final = (CertificateStatus.REGISTERED, CertificateStatus.REGISTRATION_IN_PROGRESS)


class SecurityServerAddress(BaseModel):
    """Body of PUT /token-certificates/{hash}/register."""

    address: str


def certificates_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of certificates."""
    router = APIRouter()

    def existing(hash: str) -> CertificateRecord:
        with api_errors():
            return deps.keyring.find_certificate(hash.lower())

    def in_charge_of(hash: str, http: Request) -> CertificateRecord:
        record = existing(hash)
        check_officer(http, KeyUsage.AUTHENTICATION if record.member is None else KeyUsage.SIGNING)
        return record

    async def changed() -> None:
        await deps.after_change()
        await deps.refresh_status()

    @router.post("/token-certificates", status_code=201, dependencies=roles.KEEP_KEYS)
    async def import_certificate(request: Request) -> dict[str, Any]:
        data, globalconf = await request.body(), usable_globalconf(deps)
        with api_errors():
            record = deps.keyring.import_certificate(data, globalconf, deps.clock.now(), activate=False)
            if record.member is not None:
                # The reference activates signing certificates as they are imported.
                record = deps.keyring.set_active(record.hash, True)
        await changed()
        return show_certificate(existing(record.hash), deps)

    @router.get("/token-certificates/{hash}", dependencies=roles.VIEW)
    def get_certificate(hash: str) -> dict[str, Any]:
        return show_certificate(existing(hash), deps)

    @router.put("/token-certificates/{hash}/activate", status_code=204, dependencies=roles.KEEP_KEYS)
    async def activate(hash: str, http: Request) -> None:
        deps.keyring.set_active(in_charge_of(hash, http).hash, True)
        await changed()

    @router.put("/token-certificates/{hash}/disable", status_code=204, dependencies=roles.KEEP_KEYS)
    async def disable(hash: str, http: Request) -> None:
        deps.keyring.set_active(in_charge_of(hash, http).hash, False)
        await changed()

    # The requests to the central services are made by their own API for now; these note that they are under way.
    @router.put("/token-certificates/{hash}/register", status_code=204, dependencies=roles.SECURE)
    async def register(hash: str, body: SecurityServerAddress) -> None:
        if not body.address.strip():
            raise bad_request("invalid_address_char", body.address)
        await move(hash, _BEFORE_REGISTRATION, CertificateStatus.REGISTRATION_IN_PROGRESS)

    @router.put("/token-certificates/{hash}/unregister", status_code=204, dependencies=roles.SECURE)
    async def unregister(hash: str) -> None:
        await move(hash, _WITH_THE_CENTRE, CertificateStatus.DELETION_IN_PROGRESS)

    @router.put("/token-certificates/{hash}/mark-for-deletion", status_code=204, dependencies=roles.SECURE)
    async def mark_for_deletion(hash: str) -> None:
        await move(hash, _WITH_THE_CENTRE, CertificateStatus.DELETION_IN_PROGRESS)

    async def move(hash: str, statuses: tuple[CertificateStatus, ...], status: CertificateStatus) -> None:
        record = existing(hash)
        if record.member is None and record.status not in statuses:
            raise conflict("action_not_possible", record.status.name)
        with api_errors():
            deps.keyring.set_status(record.hash, status)
        await changed()

    @router.delete("/token-certificates/{hash}", status_code=204, dependencies=roles.KEEP_KEYS)
    async def delete(hash: str, http: Request) -> None:
        record = in_charge_of(hash, http)
        with api_errors():
            deps.keyring.delete_certificate(record.hash)
        await deps.after_change()

    return router

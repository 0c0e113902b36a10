"""System: anchor, initialisation, time-stamping services, certificate authorities, diagnostics, version."""

from __future__ import annotations

import asyncio
import io
import tarfile
from datetime import datetime
from importlib.metadata import version
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gateway.admin import roles
from gateway.admin.deps import AdminDeps
from gateway.admin.faults import api_errors
from gateway.admin.ids import show_client_id, show_server_id
from gateway.configuration_client.model import AnchorFile, AnchorRefused
from gateway.runtime.admin_api import (
    ApiError,
    ApiWarning,
    api_time,
    bad_request,
    check_identifier,
    conflict,
    not_found,
    warnings_detected,
)
from gateway.runtime.certificate_details import certificate_details
from gateway.runtime.texts import render
from gateway.serverconf import store
from gateway.serverconf.model import ClientStatus, ConnectionType, TimestampingService
from gateway.xroad.identifiers import MemberId, SecurityServerId
from gateway.xroad.pki.certificates import load_certificate


class InitialServerConf(BaseModel):
    """Body of POST /initialization."""

    owner_member_class: str | None = None
    owner_member_code: str | None = None
    security_server_code: str | None = None
    software_token_pin: str | None = None
    ignore_warnings: bool = False


class TimestampingServiceBody(BaseModel):
    """A time-stamping service as callers name it; name and URL must be those of an approved one."""

    name: str
    url: str
    cost_type: str = "UNDEFINED"


def show_anchor(anchor: AnchorFile) -> dict[str, Any]:
    """Return an anchor as the API shows it."""
    generated_at = anchor.anchor.generated_at
    return {"hash": anchor.hash, "created_at": api_time(generated_at) if generated_at is not None else ""}


def anchor_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of the configuration anchor."""
    router = APIRouter()

    def current() -> AnchorFile:
        anchor = deps.configuration.anchor()
        if anchor is None:
            raise not_found("anchor_file_not_found")
        return anchor

    async def take(xml: bytes, *, keep_instance: bool) -> dict[str, Any]:
        try:
            anchor = await deps.configuration.set_anchor(xml, keep_instance=keep_instance)
        except AnchorRefused as refused:
            raise _anchor_error(refused) from refused
        await deps.after_change()
        return show_anchor(anchor)

    @router.get("/system/anchor", dependencies=roles.VIEW)
    def get_anchor() -> dict[str, Any]:
        return show_anchor(current())

    @router.post("/system/anchor", status_code=201, dependencies=roles.KEEP_TRUST)
    async def add_anchor(request: Request) -> dict[str, Any]:
        if deps.configuration.anchor() is not None:
            raise conflict("anchor_exists")
        return await take(await request.body(), keep_instance=False)

    @router.put("/system/anchor", status_code=201, dependencies=roles.KEEP_TRUST)
    async def replace_anchor(request: Request) -> dict[str, Any]:
        return await take(await request.body(), keep_instance=True)

    @router.post("/system/anchor/previews", status_code=201, dependencies=roles.KEEP_TRUST)
    async def preview(request: Request, validate_instance: bool = True) -> dict[str, Any]:
        try:
            anchor = deps.configuration.preview_anchor(await request.body(), validate_instance=validate_instance)
        except AnchorRefused as refused:
            raise _anchor_error(refused) from refused
        return show_anchor(anchor)

    @router.get("/system/anchor/download", dependencies=roles.KEEP_TRUST)
    def download() -> Response:
        anchor = current()
        name = f"configuration_anchor_{anchor.anchor.instance}_internal.xml"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(anchor.xml, media_type="application/octet-stream", headers=headers)

    # Beside the reference: what an operator who just changed something does not want to wait a minute for.
    @router.put("/system/configuration/refresh", status_code=204, dependencies=roles.KEEP_TRUST)
    async def refresh() -> None:
        status = await deps.configuration.refresh_now()
        await deps.after_change()
        if status.failure is not None:
            failure = status.failure
            raise ApiError(500, "conf_download_failed", render(failure.text_id, failure.facts))

    return router


def _anchor_error(refused: AnchorRefused) -> ApiError:
    return bad_request(refused.code, render(refused.failure.text_id, refused.failure.facts))


def initialization_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of initialisation: owner, server code and PIN, in one act."""
    router = APIRouter()

    @router.get("/initialization/status", dependencies=roles.VIEW)
    def status() -> dict[str, Any]:
        server = deps.registrations.current().server
        initialised = any(token.initialised for token in deps.keyring.tokens())
        return {
            "is_anchor_imported": deps.configuration.anchor() is not None,
            "is_server_code_initialized": server is not None,
            "is_server_owner_initialized": server is not None,
            "software_token_init_status": "INITIALIZED" if initialised else "NOT_INITIALIZED",
            "enforce_token_pin_policy": deps.enforce_pin_policy,
        }

    @router.post("/initialization", status_code=201, dependencies=roles.ADMINISTER)
    async def initialise(body: InitialServerConf) -> None:
        conf = deps.registrations.current()
        token_ready = any(token.initialised for token in deps.keyring.tokens())
        if conf.server is not None and token_ready:
            raise conflict("server_already_fully_initialized")
        with api_errors():
            globalconf = deps.configuration_provider.current()
        if conf.server is None:
            server = _server(body, globalconf.instance)
            _warn(body, globalconf.member_name(server.owner) is None, server, globalconf.server(server) is not None)
        if not token_ready:
            if not body.software_token_pin:
                raise bad_request("invalid_init_params", "software_token_pin")
            with api_errors():
                await asyncio.to_thread(deps.keyring.initialise, body.software_token_pin)
        if conf.server is None:
            with deps.database.transaction() as tx:
                store.set_server(tx, server)
                store.add_client(tx, server.owner, status=ClientStatus.SAVED, connection_type=ConnectionType.HTTPS)
        await deps.after_change()

    return router


def _server(body: InitialServerConf, instance: str) -> SecurityServerId:
    owner = MemberId(
        instance,
        check_identifier("owner_member_class", body.owner_member_class or ""),
        check_identifier("owner_member_code", body.owner_member_code or ""),
    )
    return SecurityServerId(owner, check_identifier("security_server_code", body.security_server_code or ""))


def _warn(body: InitialServerConf, owner_unknown: bool, server: SecurityServerId, exists: bool) -> None:
    warnings = []
    if owner_unknown:
        warnings.append(ApiWarning("init_unregistered_member", (show_client_id(server.owner),)))
    if exists:
        warnings.append(ApiWarning("init_server_id_exists", (show_server_id(server),)))
    if warnings and not body.ignore_warnings:
        raise warnings_detected(warnings)


def timestamping_router(deps: AdminDeps) -> APIRouter:
    """Return the routes of time-stamping services, approved and chosen."""
    router = APIRouter()

    def approved() -> list[TimestampingService]:
        globalconf = deps.find_globalconf()
        return [] if globalconf is None else [TimestampingService(tsa.name, tsa.url) for tsa in globalconf.tsas()]

    @router.get("/timestamping-services", dependencies=roles.VIEW)
    def list_approved() -> list[dict[str, str]]:
        return [_show_tsa(service) for service in approved()]

    @router.get("/system/timestamping-services", dependencies=roles.VIEW)
    def list_chosen() -> list[dict[str, str]]:
        return [_show_tsa(service) for service in deps.registrations.current().timestamping_services]

    @router.post("/system/timestamping-services", status_code=201, dependencies=roles.SECURE)
    async def choose(body: TimestampingServiceBody) -> dict[str, str]:
        service = TimestampingService(body.name, body.url)
        if service not in approved():
            raise not_found("timestamping_service_not_found", body.name)
        chosen = deps.registrations.current().timestamping_services
        if service in chosen:
            raise conflict("timestamping_service_already_configured", body.name)
        with deps.database.transaction() as tx:
            store.set_timestamping_services(tx, (*chosen, service))
        await deps.after_change()
        deps.stamp_soon()
        return _show_tsa(service)

    @router.post("/system/timestamping-services/delete", status_code=204, dependencies=roles.SECURE)
    async def forget(body: TimestampingServiceBody) -> None:
        service = TimestampingService(body.name, body.url)
        chosen = deps.registrations.current().timestamping_services
        if service not in chosen:
            raise not_found("timestamping_service_not_found", body.name)
        with deps.database.transaction() as tx:
            store.set_timestamping_services(tx, [one for one in chosen if one != service])
        await deps.after_change()

    return router


def _show_tsa(service: TimestampingService) -> dict[str, str]:
    return {"name": service.name, "url": service.url, "cost_type": "UNDEFINED"}


def system_router(deps: AdminDeps) -> APIRouter:
    """Return the remaining routes: CAs, the internal certificate, diagnostics of the configuration, version."""
    router = APIRouter()

    @router.get("/certificate-authorities", dependencies=roles.VIEW)
    def authorities(key_usage_type: str | None = None, include_intermediate_cas: bool = False) -> list[dict[str, Any]]:
        globalconf = deps.find_globalconf()
        if globalconf is None:
            return []
        return [
            {
                "name": authority.name,
                "subject_distinguished_name": authority.certificate.subject.rfc4514_string(),
                "issuer_distinguished_name": authority.certificate.issuer.rfc4514_string(),
                "ocsp_response": "NOT_AVAILABLE",
                "not_after": api_time(authority.certificate.not_valid_after_utc),
                "top_ca": authority.is_top,
                "path": authority.certificate.subject.rfc4514_string(),
                "authentication_only": authority.authentication_only,
                "certificate_profile_info": authority.profile,
            }
            for authority in globalconf.authorities(globalconf.instance)
            if (authority.is_top or include_intermediate_cas)
            and not (key_usage_type == "SIGNING" and authority.authentication_only)
        ]

    @router.get("/system/certificate", dependencies=roles.VIEW)
    def internal_certificate() -> dict[str, Any]:
        return certificate_details(deps.internal_certificate)

    @router.get("/system/certificate/export", dependencies=roles.VIEW)
    def export_certificate() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="certs.tar.gz"'}
        return Response(_certificate_archive(deps.internal_certificate), media_type="application/gzip", headers=headers)

    @router.get("/system/node-type", dependencies=roles.VIEW)
    def node_type() -> dict[str, str]:
        return {"node_type": "STANDALONE"}

    @router.get("/diagnostics/globalconf", dependencies=roles.VIEW_DIAGNOSTICS)
    def globalconf_status() -> dict[str, Any]:
        status = deps.configuration.status
        shown: dict[str, Any] = {
            "status_class": "WAITING" if status.previous_update is None else "FAIL" if status.failure else "OK",
            "prev_update_at": _time(status.previous_update),
            "next_update_at": _time(status.next_update),
        }
        if status.last_url is not None:
            shown["last_successful_url"] = status.last_url
        if status.failure is not None:
            text = render(status.failure.text_id, status.failure.facts)
            shown["error"] = {"code": status.failure.code, "metadata": [text]}
        return shown

    @router.get("/diagnostics/ocsp-responders", dependencies=roles.VIEW_DIAGNOSTICS)
    def ocsp_status() -> list[dict[str, Any]]:
        by_issuer: dict[str, list[dict[str, Any]]] = {}
        for status in deps.ocsp.statuses():
            shown: dict[str, Any] = {
                "url": status.url,
                "status_class": "FAIL" if status.error else "OK",
                "prev_update_at": _time(status.asked_at),
                "next_update_at": _time(status.next_at),
            }
            if status.error:
                shown["error"] = {"code": status.error}
            by_issuer.setdefault(status.issuer, []).append(shown)
        return [{"distinguished_name": name, "ocsp_responders": found} for name, found in by_issuer.items()]

    @router.get("/system/version", dependencies=roles.VIEW)
    def show_version() -> dict[str, str]:
        return {"info": f"Surma {version('surma')}"}

    return router


def _certificate_archive(certificate_der: bytes) -> bytes:
    """Return the archive in which the reference hands out its internal certificate: PEM and DER."""
    pem = load_certificate(certificate_der).public_bytes(Encoding.PEM)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in (("cert.pem", pem), ("cert.cer", certificate_der)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _time(at: datetime | None) -> str:
    return "" if at is None else api_time(at)

"""/configuration-sources: anchors, download address and configuration parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from sqlalchemy import Connection

from central_services.admin import roles
from central_services.admin.api.tokens import source_of
from central_services.admin.central import Central
from central_services.configuration_source import anchors, store
from central_services.configuration_source.model import SourceType, StoredAnchor, StoredPart
from central_services.configuration_source.publisher import CURRENT
from central_services.registry import store as registry_store
from central_services.registry.errors import Invalid, NotFound
from gateway.runtime.admin_api import api_time, requires
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.anchor import Anchor, anchor_file_name
from gateway.xroad.globalconf.directory import FILE_NAMES, PRIVATE_PARAMETERS, SHARED_PARAMETERS
from gateway.xroad.globalconf.optional_parts import (
    FETCH_INTERVAL,
    MONITORING,
    NEXT_UPDATE,
    parse_fetch_interval,
    parse_monitoring,
    parse_next_update,
)
from gateway.xroad.globalconf.optional_parts import FILE_NAMES as OPTIONAL_FILE_NAMES

_PARSERS: Final[dict[str, Callable[[bytes], object]]] = {
    MONITORING: parse_monitoring,
    NEXT_UPDATE: parse_next_update,
    FETCH_INTERVAL: parse_fetch_interval,
}
_EVERY_VERSION: Final = 0


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/configuration-sources/{configuration_type}")
    keepers = [requires(roles.SYSTEM_ADMINISTRATOR, roles.SECURITY_OFFICER)]
    officer = [requires(roles.SECURITY_OFFICER)]

    @routes.get("/anchor", dependencies=keepers)
    async def get_anchor(configuration_type: str) -> dict[str, Any]:
        source = source_of(configuration_type)
        found = await central.read(lambda tx: store.find_anchor(tx, source))
        return {} if found is None else {"anchor": _shown_anchor(found)}

    @routes.put("/anchor/re-create", dependencies=officer)
    async def re_create(configuration_type: str, request: Request) -> dict[str, Any]:
        source = source_of(configuration_type)
        settings = central.settings.configuration
        made = await central.change(
            request,
            lambda tx: anchors.rebuild(tx, source, settings, central.configuration_port(), central.clock.now()),
        )
        return _shown_anchor(made)

    @routes.get("/anchor/download", dependencies=officer)
    async def download_anchor(configuration_type: str) -> Response:
        source = source_of(configuration_type)

        def work(tx: Connection) -> tuple[str, StoredAnchor]:
            found = store.find_anchor(tx, source)
            if found is None:
                raise NotFound("configuration_not_found")
            instance = registry_store.read_parameters(tx).instance
            return anchor_file_name(Anchor(instance, (), found.generated_at), source.value), found

        name, anchor = await central.read(work)
        return _attachment(anchor.file, name)

    @routes.get("/download-url", dependencies=keepers)
    async def download_url(configuration_type: str) -> dict[str, Any]:
        source = source_of(configuration_type)
        settings = central.settings.configuration
        urls = await central.read(lambda tx: anchors.urls_of(tx, source, settings, central.configuration_port()))
        return {"url": urls[0]}

    @routes.get("/configuration-parts", dependencies=keepers)
    async def parts(configuration_type: str) -> list[dict[str, Any]]:
        source = source_of(configuration_type)
        uploaded = {part.content_id: part for part in await central.read(store.parts)}
        shown = [_shown_generated(central, content_id) for content_id in _generated_of(source)]
        if source is SourceType.INTERNAL:
            shown += [_shown_optional(content_id, uploaded.get(content_id)) for content_id in OPTIONAL_FILE_NAMES]
        return shown

    @routes.post("/configuration-parts", dependencies=keepers, status_code=204)
    async def upload(
        configuration_type: str,
        request: Request,
        content_identifier: str = Form(),
        file: UploadFile = File(),  # noqa: B008  FastAPI's way
    ) -> Response:
        if source_of(configuration_type) is not SourceType.INTERNAL or content_identifier not in _PARSERS:
            raise NotFound("unknown_configuration_part", content_identifier)
        data = await file.read()
        try:
            _PARSERS[content_identifier](data)
        except XRoadFault as cause:
            raise Invalid("configuration_part_validation_failed", str(cause)) from cause
        name = OPTIONAL_FILE_NAMES[content_identifier]
        part = StoredPart(content_identifier, name, data, central.clock.now())
        await central.change(request, lambda tx: store.set_part(tx, part))
        return Response(status_code=204)

    @routes.get("/configuration-parts/{content_identifier}/{version}/download", dependencies=keepers)
    async def download(configuration_type: str, content_identifier: str, version: int) -> Response:
        source = source_of(configuration_type)
        name, data = await central.read(lambda tx: _part(central, tx, source, content_identifier, version))
        return _attachment(data, name)

    return routes


def _generated_of(source: SourceType) -> tuple[str, ...]:
    return (PRIVATE_PARAMETERS, SHARED_PARAMETERS) if source is SourceType.INTERNAL else (SHARED_PARAMETERS,)


def _shown_anchor(anchor: StoredAnchor) -> dict[str, Any]:
    return {"hash": anchor.hash, "created_at": api_time(anchor.generated_at), "updated_at": None}


def _shown_generated(central: Central, content_id: str) -> dict[str, Any]:
    last = central.publisher.last
    return {
        "content_identifier": content_id,
        "file_name": FILE_NAMES[content_id],
        "optional": False,
        "file_updated_at": None if last is None else api_time(last.published_at),
        "version": max(central.publisher.versions),
    }


def _shown_optional(content_id: str, part: StoredPart | None) -> dict[str, Any]:
    return {
        "content_identifier": content_id,
        "file_name": OPTIONAL_FILE_NAMES[content_id],
        "optional": True,
        "file_updated_at": None if part is None else api_time(part.updated_at),
        "version": _EVERY_VERSION,
    }


def _part(central: Central, tx: Connection, source: SourceType, content_id: str, version: int) -> tuple[str, bytes]:
    if content_id in _generated_of(source):
        name = FILE_NAMES[content_id]
        path = central.publisher.directory / CURRENT / f"V{version}" / name
        if path.is_file():
            return name, path.read_bytes()
    if source is SourceType.INTERNAL:
        for part in store.parts(tx):
            if part.content_id == content_id:
                return part.file_name, part.data
    raise NotFound("configuration_part_file_not_found", content_id, version)


def _attachment(data: bytes, name: str) -> Response:
    quoted = name.replace('"', "_").replace("\\", "_").encode("ascii", "replace").decode()
    return Response(
        data,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{quoted}"'},
    )

"""/timestamping-services: the approved time-stamping authorities."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.api.certification_services import uploaded
from central_services.admin.central import Central
from central_services.registry import authorities, store, store_authorities
from central_services.registry.model import CostType, TimestampingService
from gateway.runtime.admin_api import requires


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/timestamping-services", dependencies=[requires(roles.SYSTEM_ADMINISTRATOR)])

    def shown(tx: Connection, item: TimestampingService) -> dict[str, Any]:
        return answers.timestamping_service(item, store.read_parameters(tx).timestamping_interval_s)

    @routes.get("")
    async def find() -> list[dict[str, Any]]:
        def work(tx: Connection) -> list[dict[str, Any]]:
            return [shown(tx, item) for item in store_authorities.timestamping_services(tx)]

        return await central.read(work)

    @routes.post("", status_code=201)
    async def add(
        request: Request,
        url: str = Form(),
        cost_type: CostType = Form(default=CostType.UNDEFINED),  # noqa: B008  FastAPI's way
        certificate: UploadFile = File(),  # noqa: B008
    ) -> dict[str, Any]:
        data = await certificate.read()
        return await central.change(
            request, lambda tx: shown(tx, authorities.add_timestamping_service(tx, url, data, cost_type))
        )

    @routes.get("/{service_id}")
    async def get(service_id: int) -> dict[str, Any]:
        return await central.read(lambda tx: shown(tx, authorities.require_timestamping_service(tx, service_id)))

    @routes.patch("/{service_id}")
    async def update(
        service_id: int,
        request: Request,
        url: str | None = Form(default=None),
        cost_type: CostType | None = Form(default=None),  # noqa: B008
        certificate: UploadFile | None = File(default=None),  # noqa: B008
    ) -> dict[str, Any]:
        data = await uploaded(certificate)
        return await central.change(
            request,
            lambda tx: shown(tx, authorities.update_timestamping_service(tx, service_id, url, data, cost_type)),
        )

    @routes.delete("/{service_id}", status_code=204)
    async def delete(service_id: int, request: Request) -> Response:
        await central.change(request, lambda tx: authorities.delete_timestamping_service(tx, service_id))
        return Response(status_code=204)

    return routes

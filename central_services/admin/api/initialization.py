"""/initialization and /system: instance, address and PIN, once; then what state the server is in."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central_services.admin import roles
from central_services.admin.central import Central
from central_services.configuration_source.addresses import is_address
from central_services.registry import groups, store, store_groups
from central_services.registry.errors import Conflict
from gateway.runtime.admin_api import bad_request, check_identifier, requires, validation_failure


class InitialServerConf(BaseModel):
    """Body of POST /initialization."""

    instance_identifier: str = Field(max_length=255)
    central_server_address: str = Field(max_length=255)
    software_token_pin: str = Field(min_length=1, max_length=255)


class CentralServerAddress(BaseModel):
    """Body of PUT /system/server-address."""

    central_server_address: str = Field(max_length=255)


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    officers = [requires(*roles.OFFICERS)]
    initialisers = [requires(roles.SYSTEM_ADMINISTRATOR, roles.SECURITY_OFFICER)]

    def status(tx: Connection) -> dict[str, Any]:
        parameters = store.read_parameters(tx)
        return {
            "instance_identifier": parameters.instance,
            "central_server_address": parameters.address,
            "software_token_init_status": "INITIALIZED" if central.token.initialised else "NOT_INITIALIZED",
        }

    def system_status(tx: Connection) -> dict[str, Any]:
        return {
            "initialization_status": status(tx),
            "high_availability_status": {"is_ha_configured": False, "node_name": "node_0"},
        }

    @routes.get("/initialization/status", dependencies=officers)
    async def initialization_status() -> dict[str, Any]:
        return await central.read(status)

    @routes.post("/initialization", dependencies=initialisers)
    async def initialize(body: InitialServerConf, request: Request) -> Response:
        instance = check_identifier("initialServerConf.instanceIdentifier", body.instance_identifier)
        address = _checked_address(body.central_server_address)

        def work(tx: Connection) -> None:
            known = store.read_parameters(tx)
            if known.initialised and central.token.initialised:
                raise Conflict("init_already_initialized")
            if not central.token.initialised:
                central.token.initialise(body.software_token_pin)
            if not known.instance:
                store.set_parameter(tx, store.INSTANCE, instance)
            if not known.address:
                store.set_parameter(tx, store.ADDRESS, address)
            if store_groups.find_group(tx, known.owners_group) is None:
                store_groups.add_group(tx, known.owners_group, groups.OWNERS_DESCRIPTION, central.clock.now())

        await central.change(request, work)
        return Response(status_code=200)

    @routes.get("/system/status", dependencies=officers)
    async def get_system_status() -> dict[str, Any]:
        return await central.read(system_status)

    @routes.get("/system/version", dependencies=officers)
    async def system_version() -> dict[str, Any]:
        return {"info": _version()}

    @routes.get("/system/high-availability-cluster/status", dependencies=officers)
    async def cluster_status() -> dict[str, Any]:
        return {"is_ha_configured": False, "node_name": "node_0", "nodes": [], "all_nodes_ok": True}

    @routes.put("/system/server-address", dependencies=[requires(roles.SECURITY_OFFICER)])
    async def set_address(body: CentralServerAddress, request: Request) -> dict[str, Any]:
        address = _checked_address(body.central_server_address)

        def work(tx: Connection) -> dict[str, Any]:
            if not store.read_parameters(tx).instance:
                raise bad_request("instance_identifier_not_set")
            store.set_parameter(tx, store.ADDRESS, address)
            return system_status(tx)

        return await central.change(request, work)

    return routes


def _checked_address(address: str) -> str:
    text = address.strip()
    if not is_address(text):
        raise validation_failure({"centralServerAddress": ["ServerAddress"]})
    return text


def _version() -> str:
    try:
        return version("surma")
    except PackageNotFoundError:
        return "0"

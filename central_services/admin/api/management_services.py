"""/management-services-configuration: who provides the management services, and on which server."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.configuration_source.addresses import host_of, source_address
from central_services.management import decisions
from central_services.management.model import NewRequest, Origin, RequestType
from central_services.registry import members, store, store_servers
from central_services.registry.errors import Invalid
from gateway.runtime.admin_api import encode_id, requires
from gateway.runtime.certificate_details import certificate_details
from gateway.xroad.identifiers import SubsystemId


class ServiceProviderId(BaseModel):
    """Body of PATCH: an encoded subsystem identifier."""

    service_provider_id: str


class RegisterServiceProviderRequest(BaseModel):
    """Body of POST …/register-provider."""

    security_server_id: str


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/management-services-configuration")
    readers = [requires(*roles.OFFICERS)]
    officer = [requires(roles.SECURITY_OFFICER)]

    def shown(tx: Connection) -> dict[str, Any]:
        parameters = store.read_parameters(tx)
        provider = parameters.management_provider
        host = host_of(parameters.address)
        source = source_address(parameters.address, central.configuration_port())
        return {
            "service_provider_id": None if provider is None else encode_id(provider.parts),
            "service_provider_name": "" if provider is None else members.require_member(tx, provider.member).name,
            "security_server_id": _servers_of_provider(tx),
            "security_server_owners_global_group_code": parameters.owners_group,
            "services_address": f"https://{host}:4002/managementservice/manage/",
            "wsdl_address": f"http://{source}/managementservices.wsdl",
        }

    @routes.get("", dependencies=readers)
    async def get() -> dict[str, Any]:
        return await central.read(shown)

    @routes.patch("", dependencies=officer)
    async def set_provider(body: ServiceProviderId, request: Request) -> dict[str, Any]:
        provider = answers.parse_subsystem_id(body.service_provider_id)

        def work(tx: Connection) -> dict[str, Any]:
            members.require_subsystem(tx, provider)
            store.set_parameter(tx, store.PROVIDER_CLASS, provider.member.member_class)
            store.set_parameter(tx, store.PROVIDER_CODE, provider.member.member_code)
            store.set_parameter(tx, store.PROVIDER_SUBSYSTEM, provider.subsystem_code)
            return shown(tx)

        return await central.change(request, work)

    @routes.post("/register-provider", dependencies=officer)
    async def register_provider(body: RegisterServiceProviderRequest, request: Request) -> dict[str, Any]:
        server = answers.parse_server_id(body.security_server_id)

        def work(tx: Connection) -> dict[str, Any]:
            provider = store.read_parameters(tx).management_provider
            if provider is None:
                raise Invalid("management_service_provider_not_set")
            assert isinstance(provider, SubsystemId)
            members.require_subsystem(tx, provider)
            if store_servers.registrations_of(tx, provider):
                raise Invalid("subsystem_already_registered_to_security_server")
            new = NewRequest(RequestType.CLIENT_REGISTRATION, Origin.CENTER, server, provider)
            decisions.submit(tx, new, central.clock.now(), approve_at_once=True)
            return shown(tx)

        return await central.change(request, work)

    def management_certificate() -> x509.Certificate:
        return x509.load_pem_x509_certificate(central.management_certificate.read_bytes())

    @routes.get("/certificate", dependencies=readers)
    async def certificate() -> dict[str, Any]:
        return certificate_details(management_certificate().public_bytes(Encoding.DER))

    @routes.get("/download-certificate", dependencies=readers)
    async def download() -> Response:
        name = central.management_certificate.name
        return Response(
            management_certificate().public_bytes(Encoding.PEM),
            media_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return routes


def _servers_of_provider(tx: Connection) -> str:
    provider = store.read_parameters(tx).management_provider
    if provider is None:
        return ""
    found = [item.server for item in store_servers.registrations_of(tx, provider) if item.enabled]
    return "; ".join(sorted(encode_id(server.parts) for server in found))

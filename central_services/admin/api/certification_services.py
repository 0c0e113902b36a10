"""/certification-services, /intermediate-cas and /ocsp-responders."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel

from central_services.admin import answers, roles
from central_services.admin.central import Central
from central_services.registry import authorities, store_authorities
from central_services.registry.errors import NotFound
from central_services.registry.model import CaSettings, CertificationService, CostType, CsrFormat
from gateway.runtime.admin_api import requires
from gateway.runtime.certificate_details import certificate_details


class CertificationServiceSettings(BaseModel):
    """Body of PATCH /certification-services/{id}; what is left out stays."""

    certificate_profile_info: str | None = None
    tls_auth: bool | None = None
    default_csr_format: CsrFormat | None = None
    acme_server_directory_url: str | None = None
    acme_server_ip_address: str | None = None
    authentication_certificate_profile_id: str | None = None
    signing_certificate_profile_id: str | None = None

    def applied_to(self, old: CaSettings) -> CaSettings:
        """Return the settings with what this body changes."""

        def kept(new: str | None, before: str | None) -> str | None:
            return before if new is None else new or None

        return CaSettings(
            profile=self.certificate_profile_info or old.profile,
            authentication_only=old.authentication_only if self.tls_auth is None else self.tls_auth,
            default_csr_format=self.default_csr_format or old.default_csr_format,
            acme_directory_url=kept(self.acme_server_directory_url, old.acme_directory_url),
            acme_ip_address=kept(self.acme_server_ip_address, old.acme_ip_address),
            acme_auth_profile_id=kept(self.authentication_certificate_profile_id, old.acme_auth_profile_id),
            acme_sign_profile_id=kept(self.signing_certificate_profile_id, old.acme_sign_profile_id),
        )


async def uploaded(file: UploadFile | None) -> bytes | None:
    """Return the content of an uploaded file, if there is one."""
    return None if file is None else await file.read()


def router(central: Central) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(dependencies=[requires(roles.SYSTEM_ADMINISTRATOR)])
    _service_routes(routes, central)
    _below_service_routes(routes, central)
    _intermediate_routes(routes, central)
    _responder_routes(routes, central)
    return routes


def _service_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("/certification-services")
    async def find() -> list[dict[str, Any]]:
        return [_listed(item) for item in await central.read(store_authorities.certification_services)]

    @routes.post("/certification-services", status_code=201)
    async def add(
        request: Request,
        certificate: UploadFile = File(),  # noqa: B008  FastAPI's way
        certificate_profile_info: str = Form(),
        tls_auth: bool = Form(default=False),
        default_csr_format: CsrFormat = Form(default=CsrFormat.PEM),  # noqa: B008
        acme_server_directory_url: str | None = Form(default=None),
        acme_server_ip_address: str | None = Form(default=None),
        authentication_certificate_profile_id: str | None = Form(default=None),
        signing_certificate_profile_id: str | None = Form(default=None),
    ) -> dict[str, Any]:
        settings = CaSettings(
            profile=certificate_profile_info,
            authentication_only=tls_auth,
            default_csr_format=default_csr_format,
            acme_directory_url=acme_server_directory_url or None,
            acme_ip_address=acme_server_ip_address or None,
            acme_auth_profile_id=authentication_certificate_profile_id or None,
            acme_sign_profile_id=signing_certificate_profile_id or None,
        )
        data = await certificate.read()
        return answers.certification_service(
            await central.change(request, lambda tx: authorities.add_certification_service(tx, data, settings))
        )

    @routes.get("/certification-services/{service_id}")
    async def get(service_id: int) -> dict[str, Any]:
        found = await central.read(lambda tx: authorities.require_certification_service(tx, service_id))
        return answers.certification_service(found)

    @routes.patch("/certification-services/{service_id}")
    async def update(service_id: int, body: CertificationServiceSettings, request: Request) -> dict[str, Any]:
        def work(tx: Any) -> CertificationService:
            old = authorities.require_certification_service(tx, service_id)
            return authorities.update_certification_service(tx, service_id, body.applied_to(old.settings))

        return answers.certification_service(await central.change(request, work))

    @routes.delete("/certification-services/{service_id}", status_code=204)
    async def delete(service_id: int, request: Request) -> Response:
        await central.change(request, lambda tx: authorities.delete_certification_service(tx, service_id))
        return Response(status_code=204)

    @routes.get("/certification-services/{service_id}/certificate")
    async def certificate(service_id: int) -> dict[str, Any]:
        found = await central.read(lambda tx: authorities.require_certification_service(tx, service_id))
        return certificate_details(found.certificate_der)


def _listed(item: CertificationService) -> dict[str, Any]:
    details = certificate_details(item.certificate_der)
    return {
        "id": item.id,
        "name": item.name,
        "not_before": details["not_before"],
        "not_after": details["not_after"],
    }


def _below_service_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("/certification-services/{service_id}/intermediate-cas")
    async def intermediates(service_id: int) -> list[dict[str, Any]]:
        found = await central.read(lambda tx: authorities.require_certification_service(tx, service_id))
        return [answers.intermediate_ca(item) for item in found.intermediate_cas]

    @routes.post("/certification-services/{service_id}/intermediate-cas", status_code=201)
    async def add_intermediate(
        service_id: int,
        request: Request,
        certificate: UploadFile = File(),  # noqa: B008
    ) -> dict[str, Any]:
        data = await certificate.read()
        return answers.intermediate_ca(
            await central.change(request, lambda tx: authorities.add_intermediate_ca(tx, service_id, data))
        )

    @routes.get("/certification-services/{service_id}/ocsp-responders")
    async def responders(service_id: int) -> list[dict[str, Any]]:
        found = await central.read(lambda tx: authorities.require_certification_service(tx, service_id))
        return [answers.ocsp_responder(item) for item in found.ocsp_responders]

    @routes.post("/certification-services/{service_id}/ocsp-responders", status_code=201)
    async def add_responder(
        service_id: int,
        request: Request,
        url: str = Form(),
        cost_type: CostType = Form(default=CostType.UNDEFINED),  # noqa: B008
        certificate: UploadFile | None = File(default=None),  # noqa: B008
    ) -> dict[str, Any]:
        data = await uploaded(certificate)
        return answers.ocsp_responder(
            await central.change(
                request,
                lambda tx: authorities.add_ocsp_responder(
                    tx, url, data, cost_type, certification_service_id=service_id
                ),
            )
        )


def _intermediate_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("/intermediate-cas/{ca_id}")
    async def get(ca_id: int) -> dict[str, Any]:
        return answers.intermediate_ca(await central.read(lambda tx: authorities.require_intermediate_ca(tx, ca_id)))

    @routes.delete("/intermediate-cas/{ca_id}", status_code=204)
    async def delete(ca_id: int, request: Request) -> Response:
        await central.change(request, lambda tx: authorities.delete_intermediate_ca(tx, ca_id))
        return Response(status_code=204)

    @routes.get("/intermediate-cas/{ca_id}/ocsp-responders")
    async def responders(ca_id: int) -> list[dict[str, Any]]:
        found = await central.read(lambda tx: authorities.require_intermediate_ca(tx, ca_id))
        return [answers.ocsp_responder(item) for item in found.ocsp_responders]

    @routes.post("/intermediate-cas/{ca_id}/ocsp-responders", status_code=201)
    async def add_responder(
        ca_id: int,
        request: Request,
        url: str = Form(),
        cost_type: CostType = Form(default=CostType.UNDEFINED),  # noqa: B008
        certificate: UploadFile | None = File(default=None),  # noqa: B008
    ) -> dict[str, Any]:
        data = await uploaded(certificate)
        return answers.ocsp_responder(
            await central.change(
                request,
                lambda tx: authorities.add_ocsp_responder(tx, url, data, cost_type, intermediate_ca_id=ca_id),
            )
        )

    @routes.delete("/intermediate-cas/{ca_id}/ocsp-responders/{responder_id}", status_code=204)
    async def delete_responder(ca_id: int, responder_id: int, request: Request) -> Response:
        def work(tx: Any) -> None:
            found = authorities.require_intermediate_ca(tx, ca_id)
            if responder_id not in {item.id for item in found.ocsp_responders}:
                raise NotFound("ocsp_responder_not_found", responder_id)
            authorities.delete_ocsp_responder(tx, responder_id)

        await central.change(request, work)
        return Response(status_code=204)


def _responder_routes(routes: APIRouter, central: Central) -> None:
    @routes.get("/ocsp-responders/{responder_id}")
    async def get(responder_id: int) -> dict[str, Any]:
        return answers.ocsp_responder(
            await central.read(lambda tx: authorities.require_ocsp_responder(tx, responder_id))
        )

    @routes.patch("/ocsp-responders/{responder_id}")
    async def update(
        responder_id: int,
        request: Request,
        url: str | None = Form(default=None),
        cost_type: CostType | None = Form(default=None),  # noqa: B008
        certificate: UploadFile | None = File(default=None),  # noqa: B008
    ) -> dict[str, Any]:
        data = await uploaded(certificate)
        return answers.ocsp_responder(
            await central.change(
                request, lambda tx: authorities.update_ocsp_responder(tx, responder_id, url, data, cost_type)
            )
        )

    @routes.delete("/ocsp-responders/{responder_id}", status_code=204)
    async def delete(responder_id: int, request: Request) -> Response:
        await central.change(request, lambda tx: authorities.delete_ocsp_responder(tx, responder_id))
        return Response(status_code=204)

    @routes.get("/ocsp-responders/{responder_id}/certificate")
    async def certificate(responder_id: int) -> dict[str, Any]:
        found = await central.read(lambda tx: authorities.require_ocsp_responder(tx, responder_id))
        if found.certificate_der is None:
            raise NotFound("ocsp_responder_not_found", responder_id)
        return certificate_details(found.certificate_der)

"""The services a security server answers itself: what is offered here, to whom, and how it is described.

Whoever may speak to this server may ask (X-Road MetadataServiceHandlerImpl.java,
RestMetadataServiceHandlerImpl.java). Descriptions are fetched from the provider at call time, within
bounds of size and time and under the TLS rules of the service they belong to.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from gateway.exchange.boundaries import new_boundary
from gateway.exchange.ports import Registrations
from gateway.runtime.fetch import CheckCertificate, FetchError
from gateway.serverconf.access import endpoint_matches, granted_endpoints
from gateway.serverconf.model import Endpoint, ServerConf, ServiceKind, ServiceRecord
from gateway.xroad.bodies import BytesBody
from gateway.xroad.faults import AccessRefused, MalformedMessage, ServiceFailed
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId, ServiceId, display
from gateway.xroad.metadata import rest as rest_form
from gateway.xroad.metadata import soap as soap_form
from gateway.xroad.metadata.wsdl import hide_addresses
from gateway.xroad.rest.message import RestRequest, RestResponse, build_rest_response
from gateway.xroad.soap.message import SoapMessage

MAX_DESCRIPTION_BYTES: Final = 10 * 1024 * 1024
DOWNLOAD_WITHIN_S: Final = 30.0
DEFAULT_TYPE: Final = "text/plain"  # X-Road: where the provider's web server names none
_REST_KINDS: Final = {ServiceKind.REST: "REST", ServiceKind.OPENAPI3: "OPENAPI"}


class Description(Protocol):
    """What a download brought; header names in lower case."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The HTTP headers."""
        ...

    @property
    def content(self) -> bytes:
        """The document."""
        ...


class Fetch(Protocol):
    """How descriptions are downloaded."""

    async def get(
        self, url: str, *, max_bytes: int | None = None, check_certificate: CheckCertificate | None = None
    ) -> Description:
        """GET `url`; any status is an answer. Raises FetchError."""
        ...


def is_built_in(message: SoapMessage | RestRequest) -> bool:
    """Tell whether the security server answers this request itself."""
    if isinstance(message, SoapMessage):
        return message.headers.service.service_code in soap_form.SOAP_SERVICES
    return message.method == rest_form.REST_METHOD and message.service.service_code in rest_form.REST_SERVICES


@dataclass(frozen=True, slots=True)
class MetaServices:
    """The metadata services; `hide_servers` takes the addresses out of an OpenAPI document."""

    registrations: Registrations
    fetch: Fetch
    hide_servers: Callable[[bytes], bytes]
    download_within_s: float = DOWNLOAD_WITHIN_S

    async def answer_soap(self, request: SoapMessage, globalconf: GlobalConf) -> SoapMessage:
        """Answer listMethods, allowedMethods or getWsdl.

        Raises MalformedMessage, AccessRefused or ServiceFailed.
        """
        conf, asked = self.registrations.current(), request.headers.service
        match asked.service_code:
            case soap_form.LIST_METHODS:
                return soap_form.build_method_list(request, [r.id for r in _services(conf, asked.provider, _is_soap)])
            case soap_form.ALLOWED_METHODS:
                services = _services(conf, asked.provider, _is_soap)
                client = request.headers.client
                allowed = [r.id for r in services if granted_endpoints(conf, client, r.id, globalconf.is_in_group)]
                return soap_form.build_method_list(request, allowed)
        wanted = soap_form.wanted_service(request)
        wsdl = await self._wsdl(conf, wanted)
        letters = new_boundary().decode("ascii")
        return soap_form.build_wsdl_answer(request, wanted, wsdl, content_id=str(uuid.uuid4()), letters=letters)

    async def answer_rest(self, request: RestRequest, globalconf: GlobalConf) -> RestResponse:
        """Answer listMethods, allowedMethods or getOpenAPI.

        Raises MalformedMessage, AccessRefused or ServiceFailed.
        """
        conf, asked = self.registrations.current(), request.service
        match asked.service_code:
            case soap_form.LIST_METHODS:
                body, content_type = _list(_services(conf, asked.provider, _is_rest), conf), rest_form.JSON
            case soap_form.ALLOWED_METHODS:
                body = rest_form.build_service_list(_allowed(conf, asked.provider, request.client, globalconf))
                content_type = rest_form.JSON
            case _:
                wanted = ServiceId(asked.provider, rest_form.wanted_service_code(request.query))
                body, content_type = await self._openapi(conf, wanted)
        return build_rest_response(request, 200, "OK", [("Content-Type", content_type)], BytesBody(body))

    async def _wsdl(self, conf: ServerConf, wanted: ServiceId) -> bytes:
        record = conf.services.get(wanted)
        url = "" if record is None else conf.description_urls.get(record.description_id, "")
        if record is None or not url:
            raise AccessRefused("unknown_service", "metaservices.no_wsdl", service=display(wanted))
        if record.kind is not ServiceKind.WSDL:
            raise AccessRefused("service_type", "metaservices.rest_service")
        answer = await self._download(record, url, conf)
        if answer.status != HTTPStatus.OK:
            raise ServiceFailed(
                "http_error", "metaservices.wsdl_status", status=answer.status, reason=_reason(answer.status)
            )
        return await asyncio.to_thread(hide_addresses, answer.content)

    async def _openapi(self, conf: ServerConf, wanted: ServiceId) -> tuple[bytes, str]:
        record = conf.services.get(wanted)
        if record is None:
            raise AccessRefused("internal_error", "metaservices.not_found", service=display(wanted))
        if record.kind is not ServiceKind.OPENAPI3:
            raise AccessRefused("internal_error", "metaservices.service_type", kind=record.kind.value)
        url = conf.description_urls.get(record.description_id, "")
        answer = await self._download(record, url, conf)
        if answer.status != HTTPStatus.OK:
            raise ServiceFailed(
                "internal_error",
                "metaservices.openapi_status",
                url=url,
                status=answer.status,
                reason=_reason(answer.status),
            )
        try:
            hidden = await asyncio.to_thread(self.hide_servers, answer.content)
        except MalformedMessage as cause:
            raise ServiceFailed("internal_error", "metaservices.openapi_unusable", url=url, reason=cause) from cause
        return hidden, answer.headers.get("content-type") or DEFAULT_TYPE

    async def _download(self, record: ServiceRecord, url: str, conf: ServerConf) -> Description:
        def check(certificate_der: bytes | None) -> None:
            local = conf.find_client(record.id.provider)
            if local is None or certificate_der not in local.tls_certificates:
                raise AccessRefused(
                    "ssl_authentication_failed", "forward.unknown_certificate", service=record.id, host=url
                )

        is_checked = record.verify_tls and url.startswith("https:")
        try:
            async with asyncio.timeout(self.download_within_s):
                return await self.fetch.get(
                    url, max_bytes=MAX_DESCRIPTION_BYTES, check_certificate=check if is_checked else None
                )
        except TimeoutError:
            raise ServiceFailed("network_error", "metaservices.slow", url=url, limit_s=self.download_within_s) from None
        except FetchError as failure:
            raise ServiceFailed(
                "network_error", "metaservices.unreachable", url=url, reason=failure.reason
            ) from failure


def _is_soap(record: ServiceRecord) -> bool:
    return record.kind is ServiceKind.WSDL


def _is_rest(record: ServiceRecord) -> bool:
    return record.kind in _REST_KINDS


def _services(conf: ServerConf, provider: ClientId, wanted: Callable[[ServiceRecord], bool]) -> Iterator[ServiceRecord]:
    """Yield the services of a provider; those that are switched off are still listed (X-Road ServerConfImpl.java)."""
    return (record for record in conf.services.values() if record.id.provider == provider and wanted(record))


def _endpoints(conf: ServerConf, service: ServiceId) -> list[Endpoint]:
    return [e for e in conf.endpoints.get((service.provider, service.service_code), ()) if not e.is_base]


def _list(services: Iterator[ServiceRecord], conf: ServerConf) -> bytes:
    return rest_form.build_service_list(_listed(record, _endpoints(conf, record.id)) for record in services)


def _allowed(
    conf: ServerConf, provider: ClientId, client: ClientId, globalconf: GlobalConf
) -> Iterator[rest_form.ListedService]:
    """Yield each service to which the client has any right, with the endpoints that its rights cover."""
    for record in _services(conf, provider, _is_rest):
        rules = granted_endpoints(conf, client, record.id, globalconf.is_in_group)
        if rules:
            covered = [
                endpoint
                for endpoint in _endpoints(conf, record.id)
                if any(endpoint_matches(rule.method, rule.path, endpoint.method, endpoint.path) for rule in rules)
            ]
            yield _listed(record, covered)


def _listed(record: ServiceRecord, endpoints: list[Endpoint]) -> rest_form.ListedService:
    kind = _REST_KINDS[record.kind]
    return rest_form.ListedService(record.id, kind, tuple((e.method, e.path) for e in endpoints))


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "-"

"""Call the information system behind a service (PR-MESS 2.7, X-Road HttpClientCreator.java).

No state is kept between callers: no cookies, no redirects followed, no retries. An https service
always sees our internal certificate; its own certificate is held against the provider's registered
ones only where the service says so.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from gateway.exchange.bodies import read_bounded, read_package, spool_body
from gateway.exchange.network import network_faults
from gateway.exchange.ports import Clock, ExchangeLimits, Registrations, Spool
from gateway.exchange.requests import Headers, Timeline
from gateway.runtime.http.client import ClientResponse, HttpClient
from gateway.runtime.http.model import ConnectionFacts, OutgoingBody
from gateway.serverconf.model import ServiceRecord
from gateway.xroad.bodies import Body
from gateway.xroad.faults import AccessRefused, MalformedMessage, ServiceFailed
from gateway.xroad.mime import parse_content_type
from gateway.xroad.rest.message import RestRequest
from gateway.xroad.soap.message import TEXT_XML, Attachment, SoapMessage
from gateway.xroad.soap.package import is_package, package_content_type, package_size, write_package

# X-Road HttpClientCreator.java: methods whose body reaches the service; others keep theirs only as evidence.
BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
# X-Road AbstractHttpSender.java: a SOAP service answers 200, or 500 with a fault.
SOAP_STATUSES: Final = (200, 500)
# SOAP 1.2 part 2, 7.5.2: a fault of the sender's comes with 400.
SOAP12_STATUSES: Final = (*SOAP_STATUSES, 400)


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Where a service listens: the parts of its URL, still encoded."""

    host: str
    port: int
    is_tls: bool
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def parse_url(service: ServiceRecord) -> ServiceAddress:
    """Split the address of a service; a query of its own is kept with the path.

    Raises ServiceFailed (service_missing_url, service_malformed_url).
    """
    if not service.url:
        raise ServiceFailed("service_missing_url", "forward.no_url", service=service.id)
    try:
        return _split_url(service.url)
    except ValueError as cause:
        raise ServiceFailed("service_malformed_url", "forward.bad_url", service=service.id, url=service.url) from cause


@lru_cache(maxsize=1024)
def _split_url(text: str) -> ServiceAddress:
    url = urlsplit(text)
    port = url.port or (443 if url.scheme == "https" else 80)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("not an http or https URL")
    path = url.path + (f"?{url.query}" if url.query else "")
    return ServiceAddress(url.hostname, port, url.scheme == "https", path)


def join_path(base: str, service_path: str, query: str | None) -> str:
    """Return the target of a REST call: exactly one slash at the seam, nothing decoded (X-Road concatPath)."""
    if base.endswith("/") and service_path.startswith("/"):
        base = base[:-1]
    target = f"{base}{service_path}" or "/"
    return target if query is None else f"{target}?{query}"


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """What a SOAP service answered: the SOAP part, and the rest of the package if it is one."""

    raw: bytes
    content_type: str
    part_headers: Headers = ()
    attachments: tuple[Attachment, ...] = ()
    package_type: str | None = None


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """What a REST service answered; a body that cannot be (204, 304, HEAD) is None."""

    status: int
    reason: str
    headers: Headers
    body: Body | None


@dataclass(frozen=True, slots=True)
class ServiceCaller:
    """How services are reached."""

    http: HttpClient
    tls: Callable[[], ssl.SSLContext]
    registrations: Registrations
    clock: Clock

    async def call_soap(
        self,
        service: ServiceRecord,
        message: SoapMessage,
        spool: Spool,
        limits: ExchangeLimits,
        timeline: Timeline,
    ) -> SoapAnswer:
        """POST the message as it was signed, in the package it came in, and return the answer.

        Raises ServiceFailed: network_error, unknown_host, io_error, http_error, ssl_authentication_failed;
        MalformedMessage (invalid_content_type) for an answer that does not say what it is.
        """
        address = parse_url(service)
        headers: Headers = (
            ("Content-Type", package_content_type(message)),
            ("SOAPAction", message.soap_action or ""),
            ("accept-encoding", ""),
        )
        body: OutgoingBody = message.raw
        if is_package(message):
            headers = (*headers, ("Content-Length", str(package_size(message))))
            body = write_package(message)
        response = await self._request(service, address, "POST", address.path or "/", headers, body, timeline)
        try:
            if response.status not in (SOAP12_STATUSES if message.is_soap12 else SOAP_STATUSES):
                raise ServiceFailed(
                    "http_error", "exchange.http_status", status=response.status, reason=response.reason
                )
            content_type = (response.header("content-type") or "").strip()
            if not content_type:
                raise MalformedMessage("invalid_content_type", "forward.no_content_type", service=service.id)
            with network_faults(service.id):
                answer = await _read_answer(response, content_type, service, spool, limits)
        finally:
            response.close()
        timeline.response_in_ms = self.clock.now_ms()
        return answer

    async def call_rest(
        self, service: ServiceRecord, request: RestRequest, spool: Spool, limit_bytes: int, timeline: Timeline
    ) -> RestAnswer:
        """Send the request as it was signed and return the answer, whatever its status.

        Raises ServiceFailed: network_error, unknown_host, io_error, ssl_authentication_failed.
        """
        address = parse_url(service)
        target = join_path(address.path, request.service_path, request.query)
        headers: Headers = request.headers
        body: OutgoingBody = b""
        if request.body is not None and request.method in BODY_METHODS:
            headers = (*headers, ("Content-Length", str(request.body.size)))
            body = request.body.chunks()
        response = await self._request(service, address, request.method, target, headers, body, timeline)
        try:
            with network_faults(service.id):
                spooled = await spool_body(response.body, spool, limit_bytes)
        finally:
            response.close()
        timeline.response_in_ms = self.clock.now_ms()
        if spooled is None and request.method != "HEAD" and response.status not in (204, 304):
            # X-Road sends an empty body part whenever the answer has an entity, even of length 0.
            spooled = spool.open_sink().finish()
        return RestAnswer(response.status, response.reason, tuple(response.headers), spooled)

    async def _request(
        self,
        service: ServiceRecord,
        address: ServiceAddress,
        method: str,
        target: str,
        headers: Headers,
        body: OutgoingBody,
        timeline: Timeline,
    ) -> ClientResponse:
        def check(facts: ConnectionFacts) -> None:
            self._check_service(service, address, facts.peer_certificate)
            timeline.request_out_ms = self.clock.now_ms()

        with network_faults(service.id):
            return await self.http.request(
                method,
                host=address.host,
                port=address.port,
                target=target,
                headers=headers,
                body=body,
                ssl=self.tls() if address.is_tls else None,
                on_connected=check,
                response_timeout_s=service.timeout_s,
            )

    def _check_service(self, service: ServiceRecord, address: ServiceAddress, certificate_der: bytes | None) -> None:
        if not address.is_tls or not service.verify_tls:
            return
        local = self.registrations.current().find_client(service.id.provider)
        if local is None or certificate_der not in local.tls_certificates:
            raise AccessRefused(
                "ssl_authentication_failed", "forward.unknown_certificate", service=service.id, host=address.authority
            )


async def _read_answer(
    response: ClientResponse, content_type: str, service: ServiceRecord, spool: Spool, limits: ExchangeLimits
) -> SoapAnswer:
    if parse_content_type(content_type).media_type == TEXT_XML:
        return SoapAnswer(await read_bounded(response.body, limits.soap_bytes), content_type)
    reader = await read_package(response.body, content_type, spool, limits)
    try:
        raw = reader.finish_raw()
    except MalformedMessage as cause:
        if cause.code != "missing_soap":
            raise
        # X-Road ServerMessageProcessor.java: for a service it has a code of its own.
        raise MalformedMessage("invalid_message", "forward.empty_package", service=service.id) from cause
    return SoapAnswer(raw, reader.soap_content_type, reader.part_headers, reader.attachments, reader.package_type)

"""The one Python client for a security server: SOAP, REST in both dialects, and evidence.

Made for any X-Road or Trembita server, not only ours. It speaks for one client identifier; answers
come as plain facts, faults as `RemoteFault` with the code as the server wrote it. What arrives is
checked as far as an information system can: the answer repeats the question's header, and over
X-Road carries the hash of the request that was sent. An answer that is longer than `MAX_ANSWER_BYTES`
or takes longer than `timeout_s` in all is given up.
"""

from __future__ import annotations

import json as json_module
import ssl
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import httpx
from lxml import etree

from gateway.xroad.faults import MalformedMessage, RemoteFault, ServiceFailed
from gateway.xroad.identifiers import ClientId, ServiceId, encode_path
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.request_hash import check_request_hash
from gateway.xroad.xml import NS_SOAP11, parse_xml
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.fields import from_json
from registry_adapters.sdk.fields_xml import from_xml

T = TypeVar("T")

SOAP_TYPE: Final = "text/xml; charset=UTF-8"
TIMEOUT_S: Final = 60.0
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024  # of a service; evidence is as long as it is
_HEADER_END: Final = b"</SOAP-ENV:Header>"


class Protocol(Enum):
    """Which server answers: X-Road 6 and 7, or Trembita's UXP."""

    XROAD = "xroad"
    UXP = "uxp"


@dataclass(frozen=True, slots=True)
class Reason:
    """Who asks within the client, for which case, for what purpose and on what ground."""

    user_id: str | None = None
    issue: str | None = None
    purposes: tuple[str, ...] = ()
    legal_ground: str | None = None


@dataclass(frozen=True, slots=True)
class SoapAnswer:
    """A SOAP answer; `body` is the one element of its body."""

    message_id: str
    headers: SoapHeaders
    body: etree._Element
    raw: bytes

    def read(self, record: type[T]) -> T:
        """Return the body as a declared record."""
        return from_xml(record, self.body)


@dataclass(frozen=True, slots=True)
class RestAnswer:
    """A REST answer of the service, whatever its status."""

    message_id: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the content as JSON."""
        return json_module.loads(self.content)

    def read(self, record: type[T]) -> T:
        """Return the content as a declared record."""
        return from_json(record, self.json())


class XRoadClient:
    """Calls services through the security server at `url`, as `client`.

    `tls` verifies an https server and may carry the information system's own certificate; without it
    the system's authorities count.
    """

    def __init__(
        self,
        url: str,
        client: ClientId,
        *,
        protocol: Protocol = Protocol.XROAD,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.client = client
        self.protocol = protocol
        self._timeout_s = timeout_s
        self._http = httpx.Client(verify=tls or True, timeout=timeout_s, transport=transport, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call_soap(
        self,
        service: ServiceId,
        body: etree._Element | bytes,
        *,
        reason: Reason = Reason(),
        message_id: str | None = None,
    ) -> SoapAnswer:
        """Send one element as the body of a SOAP request and return the answer.

        Raises RemoteFault for a fault of a server or of the service, ServiceFailed when the security
        server does not answer, MalformedMessage when what came is not an answer to what was sent.
        """
        message_id = message_id or str(uuid.uuid4())
        headers = SoapHeaders(self.client, service, message_id, user_id=reason.user_id, issue=reason.issue)
        body_xml = body if isinstance(body, bytes) else etree.tostring(body)
        raw = _with_blocks(build_envelope(headers, body_xml), reason)
        response = self._send("POST", f"{self.url}/", raw, {"Content-Type": SOAP_TYPE, "SOAPAction": '""'})
        answer = parse_soap(response.content, response.headers.get("content-type", ""))
        if isinstance(answer, SoapFault):
            raise RemoteFault(answer.code, answer.text, answer.detail or "", answer.raw)
        self._check_soap(raw, answer)
        element = parse_xml(answer.raw).find(f"{{{NS_SOAP11}}}Body/*")
        if element is None:
            raise MalformedMessage("invalid_body", "registry.envelope_incomplete")
        return SoapAnswer(message_id, answer.headers, element, answer.raw)

    def call_rest(
        self,
        method: str,
        service: ServiceId,
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        reason: Reason = Reason(),
        message_id: str | None = None,
    ) -> RestAnswer:
        """Send a REST request; `path` is what follows the service code, percent-encoded, from its slash on.

        Raises RemoteFault for a fault of a security server and ServiceFailed when it does not answer. The
        service's own statuses, 404 or 500, are answers.
        """
        message_id = message_id or str(uuid.uuid4())
        sent = {**self._rest_headers(service, message_id, reason), **(headers or {})}
        if json is not None:
            content = json_module.dumps(json, ensure_ascii=False).encode()
            sent.setdefault("Content-Type", "application/json")
        target = self._rest_url(service) + path + (f"?{urlencode(query)}" if query else "")
        response = self._send(method, target, content, sent)
        self._raise_rest_fault(response)
        return RestAnswer(
            response.headers.get("x-road-id", message_id), response.status_code, response.headers, response.content
        )

    def asic(
        self,
        message_id: str,
        *,
        requests_only: bool = False,
        responses_only: bool = False,
        unique: bool = False,
        force: bool = False,
    ) -> bytes:
        """Return the evidence of a message: a zip of containers, or with `unique` the one container.

        `force` has the server time-stamp on the spot what waits for its time-stamp.
        """
        flags = {
            "requestOnly": requests_only, "responseOnly": responses_only, "unique": unique, "force": force,
        }  # fmt: skip
        query = {**self._identity(), "queryId": message_id, **{name: "" for name, on in flags.items() if on}}
        return self._download("/asic", query)

    def signature(self, message_id: str) -> bytes:
        """Return the evidence of a message in Trembita's form."""
        return self._download("/signature", {**self._identity(), "queryId": message_id})

    def verification_conf(self) -> bytes:
        """Return the zip with the global configuration that verification needs."""
        return self._download("/verificationconf", {})

    def _identity(self) -> dict[str, str]:
        names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
        return dict(zip(names, self.client.parts, strict=False))

    def _rest_url(self, service: ServiceId) -> str:
        if self.protocol is Protocol.UXP:
            return f"{self.url}/restapi"
        return f"{self.url}/r1/{encode_path(ServiceId(service.provider, service.service_code))}"

    def _rest_headers(self, service: ServiceId, message_id: str, reason: Reason) -> dict[str, str]:
        uxp = self.protocol is Protocol.UXP
        prefix = "Uxp" if uxp else "X-Road"
        headers = {f"{prefix}-Client": encode_path(self.client), "Uxp-QueryID" if uxp else "X-Road-Id": message_id}
        if uxp:
            headers["Uxp-Service"] = encode_path(service)
        for name, value in ((f"{prefix}-UserId", reason.user_id), (f"{prefix}-Issue", reason.issue)):
            if value is not None:
                headers[name] = value
        if reason.purposes:
            headers["Uxp-Purpose-Ids"] = quote(",".join(reason.purposes), safe=",")
        if reason.legal_ground is not None:
            headers["Legal-Ground"] = quote(reason.legal_ground, safe=" ")
        return headers

    def _check_soap(self, sent: bytes, answer: SoapMessage) -> None:
        request = parse_soap(sent, SOAP_TYPE)
        if isinstance(request, SoapMessage):
            check_consistency(request, answer)
            if self.protocol is Protocol.XROAD:  # Trembita's first version hashes with a national algorithm
                check_request_hash(answer, request)

    def _raise_rest_fault(self, response: httpx.Response) -> None:
        code = response.headers.get("x-road-error") or response.headers.get("uxp-faultcode")
        if code:
            text, detail = _fault_texts(response)
            content_type = response.headers.get("content-type", "application/json")
            raise RemoteFault(code, text, detail, response.content, content_type)

    def _download(self, path: str, query: Mapping[str, str]) -> bytes:
        response = self._send("GET", self.url + path + (f"?{urlencode(query)}" if query else ""), None, {}, whole=True)
        if response.status_code != 200:
            text = response.text[:1000]
            raise RemoteFault(f"http_{response.status_code}", text, "", response.content, "text/plain")
        return response.content

    def _send(
        self, method: str, url: str, content: bytes | None, headers: Mapping[str, str], *, whole: bool = False
    ) -> httpx.Response:
        encoded = [(name, value.encode()) for name, value in headers.items()]
        end = time.monotonic() + self._timeout_s
        try:
            if whole:
                return self._http.request(method, url, content=content, headers=encoded)  # type: ignore[arg-type]
            with self._http.stream(method, url, content=content, headers=encoded) as response:  # type: ignore[arg-type]
                return _read(response, end)
        except httpx.HTTPError as cause:
            reason = type(cause).__name__
            raise ServiceFailed(
                "network_error", "registry.security_server_unreachable", url=self.url, reason=reason
            ) from cause


def _read(response: httpx.Response, end: float) -> httpx.Response:
    """Return an answer that has come whole by `end`; httpx itself only bounds each pause in it."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise MalformedMessage("invalid_body", "registry.body_too_large", limit_bytes=MAX_ANSWER_BYTES)
        if time.monotonic() > end:
            raise httpx.ReadTimeout("the answer goes on")
        chunks.append(chunk)
    headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    return httpx.Response(response.status_code, headers=headers, content=b"".join(chunks))


def _with_blocks(envelope: bytes, reason: Reason) -> bytes:
    """Add purpose and ground as foreign header blocks, which security servers pass through."""
    blocks = {"purposeIds": ",".join(reason.purposes) or None, "legalGround": reason.legal_ground}
    written = "".join(
        f'<ctx:{name} xmlns:ctx="{CONTEXT_NS}">{escape(value)}</ctx:{name}>'
        for name, value in blocks.items()
        if value is not None
    )
    head, end, rest = envelope.partition(_HEADER_END)
    return head + written.encode() + end + rest


def _fault_texts(response: httpx.Response) -> tuple[str, str]:
    try:
        document = response.json()
        return str(document.get("message", "")), str(document.get("detail", ""))
    except (ValueError, AttributeError):
        return response.headers.get("uxp-faultstring", response.text[:1000]), ""

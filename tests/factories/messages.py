"""Messages for tests: each takes only what the test is about and makes up the rest."""

from __future__ import annotations

from typing import Any

from gateway.xroad.bodies import Body, BytesBody
from gateway.xroad.identifiers import ClientId, MemberId, SecurityServerId, ServiceId, SubsystemId, encode_path
from gateway.xroad.rest.message import RestRequest, RestResponse, build_rest_request, build_rest_response
from gateway.xroad.signature.signed_message import Signature, SignedMessage
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import TEXT_XML_UTF8, Attachment, SoapFault, SoapMessage, parse_soap
from gateway.xroad.soap.request_hash import insert_request_hash

INSTANCE = "UA-DEMO"
BOUNDARY = b"abcdefghijklmnopqrstuvwxyzABCD"
REQUEST_ID = "5d2f6f0e-8f0d-4c0e-9a51-3a8f8f0c1f11"


def a_member(code: str = "10000001", *, member_class: str = "GOV", instance: str = INSTANCE) -> MemberId:
    """`UA-DEMO/GOV/10000001`."""
    return MemberId(instance, member_class, code)


def a_subsystem(code: str = "SNAP", *, member: MemberId | None = None) -> SubsystemId:
    """`UA-DEMO/GOV/10000001/SNAP`."""
    return SubsystemId(member or a_member(), code)


def a_provider() -> SubsystemId:
    """`UA-DEMO/GOV/10000002/DEMOGRAPHIC`."""
    return a_subsystem("DEMOGRAPHIC", member=a_member("10000002"))


def a_service(code: str = "GetPerson", *, provider: ClientId | None = None, version: str | None = None) -> ServiceId:
    """`UA-DEMO/GOV/10000002/DEMOGRAPHIC/GetPerson`."""
    return ServiceId(provider or a_provider(), code, version)


def a_server(code: str = "SS1", *, owner: MemberId | None = None) -> SecurityServerId:
    """`UA-DEMO/GOV/10000001/SS1`."""
    return SecurityServerId(owner or a_member(), code)


def soap_headers(**changes: Any) -> SoapHeaders:
    """A complete header; `changes` are fields of SoapHeaders."""
    values: dict[str, Any] = {"client": a_subsystem(), "service": a_service(), "id": "m-1"}
    return SoapHeaders(**{**values, **changes})


def a_body(
    service_code: str = "GetPerson", *, response: bool = False, inner: str = "<unzr>19900101-00017</unzr>"
) -> bytes:
    """The one element of a SOAP body."""
    name = f"{service_code}{'Response' if response else ''}"
    return f'<d:{name} xmlns:d="http://demo.example/dem">{inner}</d:{name}>'.encode()


def soap_bytes(headers: SoapHeaders | None = None, *, body: bytes | None = None) -> bytes:
    """The bytes of a request."""
    headers = headers or soap_headers()
    return build_envelope(headers, body if body is not None else a_body(headers.service.service_code))


def a_soap_message(
    headers: SoapHeaders | None = None,
    *,
    body: bytes | None = None,
    attachments: tuple[Attachment, ...] = (),
    **facts: Any,
) -> SoapMessage:
    """A request."""
    message = parse_soap(soap_bytes(headers, body=body), TEXT_XML_UTF8, attachments=attachments, **facts)
    assert isinstance(message, SoapMessage)
    return message


def a_soap_response(request: SoapMessage | None = None, *, body: bytes | None = None, **facts: Any) -> SoapMessage:
    """The answer to `request`, with its requestHash."""
    request = request or a_soap_message()
    headers = request.headers
    plain = build_envelope(headers, body if body is not None else a_body(headers.service.service_code, response=True))
    message = parse_soap(insert_request_hash(plain, request.digest), TEXT_XML_UTF8, **facts)
    assert isinstance(message, SoapMessage)
    return message


def an_attachment(
    data: bytes = b"\x00\x01attached\r\n--not a boundary", content_type: str = "application/octet-stream"
) -> Attachment:
    """One attachment."""
    return Attachment((("Content-Type", content_type), ("Content-ID", "<a1@demo>")), BytesBody(data))


def rest_headers(client: ClientId | None = None, *others: tuple[str, str]) -> list[tuple[str, str]]:
    """The headers an information system sends."""
    return [("X-Road-Client", encode_path(client or a_subsystem())), ("Accept", "application/json"), *others]


def a_rest_request(
    method: str = "GET",
    path: str = "",
    *,
    service: ServiceId | None = None,
    client: ClientId | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    body: Body | bytes | None = None,
    message_id: str = "m-1",
    request_id: str = REQUEST_ID,
) -> RestRequest:
    """A REST request; `path` is what follows the service code, query included."""
    target = f"/r1/{encode_path(service or a_service('persons'))}{path}"
    content = BytesBody(body) if isinstance(body, bytes) else body
    return build_rest_request(
        method, target, rest_headers(client, *headers), request_id=request_id, new_id=message_id, body=content
    )


def a_rest_response(
    request: RestRequest | None = None,
    status: int = 200,
    *,
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),),
    body: Body | bytes | None = b'{"unzr":"19900101-00017"}',
) -> RestResponse:
    """The answer to `request`."""
    content = BytesBody(body) if isinstance(body, bytes) else body
    return build_rest_response(request or a_rest_request(), status, "OK", headers, content)


def a_signature(*, batch: bool = False) -> Signature:
    """Something that travels like a signature; it proves nothing."""
    xml = (
        b'<?xml version="1.0" encoding="UTF-8"?><asic:XAdESSignatures xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"/>'
    )
    return Signature(xml, b"<HashChainResult/>", b"<HashChain/>") if batch else Signature(xml)


def an_unproven_message(message: SoapMessage | RestRequest | RestResponse | None = None) -> SignedMessage:
    """A message with a signature that would not hold: for everything that only carries it."""
    return SignedMessage(message or a_soap_message(), a_signature())


def a_fault(raw: bytes) -> SoapFault:
    """Read a fault that must be one."""
    fault = parse_soap(raw, TEXT_XML_UTF8)
    assert isinstance(fault, SoapFault)
    return fault

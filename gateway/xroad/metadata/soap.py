"""listMethods, allowedMethods and getWsdl as SOAP messages (PR-META 3, 4, X-Road MetadataServiceHandlerImpl.java).

An answer is the request with another body (X-Road SoapUtils.toResponse): header blocks that nobody
here knows, the prefixes and the version of SOAP stay what the caller chose. The package around a
WSDL has the reference's exact lines, which deployed tools look for as text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from lxml import etree

from gateway.xroad.bodies import BytesBody
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.mime import header_of
from gateway.xroad.soap.envelope import build_envelope
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import SOAP12_XML, TEXT_XML, Attachment, SoapMessage
from gateway.xroad.soap.request_hash import answer_to
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD, parse_xml

LIST_METHODS: Final = "listMethods"
ALLOWED_METHODS: Final = "allowedMethods"
GET_WSDL: Final = "getWsdl"
SOAP_SERVICES: Final = frozenset({LIST_METHODS, ALLOWED_METHODS, GET_WSDL})

_NAMESPACES: Final = {"xrd": NS_XROAD, "id": NS_IDENTIFIERS}
_CLIENT_PARTS: Final = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")


def build_method_list(request: SoapMessage, services: Iterable[ServiceId]) -> SoapMessage:
    """Return the answer to listMethods or allowedMethods."""
    answer = _response_element(request)
    for service in services:
        entry = etree.SubElement(answer, _xrd("service"), {_id("objectType"): service.object_type})
        for name, value in zip(_CLIENT_PARTS, service.provider.parts, strict=False):
            etree.SubElement(entry, _id(name)).text = value
        etree.SubElement(entry, _id("serviceCode")).text = service.service_code
        if service.service_version is not None:
            etree.SubElement(entry, _id("serviceVersion")).text = service.service_version
    return _answer(request, answer)


def wanted_service(request: SoapMessage) -> ServiceId:
    """Return the service whose WSDL a getWsdl request asks for; its provider is the one the request goes to.

    Raises MalformedMessage (invalid_request) when the body names none.
    """
    body = _body_of(parse_xml(request.raw, code="invalid_soap"))
    question = next(body.iterchildren("*"))
    code = question.findtext(_xrd("serviceCode")) or ""
    version = question.findtext(_xrd("serviceVersion")) or ""
    if not code.strip():
        raise MalformedMessage("invalid_request", "metadata.service_code_missing")
    return ServiceId(request.headers.service.provider, code, version if version.strip() else None)


def build_wsdl_answer(
    request: SoapMessage, wanted: ServiceId, wsdl: bytes, *, content_id: str, letters: str
) -> SoapMessage:
    """Return the answer to getWsdl with the description attached.

    `content_id` makes the attachment's Content-ID unique, `letters` the boundary of the package.
    """
    answer = _response_element(request)
    etree.SubElement(answer, _xrd("serviceCode")).text = wanted.service_code
    if wanted.service_version is not None:
        etree.SubElement(answer, _xrd("serviceVersion")).text = wanted.service_version
    headers = (
        ("content-type", TEXT_XML),
        ("Content-ID", f"<wsdl={content_id}@x-road.eu>"),
        ("Content-Transfer-Encoding", "binary"),
    )
    kind = SOAP12_XML if request.is_soap12 else TEXT_XML
    package_type = f'multipart/related; type="{kind}"; charset=UTF-8; boundary=xroad{letters}'
    return _answer(request, answer, attachments=(Attachment(headers, BytesBody(wsdl)),), package_type=package_type)


def build_get_wsdl(headers: SoapHeaders, wanted: ServiceId) -> bytes:
    """Return a getWsdl request for `wanted`; `headers` name the service getWsdl of the same provider."""
    question = etree.Element(_xrd(GET_WSDL), nsmap={"xrd": NS_XROAD})
    try:
        etree.SubElement(question, _xrd("serviceCode")).text = wanted.service_code
        if wanted.service_version is not None:
            etree.SubElement(question, _xrd("serviceVersion")).text = wanted.service_version
    except ValueError as cause:
        raise MalformedMessage("invalid_request", "metadata.illegal_character") from cause
    return build_envelope(headers, etree.tostring(question))


def wsdl_of(answer: SoapMessage) -> bytes:
    """Return the description that came with an answer to getWsdl, its transfer encoding undone.

    Raises MalformedMessage (invalid_response) when there is none, or it is encoded in another way.
    """
    if not answer.attachments:
        raise MalformedMessage("invalid_response", "metadata.wsdl_missing", service=answer.headers.service)
    attachment = answer.attachments[0]
    content = b"".join(attachment.body.chunks())
    encoding = (header_of(attachment.headers, "content-transfer-encoding") or "binary").strip().lower()
    if encoding in ("binary", "7bit", "8bit"):
        return content
    try:
        if encoding == "base64":
            return base64.b64decode(content)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(content)
    except binascii.Error as cause:
        raise MalformedMessage("invalid_response", "metadata.transfer_encoding", value=encoding) from cause
    raise MalformedMessage("invalid_response", "metadata.transfer_encoding", value=encoding[:32])


def _response_element(request: SoapMessage) -> etree._Element:
    return etree.Element(_xrd(f"{request.headers.service.service_code}Response"), nsmap=_NAMESPACES)


def _answer(
    request: SoapMessage,
    element: etree._Element,
    *,
    attachments: tuple[Attachment, ...] = (),
    package_type: str | None = None,
) -> SoapMessage:
    root = parse_xml(request.raw, code="invalid_soap")
    body = _body_of(root)
    body[:] = [element]
    body.text = None
    raw = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    content_type = f"{SOAP12_XML if request.is_soap12 else TEXT_XML}; charset=UTF-8"
    answer = answer_to(request, raw, content_type, attachments=attachments, package_type=package_type)
    assert isinstance(answer, SoapMessage)
    return answer


def _body_of(root: etree._Element) -> etree._Element:
    body = root.find(f"{{{etree.QName(root).namespace}}}Body")
    assert body is not None  # the request was read as SOAP before
    return body


def _xrd(name: str) -> str:
    return f"{{{NS_XROAD}}}{name}"


def _id(name: str) -> str:
    return f"{{{NS_IDENTIFIERS}}}{name}"

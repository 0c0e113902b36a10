"""SOAP 1.1 service over X-Road (PR-MESS 2): one declared function, one operation.

The bytes are read twice: the protocol core reads and checks the X-Road header as the security server
does, then the body is read by the declaration. The answer repeats the X-Road header blocks in their
order and with their values; `requestHash` is the security server's to add. Foreign header blocks are
for us and do not come back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from lxml import etree

from gateway.xroad.soap.message import SoapFault, SoapMessage, parse_soap
from gateway.xroad.xml import NS_SOAP11, NS_XROAD, parse_xml
from registry_adapters.sdk.context import CONTEXT_NS, RequestContext, context_of_soap
from registry_adapters.sdk.errors import NoSuchOperationError, NotUnderstoodError, RequestError
from registry_adapters.sdk.fields_xml import from_xml, text_of, to_xml
from registry_adapters.sdk.operations import Function, Operation, Runner, operation_of

F = TypeVar("F", bound=Function)

XROAD_NAMESPACES: Final = "http://x-road.eu/xsd/"
REQUEST_HASH: Final = f"{{{NS_XROAD}}}requestHash"
_MUST_UNDERSTAND: Final = f"{{{NS_SOAP11}}}mustUnderstand"


@dataclass(frozen=True, slots=True)
class SoapService:
    """A named set of operations in one namespace and of one version."""

    name: str
    namespace: str
    version: str
    title: str
    doc: str = ""
    operations: dict[str, Operation] = field(default_factory=dict)

    def operation(self, name: str) -> Callable[[F], F]:
        """Declare the decorated function as the operation `name`; its docstring goes into the WSDL."""

        def declare(function: F) -> F:
            self.operations[name] = operation_of(name, function)
            return function

        return declare


def answer_soap(service: SoapService, raw: bytes, content_type: str, runner: Runner) -> bytes:
    """Return the envelope that answers a request. Raises RegistryError or XRoadFault."""
    message = parse_soap(raw, content_type)
    if isinstance(message, SoapFault):
        raise RequestError("registry.fault_as_request")
    envelope = parse_xml(raw, code="invalid_soap")
    header, body = _parts_of(envelope)
    operation = _operation_for(service, message, body)
    answer = runner.run(operation, from_xml(operation.request, body), _context_of(message, header))
    return _answer_envelope(envelope, header, to_xml(answer, f"{operation.name}Response", service.namespace))


def _parts_of(envelope: etree._Element) -> tuple[etree._Element, etree._Element]:
    header, body = envelope.find(f"{{{NS_SOAP11}}}Header"), envelope.find(f"{{{NS_SOAP11}}}Body/*")
    if header is None or body is None:
        raise RequestError("registry.envelope_incomplete")
    return header, body


def _operation_for(service: SoapService, message: SoapMessage, body: etree._Element) -> Operation:
    called, element = message.headers.service, etree.QName(body)
    operation = service.operations.get(element.localname) if element.namespace == service.namespace else None
    if operation is None:
        name = f"{{{element.namespace or ''}}}{element.localname}"
        raise NoSuchOperationError("registry.no_such_operation", operation=name[:200])
    if called.service_code != operation.name or called.service_version not in (None, service.version):
        expected = f"{operation.name}/{service.version}"
        raise RequestError("registry.other_service", service=str(called), expected=expected)
    return operation


def _context_of(message: SoapMessage, header: etree._Element) -> RequestContext:
    return context_of_soap(message.headers, _context_blocks(header))


def _context_blocks(header: etree._Element) -> Mapping[str, str]:
    blocks: dict[str, str] = {}
    for block in header.iterchildren(tag=etree.Element):
        name = etree.QName(block)
        if name.namespace == CONTEXT_NS:
            if name.localname in blocks:
                raise RequestError("registry.header_invalid", header=name.localname)
            blocks[name.localname] = text_of(block)
        elif not _is_xroad(block) and block.get(_MUST_UNDERSTAND) == "1":
            raise NotUnderstoodError("registry.header_not_understood", header=block.tag[:200])
    return blocks


def _is_xroad(block: etree._Element) -> bool:
    return (etree.QName(block).namespace or "").startswith(XROAD_NAMESPACES)


def _answer_envelope(request: etree._Element, header: etree._Element, body: etree._Element) -> bytes:
    envelope = etree.Element(f"{{{NS_SOAP11}}}Envelope", nsmap=request.nsmap)  # type: ignore[arg-type]
    answered = etree.SubElement(envelope, f"{{{NS_SOAP11}}}Header")
    for block in header.iterchildren(tag=etree.Element):
        if _is_xroad(block) and block.tag != REQUEST_HASH:
            repeated = copy.deepcopy(block)
            repeated.tail = None
            answered.append(repeated)
    etree.SubElement(envelope, f"{{{NS_SOAP11}}}Body").append(body)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")

"""WSDL 1.1 of a SOAP service, from its declarations (PR-MESS annex B; document/literal wrapped).

Every schema stands inline, so that tools load it without a network. The X-Road header is declared
as a message and bound to input and output of each operation, and `xrd:version` names the version,
which is how security servers tell services apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lxml import etree

from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD
from registry_adapters.sdk.fields import MAX_LENGTH, FieldSpec, RecordSpec, describe
from registry_adapters.sdk.operations import Operation
from registry_adapters.sdk.soap_service import SoapService

NS_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
NS_WSDL_SOAP: Final = "http://schemas.xmlsoap.org/wsdl/soap/"
NS_XSD: Final = "http://www.w3.org/2001/XMLSchema"
SOAP_OVER_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"

_HEADER_PARTS: Final = ("client", "service", "id", "userId", "issue", "protocolVersion")
_CLIENT_PARTS: Final = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode?")
_IDENTIFIER_TYPES: Final = (
    ("XRoadClientIdentifierType", _CLIENT_PARTS),
    ("XRoadServiceIdentifierType", (*_CLIENT_PARTS, "serviceCode", "serviceVersion?")),
)
_OBJECT_TYPES: Final = ("MEMBER", "SUBSYSTEM", "SERVICE")
_HEADER_TYPES: Final = (
    ("client", "id:XRoadClientIdentifierType"),
    ("service", "id:XRoadServiceIdentifierType"),
    ("id", "xs:string"),
    ("userId", "xs:string"),
    ("issue", "xs:string"),
    ("protocolVersion", "xs:string"),
    ("version", "xs:string"),
    ("title", "xs:string"),
)


def build_wsdl(service: SoapService, address: str) -> bytes:
    """Return the description of `service` at the URL `address`."""
    namespaces = {
        "wsdl": NS_WSDL, "soap": NS_WSDL_SOAP, "xs": NS_XSD, "xrd": NS_XROAD, "id": NS_IDENTIFIERS,
        "tns": service.namespace,
    }  # fmt: skip
    root = etree.Element(
        f"{{{NS_WSDL}}}definitions", nsmap=namespaces, name=service.name, targetNamespace=service.namespace
    )
    _document(root, service.doc or service.title)
    types = _wsdl(root, "types")
    _identifiers_schema(types)
    _xroad_schema(types)
    _service_schema(types, service)
    _messages(root, service)
    _port_type(root, service)
    _binding(root, service)
    port = _wsdl(_wsdl(root, "service", name=service.name), "port", name="Port", binding="tns:Binding")
    etree.SubElement(port, f"{{{NS_WSDL_SOAP}}}address", location=address)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _wsdl(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NS_WSDL}}}{tag}", attributes)


def _xsd(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NS_XSD}}}{tag}", attributes)


def _document(parent: etree._Element, text: str) -> None:
    if text:
        _wsdl(parent, "documentation").text = text


def _schema(types: etree._Element, namespace: str, *imports: str) -> etree._Element:
    schema = _xsd(types, "schema", targetNamespace=namespace, elementFormDefault="qualified")
    for imported in imports:
        _xsd(schema, "import", namespace=imported)
    return schema


def _identifiers_schema(types: etree._Element) -> None:
    schema = _schema(types, NS_IDENTIFIERS)
    _enumeration(schema, "XRoadObjectType", _OBJECT_TYPES)
    _xsd(schema, "attribute", name="objectType", type="id:XRoadObjectType")
    elements = {part.rstrip("?") for _, parts in _IDENTIFIER_TYPES for part in parts}
    for element in sorted(elements):
        _xsd(schema, "element", name=element, type="xs:string")
    for name, parts in _IDENTIFIER_TYPES:
        complex_type = _xsd(schema, "complexType", name=name)
        sequence = _xsd(complex_type, "sequence")
        for part in parts:
            optional = {"minOccurs": "0"} if part.endswith("?") else {}
            _xsd(sequence, "element", ref=f"id:{part.rstrip('?')}", **optional)
        _xsd(complex_type, "attribute", ref="id:objectType", use="required")


def _xroad_schema(types: etree._Element) -> None:
    schema = _schema(types, NS_XROAD, NS_IDENTIFIERS)
    for name, kind in _HEADER_TYPES:
        _xsd(schema, "element", name=name, type=kind)


def _service_schema(types: etree._Element, service: SoapService) -> None:
    schema = _schema(types, service.namespace)
    operations = service.operations.values()
    for spec in _nested([describe(t) for op in operations for t in (op.request, op.response)]):
        if spec.record:
            named = _xsd(schema, "complexType", name=spec.record.name)
            _annotate(named, spec.record.doc)
            _sequence(named, spec.record)
        elif spec.choices:
            _enumeration(schema, spec.type.__name__, tuple(spec.choices))
    for operation in operations:
        for name, record in ((operation.name, operation.request), (f"{operation.name}Response", operation.response)):
            _sequence(_xsd(_xsd(schema, "element", name=name), "complexType"), describe(record))


def _nested(records: Sequence[RecordSpec]) -> Iterator[FieldSpec]:
    """Yield one field of each named type below the records, each type once, in order of appearance."""
    seen: set[type] = set()
    queue = list(records)
    while queue:
        for spec in queue.pop(0).fields:
            if (spec.record or spec.choices) and spec.type not in seen:
                seen.add(spec.type)
                yield spec
                if spec.record:
                    queue.append(spec.record)


def _sequence(parent: etree._Element, record: RecordSpec) -> None:
    sequence = _xsd(parent, "sequence")
    for spec in record.fields:
        attributes = {"name": spec.element}
        if not spec.required:
            attributes["minOccurs"] = "0"
        if spec.many:
            attributes["maxOccurs"] = "unbounded"
        if not _is_restricted(spec):
            attributes["type"] = f"tns:{spec.type.__name__}" if spec.scalar is None else f"xs:{spec.scalar.xsd}"
        element = _xsd(sequence, "element", **attributes)
        _annotate(element, spec.declaration.doc)
        if _is_restricted(spec):
            _restrict(element, spec)


def _is_restricted(spec: FieldSpec) -> bool:
    return spec.type is str and (spec.pattern is not None or spec.declaration.max_length != MAX_LENGTH)


def _restrict(element: etree._Element, spec: FieldSpec) -> None:
    restriction = _xsd(_xsd(element, "simpleType"), "restriction", base="xs:string")
    if spec.declaration.max_length != MAX_LENGTH:
        _xsd(restriction, "maxLength", value=str(spec.declaration.max_length))
    if spec.declaration.pattern:
        _xsd(restriction, "pattern", value=spec.declaration.pattern)


def _enumeration(schema: etree._Element, name: str, values: Sequence[str]) -> None:
    restriction = _xsd(_xsd(schema, "simpleType", name=name), "restriction", base="xs:string")
    for value in values:
        _xsd(restriction, "enumeration", value=value)


def _annotate(element: etree._Element, text: str) -> None:
    if text:
        _xsd(_xsd(element, "annotation"), "documentation").text = text


def _messages(root: etree._Element, service: SoapService) -> None:
    header = _wsdl(root, "message", name="requestHeader")
    for part in _HEADER_PARTS:
        _wsdl(header, "part", name=part, element=f"xrd:{part}")
    for operation in service.operations.values():
        for name in (operation.name, f"{operation.name}Response"):
            _wsdl(_wsdl(root, "message", name=name), "part", name="parameters", element=f"tns:{name}")


def _port_type(root: etree._Element, service: SoapService) -> None:
    port_type = _wsdl(root, "portType", name="PortType")
    for operation in service.operations.values():
        element = _wsdl(port_type, "operation", name=operation.name)
        documentation = _wsdl(element, "documentation")
        etree.SubElement(documentation, f"{{{NS_XROAD}}}title").text = _described(operation)
        _wsdl(element, "input", message=f"tns:{operation.name}")
        _wsdl(element, "output", message=f"tns:{operation.name}Response")


def _described(operation: Operation) -> str:
    return f"{operation.title} {operation.doc}".strip()


def _binding(root: etree._Element, service: SoapService) -> None:
    binding = _wsdl(root, "binding", name="Binding", type="tns:PortType")
    etree.SubElement(binding, f"{{{NS_WSDL_SOAP}}}binding", style="document", transport=SOAP_OVER_HTTP)
    for operation in service.operations.values():
        element = _wsdl(binding, "operation", name=operation.name)
        etree.SubElement(element, f"{{{NS_WSDL_SOAP}}}operation", soapAction="", style="document")
        etree.SubElement(element, f"{{{NS_XROAD}}}version").text = service.version
        for direction in ("input", "output"):
            bound = _wsdl(element, direction)
            etree.SubElement(bound, f"{{{NS_WSDL_SOAP}}}body", use="literal", parts="parameters")
            for part in _HEADER_PARTS:
                attributes = {"message": "tns:requestHeader", "part": part, "use": "literal"}
                etree.SubElement(bound, f"{{{NS_WSDL_SOAP}}}header", attributes)

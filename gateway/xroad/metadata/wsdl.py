"""Rewrite a provider's WSDL for those who may call it (PR-META 4, X-Road OverwriteAttributeFilter.java; Trembita).

`hide_addresses` is what getWsdl gives: the description as it is, without the addresses behind the
gateway. `rewrite_for_callers` is what Trembita's gateways give at `/wsdl`, and what its clients are
written against:

1. bindings, port types and messages are reduced to the one operation that is asked for
2. the provider's schemas come first, then identifiers, then xroad: clients address types by the
   prefixes that their library counts in this order
3. a message with five parts holds the X-Road header, and input and output carry each part; what a
   provider declares itself is not declared twice
4. the address is the one at which the caller reached us

Schemas are put in as text behind everything else: lxml drops a namespace declaration that another
prefix makes too, and the names inside `type` and `ref` would lose their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.metadata.wsdl_schemas import IDENTIFIERS, NS_XSD, XROAD
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD, parse_xml

NS_WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
# SOAP 1.1 is what the message protocol speaks; a description with 1.2 alone keeps its own.
SOAP_BINDINGS: Final = ("http://schemas.xmlsoap.org/wsdl/soap/", "http://schemas.xmlsoap.org/wsdl/soap12/")
NS_HTTP_BINDING: Final = "http://schemas.xmlsoap.org/wsdl/http/"
# X-Road MetadataServiceHandlerImpl.WSDL_ENDPOINT_ADDRESS
HIDDEN_ADDRESS: Final = "http://example.org/xroad-endpoint"
HEADER_PARTS: Final = ("protocolVersion", "id", "userId", "service", "client")
HEADER_MESSAGE: Final = "requestheader"
MAX_WSDL_BYTES: Final = 10 * 1024 * 1024
# Operations of one name, the header parts they name, and own schemas of X-Road's namespaces: with each of
# them all prefixes of the document are looked at again.
MAX_OPERATIONS: Final = 8
MAX_HEADERS: Final = 64
MAX_SCHEMAS: Final = 8

_ADDRESSES: Final = tuple(f"{{{namespace}}}address" for namespace in (*SOAP_BINDINGS, NS_HTTP_BINDING))
_NEEDED: Final = {
    NS_IDENTIFIERS: frozenset({"XRoadClientIdentifierType", "XRoadServiceIdentifierType"}),
    NS_XROAD: frozenset(HEADER_PARTS),
}
_OURS: Final = {NS_IDENTIFIERS: IDENTIFIERS, NS_XROAD: XROAD}
_FIELD_LOCATION: Final = "http://x-road.eu/"
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def caller_address(host: str | None, *, is_tls: bool) -> str:
    """Return the address at which a caller reached us, from its Host header.

    Raises MalformedMessage (invalid_request) when the header is missing or no host.
    """
    if host is None or not _HOST.fullmatch(host.strip()):
        raise MalformedMessage("invalid_request", "metadata.host", value=(host or "-")[:200])
    return f"{'https' if is_tls else 'http'}://{host.strip()}/"


def hide_addresses(document: bytes) -> bytes:
    """Return the description with every address of a port replaced; all else stays.

    Raises MalformedMessage (invalid_xml, invalid_response) for anything that is no WSDL 1.1.
    """
    root = _definitions(document)
    for address in root.iter(*_ADDRESSES):
        if address.get("location") is not None:
            address.set("location", HIDDEN_ADDRESS)
    return _written(root)


def rewrite_for_callers(document: bytes, code: str, version: str | None, address: str) -> bytes:
    """Return the description of one operation for callers of `address`.

    Raises MalformedMessage: invalid_xml, or invalid_response for anything but a WSDL 1.1 that binds
    this operation in this version to SOAP.
    """
    root = _definitions(document)
    namespace = root.get("targetNamespace")
    if not namespace:
        raise MalformedMessage("invalid_response", "metadata.no_target_namespace")
    kept = _reduce(root, code, version)  # (1)
    mark = f"schemas {digest_of(document).hex}"  # no document holds its own digest
    schemas = _take_schemas(root, mark)  # (2)
    try:
        _bind_header(root, kept, namespace)  # (3)
    except ValueError as cause:  # a namespace that lxml reads and does not write, such as one with a blank
        raise MalformedMessage("invalid_response", "metadata.bad_namespace", namespace=namespace[:200]) from cause
    for location in root.iter(*_ADDRESSES):
        location.set("location", address)  # (4)
    return _written(root).replace(f"<!--{mark}-->".encode(), schemas)


def _definitions(document: bytes) -> etree._Element:
    if len(document) > MAX_WSDL_BYTES:
        raise MalformedMessage(
            "invalid_response", "metadata.wsdl_too_large", size_bytes=len(document), limit_bytes=MAX_WSDL_BYTES
        )
    root = parse_xml(document)
    if root.tag != _wsdl("definitions"):
        raise MalformedMessage("invalid_response", "metadata.not_wsdl", root=str(root.tag)[:100])
    return root


def _written(root: etree._Element) -> bytes:
    text = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=False)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text


# (1)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is left of the bindings: the version of SOAP they speak, and their operations."""

    soap: str
    operations: tuple[etree._Element, ...]


def _reduce(root: etree._Element, code: str, version: str | None) -> _Kept:
    kept = _find_operations(root, code, version)
    operations = set(kept.operations)
    bindings = {parent for operation in operations if (parent := operation.getparent()) is not None}
    _keep(root, _wsdl("binding"), bindings)
    for binding in bindings:
        _keep(binding, _wsdl("operation"), operations)
    _reduce_services(root, {binding.get("name", "") for binding in bindings})
    port_types = {_local(binding.get("type")) for binding in bindings}
    messages = set(_header_messages(kept))
    for port_type in root.findall(_wsdl("portType")):
        if port_type.get("name", "") not in port_types:
            root.remove(port_type)
            continue
        for operation in port_type.findall(_wsdl("operation")):
            if operation.get("name") != code:
                port_type.remove(operation)
                continue
            messages.update(_local(child.get("message")) for child in operation.iterchildren("*"))
    for message in root.findall(_wsdl("message")):
        if message.get("name", "") not in messages:
            root.remove(message)
    return kept


def _find_operations(root: etree._Element, code: str, version: str | None) -> _Kept:
    for soap in SOAP_BINDINGS:
        found = tuple(
            operation
            for binding in root.iterchildren(_wsdl("binding"))
            if binding.find(f"{{{soap}}}binding") is not None
            for operation in binding.iterchildren(_wsdl("operation"))
            if operation.get("name") == code
            and ((operation.findtext(f"{{{NS_XROAD}}}version") or "").strip() or None) == version
        )
        if len(found) > MAX_OPERATIONS:
            raise _too_many("operation", MAX_OPERATIONS)
        if found:
            return _Kept(soap, found)
    raise MalformedMessage("invalid_response", "metadata.operation_missing", operation=code, version=version or "-")


def _reduce_services(root: etree._Element, bindings: set[str]) -> None:
    for service in root.findall(_wsdl("service")):
        ports = {port for port in service.iterchildren(_wsdl("port")) if _local(port.get("binding")) in bindings}
        _keep(service, _wsdl("port"), ports)
        if not ports:
            root.remove(service)


def _header_messages(kept: _Kept) -> Iterator[str]:
    names = (f"{{{kept.soap}}}header", f"{{{kept.soap}}}headerfault")
    for operation in kept.operations:
        yield from (_local(header.get("message")) for header in operation.iter(*names))


def _keep(parent: etree._Element, tag: str, wanted: set[etree._Element]) -> None:
    for child in parent.findall(tag):
        if child not in wanted:
            parent.remove(child)


# (2)


def _take_schemas(root: etree._Element, mark: str) -> bytes:
    """Leave a mark behind the provider's schemas and return the text of those that belong there."""
    types = root.find(_wsdl("types"))
    if types is None:
        types = etree.Element(_wsdl("types"))
        root.insert(_index_of(root, ("message", "portType", "binding", "service")), types)
    theirs: dict[str, list[etree._Element]] = {NS_IDENTIFIERS: [], NS_XROAD: []}
    for schema in types.findall(f"{{{NS_XSD}}}schema"):
        _forget_locations(schema)
        found = theirs.get(schema.get("targetNamespace", ""))
        if found is not None:
            found.append(schema)
    texts = [text for namespace, schemas in theirs.items() for text in _schemas_of(namespace, schemas)]
    for schema in (*theirs[NS_IDENTIFIERS], *theirs[NS_XROAD]):
        types.remove(schema)
    types.append(etree.Comment(mark))
    return b"".join(texts)


def _forget_locations(schema: etree._Element) -> None:
    """What is X-Road's own comes with this document: nobody needs to fetch it, or could."""
    for imported in schema.iterchildren(f"{{{NS_XSD}}}import"):
        if imported.get("namespace") in _OURS and imported.get("schemaLocation") is not None:
            del imported.attrib["schemaLocation"]
    if schema.get("targetNamespace") in _OURS:
        for included in schema.findall(f"{{{NS_XSD}}}include"):
            if included.get("schemaLocation", "").startswith(_FIELD_LOCATION):
                schema.remove(included)


def _schemas_of(namespace: str, theirs: list[etree._Element]) -> Iterator[bytes]:
    """Yield the provider's own schemas of a namespace, then what they lack of ours; ours whole where they lack all."""
    if len(theirs) > MAX_SCHEMAS:
        raise _too_many("schema", MAX_SCHEMAS)
    yield from (etree.tostring(schema, with_tail=False) for schema in theirs)
    if not theirs:
        yield _OURS[namespace]
        return
    names = {(child.tag, child.get("name")) for schema in theirs for child in schema.iterchildren("*")}
    if _NEEDED[namespace] <= {name for _, name in names} or (f"{{{NS_XSD}}}include", None) in names:
        return
    ours = etree.fromstring(_OURS[namespace])
    for child in list(ours):
        if child.get("name") is not None and (child.tag, child.get("name")) in names:
            ours.remove(child)
    yield etree.tostring(ours)


# (3)


class _Messages:
    """The messages of a description, and which X-Road header each of their parts is."""

    def __init__(self, root: etree._Element) -> None:
        self._parts = {
            message.get("name", ""): {part.get("name", ""): part for part in message.iterchildren(_wsdl("part"))}
            for message in root.iterchildren(_wsdl("message"))
        }
        self._known: dict[tuple[str, str], str | None] = {}

    def free_name(self) -> str:
        """Return a name for one more message."""
        number, name = 0, HEADER_MESSAGE
        while name in self._parts:
            number += 1
            name = f"{HEADER_MESSAGE}{number}"
        return name

    def header_of(self, message: str, part: str) -> str | None:
        """Return the local name of the X-Road element that a part stands for; None when it is another one."""
        key = (message, part)
        if key not in self._known:
            if len(self._known) == MAX_HEADERS:
                raise _too_many("soap:header", MAX_HEADERS)
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, message: str, part: str) -> str | None:
        element = self._parts.get(message, {}).get(part)
        if element is None:
            return None
        prefix, _, local = element.get("element", "").rpartition(":")
        return local if element.nsmap.get(prefix or None) == NS_XROAD else None


def _bind_header(root: etree._Element, kept: _Kept, namespace: str) -> None:
    messages = _Messages(root)
    name = messages.free_name()
    is_used = False
    for direction in _directions(kept):
        headers = direction.iter(f"{{{kept.soap}}}header")
        bound = {messages.header_of(_local(header.get("message")), header.get("part", "")) for header in headers}
        missing = [part for part in HEADER_PARTS if part not in bound]
        if missing:
            _add_headers(direction, kept.soap, namespace, name, missing)
            is_used = True
    if is_used:
        root.insert(_index_of(root, ("message", "portType", "binding", "service")), _header_message(root, name))


def _directions(kept: _Kept) -> Iterator[etree._Element]:
    for operation in kept.operations:
        yield from operation.findall(_wsdl("input"))[:1]
        yield from operation.findall(_wsdl("output"))[:1]


def _add_headers(direction: etree._Element, soap: str, namespace: str, name: str, parts: Iterable[str]) -> None:
    body = next(direction.iter(f"{{{soap}}}body"), None)
    parent = direction if body is None else body.getparent()
    assert parent is not None
    prefix, declared = _prefix_of(parent, namespace, "tns")
    at = len(parent) if body is None else parent.index(body) + 1
    for number, part in enumerate(parts):
        header = etree.Element(f"{{{soap}}}header", nsmap=declared)
        header.set("message", prefix + name)
        header.set("part", part)
        header.set("use", "literal")
        parent.insert(at + number, header)


def _header_message(root: etree._Element, name: str) -> etree._Element:
    prefix, declared = _prefix_of(root, NS_XROAD, "xroad")
    message = etree.Element(_wsdl("message"), nsmap=declared)
    message.set("name", name)
    for part in HEADER_PARTS:
        element = etree.SubElement(message, _wsdl("part"))
        element.set("element", prefix + part)
        element.set("name", part)
    return message


def _prefix_of(scope: etree._Element, namespace: str, preferred: str) -> tuple[str, dict[str, str]]:
    """Return what stands before a name of `namespace` inside `scope`, and what must be declared for it."""
    known = [prefix for prefix, bound in scope.nsmap.items() if bound == namespace]
    if not known:
        return f"{preferred}:", {preferred: namespace}
    named = next((prefix for prefix in known if prefix), None)
    return (f"{named}:" if named else ""), {}


def _index_of(root: etree._Element, names: tuple[str, ...]) -> int:
    """Return the place of the first child called one of `names`, or the end."""
    first = next(root.iterchildren(*(_wsdl(name) for name in names)), None)
    return len(root) if first is None else root.index(first)


def _local(name: str | None) -> str:
    return (name or "").rpartition(":")[2]


def _wsdl(name: str) -> str:
    return f"{{{NS_WSDL}}}{name}"


def _too_many(what: str, limit: int) -> MalformedMessage:
    return MalformedMessage("invalid_response", "metadata.too_many", what=what, limit=limit)

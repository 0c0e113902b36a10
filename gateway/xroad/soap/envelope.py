"""Read a SOAP envelope in one pass without building a tree (PR-MESS 2.1, X-Road SaxSoapParserImpl.java).

expat walks the whole document, so it is well-formed when this returns; Python hears of the header's
elements, the names of the body's children and the places where a requestHash may be put. Inside a
body's child only the depth is counted, whatever its size. What is found is not judged here, except
where X-Road refuses at the element itself: duplicates, object types, the protocol version, a second
body child. SOAP 1.2 differs in the namespace and in the form of faults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.headers import (
    FIELDS,
    HeaderField,
    SoapHeaders,
    build_header_elements,
    check_object_type,
    value_of,
)
from gateway.xroad.xml import MAX_XML_DEPTH, NS_IDENTIFIERS, NS_SOAP11, NS_SOAP12, NS_XROAD

# A character no XML document can hold, so that no namespace can imitate another one.
SEPARATOR: Final = "\x0c"


def _name(namespace: str, local: str) -> str:
    return f"{namespace}{SEPARATOR}{local}"


# The Envelope's name -> the names of Header, Body and Fault of the same SOAP version.
SECTIONS: Final = {
    _name(namespace, "Envelope"): (_name(namespace, "Header"), _name(namespace, "Body"), _name(namespace, "Fault"))
    for namespace in (NS_SOAP11, NS_SOAP12)
}
ENVELOPE11: Final = _name(NS_SOAP11, "Envelope")
ENVELOPE12: Final = _name(NS_SOAP12, "Envelope")
_OBJECT_TYPE: Final = _name(NS_IDENTIFIERS, "objectType")

_FIELDS: Final = {_name(*key): (key[1], value) for key, value in FIELDS.items()}
_PARTS: Final = {
    name: {_name(entry.children_namespace, child): child for child in entry.children}
    for name, (_, entry) in _FIELDS.items()
}
_FAULT_FIELDS: Final = frozenset({"faultcode", "faultstring", "faultactor", "detail"})
# SOAP 1.2 part 1, 5.4; a subcode says more than the code above it, so the innermost one stays.
_FAULT12_FIELDS: Final = {
    "Code/Value": "faultcode",
    "Reason/Text": "faultstring",
    "Role": "faultactor",
    "Detail": "detail",
    "Detail/faultDetail": "detail",
}


@dataclass(slots=True)
class Layout:
    """Byte offsets into the raw envelope; -1 where there is no such element."""

    envelope: int = -1
    header: int = -1
    id: int = -1
    id_end: int = -1
    id_has_algorithm: bool = False
    request_hashes: list[tuple[int, int]] = field(default_factory=list)
    header_end: int = field(default=-1, compare=False)  # where its end tag begins
    texts: list[tuple[str, int]] = field(default_factory=list, compare=False)  # fields of text alone, and their places


@dataclass(slots=True)
class Envelope:
    """What one pass over an envelope found."""

    values: dict[str, object] = field(default_factory=dict)
    has_header: bool = False
    has_body: bool = False
    body_name: str | None = None
    fault: dict[str, str] | None = None
    encoding: str | None = None
    is_soap12: bool = False
    layout: Layout = field(default_factory=Layout)


def scan_envelope(raw: bytes) -> Envelope:
    """Read an envelope.

    Raises MalformedMessage: invalid_soap for anything that is not one well-formed SOAP envelope, or
    carries a DOCTYPE, or is deeper than MAX_XML_DEPTH; and the codes of the elements themselves.
    """
    scanner = _Scanner()
    try:
        scanner.parser.Parse(raw, True)
    except expat.ExpatError as cause:
        raise MalformedMessage("invalid_soap", "soap.not_well_formed", reason=str(cause)) from cause
    except (ValueError, LookupError) as cause:  # an encoding Python does not know
        raise MalformedMessage("invalid_soap", "soap.encoding", encoding=scanner.found.encoding or "-") from cause
    finally:
        del scanner.parser  # its handlers hold the scanner: leave no cycle to the garbage collector
    return scanner.found


class _Scanner:
    """expat's handlers; `depth` is 1 inside the Envelope, 3 at header fields and body children."""

    __slots__ = (
        "capture", "depth", "entry", "fault_stack", "found", "in_body", "is_deaf", "local", "parser", "parts",
        "parts_of", "sections", "start_at", "text",
    )  # fmt: skip

    def __init__(self) -> None:
        self.found = Envelope()
        self.depth = 0
        self.in_body = False
        self.capture = -1  # the depth whose text is being collected
        self.text: list[str] = []  # what was heard since the last element that counts began
        self.is_deaf = True  # no text is heard: setting a handler of expat's costs as much as an element
        self.entry: HeaderField | None = None
        self.parts: dict[str, str] = {}
        self.parts_of: dict[str, str] = {}
        self.local = ""  # local name of the open identifier component
        self.start_at = -1
        self.fault_stack: list[tuple[str, list[str]]] = []
        self.sections = ("", "", "")  # Header, Body and Fault as this envelope's version calls them
        parser = self.parser = expat.ParserCreate(None, SEPARATOR)
        parser.ordered_attributes = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.XmlDeclHandler = self.declaration

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.found.encoding = encoding

    def start(self, name: str, _attributes: list[str]) -> None:
        depth = self.depth = self.depth + 1
        if depth == 2:
            self.open_section(name)
        elif depth == 1:
            if name not in SECTIONS:
                raise MalformedMessage("invalid_soap", "soap.not_an_envelope", root=_printable(name))
            self.sections = SECTIONS[name]
            self.found.is_soap12 = name == ENVELOPE12
            self.found.layout.envelope = self.parser.CurrentByteIndex
        elif self.in_body and depth == 3:
            self.open_body_child(name)
        elif depth > MAX_XML_DEPTH:
            raise _too_deep()

    def end(self, _name: str) -> None:
        if self.depth == 2:
            self.in_body = False
        self.depth -= 1

    def open_section(self, name: str) -> None:
        found, parser = self.found, self.parser
        header, body, _ = self.sections
        if name == header:
            if found.has_header:
                raise MalformedMessage("invalid_soap", "soap.repeated_section", element="Header")
            found.has_header = True
            found.layout.header = parser.CurrentByteIndex
            parser.StartElementHandler = self.start_in_header
            parser.EndElementHandler = self.end_in_header
        elif name == body:
            if found.has_body:
                raise MalformedMessage("invalid_soap", "soap.repeated_section", element="Body")
            found.has_body = self.in_body = True

    def start_in_header(self, name: str, attributes: list[str]) -> None:
        depth = self.depth = self.depth + 1
        if depth == 4:
            local = self.parts_of.get(name)
            if local is None:
                self.hear(False)
                return
            if local in self.parts:
                raise MalformedMessage("duplicate_header_field", "soap.duplicate_field", field=local)
            self.local = local
            self.capture = 4
            self.text.clear()
            if self.is_deaf:
                self.hear(True)
        elif depth == 3:
            self.open_field(name, attributes)
        else:
            self.hear(False)
            if depth > MAX_XML_DEPTH:
                raise _too_deep()

    def end_in_header(self, _name: str) -> None:
        depth = self.depth
        self.depth = depth - 1
        if depth == self.capture:
            self.capture = -1
            if depth == 4:
                self.parts[self.local] = "".join(self.text)
                return
        elif depth == self.capture + 1:  # the text goes on behind an element that is none of ours
            self.hear(True)
        if depth == 3:
            self.close_field()
        elif depth == 2:
            self.hear(False)
            self.found.layout.header_end = self.parser.CurrentByteIndex
            self.parser.StartElementHandler = self.start
            self.parser.EndElementHandler = self.end

    def hear(self, text: bool) -> None:
        if text is self.is_deaf:
            self.is_deaf = not text
            self.parser.CharacterDataHandler = self.text.append if text else None

    def open_field(self, name: str, attributes: list[str]) -> None:
        known = _FIELDS.get(name)
        if known is None:
            self.hear(False)
            return
        local, entry = known
        if entry.attribute in self.found.values:
            if entry.attribute == "security_token":  # opaque, and X-Road does not look at it either
                self.hear(False)
                return
            raise MalformedMessage("duplicate_header_field", "soap.duplicate_field", field=local)
        self.entry = entry
        self.parts = {}
        self.parts_of = _PARTS[name]
        if entry.object_types:
            check_object_type(local, _attribute(attributes, _OBJECT_TYPE), entry.object_types)
        if not entry.children:
            self.capture = 3
            self.text.clear()
            self.hear(True)
            self.start_at = self.parser.CurrentByteIndex
            if entry.attribute == "security_token":
                self.parts = {"tokenType": kind} if (kind := _attribute(attributes, "tokenType")) is not None else {}
            elif entry.attribute == "id":
                self.found.layout.id_has_algorithm = _attribute(attributes, "algorithmId") is not None

    def close_field(self) -> None:
        entry = self.entry
        if entry is None:
            return
        self.entry = None
        self.parts_of = {}
        text = "" if entry.children else "".join(self.text)
        attribute = entry.attribute
        self.found.values[attribute] = value_of(attribute, text, self.parts)
        if not entry.children:
            self.found.layout.texts.append((attribute, self.start_at))
        if attribute == "id":
            layout = self.found.layout
            layout.id, layout.id_end = self.start_at, self.parser.CurrentByteIndex
        elif attribute == "request_hash":
            self.found.layout.request_hashes.append((self.start_at, self.parser.CurrentByteIndex))

    def open_body_child(self, name: str) -> None:
        parser = self.parser
        if name == self.sections[2]:
            self.found.fault = {}
            self.fault_stack = [("Fault", [])]
            parser.StartElementHandler = self.start_in_fault
            parser.EndElementHandler = self.end_in_fault
            parser.CharacterDataHandler = self.text_in_fault
            return
        if self.found.body_name is not None:
            raise MalformedMessage("invalid_body", "soap.body_not_one_element")
        self.found.body_name = name.rpartition(SEPARATOR)[2]
        parser.StartElementHandler = self.start_in_body
        parser.EndElementHandler = self.end_in_body

    def start_in_body(self, _name: str, _attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > MAX_XML_DEPTH:
            raise _too_deep()

    def end_in_body(self, _name: str) -> None:
        self.depth -= 1
        if self.depth == 2:
            self.parser.StartElementHandler = self.start
            self.parser.EndElementHandler = self.end

    def start_in_fault(self, name: str, _attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > MAX_XML_DEPTH:
            raise _too_deep()
        self.fault_stack.append((name.rpartition(SEPARATOR)[2], []))

    def text_in_fault(self, text: str) -> None:
        self.fault_stack[-1][1].append(text)

    def end_in_fault(self, name: str) -> None:
        local, pieces = self.fault_stack.pop()
        values = self.found.fault if self.found.fault is not None else {}
        depth = self.depth
        if self.found.is_soap12:
            path = "/".join([*(parent for parent, _ in self.fault_stack[1:]), local]).replace("Subcode/", "")
            known = _FAULT12_FIELDS.get(path)
            if known == "faultcode" or (known is not None and not values.get(known)):
                values[known] = "".join(pieces)
        elif depth == 5 and local == "faultDetail" and self.fault_stack[-1][0] == "detail":
            values["detail"] = "".join(pieces)
        elif depth == 4 and local in _FAULT_FIELDS and not (local == "detail" and values.get("detail")):
            values[local] = "".join(pieces)
        if depth == 3:
            self.parser.CharacterDataHandler = None
        self.end_in_body(name)


def _attribute(attributes: list[str], name: str) -> str | None:
    for index in range(0, len(attributes), 2):
        if attributes[index] == name:
            return attributes[index + 1]
    return None


def _refuse_doctype(*_: object) -> None:
    raise MalformedMessage("invalid_soap", "soap.doctype")


def _too_deep() -> MalformedMessage:
    return MalformedMessage("invalid_soap", "soap.too_deep", limit=MAX_XML_DEPTH)


def _printable(name: str) -> str:
    return name.rpartition(SEPARATOR)[2][:100]


def build_envelope(headers: SoapHeaders, body_xml: bytes) -> bytes:
    """Return a SOAP 1.1 message around `body_xml`, the one element of the body, in UTF-8."""
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{NS_SOAP11}" '
        f'xmlns:xrd="{NS_XROAD}" xmlns:id="{NS_IDENTIFIERS}"><SOAP-ENV:Header>'
        f"{build_header_elements(headers)}</SOAP-ENV:Header><SOAP-ENV:Body>"
    )
    return head.encode() + body_xml + b"</SOAP-ENV:Body></SOAP-ENV:Envelope>"

"""Strict reading and writing of configuration elements: what a schema would check, without a schema.

A `Reader` walks the children of one element in order; every step names what must come next, and
`end` refuses what is left. Elements are unqualified except identifiers and the roots (X-Road
globalconf/*.xsd have no elementFormDefault).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from lxml import etree

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD, NS_XSI, parse_xml

_SPACE: Final = " \t\r\n"
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_OBJECT_TYPE: Final = f"{{{NS_IDENTIFIERS}}}objectType"
_NAMESPACES: Final = {"x": NS_XROAD, "id": NS_IDENTIFIERS}
# Hints where a schema lies change nothing; xsi:type and xsi:nil would.
_HARMLESS_ATTRIBUTES: Final = frozenset(f"{{{NS_XSI}}}{n}" for n in ("schemaLocation", "noNamespaceSchemaLocation"))


class Reader:
    """One element: its attributes and children are taken in order, or its text is taken."""

    __slots__ = ("_children", "_element", "code", "name")

    def __init__(self, node: etree._Element, code: str, attributes: tuple[str, ...] = ()) -> None:
        self.code = code
        self._element = node
        self.name = _local(node)
        unknown = set(map(str, node.attrib)) - set(attributes) - _HARMLESS_ATTRIBUTES
        if unknown:
            raise self._fault("globalconf.unexpected_attribute", attribute=min(unknown))
        self._children = [child for child in node if isinstance(child.tag, str)]
        self._children.reverse()

    def _fault(self, text_id: str, **facts: object) -> MalformedMessage:
        return MalformedMessage(self.code, text_id, element=self.name, **facts)

    def find(self, name: str, *, namespace: str | None = None, attributes: tuple[str, ...] = ()) -> Reader | None:
        """Take the next child if it is called `name`."""
        if not self._children or self._children[-1].tag != (f"{{{namespace}}}{name}" if namespace else name):
            return None
        return Reader(self._children.pop(), self.code, attributes)

    def child(self, name: str, *, namespace: str | None = None, attributes: tuple[str, ...] = ()) -> Reader:
        """Take the next child, which must be called `name`."""
        found = self.find(name, namespace=namespace, attributes=attributes)
        if found is None:
            came = _local(self._children[-1]) if self._children else "/"
            raise self._fault("globalconf.element_missing", expected=name, came=came)
        return found

    def children(self, name: str, *, attributes: tuple[str, ...] = (), at_least: int = 0) -> list[Reader]:
        """Take every next child called `name`."""
        found: list[Reader] = []
        while (child := self.find(name, attributes=attributes)) is not None:
            found.append(child)
        if len(found) < at_least:
            self.child(name, attributes=attributes)
        return found

    def end(self, *, open_content: bool = False) -> None:
        """Refuse text between children, and children that are left, unless the schema ends in a wildcard."""
        if self._children and not open_content:
            raise self._fault("globalconf.unexpected_element", came=_local(self._children[-1]))
        node = self._element
        pieces = [node.text, *(child.tail for child in node)]
        if any(piece and piece.strip(_SPACE) for piece in pieces):
            raise self._fault("globalconf.unexpected_text")

    def attribute(self, name: str) -> str | None:
        """Return an attribute."""
        value = self._element.get(name)
        return None if value is None else str(value)

    def text(self) -> str:
        """Return the text of an element without children, as written."""
        if self._children:
            raise self._fault("globalconf.unexpected_element", came=_local(self._children[-1]))
        node = self._element  # comments split the text
        return "".join([node.text or "", *(child.tail or "" for child in node)])

    def token(self) -> str:
        """Return the text with outer white space gone, as for every type but string."""
        return self.text().strip(_SPACE)

    def required_text(self) -> str:
        """Return text that may not be blank: codes and identifiers."""
        text = self.text()
        if not text.strip():
            raise self._fault("globalconf.empty_element")
        return text

    def base64(self) -> bytes:
        """Return what the base64 text stands for; white space is allowed, an empty value is not."""
        compact = "".join(self.text().split())
        try:
            value = base64.b64decode(compact, validate=True)
        except (binascii.Error, ValueError) as cause:
            raise self._fault("globalconf.not_base64") from cause
        if not value:
            raise self._fault("globalconf.empty_element")
        return value

    def boolean(self) -> bool:
        """Return an xs:boolean."""
        value = _BOOLEANS.get(self.token())
        if value is None:
            raise self._fault("globalconf.not_boolean", value=self.token()[:64])
        return value

    def integer(self, *, minimum: int, maximum: int) -> int:
        """Return an xs:integer within bounds."""
        text = self.token()
        if not _INTEGER.fullmatch(text) or not minimum <= int(text) <= maximum:
            raise self._fault("globalconf.not_integer", value=text[:64], minimum=minimum, maximum=maximum)
        return int(text)

    def one_of(self, values: tuple[str, ...]) -> str:
        """Return text out of a closed set."""
        text = self.text()
        if text not in values:
            raise self._fault("globalconf.not_listed", value=text[:64], allowed=", ".join(values))
        return text

    def refuse(self, text_id: str, **facts: object) -> MalformedMessage:
        """Return the fault of a rule that the caller checked on this element."""
        return self._fault(text_id, **facts)


def open_document(xml: bytes, root_name: str, *, code: str = "malformed_global_conf") -> Reader:
    """Parse a document whose root is `root_name` in the X-Road namespace."""
    root = parse_xml(xml, code=code)
    if root.tag != f"{{{NS_XROAD}}}{root_name}":
        raise MalformedMessage(code, "globalconf.wrong_root", expected=root_name, came=_local(root))
    return Reader(root, code)


def read_client(reader: Reader) -> ClientId:
    """Read the content of a client identifier (X-Road identifiers.xsd: XRoadClientIdentifierType)."""
    names = ("xRoadInstance", "memberClass", "memberCode")
    member = MemberId(*(reader.child(name, namespace=NS_IDENTIFIERS).required_text() for name in names))
    subsystem = reader.find("subsystemCode", namespace=NS_IDENTIFIERS)
    code = None if subsystem is None else subsystem.required_text()
    reader.end()
    client: ClientId = member if code is None else SubsystemId(member, code)
    if reader.attribute(_OBJECT_TYPE) != client.object_type:
        raise reader.refuse("globalconf.wrong_object_type", expected=client.object_type)
    return client


CLIENT_ATTRIBUTES: Final = (_OBJECT_TYPE,)


def element(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    """Append an unqualified child."""
    child = etree.SubElement(parent, name)
    child.text = text
    return child


def optional_element(parent: etree._Element, name: str, text: str | None) -> None:
    """Append an unqualified child unless there is nothing to say."""
    if text is not None:
        element(parent, name, text)


def base64_element(parent: etree._Element, name: str, value: bytes) -> None:
    """Append an unqualified child with base64 on one line."""
    element(parent, name, base64.b64encode(value).decode("ascii"))


def client_element(parent: etree._Element, name: str, client: ClientId) -> None:
    """Append a client identifier."""
    child = element(parent, name)
    child.set(_OBJECT_TYPE, client.object_type)
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    for part_name, value in zip(names, client.parts, strict=False):
        etree.SubElement(child, f"{{{NS_IDENTIFIERS}}}{part_name}").text = value


def new_document(root_name: str) -> etree._Element:
    """Return a root in the X-Road namespace with the two prefixes declared."""
    return etree.Element(f"{{{NS_XROAD}}}{root_name}", nsmap=_NAMESPACES)


def serialise(root: etree._Element) -> bytes:
    """Return the document with its XML declaration, as UTF-8."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


def _local(node: etree._Element) -> str:
    return str(node.tag).rpartition("}")[2][:80]

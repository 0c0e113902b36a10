"""XML as people read it: indented, what is personal masked, the protocol's own header open.

An element's name says whether its text is personal, but for that of an operation: `checkunzr` is no
field. What stays open is looked at twice, since a value that is hidden in one place stands in others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from gateway.auditing.masking import Veil
from gateway.xroad.faults import XRoadFault
from gateway.xroad.xml import NS_SECURITY_TOKEN, NS_SOAP11, NS_SOAP12, NS_XSI, parse_xml

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_INDENT: Final = "  "
_OF_XROAD: Final = "{http://x-road.eu/xsd/"
# Elements of a SOAP header whose text may name or identify a person, or open a door.
_MASKED_HEADERS: Final = frozenset({"partyCode", f"{{{NS_SECURITY_TOKEN}}}securityToken"})
# Who asks whom stands in every table of the page: hiding it here would hide nothing.
_IDENTIFIERS: Final = frozenset({"client", "service", "securityServer", "centralService"})


def is_xml(content: bytes) -> bool:
    """Tell whether something begins as XML does."""
    return content.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] == b"<"


def print_xml(content: bytes, veil: Veil | None) -> str | None:
    """Return a document laid out, masked where there is a veil; None for what is no document."""
    root = _parse(content)
    if root is None:
        return None
    try:
        if veil is not None:
            _mask_document(root, veil)
        etree.indent(root, _INDENT)
        return etree.tostring(root, encoding="unicode")
    except ValueError:  # a text that no document can hold, put together out of an odd encoding
        return None


def soap_headers(message: bytes, veil: Veil | None) -> Iterator[tuple[str, str]]:
    """Yield the blocks of a SOAP header with their texts; of what is no envelope, nothing."""
    root = _parse(message)
    header = None if root is None else _header_of(root)
    for block in () if header is None else header:
        if isinstance(block.tag, str):
            parts = [part for part in block.iter() if isinstance(part.tag, str) and (part.text or "").strip()]
            yield _local(block.tag), "/".join(_header_text(block, part, veil) for part in parts)


def _header_text(block: etree._Element, part: etree._Element, veil: Veil | None) -> str:
    text = (part.text or "").strip()
    is_open = block.tag.startswith(_OF_XROAD) and not _is_masked_header(part.tag)
    return text if veil is None or is_open else veil.hide(_local(part.tag), text)


def _parse(content: bytes) -> etree._Element | None:
    try:
        return parse_xml(content)
    except XRoadFault:
        return None


class _Text:
    """A text that can be replaced: of an element, behind it, or of an attribute."""

    __slots__ = ("element", "place")

    def __init__(self, element: etree._Element, place: str) -> None:
        self.element = element
        self.place = place  # "text", "tail", or the attribute

    def get(self) -> str:
        if self.place == "text":
            return self.element.text or ""
        if self.place == "tail":
            return self.element.tail or ""
        return str(self.element.get(self.place) or "")

    def set(self, value: str) -> None:
        if self.place == "text":
            self.element.text = value
        elif self.place == "tail":
            self.element.tail = value
        else:
            self.element.set(self.place, value)


def _mask_document(root: etree._Element, veil: Veil) -> None:
    open_texts = list(_mask(root, veil, _of_the_protocol(root)))
    for text in open_texts:
        before = text.get()
        after = veil.look_again(before)
        if after != before:
            text.set(after)


def _mask(root: etree._Element, veil: Veil, protocol: dict[etree._Element, bool]) -> Iterator[_Text]:
    """Mask what is personal; yield the texts that are to be looked at again.

    `protocol` maps its elements to whether they are identifiers, which stay as they are.
    """
    waiting = [(root, False)]
    while waiting:
        element, is_hidden = waiting.pop()
        if not isinstance(element.tag, str):
            element.text = veil.hide("#comment", element.text or "")
            continue
        name = _local(element.tag)
        if element in protocol:
            if not protocol[element]:
                yield _Text(element, "text")
        else:
            is_personal = _is_masked_header(element.tag) or (veil.covers(name) and not _is_operation(element))
            is_hidden = is_hidden or is_personal
            yield from _mask_texts(element, name, veil, is_hidden=is_hidden)
        for child in reversed(element):
            if child.tail and child.tail.strip():
                child.tail = veil.hide(name, child.tail) if is_hidden else veil.look(name, child.tail)
                yield _Text(child, "tail")
            waiting.append((child, is_hidden))


def _mask_texts(element: etree._Element, name: str, veil: Veil, *, is_hidden: bool) -> Iterator[_Text]:
    if element.text and element.text.strip():
        element.text = veil.hide(name, element.text) if is_hidden else veil.look(name, element.text)
        yield _Text(element, "text")
    for attribute, value in list(element.attrib.items()):
        key = str(attribute)
        if key.startswith(f"{{{NS_XSI}}}") or key.endswith("encodingStyle"):
            continue
        shown = f"{name}@{_local(key)}"
        covered = is_hidden or veil.covers(_local(key))
        element.set(key, veil.hide(shown, str(value)) if covered else veil.look(shown, str(value)))
        yield _Text(element, key)


def _is_operation(element: etree._Element) -> bool:
    """Tell whether an element is named for what is asked: a body's child, or the root of another document."""
    parent = element.getparent()
    return parent is None or parent.tag in (f"{{{NS_SOAP11}}}Body", f"{{{NS_SOAP12}}}Body")


def _header_of(root: etree._Element) -> etree._Element | None:
    for namespace in (NS_SOAP11, NS_SOAP12):
        if root.tag == f"{{{namespace}}}Envelope":
            return root.find(f"{{{namespace}}}Header")
    return None


def _of_the_protocol(root: etree._Element) -> dict[etree._Element, bool]:
    """Return the elements of the header whose texts are the protocol's, and whether they are identifiers."""
    header = _header_of(root)
    found: dict[etree._Element, bool] = {}
    for block in () if header is None else header:
        if isinstance(block.tag, str) and block.tag.startswith(_OF_XROAD):
            for element in block.iter():
                if isinstance(element.tag, str) and not _is_masked_header(element.tag):
                    found[element] = _local(block.tag) in _IDENTIFIERS
    return found


def _is_masked_header(tag: str) -> bool:
    return tag in _MASKED_HEADERS or _local(tag) in _MASKED_HEADERS


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]

"""Declared records as XML elements: qualified names, any order, one namespace per service.

Order is not insisted on, since client libraries differ; what we write follows the schema's sequence.
"""

from __future__ import annotations

import typing
from typing import Any, Final, TypeVar

from lxml import etree

from gateway.xroad.xml import NS_XSI
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import (
    FieldSpec,
    RecordSpec,
    assemble,
    describe,
    join,
    read_text,
    show_text,
    unknown_field,
)

T = TypeVar("T")
_NIL: Final = f"{{{NS_XSI}}}nil"


def from_xml(record: type[T], element: etree._Element) -> T:
    """Return the dataclass of an element's children, which stand in the element's own namespace.

    Raises RequestError naming the first field that is unknown, missing, repeated or ill-formed.
    """
    return typing.cast("T", _read_record(describe(record), element, etree.QName(element).namespace or "", ""))


def to_xml(value: Any, name: str, namespace: str) -> etree._Element:
    """Return a dataclass as an element of that name; what is not there is left out."""
    element = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})  # type: ignore[dict-item]
    _write_record(element, describe(type(value)), value, f"{{{namespace}}}")
    return element


def _read_record(record: RecordSpec, element: etree._Element, namespace: str, path: str) -> Any:
    values: dict[str, list[Any]] = {}
    for child in element.iterchildren(tag=etree.Element):
        tag = etree.QName(child)
        spec = record.by_element.get(tag.localname) if tag.namespace == namespace else None
        if spec is None:
            raise unknown_field(tag.localname, path)
        values.setdefault(spec.name, []).append(_read_item(spec, child, namespace, join(path, spec.element)))
    return assemble(record, values, path)


def _read_item(spec: FieldSpec, element: etree._Element, namespace: str, path: str) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return None
    if spec.record:
        return _read_record(spec.record, element, namespace, path)
    if next(element.iterchildren(tag=etree.Element), None) is not None:
        raise RequestError("registry.field_invalid", field=path, expected="text")
    return read_text(spec, text_of(element), path)


def text_of(element: etree._Element) -> str:
    """Return the text of an element: every run of characters, comments and instructions skipped."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _write_record(parent: etree._Element, record: RecordSpec, value: Any, prefix: str) -> None:
    for spec in record.fields:
        held = getattr(value, spec.name)
        items = held if spec.many else (() if held is None else (held,))
        for item in items:
            child = etree.SubElement(parent, prefix + spec.element)
            if spec.record:
                _write_record(child, spec.record, item, prefix)
            else:
                child.text = show_text(spec, item)

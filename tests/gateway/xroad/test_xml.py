from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad import xml
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.xml import C14N_11, C14N_EXCLUSIVE, C14N_INCLUSIVE, canonicalise, parse_xml


def code_of(data: bytes, **options: str) -> str:
    with pytest.raises(MalformedMessage) as caught:
        parse_xml(data, **options)
    return caught.value.code


@pytest.mark.parametrize(
    "data", [b"", b"<a", b"<a></b>", b"<a/><b/>", b"\x00", b"<a>&nope;</a>", b"<x:a/>", b"<a>\xff</a>"]
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    assert code_of(data) == "invalid_xml"


def test_code_of_the_refusal_is_the_callers() -> None:
    assert code_of(b"<a", code="malformed_signature") == "malformed_signature"


@pytest.mark.parametrize(
    "doctype",
    [
        b"<!DOCTYPE a>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE a [<!ENTITY b "c">]>',
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;"><!ENTITY d "&c;&c;">]>',
    ],
)
def test_doctype_is_refused(doctype: bytes) -> None:
    assert code_of(doctype + b"<a/>") == "invalid_xml"


def test_deep_nesting_is_refused() -> None:
    assert code_of(b"<a>" * 300 + b"</a>" * 300) == "invalid_xml"


def test_large_document_is_refused() -> None:
    assert code_of(b"<a>" + b" " * xml.MAX_XML_BYTES + b"</a>") == "invalid_xml"


@given(st.binary() | st.text(st.sampled_from("<>/a&;\"'= ![]-"), max_size=30).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(XRoadFault):
        parse_xml(data)


def test_inclusive_form_inherits_the_namespaces_of_the_ancestors() -> None:
    child = parse_xml(b'<a xmlns="urn:a" xmlns:b="urn:b"><c z="1" b:y="2"><!-- no --></c> tail</a>')[0]
    expected = b'<c xmlns="urn:a" xmlns:b="urn:b" z="1" b:y="2"></c>'
    assert canonicalise(child) == canonicalise(child, C14N_11) == expected


def test_exclusive_form_has_only_what_is_used() -> None:
    child = parse_xml(b'<a xmlns="urn:a" xmlns:b="urn:b"><c/></a>')[0]
    assert canonicalise(child, C14N_EXCLUSIVE) == b'<c xmlns="urn:a"></c>'


def test_line_ends_are_normalised() -> None:
    assert canonicalise(parse_xml(b"<a>\r\n&#13;</a>"), C14N_INCLUSIVE) == b"<a>\n&#xD;</a>"


def test_other_canonicalisation_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        canonicalise(parse_xml(b"<a/>"), C14N_INCLUSIVE + "#WithComments")
    assert caught.value.code == "invalid_xml"


def test_reason_of_a_refusal_is_short() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_xml(b"<" + b"x" * 5000 + b">")
    assert len(str(caught.value.facts["reason"])) <= 200

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.soap.envelope import build_envelope, scan_envelope
from gateway.xroad.soap.headers import SoapHeaders
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapMessage, parse_soap
from gateway.xroad.xml import MAX_XML_DEPTH
from tests.factories.messages import a_body, soap_bytes, soap_headers
from tests.properties.messages import soap_headers as any_headers

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"


def code_of(raw: bytes) -> str:
    with pytest.raises(MalformedMessage) as caught:
        scan_envelope(raw)
    return caught.value.code


def envelope(inner: str, attributes: str = "") -> bytes:
    return f'<e:Envelope xmlns:e="{SOAP}"{attributes}>{inner}</e:Envelope>'.encode()


@given(any_headers())
def test_header_that_was_built_is_read_back(headers: SoapHeaders) -> None:
    raw = build_envelope(headers, f"<{headers.service.service_code}/>".encode())
    message = parse_soap(raw, TEXT_XML_UTF8)
    assert isinstance(message, SoapMessage)
    assert message.headers == headers
    assert message.raw is raw


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda junk: soap_bytes()[:400] + junk))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(XRoadFault):
        parse_soap(raw, TEXT_XML_UTF8)


@given(st.data())
def test_damaged_envelope_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(soap_bytes())
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[position] = data.draw(st.sampled_from(b"<>/&;\"'=: x\x00\xff"))
    with contextlib.suppress(XRoadFault):
        parse_soap(bytes(raw), TEXT_XML_UTF8)


def test_byte_order_mark_is_skipped_but_stays_in_the_bytes() -> None:
    raw = b"\xef\xbb\xbf" + soap_bytes()
    message = parse_soap(raw, TEXT_XML_UTF8)
    assert message.raw == raw


def test_declared_encoding_is_obeyed() -> None:
    plain = soap_bytes(soap_headers(user_id="Є")).replace(b'encoding="UTF-8"', b'encoding="windows-1251"')
    raw = plain.decode("utf-8").encode("windows-1251")
    assert scan_envelope(raw).values["user_id"] == "Є"


def test_utf16_is_read() -> None:
    raw = soap_bytes().decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    assert scan_envelope(raw).values["id"] == "m-1"


@pytest.mark.parametrize("name", ["utf-7", "idna", "no-such-encoding", "rot13", "big5"])
def test_encoding_nobody_reads_the_same_way_is_refused(name: str) -> None:
    assert code_of(soap_bytes().replace(b"UTF-8", name.encode())) == "invalid_soap"


def test_doctype_is_refused() -> None:
    raw = soap_bytes().replace(b"?>", b'?><!DOCTYPE e [<!ENTITY a "b">]>', 1)
    assert code_of(raw) == "invalid_soap"


def test_external_doctype_is_refused() -> None:
    assert code_of(b'<!DOCTYPE e SYSTEM "file:///etc/passwd">' + envelope("<e:Body/>")) == "invalid_soap"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not xml",
        b"<a/>",
        b"<Envelope/>",
        f'<e:Header xmlns:e="{SOAP}"/>'.encode(),
        b'<e:Envelope xmlns:e="http://www.w3.org/2001/12/soap-envelope"/>',
        envelope("<e:Body>"),
        envelope("") + b"x",
        envelope("<x:y/>"),
        envelope("&unknown;"),
        envelope("<e:Body/><e:Body/>"),
        envelope("<e:Header/><e:Header/>"),
    ],
)
def test_what_is_not_one_soap_envelope_is_refused(raw: bytes) -> None:
    assert code_of(raw) == "invalid_soap"


def test_envelope_of_soap_12_is_read_by_the_same_rules() -> None:
    found = scan_envelope(soap_bytes().replace(SOAP.encode(), SOAP12.encode()))
    assert found.is_soap12
    assert found.body_name == "GetPerson"
    assert found.values == scan_envelope(soap_bytes()).values


def test_sections_of_the_other_version_are_none() -> None:
    inner = f'<o:Header xmlns:o="{SOAP12}"/><o:Body xmlns:o="{SOAP12}"><a/></o:Body>'
    found = scan_envelope(envelope(inner))
    assert (found.is_soap12, found.has_header, found.has_body) == (False, False, False)


def test_broken_xml_behind_the_header_is_noticed() -> None:
    assert code_of(soap_bytes().replace(b"</SOAP-ENV:Envelope>", b"")) == "invalid_soap"


@pytest.mark.parametrize(
    "where", ["<e:Header>%s</e:Header>", "<e:Body>%s</e:Body>", "<e:Body><e:Fault>%s</e:Fault></e:Body>", "%s"]
)
def test_nesting_is_bounded_everywhere(where: str) -> None:
    deep = "<a>" * MAX_XML_DEPTH + "</a>" * MAX_XML_DEPTH
    assert code_of(envelope(where % deep)) == "invalid_soap"


def test_namespace_cannot_imitate_another_one() -> None:
    inner = '<e:Header><x:client xmlns:x="http://x-road.eu/xsd/xroad.xsd client"/></e:Header>'
    assert scan_envelope(envelope(inner)).values == {}


def test_text_of_a_field_is_everything_directly_in_it() -> None:
    raw = soap_bytes(soap_headers(id="ID")).replace(
        b">ID<", b"> a<!-- c --><![CDATA[<b>]]><x>no<y/></x>&amp;\xd0\x84 <"
    )
    assert scan_envelope(raw).values["id"] == " a<b>&Є "


def test_text_of_an_identifier_component_is_not_trimmed() -> None:
    raw = soap_bytes().replace(b">SNAP<", b"> SN<z>x</z>AP\n<")
    assert str(scan_envelope(raw).values["client"]) == "UA-DEMO/GOV/10000001/ SNAP\n"


def test_unknown_headers_pass() -> None:
    raw = soap_bytes().replace(b"<SOAP-ENV:Header>", b'<SOAP-ENV:Header><a xmlns="urn:a"><b><c/>x</b></a>')
    assert scan_envelope(raw).values["id"] == "m-1"


def test_fields_in_any_order_are_read() -> None:
    raw = soap_bytes()
    start, end = raw.index(b"<xrd:protocolVersion>"), raw.index(b"</SOAP-ENV:Header>")
    version = raw[start:end]
    moved = raw.replace(version, b"").replace(b"<SOAP-ENV:Header>", b"<SOAP-ENV:Header>" + version)
    assert scan_envelope(moved).values == scan_envelope(raw).values


def test_two_security_tokens_pass_and_the_first_counts() -> None:
    token = b'<t:securityToken xmlns:t="http://x-road.eu/xsd/security-token.xsd" tokenType="%s">v</t:securityToken>'
    raw = soap_bytes().replace(b"<SOAP-ENV:Header>", b"<SOAP-ENV:Header>" + token % b"one" + token % b"two")
    assert scan_envelope(raw).values["security_token"].token_type == "one"


def test_header_elements_outside_the_header_do_not_count() -> None:
    raw = soap_bytes(body=b'<GetPerson><xrd:client xmlns:xrd="http://x-road.eu/xsd/xroad.xsd"/></GetPerson>')
    assert scan_envelope(raw).values["client"].subsystem_code == "SNAP"


def test_body_without_or_with_two_elements_is_told_apart() -> None:
    assert scan_envelope(envelope("<e:Body> text </e:Body>")).body_name is None
    assert code_of(envelope("<e:Body><a/><b/></e:Body>")) == "invalid_body"


def test_large_body_is_read_without_a_tree() -> None:
    raw = soap_bytes(body=a_body(inner="<a>value</a>" * 50_000))
    started = time.process_time()
    assert scan_envelope(raw).body_name == "GetPerson"
    assert time.process_time() - started < 2

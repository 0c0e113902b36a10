from __future__ import annotations

import re

import pytest
from hypothesis import given
from lxml import etree

from gateway.xroad.bodies import BytesBody
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.metadata.soap import (
    build_get_wsdl,
    build_method_list,
    build_wsdl_answer,
    wanted_service,
    wsdl_of,
)
from gateway.xroad.soap.message import Attachment, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.package import package_content_type, write_package
from gateway.xroad.soap.request_hash import check_request_hash
from gateway.xroad.xml import NS_IDENTIFIERS, NS_SOAP12, NS_XROAD
from tests.factories.messages import a_member, a_provider, a_service, a_soap_message, soap_headers
from tests.properties import identifiers

NAMES = {"xrd": NS_XROAD, "id": NS_IDENTIFIERS}
WSDL = b"<?xml version='1.0'?>\n<definitions/>\n"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCD"


def a_request(code: str, inner: str = "", version: str | None = None) -> SoapMessage:
    headers = soap_headers(service=a_service(code, version=version), user_id="clerk")
    body = f'<x:{code} xmlns:x="{NS_XROAD}">{inner}</x:{code}>'
    return a_soap_message(headers, body=body.encode())


def get_wsdl(code: str = "GetPerson", version: str | None = None) -> SoapMessage:
    inner = f"<x:serviceCode>{code}</x:serviceCode>"
    inner += "" if version is None else f"<x:serviceVersion>{version}</x:serviceVersion>"
    return a_request("getWsdl", inner)


def an_answer(wsdl: bytes = WSDL) -> SoapMessage:
    return build_wsdl_answer(get_wsdl(), a_service("GetPerson"), wsdl, content_id="1-2", letters=LETTERS)


def listed(answer: SoapMessage) -> list[list[str | None]]:
    services = etree.fromstring(answer.raw).iterfind(f".//xrd:{answer.body_name}/xrd:service", NAMES)
    return [[part.text for part in service] for service in services]


@pytest.mark.parametrize("code", ["listMethods", "allowedMethods"])
def test_methods_are_listed_with_and_without_subsystem_and_version(code: str) -> None:
    request = a_request(code)
    services = [a_service("GetPerson", version="v1"), a_service("Other", provider=a_member("10000009"))]
    answer = build_method_list(request, services)
    assert answer.body_name == f"{code}Response"
    assert listed(answer) == [list(service.parts) for service in services]
    check_consistency(request, answer)
    check_request_hash(answer, request)


def test_answer_keeps_header_blocks_that_nobody_here_knows() -> None:
    request = a_request("listMethods")
    raw = request.raw.replace(b"</SOAP-ENV:Header>", b'<t:token xmlns:t="urn:t">secret</t:token></SOAP-ENV:Header>')
    parsed = parse_soap(raw, "text/xml")
    assert isinstance(parsed, SoapMessage)
    answer = build_method_list(parsed, [])
    assert b'<t:token xmlns:t="urn:t">secret</t:token>' in answer.raw
    assert listed(answer) == []


def test_answer_has_the_prefix_of_the_question() -> None:
    raw = a_request("listMethods").raw.replace(b"SOAP-ENV", b"soapenv")
    parsed = parse_soap(raw, "text/xml")
    assert isinstance(parsed, SoapMessage)
    assert re.search(b"<soapenv:Envelope.+</soapenv:Envelope>", build_method_list(parsed, []).raw)


def test_answer_is_of_the_version_of_soap_that_was_asked_in() -> None:
    raw = a_request("listMethods").raw.replace(b"http://schemas.xmlsoap.org/soap/envelope/", NS_SOAP12.encode())
    parsed = parse_soap(raw, "application/soap+xml")
    assert isinstance(parsed, SoapMessage)
    answer = build_method_list(parsed, [a_service()])
    assert answer.is_soap12
    assert answer.content_type == "application/soap+xml; charset=UTF-8"


@given(identifiers.services)
def test_any_service_is_asked_for_and_found(service: ServiceId) -> None:
    headers = soap_headers(service=ServiceId(service.provider, "getWsdl"))
    request = parse_soap(build_get_wsdl(headers, service), "text/xml")
    assert isinstance(request, SoapMessage)
    assert wanted_service(request) == service


def test_blank_version_is_none() -> None:
    assert wanted_service(get_wsdl(version=" ")) == ServiceId(a_provider(), "GetPerson")


@pytest.mark.parametrize(
    "inner", ["", "<x:serviceCode/>", "<x:serviceCode> </x:serviceCode>", "<serviceCode>a</serviceCode>"]
)
def test_request_without_a_service_code_is_refused(inner: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        wanted_service(a_request("getWsdl", inner))
    assert (caught.value.code, caught.value.text_id) == ("invalid_request", "metadata.service_code_missing")


def test_name_that_xml_cannot_carry_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        build_get_wsdl(soap_headers(), a_service("a\x00b"))
    assert caught.value.code == "invalid_request"


def test_wsdl_answer_is_the_package_that_tools_look_for() -> None:
    answer = an_answer()
    assert package_content_type(answer) == (
        f'multipart/related; type="text/xml"; charset=UTF-8; boundary=xroad{LETTERS}'
    )
    package = b"".join(write_package(answer))
    assert package == (
        f"--xroad{LETTERS}\r\ncontent-type:text/xml; charset=UTF-8\r\n\r\n".encode()
        + answer.raw
        + f"\r\n--xroad{LETTERS}\r\ncontent-type:text/xml\r\nContent-ID: <wsdl=1-2@x-road.eu>\r\n".encode()
        + b"Content-Transfer-Encoding: binary\r\n\r\n"
        + WSDL
        + f"\r\n--xroad{LETTERS}--\r\n".encode()
    )


def test_wsdl_answer_repeats_what_was_asked_for() -> None:
    answer = build_wsdl_answer(
        get_wsdl(version="v1"), a_service("GetPerson", version="v1"), WSDL, content_id="1", letters=LETTERS
    )
    (told,) = etree.fromstring(answer.raw).iterfind(".//xrd:getWsdlResponse", NAMES)
    assert [part.text for part in told] == ["GetPerson", "v1"]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [(None, WSDL), ("BINARY", WSDL), ("8bit", WSDL), ("base64", b"PGEvPg=="), ("quoted-printable", b"=3Ca/>")],
)
def test_description_is_taken_out_of_an_answer(encoding: str | None, content: bytes) -> None:
    headers = (("content-type", "text/xml"),)
    headers += () if encoding is None else (("Content-Transfer-Encoding", encoding),)
    answer = a_soap_message(attachments=(Attachment(headers, BytesBody(content)),))
    assert wsdl_of(answer) == (content if content is WSDL else b"<a/>")


def test_answer_without_a_description_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        wsdl_of(a_soap_message())
    assert caught.value.text_id == "metadata.wsdl_missing"


@pytest.mark.parametrize(("encoding", "content"), [("x-uuencode", b"a"), ("base64", b"A")])
def test_description_in_another_encoding_is_refused(encoding: str, content: bytes) -> None:
    attachment = Attachment((("content-transfer-encoding", encoding),), BytesBody(content))
    with pytest.raises(MalformedMessage) as caught:
        wsdl_of(a_soap_message(attachments=(attachment,)))
    assert caught.value.text_id == "metadata.transfer_encoding"

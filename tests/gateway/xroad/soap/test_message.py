from __future__ import annotations

import dataclasses

import pytest

from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.headers import RepresentedParty
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.xml import NS_SOAP11, NS_SOAP12
from tests.factories.messages import (
    a_body,
    a_member,
    a_server,
    a_service,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    soap_bytes,
    soap_headers,
)

SOAP12 = soap_bytes().replace(NS_SOAP11.encode(), NS_SOAP12.encode())
CLIENT = b'<xrd:client id:objectType="SUBSYSTEM">'


def refused(raw: bytes, content_type: str = TEXT_XML_UTF8) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_soap(raw, content_type)
    return caught.value


def without(name: str) -> bytes:
    raw = soap_bytes()
    start = raw.index(f"<xrd:{name}".encode())
    end = raw.index(f"</xrd:{name}>".encode()) + len(f"</xrd:{name}>")
    return raw[:start] + raw[end:]


def test_digest_is_sha512_of_the_bytes_received() -> None:
    message = a_soap_message()
    assert message.digest == digest_of(message.raw)


@pytest.mark.parametrize("content_type", ["text/xml", "TEXT/XML; charset=x", 'application/xop+xml; type="text/xml"'])
def test_soap_media_types_are_accepted(content_type: str) -> None:
    assert isinstance(parse_soap(soap_bytes(), content_type), SoapMessage)


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "multipart/related; boundary=b", ""])
def test_other_media_types_are_refused(content_type: str) -> None:
    assert refused(soap_bytes(), content_type).code == "invalid_content_type"


@pytest.mark.parametrize(
    "content_type",
    ["application/soap+xml", 'application/soap+xml; charset=utf-8; action="urn:a"', "application/xop+xml"],
)
def test_soap_12_is_read_under_its_own_media_type(content_type: str) -> None:
    message = parse_soap(SOAP12, content_type)
    assert isinstance(message, SoapMessage)
    assert message.is_soap12
    assert message.headers == a_soap_message().headers


@pytest.mark.parametrize(("raw", "content_type"), [(SOAP12, "text/xml"), (soap_bytes(), "application/soap+xml")])
def test_version_that_the_media_type_does_not_announce_is_refused(raw: bytes, content_type: str) -> None:
    assert refused(raw, content_type).code == "invalid_soap"


def test_answer_of_the_other_version_is_refused() -> None:
    request, answer = a_soap_message(), parse_soap(SOAP12, "application/soap+xml")
    assert isinstance(answer, SoapMessage)
    with pytest.raises(MalformedMessage) as caught:
        check_consistency(request, answer)
    assert caught.value.code == "service_failed.invalid_content_type"


def test_message_without_header_is_refused() -> None:
    raw = soap_bytes()
    start, end = raw.index(b"<SOAP-ENV:Header>"), raw.index(b"<SOAP-ENV:Body>")
    assert refused(raw[:start] + raw[end:]).code == "missing_header"


@pytest.mark.parametrize("name", ["protocolVersion", "client", "id", "service"])
def test_missing_field_is_named(name: str) -> None:
    fault = refused(without(name))
    assert (fault.code, fault.facts["field"]) == ("missing_header_field", name)


def test_missing_fields_are_asked_for_in_the_order_of_the_reference() -> None:
    raw = soap_bytes()
    start, end = raw.index(b"<xrd:client"), raw.index(b"</SOAP-ENV:Header>")
    fields = []
    for added in (
        b"",
        b"<xrd:protocolVersion>4.0</xrd:protocolVersion>",
        raw[start : raw.index(b"<xrd:service")],
        b"<xrd:id/>",
    ):
        raw = raw[:start] + added + raw[end:]
        start, end = start + len(added), start + len(added)
        fields.append(refused(raw).facts["field"])
    assert fields == ["protocolVersion", "client", "id", "service"]


def test_empty_id_is_accepted() -> None:
    assert a_soap_message(soap_headers(id="")).headers.id == ""


@pytest.mark.parametrize("name", ["client", "service", "id", "protocolVersion"])
def test_repeated_field_is_refused(name: str) -> None:
    raw = soap_bytes()
    start = raw.index(f"<xrd:{name}".encode())
    end = raw.index(f"</xrd:{name}>".encode()) + len(f"</xrd:{name}>")
    fault = refused(raw[:end] + raw[start:end] + raw[end:])
    assert (fault.code, fault.facts["field"]) == ("duplicate_header_field", name)


def test_repeated_component_of_an_identifier_is_refused() -> None:
    code = b"<id:memberCode>10000001</id:memberCode>"
    assert refused(soap_bytes().replace(code, code + code)).code == "duplicate_header_field"


@pytest.mark.parametrize("version", ["3.1", "4", "", "40", " 4.0"])
def test_other_protocol_versions_are_refused(version: str) -> None:
    assert refused(soap_bytes(soap_headers(protocol_version=version))).code == "invalid_protocol_version"


@pytest.mark.parametrize("version", ["4.0", "4.1", "4."])
def test_any_version_four_is_accepted(version: str) -> None:
    assert a_soap_message(soap_headers(protocol_version=version)).headers.protocol_version == version


@pytest.mark.parametrize(
    "attributes",
    [b"", b' objectType="SUBSYSTEM"', b' id:objectType="SERVICE"', b' id:objectType="subsystem"', b' id:objectType=""'],
)
def test_client_needs_a_qualified_object_type_of_a_client(attributes: bytes) -> None:
    assert refused(soap_bytes().replace(CLIENT, b"<xrd:client" + attributes + b">")).code == "invalid_xml"


def test_object_type_is_not_held_against_the_children() -> None:
    raw = soap_bytes().replace(CLIENT, b'<xrd:client id:objectType="MEMBER">')
    assert parse_soap(raw, TEXT_XML_UTF8).headers.client == a_subsystem()


@pytest.mark.parametrize("component", [b"<id:subsystemCode/>", b"<id:subsystemCode> </id:subsystemCode>"])
def test_blank_component_is_refused_as_the_reference_does(component: bytes) -> None:
    raw = soap_bytes().replace(b"<id:subsystemCode>SNAP</id:subsystemCode>", component)
    assert refused(raw).code == "internal_error"


def test_absent_component_is_refused_as_the_reference_does() -> None:
    assert refused(soap_bytes().replace(b"<id:memberClass>GOV</id:memberClass>", b"", 1)).code == "internal_error"


def test_message_without_body_is_refused() -> None:
    raw = soap_bytes()
    start, end = raw.index(b"<SOAP-ENV:Body>"), raw.index(b"</SOAP-ENV:Envelope>")
    assert refused(raw[:start] + raw[end:]).code == "missing_body"


@pytest.mark.parametrize("body", [b"", b" text ", b"<GetPerson/><GetPerson/>"])
def test_body_needs_exactly_one_element(body: bytes) -> None:
    assert refused(soap_bytes(body=body)).code == "invalid_body"


def test_body_that_is_not_the_service_is_refused() -> None:
    assert refused(soap_bytes(body=a_body("Other"))).code == "inconsistent_headers"


def test_service_code_need_only_be_the_beginning_of_the_body_element() -> None:
    assert a_soap_message(body=a_body("GetPersonByUnzr")).body_name == "GetPersonByUnzr"


def test_answer_is_known_by_the_end_of_the_body_element() -> None:
    assert a_soap_message(body=a_body("GetPerson", response=True)).is_response
    assert not a_soap_message().is_response


def test_fault_needs_no_header() -> None:
    raw = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>c</faultcode></e:Fault></e:Body></e:Envelope>'
    assert parse_soap(raw, "text/xml") == SoapFault("c", "", None, None, raw)


def test_all_optional_fields_are_read() -> None:
    headers = soap_headers(
        client=a_member(),
        service=a_service(version="v1"),
        user_id="UA1",
        issue="case 7",
        represented_party=RepresentedParty("COM", "12"),
        security_server=a_server(),
    )
    assert a_soap_message(headers).headers == headers


def test_consistent_answer_passes() -> None:
    request = a_soap_message()
    check_consistency(request, a_soap_response(request))


@pytest.mark.parametrize(
    "change",
    [
        {"client": a_subsystem("OTHER")},
        {"service": a_service(version="v2")},
        {"id": "m-2"},
        {"user_id": ""},
        {"issue": "x"},
        {"represented_party": RepresentedParty(None, "1")},
    ],
)
def test_answer_with_another_header_is_refused(change: dict[str, object]) -> None:
    request = a_soap_message()
    answer = a_soap_message(soap_headers(**change))
    with pytest.raises(MalformedMessage) as caught:
        check_consistency(request, answer)
    assert caught.value.code == "service_failed.inconsistent_response"


def test_server_and_version_may_differ_in_the_answer() -> None:
    answer = a_soap_message(soap_headers(security_server=a_server(), protocol_version="4.1"))
    check_consistency(a_soap_message(), answer)


def test_copying_a_message_keeps_its_digest_true() -> None:
    message = a_soap_message()
    assert dataclasses.replace(message, raw=b"other").digest == digest_of(b"other")

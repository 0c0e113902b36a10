from __future__ import annotations

import pytest

from gateway.xroad.digests import digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.envelope import build_envelope, scan_envelope
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.request_hash import answer_to, check_request_hash, insert_request_hash
from tests.factories.messages import a_body, a_soap_message, a_soap_response, soap_bytes, soap_headers

DIGEST = digest_of(b"request")
HASH = DIGEST.base64.encode()
ALGORITHM = b' algorithmId="http://www.w3.org/2001/04/xmlenc#sha512"'


def with_id(element: bytes, before: bytes = b"") -> bytes:
    return soap_bytes(body=a_body(response=True)).replace(b"<xrd:id>m-1</xrd:id>", before + element)


def test_hash_stands_directly_after_the_id_and_nothing_else_changes() -> None:
    plain = with_id(b"<xrd:id>m-1</xrd:id>")
    made = insert_request_hash(plain, DIGEST)
    element = b"<xrd:requestHash" + ALGORITHM + b">" + HASH + b"</xrd:requestHash>"
    assert made == plain.replace(b"m-1</xrd:id>", b"m-1</xrd:id>" + element)


def test_first_white_space_of_the_header_precedes_the_hash() -> None:
    plain = with_id(b"<xrd:id>m-1</xrd:id>").replace(b"<xrd:client", b"\n  \t<xrd:client")
    assert b"</xrd:id>\n  \t<xrd:requestHash" in insert_request_hash(plain, DIGEST)


def test_prefix_and_attributes_of_the_id_are_copied() -> None:
    plain = with_id(b"<q:id xmlns:q='http://x-road.eu/xsd/xroad.xsd' a=\"1>2\" >m-1</q:id >")
    made = insert_request_hash(plain, DIGEST)
    assert b"</q:id ><q:requestHash xmlns:q='http://x-road.eu/xsd/xroad.xsd' a=\"1>2\"" + ALGORITHM + b">" in made


def test_default_namespace_gives_no_prefix() -> None:
    made = insert_request_hash(with_id(b'<id xmlns="http://x-road.eu/xsd/xroad.xsd">m-1</id>'), DIGEST)
    assert b'<requestHash xmlns="http://x-road.eu/xsd/xroad.xsd"' + ALGORITHM in made


def test_empty_id_element_is_followed_by_the_hash() -> None:
    assert b"<xrd:id/><xrd:requestHash" in insert_request_hash(with_id(b"<xrd:id/>"), DIGEST)


@pytest.mark.parametrize("old", [b"<xrd:requestHash>AAAA</xrd:requestHash>", b"<xrd:requestHash algorithmId='x'/>"])
@pytest.mark.parametrize("after", [True, False])
def test_existing_hash_is_replaced(old: bytes, after: bool) -> None:
    element = b"<xrd:id>m-1</xrd:id>"
    made = insert_request_hash(with_id(element + old) if after else with_id(element, old), DIGEST)
    assert old not in made
    assert made.count(b"<xrd:requestHash") == 1
    assert scan_envelope(made).values["request_hash"] == DIGEST.base64


def test_byte_order_mark_and_line_ends_stay() -> None:
    plain = b"\xef\xbb\xbf" + with_id(b"<xrd:id>m-1</xrd:id>").replace(b"<xrd:", b"\r\n<xrd:")
    made = insert_request_hash(plain, DIGEST)
    assert made.startswith(b"\xef\xbb\xbf<?xml")
    assert b"</xrd:id>\r\n<xrd:requestHash" in made


def test_fault_gets_no_hash() -> None:
    fault = build_soap_fault("c", "t")
    assert insert_request_hash(fault, DIGEST) == fault
    answer = answer_to(a_soap_message(), fault, TEXT_XML_UTF8, complete=True)
    assert isinstance(answer, SoapFault)


def test_answer_that_lacks_a_field_is_refused() -> None:
    plain = soap_bytes(body=a_body(response=True)).replace(b"<xrd:protocolVersion>4.0</xrd:protocolVersion>", b"")
    with pytest.raises(MalformedMessage) as caught:
        insert_request_hash(plain, DIGEST)
    assert caught.value.code == "missing_header_field"


def test_answer_in_utf16_is_refused_because_it_cannot_be_edited() -> None:
    plain = soap_bytes().decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16")
    with pytest.raises(MalformedMessage) as caught:
        insert_request_hash(plain, DIGEST)
    assert caught.value.code == "invalid_soap"


def test_id_that_already_has_an_algorithm_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        insert_request_hash(with_id(b'<xrd:id algorithmId="x">m-1</xrd:id>'), DIGEST)
    assert caught.value.code == "invalid_soap"


def test_hash_of_the_request_passes() -> None:
    request = a_soap_message()
    check_request_hash(a_soap_response(request), request)


def test_white_space_inside_the_hash_is_tolerated() -> None:
    request = a_soap_message()
    text = request.digest.base64
    headers = soap_headers(request_hash=f"\n{text[:20]}\r\n {text[20:]}\n")
    check_request_hash(a_soap_message(headers, body=a_body(response=True)), request)


@pytest.mark.parametrize("value", [None, "", "AAAA", "!!!", "ї"])
def test_missing_or_other_hash_is_refused(value: str | None) -> None:
    answer = a_soap_message(soap_headers(request_hash=value), body=a_body(response=True))
    with pytest.raises(MalformedMessage) as caught:
        check_request_hash(answer, a_soap_message())
    assert caught.value.code == "inconsistent_response"


def test_hash_of_other_bytes_with_the_same_header_is_refused() -> None:
    answer = a_soap_response(a_soap_message(body=a_body(inner="<unzr>1</unzr>")))
    with pytest.raises(MalformedMessage):
        check_request_hash(answer, a_soap_message())


SOAP = b"http://schemas.xmlsoap.org/soap/envelope/"
ANSWER = b'<s:Body><r:GetPersonResponse xmlns:r="urn:r"/></s:Body>'
BARE = b'<s:Envelope xmlns:s="' + SOAP + b'">%s' + ANSWER + b"</s:Envelope>"


@pytest.mark.parametrize(
    "header",
    [b"", b"<s:Header/>", b"<s:Header />", b"<s:Header></s:Header>", b'<s:Header><own xmlns="urn:own"/></s:Header>'],
)
def test_answer_without_any_field_gets_the_header_of_the_request(header: bytes) -> None:
    request = a_soap_message(soap_headers(user_id="Є-1", issue="<case>"))
    answer = answer_to(request, BARE % header, TEXT_XML_UTF8, complete=True)
    assert isinstance(answer, SoapMessage)
    check_consistency(request, answer)
    check_request_hash(answer, request)


def test_completed_header_is_written_in_the_encoding_of_the_answer() -> None:
    request = a_soap_message(soap_headers(user_id="Є ࠀ"))
    raw = b'<?xml version="1.0" encoding="windows-1251"?>' + BARE % b""
    made = answer_to(request, raw, TEXT_XML_UTF8, complete=True).raw
    made.decode("windows-1251")
    assert scan_envelope(made).values["user_id"] == "Є ࠀ"


def test_envelope_in_the_default_namespace_is_completed() -> None:
    raw = b'<Envelope xmlns="' + SOAP + b'">' + ANSWER.replace(b"s:", b"", 1).replace(b"/s:", b"/") + b"</Envelope>"
    assert isinstance(answer_to(a_soap_message(), raw, TEXT_XML_UTF8, complete=True), SoapMessage)


def test_answer_with_part_of_a_header_is_not_completed() -> None:
    raw = BARE % b'<s:Header><x:id xmlns:x="http://x-road.eu/xsd/xroad.xsd">1</x:id></s:Header>'
    with pytest.raises(MalformedMessage) as caught:
        answer_to(a_soap_message(), raw, TEXT_XML_UTF8, complete=True)
    assert caught.value.code == "missing_header_field"


def test_answer_read_in_one_pass_is_what_reading_twice_gives() -> None:
    request = a_soap_message()
    plain = build_envelope(request.headers, a_body(response=True))
    expected = parse_soap(insert_request_hash(plain, request.digest), TEXT_XML_UTF8)
    assert answer_to(request, plain, TEXT_XML_UTF8) == expected
    assert answer_to(request, plain, TEXT_XML_UTF8, complete=True) == expected


def test_bare_answer_is_completed_only_when_asked_for() -> None:
    request = a_soap_message()
    answer = answer_to(request, BARE % b"", TEXT_XML_UTF8, complete=True)
    assert isinstance(answer, SoapMessage)
    check_request_hash(answer, request)
    with pytest.raises(MalformedMessage) as caught:
        answer_to(request, BARE % b"", TEXT_XML_UTF8)
    assert caught.value.code == "missing_header"


def test_fault_of_the_service_is_told_apart_from_an_answer() -> None:
    assert isinstance(answer_to(a_soap_message(), build_soap_fault("c", "t"), TEXT_XML_UTF8), SoapFault)

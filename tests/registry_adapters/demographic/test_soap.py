from __future__ import annotations

import httpx
import pytest
from lxml import etree

from gateway.runtime.database import Database
from gateway.xroad.identifiers import ServiceId
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.message import SoapFault, SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.request_hash import insert_request_hash
from gateway.xroad.xml import NS_SOAP11
from registry_adapters.demographic.model import MatchedBy, PersonAnswer
from registry_adapters.sdk.access_log import AccessLog
from registry_adapters.sdk.context import CONTEXT_NS
from registry_adapters.sdk.fields_xml import from_xml
from registry_adapters.sdk.identifiers import Sex
from registry_adapters.sdk.matching import Confidence
from tests.factories.registry import GET_PERSON, PROVIDER, SOAP_HEADERS, a_question, a_request


def ask(http: httpx.Client, raw: bytes, **headers: str) -> httpx.Response:
    return http.post("/soap", content=raw, headers={**SOAP_HEADERS, **headers})


def answer_to(http: httpx.Client, **fields: str) -> PersonAnswer:
    response = ask(http, a_request(a_question(**fields)))
    assert response.status_code == 200
    body = etree.fromstring(response.content).find(f"{{{NS_SOAP11}}}Body/*")
    assert body is not None
    return from_xml(PersonAnswer, body)


def fault_to(http: httpx.Client, raw: bytes, **headers: str) -> SoapFault:
    response = ask(http, raw, **headers)
    assert response.status_code == 500
    assert response.headers["content-type"].startswith("text/xml")
    return parse_fault(response.content)


def test_person_is_found_by_unzr(http: httpx.Client) -> None:
    answer = answer_to(http, unzr="19910824-00026")
    assert (answer.found, answer.matched_by, answer.confidence) == (True, MatchedBy.UNZR, Confidence.EXACT)
    assert answer.person is not None
    assert (answer.person.surname, answer.person.rnokpp, answer.person.sex) == ("Ткаченко", "3347300028", Sex.FEMALE)


@pytest.mark.parametrize(
    ("fields", "matched_by", "confidence"),
    [
        ({"rnokpp": "3288701236"}, MatchedBy.RNOKPP, Confidence.EXACT),
        ({"document": "aa 123456"}, MatchedBy.DOCUMENT, Confidence.HIGH),
        ({"document": "СН 111222"}, MatchedBy.DOCUMENT, Confidence.MEDIUM),
        (
            {"surname": "мельник", "givenName": "петро", "patronymic": "Григорович", "birthDate": "1978-06-30"},
            MatchedBy.NAME_AND_BIRTH_DATE,
            Confidence.HIGH,
        ),
        (
            {"surname": "Мельник", "givenName": "Петро", "birthDate": "1978-06-30"},
            MatchedBy.NAME_AND_BIRTH_DATE,
            Confidence.MEDIUM,
        ),
    ],
)
def test_answer_says_by_what_and_how_surely(
    http: httpx.Client, fields: dict[str, str], matched_by: MatchedBy, confidence: Confidence
) -> None:
    answer = answer_to(http, **fields)
    assert (answer.found, answer.matched_by, answer.confidence) == (True, matched_by, confidence)


def test_nobody_is_an_answer(http: httpx.Client) -> None:
    answer = answer_to(http, unzr="19000101-00010")
    assert (answer.found, answer.count, answer.person, answer.confidence) == (False, 0, None, None)


def test_namesakes_are_counted_and_not_told(http: httpx.Client) -> None:
    answer = answer_to(http, surname="Шевчук", givenName="Іван", patronymic="Іванович", birthDate="1985-05-05")
    assert (answer.found, answer.ambiguous, answer.count, answer.person) == (False, True, 2, None)


def test_wrong_check_digit_is_answered_with_a_warning(http: httpx.Client) -> None:
    answer = answer_to(http, rnokpp="1234567036")
    assert (answer.found, answer.warnings) == (False, ("rnokpp_check_digit",))


def test_answer_repeats_the_header_and_adds_no_hash(http: httpx.Client) -> None:
    raw = a_request(a_question(unzr="19910824-00026"), id="  odd id ", user_id="клерк", issue="case-7")
    response = ask(http, raw)
    asked, answered = parse_soap(raw, "text/xml"), parse_soap(response.content, response.headers["content-type"])
    assert isinstance(asked, SoapMessage)
    assert isinstance(answered, SoapMessage)
    assert answered.headers == asked.headers
    assert answered.headers.request_hash is None
    names = [[etree.QName(child).localname for child in etree.fromstring(r)[0]] for r in (raw, response.content)]
    assert names[0] == names[1]


def test_security_server_can_complete_the_answer(http: httpx.Client) -> None:
    asked = parse_soap(a_request(a_question(unzr="19910824-00026")), "text/xml")
    assert isinstance(asked, SoapMessage)
    completed = insert_request_hash(ask(http, asked.raw).content, asked.digest)
    answered = parse_soap(completed, "text/xml")
    assert isinstance(answered, SoapMessage)
    check_consistency(asked, answered)
    assert answered.headers.request_hash == asked.digest.base64


def test_foreign_header_block_does_not_come_back(http: httpx.Client) -> None:
    block = b'<t:AuthorizationToken xmlns:t="urn:x">secret</t:AuthorizationToken></SOAP-ENV:Header>'
    raw = a_request(a_question(unzr="19910824-00026")).replace(b"</SOAP-ENV:Header>", block)
    assert b"secret" not in ask(http, raw).content


def test_foreign_header_block_that_must_be_understood_is_refused(http: httpx.Client) -> None:
    block = b'<t:Odd xmlns:t="urn:x" SOAP-ENV:mustUnderstand="1"/></SOAP-ENV:Header>'
    raw = a_request(a_question(unzr="19910824-00026")).replace(b"</SOAP-ENV:Header>", block)
    assert fault_to(http, raw).code == "MustUnderstand.header_not_understood"


def test_look_is_in_the_access_log_with_purpose_and_ground(http: httpx.Client, filled: Database) -> None:
    blocks = (
        f'<c:purposeIds xmlns:c="{CONTEXT_NS}">IDENTITY</c:purposeIds>'
        f'<c:legalGround xmlns:c="{CONTEXT_NS}">закон</c:legalGround></SOAP-ENV:Header>'
    )
    raw = a_request(a_question(document="МЕ 000777"), id="looked", user_id="clerk", issue="case-9")
    assert ask(http, raw.replace(b"</SOAP-ENV:Header>", blocks.encode())).status_code == 200
    looks = [look for look in AccessLog(filled).looks_at("5") if look["message_id"] == "looked"]
    assert [(k["user_id"], k["issue"], k["purposes"], k["legal_ground"]) for k in looks] == [
        ("clerk", "case-9", "IDENTITY", "закон")
    ]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "Client.invalid_soap"),
        (b"no xml", "Client.invalid_soap"),
        (b"<a/>", "Client.invalid_soap"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "Client.invalid_soap"),
        (a_request(a_question()), "Client.no_criterion"),
        (a_request(a_question(unzr="1", rnokpp="2")), "Client.several_criteria"),
        (a_request(a_question(unzr="1")), "Client.unzr_invalid"),
        (a_request(a_question(nobody="1")), "Client.field_unknown"),
        (a_request(a_question(birthDate="1.1.2000")), "Client.field_invalid"),
        (a_request(b"<GetPerson/>"), "Client.no_such_operation"),
        (a_request(b'<GetPersonal xmlns="urn:x"/>'), "Client.no_such_operation"),
        (
            a_request(a_question(unzr="19910824-00026"), service=ServiceId(PROVIDER, "GetPerson", "v2")),
            "Client.other_service",
        ),
        (a_request(a_question(unzr="1"), user_id="x" * 300), "Client.header_invalid"),
        (a_request(a_question(unzr="1")).replace(b"xrd:id>", b"xrd:no>"), "Client.missing_header_field"),
    ],
)
def test_flawed_request_is_the_clients_fault(http: httpx.Client, raw: bytes, code: str) -> None:
    assert fault_to(http, raw).code == code


def test_service_without_version_is_accepted(http: httpx.Client) -> None:
    raw = a_request(a_question(unzr="19910824-00026"), service=ServiceId(PROVIDER, GET_PERSON.service_code))
    assert ask(http, raw).status_code == 200


def test_attachments_are_refused_by_their_content_type(http: httpx.Client) -> None:
    fault = fault_to(http, b"x", **{"Content-Type": "multipart/related; boundary=a"})
    assert fault.code == "Client.content_type"


def test_too_large_a_body_is_refused(http: httpx.Client) -> None:
    assert fault_to(http, b" " * (1024 * 1024 + 1)).code == "Client.body_too_large"


@pytest.mark.parametrize("header", ["X-Road-Client", "Uxp-Client"])
def test_soap_that_came_through_a_rest_service_is_refused(http: httpx.Client, header: str) -> None:
    headers = {**SOAP_HEADERS, header: "UA-DEMO/GOV/10000001/SNAP"}
    for path in ("/", "/soap"):
        answer = http.post(path, content=a_request(a_question(unzr="19910824-00026")), headers=headers)
        assert parse_fault(answer.content).code == "Client.soap_as_rest"
        assert "Ткаченко" not in answer.text

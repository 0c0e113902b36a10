from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.messagelog.body_logging import BodyLogging, known_digests, without_body
from gateway.messagelog.model import MessageLogSettings, RecordedBody, Side
from gateway.runtime.settings import SettingsError, load
from gateway.settings import GatewaySettings
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.identifiers import parse_client
from gateway.xroad.rest.message import RestRequest, RestResponse, parse_rest_request, parse_rest_response
from gateway.xroad.soap.headers import RepresentedParty, SecurityToken
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapMessage, parse_soap
from gateway.xroad.xml import NS_XROAD
from tests.factories.messages import (
    a_provider,
    a_rest_request,
    a_rest_response,
    a_server,
    a_service,
    a_soap_message,
    a_soap_response,
    a_subsystem,
    soap_headers,
)

SNAP, REGISTRY = "UA-DEMO/GOV/10000001/SNAP", "UA-DEMO/GOV/10000002/DEMOGRAPHIC"
LISTS = [
    f"{kind}_body_logging_{side}_producer_subsystems"
    for kind in ("enabled", "disabled")
    for side in ("local", "remote")
]


# Who decides


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("side", Side)
def test_default_is_for_whom_no_list_names(side: Side, default: bool) -> None:
    logging = BodyLogging(MessageLogSettings(message_body_logging=default))
    assert logging.keeps(side, a_provider()) is default


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize(("side", "word"), [(Side.PROVIDER, "local"), (Side.CONSUMER, "remote")])
def test_list_of_a_side_names_the_exceptions_of_that_side(side: Side, word: str, default: bool) -> None:
    name = f"{'disabled' if default else 'enabled'}_body_logging_{word}_producer_subsystems"
    settings: dict[str, Any] = {"message_body_logging": default, name: (REGISTRY,)}
    logging = BodyLogging(MessageLogSettings(**settings))
    other = Side.CONSUMER if side is Side.PROVIDER else Side.PROVIDER
    assert logging.keeps(side, a_provider()) is not default
    assert logging.keeps(other, a_provider()) is default
    for stranger in (a_subsystem(), a_provider().member, a_subsystem("demographic", member=a_provider().member)):
        assert logging.keeps(side, stranger) is default


@pytest.mark.parametrize("default", [True, False])
@pytest.mark.parametrize("name", LISTS)
def test_list_that_cannot_mean_anything_is_an_error(name: str, default: bool) -> None:
    settings: dict[str, Any] = {"message_body_logging": default, name: (REGISTRY,)}
    if name.startswith("disabled") is default:
        MessageLogSettings(**settings)
        return
    with pytest.raises(
        ValueError, match=f"{name} should not be used when message_body_logging is {str(default).lower()}"
    ):
        MessageLogSettings(**settings)


@pytest.mark.parametrize("wrong", ["UA-DEMO/GOV/10000002", "UA-DEMO/GOV/10000002/A/B", "", "UA-DEMO/GOV//A", "nobody"])
def test_name_that_is_no_subsystem_is_an_error(wrong: str) -> None:
    with pytest.raises(ValueError, match="a subsystem looks like"):
        MessageLogSettings(disabled_body_logging_local_producer_subsystems=(wrong,))


def test_lists_come_from_the_environment_separated_by_commas() -> None:
    name = "GATEWAY_MESSAGELOG__RECORDS__DISABLED_BODY_LOGGING_LOCAL_PRODUCER_SUBSYSTEMS"
    settings = load(GatewaySettings, None, {name: f"{SNAP}, {REGISTRY}"}, prefix="GATEWAY")
    logging = BodyLogging(settings.messagelog.records)
    assert [logging.keeps(Side.PROVIDER, parse_client(each)) for each in (SNAP, REGISTRY)] == [False, False]
    with pytest.raises(SettingsError, match="should not be used"):
        load(
            GatewaySettings, None, {name: SNAP, "GATEWAY_MESSAGELOG__RECORDS__MESSAGE_BODY_LOGGING": "false"}, "GATEWAY"
        )


# What is kept

FULL = soap_headers(
    client=a_subsystem().member,
    service=a_service(version="v1"),
    security_server=a_server(),
    user_id="UA&<1>",
    issue="case\r1",
    represented_party=RepresentedParty("COM", "123"),
    security_token=SecurityToken("jwt", "token"),
)


def soap_of(raw: bytes) -> SoapMessage:
    message = parse_soap(raw, TEXT_XML_UTF8)
    assert isinstance(message, SoapMessage)
    return message


@pytest.mark.parametrize(
    "message", [a_soap_message(), a_soap_message(FULL), a_soap_response(), a_soap_response(a_soap_message(FULL))]
)
def test_soap_keeps_the_header_and_an_empty_element_named_after_the_service(message: SoapMessage) -> None:
    kept = soap_of(without_body(message))
    expected = {name: getattr(message.headers, name) for name in message.headers.__dataclass_fields__}
    assert {name: getattr(kept.headers, name) for name in expected} == expected | {"security_token": None}
    assert (kept.body_name, kept.is_response) == (message.body_name, message.is_response)
    (body,) = etree.fromstring(kept.raw)[1]
    assert body.tag == f"{{{NS_XROAD}}}{message.body_name}"
    assert (len(body), body.text, dict(body.attrib)) == (0, None, {})


def test_fields_stand_in_the_order_of_the_reference() -> None:
    names = [
        etree.QName(field).localname
        for field in etree.fromstring(without_body(a_soap_response(a_soap_message(FULL))))[0]
    ]
    assert names == [
        "client", "service", "securityServer", "userId", "representedParty", "issue", "id", "requestHash",
        "protocolVersion",
    ]  # fmt: skip


def test_element_that_only_begins_with_the_service_becomes_the_service() -> None:
    message = a_soap_message(body=b"<GetPersonAndMore><secret/></GetPersonAndMore>")
    assert soap_of(without_body(message)).body_name == "GetPerson"


@pytest.mark.parametrize(
    ("path", "kept"), [("", ""), ("/", ""), ("/1?unzr=secret", ""), ("?unzr=secret", ""), ("/a%2Fb/c", "")]
)
def test_rest_request_keeps_no_path_no_query_and_no_header_but_xroads(path: str, kept: str) -> None:
    request = a_rest_request("POST", path, headers=(("Authorization", "secret"), ("X-Road-Issue", "1")), body=b"x")
    again = parse_rest_request(without_body(request))
    assert isinstance(again, RestRequest)
    assert again.target == "/r1/UA-DEMO/GOV/10000002/DEMOGRAPHIC/persons" + kept
    assert (again.method, again.client, again.service, again.id) == (
        "POST",
        request.client,
        request.service,
        request.id,
    )
    assert {name.lower() for name, _ in again.headers} == {
        "x-road-client",
        "x-road-issue",
        "x-road-id",
        "x-road-request-id",
    }


def test_rest_response_keeps_status_reason_and_xroads_headers() -> None:
    response = a_rest_response(status=404, headers=(("Set-Cookie", "secret"),))
    again = parse_rest_response(without_body(response))
    assert isinstance(again, RestResponse)
    assert (again.status, again.reason, again.id) == (404, "OK", response.id)
    assert {name.lower() for name, _ in again.headers} == {
        "x-road-id", "x-road-client", "x-road-service", "x-road-request-id", "x-road-request-hash",
    }  # fmt: skip


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1).filter(str.strip))
def test_any_text_in_a_header_comes_back(text: str) -> None:
    message = a_soap_message(soap_headers(user_id=text, issue=text, id=text))
    headers = soap_of(without_body(message)).headers
    assert (headers.user_id, headers.issue, headers.id) == (text, text, text)


# What is known of the rest


def test_known_are_the_digests_of_what_was_not_kept() -> None:
    bodies = (RecordedBody(1, 3, b"1" * 64, None), RecordedBody(2, 3, b"2" * 64, "2024-01-01/x"))
    digest = {name: Digest(DigestAlgorithm.SHA512, value * 64) for name, value in (("0", b"0"), ("1", b"1"))}
    assert known_digests(b"0" * 64, bodies, is_whole=True) == {"/attachment1": digest["1"]}
    assert known_digests(b"0" * 64, bodies, is_whole=False) == {
        "/message.xml": digest["0"],
        "/attachment1": digest["1"],
    }

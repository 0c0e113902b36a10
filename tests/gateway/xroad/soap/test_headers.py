from __future__ import annotations

import pytest

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.headers import RepresentedParty, SecurityToken, build_header_elements, headers_of
from tests.factories.messages import a_server, soap_headers


def test_elements_stand_in_the_order_of_the_protocol() -> None:
    headers = soap_headers(
        user_id="u",
        issue="i",
        represented_party=RepresentedParty(None, "1"),
        security_server=a_server(),
        security_token=SecurityToken("urn:t", "v"),
        request_hash="AAAA",
    )
    made = build_header_elements(headers)
    names = [
        "client",
        "service",
        "securityServer",
        "id",
        "requestHash",
        "userId",
        "issue",
        "representedParty",
        "securityToken",
        "protocolVersion",
    ]
    places = [made.index(f":{name}") if name != "id" else made.index("<xrd:id>") for name in names]
    assert places == sorted(places)


def test_values_are_escaped() -> None:
    made = build_header_elements(soap_headers(id="<&>\r", security_token=SecurityToken('"\n', "")))
    assert "<xrd:id>&lt;&amp;&gt;&#13;</xrd:id>" in made
    assert "tokenType='\"&#10;'" in made


def test_value_that_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        build_header_elements(soap_headers(id="\x01"))
    assert caught.value.code == "invalid_xml"


def test_values_without_client_make_no_header() -> None:
    with pytest.raises(MalformedMessage) as caught:
        headers_of({"protocol_version": "4.0"})
    assert caught.value.code == "missing_header_field"

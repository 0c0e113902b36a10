from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway.xroad.rest.faults import build_rest_fault


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("server.clientproxy.unknown_member", 500),
        ("Server.ServerProxy.AccessDenied", 500),
        ("client.invalid_client_identifier", 400),
        ("Client.BadRequest", 400),
        ("s:Server.Registry", 400),
        ("serverless", 400),
        ("", 400),
    ],
)
def test_failure_of_a_server_is_500_in_either_spelling(code: str, status: int) -> None:
    assert build_rest_fault(code, "t", "d").status == status


def test_json_is_the_form_of_the_reference() -> None:
    fault = build_rest_fault("server.x", 'Немає "доступу"', "id-1", "application/json")
    assert fault.headers == (("Content-Type", "application/json"), ("X-Road-Error", "server.x"))
    assert fault.body.decode() == '{"type":"server.x","message":"Немає \\"доступу\\"","detail":"id-1"}'


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, image/*", "application/json"),
        ("text/xml", "text/xml;charset=utf-8"),
        ("application/json, Application/XML;q=0.1", "application/xml;charset=utf-8"),
        ("text/*", "text/xml;charset=utf-8"),
    ],
)
def test_body_is_xml_only_for_those_who_ask(accept: str | None, content_type: str) -> None:
    assert build_rest_fault("server.x", "t", "d", accept).headers[0] == ("Content-Type", content_type)


def test_xml_is_the_form_of_the_reference() -> None:
    assert build_rest_fault("server.x", "a<b", "d", "text/xml").body == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b"<error><type>server.x</type><message>a&lt;b</message><detail>d</detail></error>"
    )


@given(st.text(), st.text(), st.text(), st.sampled_from([None, "text/xml"]))
def test_whatever_a_peer_wrote_the_answer_can_be_read(code: str, text: str, detail: str, accept: str | None) -> None:
    fault = build_rest_fault(code, text, detail, accept)
    assert all(" " <= c <= "~" for c in fault.headers[1][1])
    if accept is None:
        assert set(json.loads(fault.body)) == {"type", "message", "detail"}
    else:
        assert [child.tag for child in etree.fromstring(fault.body)] == ["type", "message", "detail"]

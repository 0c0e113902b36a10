from __future__ import annotations

import pytest
from hypothesis import given

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.faults import build_soap_fault, parse_fault, remote_fault_of
from tests.factories.messages import soap_bytes
from tests.properties.messages import texts

FOREIGN = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Server.Registry</faultcode>'
    "<faultstring>немає</faultstring>%s</s:Fault></s:Body></s:Envelope>"
)


def test_fault_is_the_one_line_of_the_reference() -> None:
    assert build_soap_fault("server.clientproxy.unknown_member", 'O\'K & "<x>"', "", "id-1") == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body><SOAP-ENV:Fault>'
        b"<faultcode>server.clientproxy.unknown_member</faultcode>"
        b"<faultstring>O&apos;K &amp; &quot;&lt;x&gt;&quot;</faultstring><faultactor></faultactor>"
        b'<detail><faultDetail xmlns="">id-1</faultDetail></detail></SOAP-ENV:Fault>'
        b"</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


@given(texts, texts, texts, texts)
def test_fault_that_was_built_is_read_back(code: str, text: str, actor: str, detail: str) -> None:
    raw = build_soap_fault(code, text, actor, detail)
    fault = parse_fault(raw)
    assert (fault.code, fault.text, fault.actor, fault.detail, fault.raw) == (code, text, actor, detail, raw)


def test_characters_xml_cannot_hold_are_left_out() -> None:
    assert parse_fault(build_soap_fault("c", "a\x00\x1b\ud800b")).text == "ab"


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("", None),
        ("<detail>plain</detail>", "plain"),
        ("<detail><faultDetail>x</faultDetail> </detail>", "x"),
        ('<detail><own xmlns="urn:o"><code>17</code></own></detail>', ""),
        ("<s:detail><q:faultDetail xmlns:q='urn:q'>y</q:faultDetail></s:detail>", "y"),
    ],
)
def test_detail_of_a_foreign_fault_is_read(detail: str, expected: str | None) -> None:
    fault = parse_fault((FOREIGN % detail).encode())
    assert (fault.code, fault.text, fault.detail) == ("s:Server.Registry", "немає", expected)


def test_fault_fields_deeper_down_do_not_count() -> None:
    fault = parse_fault((FOREIGN % "<detail><a><faultcode>other</faultcode></a></detail>").encode())
    assert fault.code == "s:Server.Registry"


def test_message_that_is_no_fault_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_fault(soap_bytes())
    assert caught.value.code == "invalid_message"


def test_remote_fault_keeps_the_bytes() -> None:
    raw = (FOREIGN % "").encode()
    remote = remote_fault_of(parse_fault(raw))
    assert (remote.code, remote.text, remote.detail, remote.raw) == ("s:Server.Registry", "немає", "", raw)

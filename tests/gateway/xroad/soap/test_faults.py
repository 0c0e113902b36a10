from __future__ import annotations

import pytest
from hypothesis import given

from gateway.xroad.faults import MalformedMessage, RemoteFault
from gateway.xroad.soap.faults import (
    build_soap12_fault,
    build_soap_fault,
    parse_fault,
    refuses_soap12,
    remote_fault_of,
    speaks_soap12,
)
from gateway.xroad.xml import NS_SOAP12
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


def test_fault_of_soap_12_says_the_code_in_its_subcode() -> None:
    raw = build_soap12_fault("client.invalid_soap", "what & why", "id-1", language="uk")
    assert raw == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body><env:Fault>'
        b"<env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>client.invalid_soap</env:Value></env:Subcode>"
        b'</env:Code><env:Reason><env:Text xml:lang="uk">what &amp; why</env:Text></env:Reason>'
        b"<env:Detail><faultDetail>id-1</faultDetail></env:Detail></env:Fault></env:Body></env:Envelope>"
    )
    fault = parse_fault(raw)
    assert (fault.code, fault.text, fault.detail, fault.is_soap12) == (
        "client.invalid_soap", "what & why", "id-1", True,
    )  # fmt: skip


@given(texts, texts, texts)
def test_fault_of_soap_12_can_be_read_whatever_is_in_it(code: str, text: str, detail: str) -> None:
    fault = parse_fault(build_soap12_fault(code, text, detail))
    assert (fault.text, fault.detail) == (text, detail)


def test_code_that_is_no_name_stands_in_the_detail() -> None:
    raw = build_soap12_fault("s:Server.Registry", "t")
    assert b"<env:Code><env:Value>env:Receiver</env:Value></env:Code>" in raw
    assert b"<env:Detail><faultcode>s:Server.Registry</faultcode></env:Detail>" in raw


def test_foreign_fault_of_soap_12_is_read() -> None:
    raw = (
        f'<s:Envelope xmlns:s="{NS_SOAP12}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>a'
        "</s:Value><s:Subcode><s:Value>m:TooOld</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason>"
        '<s:Text xml:lang="uk">застаре</s:Text><s:Text xml:lang="en">too old</s:Text></s:Reason><s:Role>r</s:Role>'
        "<s:Detail><Code><Value>17</Value></Code></s:Detail></s:Fault></s:Body></s:Envelope>"
    ).encode()
    fault = parse_fault(raw)
    assert (fault.code, fault.text, fault.actor, fault.detail) == ("m:TooOld", "застаре", "r", "")
    assert remote_fault_of(fault).content_type == "application/soap+xml;charset=utf-8"


@pytest.mark.parametrize(
    ("content_type", "speaks"),
    [
        ("application/soap+xml; charset=utf-8", True),
        ('multipart/related; boundary=b; type="application/soap+xml"', True),
        ('multipart/related; boundary=b; type="application/xop+xml"; start-info="application/soap+xml"', True),
        ("text/xml", False),
        ("multipart/related; boundary=b", False),
        ("no type", False),
        (None, False),
    ],
)
def test_caller_who_speaks_soap_12_is_known_by_the_content_type(content_type: str | None, speaks: bool) -> None:
    assert speaks_soap12(content_type) is speaks


@pytest.mark.parametrize(
    ("code", "text", "refuses"),
    [
        (
            "server.serverproxy.service_failed.invalid_content_type",
            "Invalid content type for SOAP message: application/soap+xml",
            True,
        ),
        ("Server.ServerProxy.ServiceFailed.InvalidContentType", "Invalid content type: application/soap+xml", True),
        (
            "server.serverproxy.service_failed.invalid_content_type",
            "Invalid content type: text/html. SOAP is sent as text/xml, application/soap+xml or multipart/related.",
            False,
        ),
        ("server.serverproxy.access_denied", "application/soap+xml", False),
    ],
)
def test_peer_that_does_not_know_soap_12_is_recognised(code: str, text: str, refuses: bool) -> None:
    assert refuses_soap12(RemoteFault(code, text, "", b"")) is refuses

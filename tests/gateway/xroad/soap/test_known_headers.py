"""Reading with known headers says what scanning says, for every envelope."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import XRoadFault
from gateway.xroad.soap import known_headers
from gateway.xroad.soap.envelope import Envelope, build_envelope, scan_envelope
from gateway.xroad.soap.known_headers import MAX_KNOWN, scan_known
from tests.factories.messages import soap_headers

BODY = b"<p:GetPerson xmlns:p='urn:p'><unzr>19910824-00026</unzr></p:GetPerson>"


def either(raw: bytes, read: object) -> Envelope | tuple[str, str]:
    try:
        return read(raw)  # type: ignore[operator,no-any-return]
    except XRoadFault as fault:
        return fault.code, fault.text_id


def soap(message_id: str = "m-1", body: bytes = BODY, **fields: object) -> bytes:
    return build_envelope(soap_headers(id=message_id, **fields), body)


def learn(raw: bytes) -> None:
    known_headers._known.clear()
    known_headers._forms.clear()
    scan_known(raw)
    assert len(known_headers._known) == 1


def test_second_message_of_a_caller_is_read_without_its_header() -> None:
    learn(soap("m-1", user_id="clerk 1"))
    second = soap("m-00002", user_id="clerk 22")
    before = dict(known_headers._known)

    assert scan_known(second) == scan_envelope(second)
    assert scan_known(second).values["id"] == "m-00002"
    assert known_headers._known.keys() == before.keys()


@pytest.mark.parametrize(
    "body",
    [
        b"<p:GetPerson xmlns:p='urn:p'/><again/>",
        b"<p:GetPerson>no such prefix</p:GetPerson>",
        b"<a></b>",
        b"",
        b"<SOAP-ENV:Fault><faultcode>Server.X</faultcode><faultstring>no</faultstring></SOAP-ENV:Fault>",
        b"<a/></SOAP-ENV:Body><SOAP-ENV:Header/><SOAP-ENV:Body>",
        b"<a/></SOAP-ENV:Body><SOAP-ENV:Body><b/>",
        b"<a>" * 300 + b"</a>" * 300,
        b"<a>\xff</a>",
        b"<!DOCTYPE a><a/>",
    ],
)
def test_body_is_judged_as_if_the_header_were_not_known(body: bytes) -> None:
    learn(soap())
    raw = soap("m-2", body)

    assert either(raw, scan_known) == either(raw, scan_envelope)


@pytest.mark.parametrize(
    "text", ["", " ", "a&amp;b", "<![CDATA[x]]>", "Є", "a\nb", "&#65;", "]]>", "<!-- c -->x", "\x01"]
)
def test_texts_that_mean_more_than_themselves_are_scanned(text: str) -> None:
    learn(soap("m-1"))
    raw = soap("m-1").replace(b">m-1<", f">{text}<".encode())

    assert either(raw, scan_known) == either(raw, scan_envelope)


@pytest.mark.parametrize(
    "inside",
    [
        b"<!-- <xrd:id>c</xrd:id> -->",
        b"<x:id xmlns:x='urn:x'>foreign</x:id>",
        b"<xrd:issue>one</xrd:issue>",
        b"<xrd:issue/>",
        b"<xrd:issue a='>'>one</xrd:issue>",
        b"<xrd:requestHash algorithmId='a/'>c29tZQ==</xrd:requestHash>",
        b"<x:other xmlns:x='urn:x'><xrd:id>deep</xrd:id></x:other>",
        b"<xrd:issue>a<xrd:id>b</xrd:id>c</xrd:issue>",
        b"<x:Body xmlns:x='urn:x'/>",
    ],
)
def test_odd_headers_are_read_as_the_scanner_reads_them(inside: bytes) -> None:
    known_headers._known.clear()
    known_headers._forms.clear()
    for message_id in ("m-1", "m-22", "m-333"):
        raw = soap(message_id).replace(b"<xrd:id>", inside + b"<xrd:id>", 1)
        for changed in (
            raw,
            raw.replace(b">deep<", b">deeper<").replace(b">one<", b">three<").replace(b">c<", b">cc<"),
        ):
            assert either(changed, scan_known) == either(changed, scan_envelope)


@given(
    st.lists(
        st.sampled_from(
            [
                b"<xrd:id>", b"</xrd:id>", b"m-1", b"<xrd:issue>", b"</xrd:issue>", b"</SOAP-ENV:Header>", b"Body",
                b"<SOAP-ENV:Body>", b"</SOAP-ENV:Body>", b"<a/>", b"<!--", b"-->", b"</SOAP-ENV:Envelope>", b"/>",
            ]
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_bytes_are_read_as_the_scanner_reads_them(pieces: list[bytes]) -> None:
    head, _, tail = soap("m-1").partition(b"<xrd:id>m-1</xrd:id>")
    for raw in (
        head + b"".join(pieces) + tail,
        head + b"<xrd:id>x</xrd:id>" + b"".join(pieces),
        head + b"".join(pieces),
    ):
        for _ in range(2):
            assert either(raw, scan_known) == either(raw, scan_envelope)


def test_only_so_many_headers_are_remembered() -> None:
    for number in range(MAX_KNOWN + 10):
        scan_known(soap(protocol_version=f"4.{number}"))

    assert len(known_headers._known) <= MAX_KNOWN

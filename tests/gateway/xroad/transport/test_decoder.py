from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.bodies import BytesBody, BytesSink
from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.mime import closing, part_head
from gateway.xroad.rest.message import RestRequest
from gateway.xroad.signature.signed_message import SignedMessage
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import SoapMessage
from gateway.xroad.transport.decoder import (
    DecodedMessage,
    Protocol,
    Side,
    TransportDecoder,
    TransportLimits,
)
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.transport.parts import ORDER, Kind, Place
from tests.factories.messages import (
    BOUNDARY,
    a_rest_request,
    a_rest_response,
    a_signature,
    a_soap_message,
    a_soap_response,
    an_attachment,
    an_unproven_message,
    soap_bytes,
)
from tests.properties.messages import splits

TYPE = "multipart/mixed; charset=UTF-8; boundary=B"
FAULT = build_soap_fault("server.serverproxy.access_denied", "no", "", "id")
OCSP = ("application/ocsp-response", b"0\x01")
SOAP = ("text/xml", soap_bytes())
SIGNATURE = ("signature/bdoc-1.0/ts", b"<s/>")
RESULT = ("application/hash-chain-result", b"<r/>")
CHAIN = ("application/hash-chain", b"<c/>")
REST = ("application/x-road-rest-request", a_rest_request().raw)
ANSWER = ("application/x-road-rest-response", a_rest_response(body=None).raw)
REST_BODY = ("application/x-road-rest-body", b"{}")
NESTED = (
    "multipart/mixed; boundary=N",
    b"\r\n--N\r\nContent-Type: a/b\r\n\r\none\r\n--N\r\n\r\n\r\n--N--\r\n",
)

Parts = tuple[str, bytes]


def message(*parts: Parts) -> bytes:
    heads = [part_head(b"B", (("Content-Type", kind),), first=n == 0) + data for n, (kind, data) in enumerate(parts)]
    return b"".join(heads) + closing(b"B")


def decoded(
    data: bytes | list[bytes],
    side: Side = Side.REQUEST,
    *,
    content_type: str = TYPE,
    protocol: Protocol | None = None,
    limits: TransportLimits | None = None,
    original: str | None = None,
) -> DecodedMessage:
    decoder = TransportDecoder(
        content_type,
        side=side,
        open_sink=BytesSink,
        protocol=protocol,
        limits=limits or TransportLimits(),
        x_original_content_type=original,
    )
    for piece in [data] if isinstance(data, bytes) else data:
        decoder.feed(piece)
    return decoder.finish()


def code_of(*parts: Parts, side: Side = Side.REQUEST, protocol: Protocol | None = None, **limits: int) -> str:
    with pytest.raises(MalformedMessage) as caught:
        decoded(message(*parts), side, protocol=protocol, limits=TransportLimits(**limits))
    return caught.value.code


MESSAGES = [
    (Side.REQUEST, a_soap_message()),
    (Side.REQUEST, a_soap_message(attachments=(an_attachment(), an_attachment(b"")))),
    (Side.REQUEST, a_rest_request()),
    (Side.REQUEST, a_rest_request("POST", body=b"{}")),
    (Side.RESPONSE, a_soap_response()),
    (Side.RESPONSE, a_rest_response()),
    (Side.RESPONSE, a_rest_response(body=b"")),
]


@pytest.mark.parametrize(("side", "sent"), MESSAGES)
@pytest.mark.parametrize("batch", [True, False])
@given(data=st.data())
def test_what_was_encoded_is_decoded_however_it_is_split(
    side: Side, sent: SoapMessage, batch: bool, data: st.DataObject
) -> None:
    signed = SignedMessage(sent, a_signature(batch=batch))
    encoder = TransportEncoder((b"\x30\x01\r\n--", b""), boundary=BOUNDARY)
    raw = b"".join(encoder.encode(signed))
    read = decoded(data.draw(splits(raw)), side, content_type=encoder.content_type)
    assert read.ocsp_responses == (b"\x30\x01\r\n--", b"")
    again = TransportEncoder(read.ocsp_responses, boundary=BOUNDARY)
    assert read.signed is not None
    assert read.signed.signature == signed.signature
    assert b"".join(again.encode(read.signed)) == raw


def test_attachments_are_numbered_in_the_order_of_arrival() -> None:
    signed = decoded(message(SOAP, NESTED, SIGNATURE)).signed
    assert signed is not None
    assert [a.body for a in signed.message.attachments] == [BytesBody(b"one"), BytesBody(b"")]
    assert [a.content_type for a in signed.message.attachments] == ["a/b", None]


def test_rest_request_keeps_its_body() -> None:
    signed = decoded(message(REST, REST_BODY, SIGNATURE)).signed
    assert signed is not None
    assert isinstance(signed.message, RestRequest)
    assert signed.message.body == BytesBody(b"{}")


def test_package_type_of_the_information_system_is_kept() -> None:
    original = 'Multipart/Related; type="text/xml"; boundary=X'
    signed = decoded(message(SOAP, SIGNATURE), original=original).signed
    assert signed is not None
    assert signed.message.original_content_type == original


def test_type_of_a_plain_message_is_that_of_its_part() -> None:
    signed = decoded(message(SOAP, SIGNATURE), original="text/xml; charset=x").signed
    assert signed is not None
    assert signed.message.original_content_type == "text/xml"


def test_media_types_are_compared_without_case_and_parameters() -> None:
    assert decoded(message(("TEXT/XML;charset=x", SOAP[1]), ("Signature/BDOC-1.0/ts; x=y", b"<s/>"))).signed


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("content_type", ["multipart/mixed", "application/json", "multipart/related; boundary=B", ""])
def test_other_content_types_are_refused(side: Side, content_type: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decoded(b"", side, content_type=content_type)
    assert caught.value.code == "invalid_content_type"


def test_whole_fault_is_accepted_from_a_provider_only() -> None:
    read = decoded([FAULT[:9], FAULT[9:]], Side.RESPONSE, content_type="text/xml;charset=utf-8")
    assert (read.fault, read.signed) == (FAULT, None)
    assert read.parsed_fault is not None
    assert read.parsed_fault.code == "server.serverproxy.access_denied"
    with pytest.raises(MalformedMessage) as caught:
        decoded(FAULT, Side.REQUEST, content_type="text/xml")
    assert caught.value.code == "invalid_content_type"


def test_whole_message_that_is_no_fault_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        decoded(soap_bytes(), Side.RESPONSE, content_type="text/xml")
    assert caught.value.code == "invalid_message"


@pytest.mark.parametrize(
    "before", [(), (SOAP,), (SOAP, NESTED), (ANSWER, REST_BODY), (SOAP, RESULT), (SOAP, RESULT, CHAIN)]
)
def test_fault_counts_wherever_it_stands_in_an_answer(before: tuple[Parts, ...]) -> None:
    read = decoded(message(*before, ("text/xml", FAULT)), Side.RESPONSE)
    assert (read.fault, read.signed) == (FAULT, None)


@pytest.mark.parametrize(
    ("parts", "code"), [((("text/xml", FAULT),), "missing_soap"), ((SOAP, ("text/xml", FAULT)), "missing_signature")]
)
def test_fault_in_a_request_is_no_message_and_no_signature(parts: tuple[Parts, ...], code: str) -> None:
    assert code_of(*parts) == code


def test_message_in_the_place_of_the_signature_is_refused() -> None:
    assert code_of(SOAP, SOAP, side=Side.RESPONSE) == "invalid_content_type"


@pytest.mark.parametrize("extra", [SIGNATURE, SOAP, OCSP, ("a/b", b"")])
def test_nothing_may_follow_the_signature(extra: Parts) -> None:
    assert code_of(SOAP, SIGNATURE, extra) == "invalid_message"


@pytest.mark.parametrize(
    "parts",
    [
        (SIGNATURE,),
        (REST_BODY,),
        (SOAP, OCSP),
        (SOAP, REST_BODY),
        (REST, NESTED),
        (REST, REST_BODY, REST_BODY),
        (SOAP, NESTED, NESTED),
        (SOAP, CHAIN),
        (SOAP, RESULT, SIGNATURE),
        (SOAP, RESULT, RESULT),
        (SOAP, RESULT, CHAIN, CHAIN),
        (SOAP, ("application/json", b"")),
        (("text/plain", b""),),
        (("not a type", b""),),
        (ANSWER, SIGNATURE),
        (SOAP, ("multipart/mixed", b""), SIGNATURE),
    ],
)
def test_part_in_the_wrong_place_is_refused(parts: tuple[Parts, ...]) -> None:
    assert code_of(*parts) == "invalid_content_type"


def test_request_in_the_place_of_an_answer_is_refused() -> None:
    assert code_of(REST, SIGNATURE, side=Side.RESPONSE) == "invalid_content_type"


@pytest.mark.parametrize(
    ("parts", "protocol", "code"),
    [
        ((), None, "missing_soap"),
        ((OCSP,), Protocol.SOAP, "missing_soap"),
        ((OCSP,), Protocol.REST, "missing_rest"),
        ((SOAP, SIGNATURE), Protocol.REST, "missing_rest"),
        ((REST, SIGNATURE), Protocol.SOAP, "missing_soap"),
        ((SOAP,), Protocol.SOAP, "missing_signature"),
        ((SOAP, RESULT, CHAIN), None, "missing_signature"),
    ],
)
def test_absent_part_has_its_own_code(parts: tuple[Parts, ...], protocol: Protocol | None, code: str) -> None:
    assert code_of(*parts, protocol=protocol) == code


def test_message_that_breaks_off_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        decoded(message(SOAP, SIGNATURE)[:-10])
    assert caught.value.code == "mime_parsing_failed"


def test_attachments_that_break_off_are_refused() -> None:
    assert code_of(SOAP, (NESTED[0], NESTED[1][:-8]), SIGNATURE) == "mime_parsing_failed"


def test_codes_of_the_message_itself_come_through() -> None:
    assert code_of(("text/xml", b"<x/>"), SIGNATURE) == "invalid_soap"
    assert code_of((REST[0], REST[1].replace(b"X-Road-Client", b"X-Other")), SIGNATURE) == "invalid_client_identifier"


@pytest.mark.parametrize(
    "limits",
    [
        {"soap_bytes": 10},
        {"ocsp_bytes": 1},
        {"ocsp_parts": 1},
        {"signature_bytes": 3},
        {"hash_chain_bytes": 3},
        {"body_bytes": 2},
        {"attachments": 1},
        {"header_bytes": 5},
    ],
)
def test_every_part_is_bounded(limits: dict[str, int]) -> None:
    parts = (OCSP, OCSP, SOAP, NESTED, RESULT, CHAIN, SIGNATURE)
    decoded(message(*parts))
    assert code_of(*parts, **limits) in ("invalid_message", "mime_parsing_failed")


def test_fault_and_rest_head_are_bounded() -> None:
    assert code_of(("text/xml", SOAP[1]), ("text/xml", FAULT), side=Side.RESPONSE, fault_bytes=9) == "invalid_message"
    assert code_of(REST, SIGNATURE, rest_head_bytes=9) == "invalid_message"


@given(
    st.lists(
        st.sampled_from([OCSP, SOAP, SIGNATURE, RESULT, CHAIN, REST, ANSWER, REST_BODY, NESTED, ("text/xml", FAULT)])
    )
)
def test_any_order_of_parts_is_read_or_refused(parts: list[Parts]) -> None:
    for side in Side:
        with contextlib.suppress(XRoadFault):
            decoded(message(*parts), side)


@given(st.binary(max_size=60).map(lambda junk: message(SOAP, NESTED, SIGNATURE)[:1700] + junk) | st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(XRoadFault):
        decoded(raw)


def test_every_place_of_the_order_can_be_left_for_the_end() -> None:
    reached = {Place.MESSAGE}
    for _ in Place:
        reached |= {step for place in reached for step in ORDER[place].values()}
    assert reached == set(Place)
    assert all(Kind.SOAP in steps for place, steps in ORDER.items() if place is not Place.END)


def test_unproven_message_of_the_factory_travels() -> None:
    raw = b"".join(TransportEncoder(boundary=BOUNDARY).encode(an_unproven_message()))
    assert decoded(raw, content_type=TransportEncoder(boundary=BOUNDARY).content_type).signed == an_unproven_message()

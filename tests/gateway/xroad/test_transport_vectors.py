"""Every exchange recorded between two real servers decodes as it did there, and is written again byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.xroad.bodies import Body, BytesSink
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import boundary_of
from gateway.xroad.rest.message import RestRequest, RestResponse, build_rest_request, build_rest_response
from gateway.xroad.rest.message import check_rest_consistency as check_rest
from gateway.xroad.signature.signed_message import SignedMessage, bodies_of, parts_of
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import SoapMessage, check_consistency
from gateway.xroad.soap.package import PackageReader, package_content_type, write_package
from gateway.xroad.soap.request_hash import answer_to, check_request_hash
from gateway.xroad.transport.decoder import DecodedMessage, Side, TransportDecoder
from gateway.xroad.transport.encoder import TransportEncoder
from gateway.xroad.transport.headers import check_hash_algorithm
from tests.factories.recordings import Recording, read_case, read_recording, transport_cases, vectors

# What a case makes of decoding alone; every other one decodes.
REFUSED = {
    ("response-http-404", Side.RESPONSE): "invalid_content_type",  # the status alone stops it earlier: http_error
    ("response-not-fault", Side.RESPONSE): "invalid_message",
    ("tampered-request-no-signature", Side.REQUEST): "missing_signature",
    ("tampered-response-no-signature", Side.RESPONSE): "missing_signature",
}
# Answers that belong to another question.
INCONSISTENT = {
    "replayed-response": "inconsistent_response",
    "soap-service-other-id": "service_failed.inconsistent_response",
}
# What a provider's server, or its HTTP client, changed beyond what we change ourselves.
REWRITTEN_ANSWERS = {
    "replayed-response",  # the answer of another case
    "rest-response-gzip",  # decompressed by the reference's HTTP client
    "soap-mtom",  # an empty element written as two tags
    "soap-odd-xml",  # line ends, quotes and a processing instruction
    "soap-response-has-request-hash",  # the text of the old hash left behind
    "tampered-response-message",
    "tampered-rest-response-status",
}
REWRITTEN_REQUESTS = {
    "rest-post-json",  # charset=utf-8 came out in capitals
    "tampered-request-message",
    "tampered-rest-request-header",
}


NONE = [pytest.param("", marks=pytest.mark.skip("no recorded vectors: set SURMA_VECTORS to their folder"))]


def facts_of(case: str) -> dict[str, Any]:
    return read_case(vectors() / "transport" / case / "case.json")


def chosen(*signed: Side, protocol: str | None = None, also_in: str = "", without: Iterable[str] = ()) -> list[Any]:
    """Cases whose messages of these sides are signed, which were recorded at another place too."""
    cases = []
    for case in transport_cases():
        facts = facts_of(case)
        parts = [[part["headers"][0] for part in facts[f"{side.value}_parts"] or []] for side in signed]
        proven = all(any("signature/bdoc" in head for head in heads) for heads in parts)
        there = not also_in or (vectors() / also_in / f"{case}").is_dir()
        if proven and there and case not in without and protocol in (None, facts["protocol"]):
            cases.append(case)
    return cases or NONE


CASES = transport_cases() or NONE
SIGNED = [(case, side) for side in Side for case in chosen(side) if isinstance(case, str)] or [("", Side.REQUEST)]


def recording(case: str, side: Side, folder: str = "transport") -> Recording:
    return read_recording(vectors() / folder / case / f"{side.value}.http")


def decode(message: Recording, side: Side) -> DecodedMessage:
    decoder = TransportDecoder(
        message.header("content-type") or "",
        side=side,
        open_sink=BytesSink,
        x_original_content_type=message.header("x-original-content-type"),
        soap_action=message.header("x-original-soapaction"),
    )
    for start in range(0, len(message.body), 1000):
        decoder.feed(message.body[start : start + 1000])
    return decoder.finish()


def signed_of(case: str, side: Side) -> SignedMessage:
    signed = decode(recording(case, side), side).signed
    assert signed is not None
    return signed


def content(body: Body) -> bytes:
    return b"".join(body.chunks())


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("case", CASES)
def test_recorded_message_is_decoded_and_written_again(case: str, side: Side) -> None:
    sent = recording(case, side)
    refusal = REFUSED.get((case, side))
    if refusal is not None:
        with pytest.raises(MalformedMessage) as caught:
            decode(sent, side)
        assert caught.value.code == refusal
        return
    read = decode(sent, side)
    content_type = sent.header("content-type") or ""
    if read.signed is None and not content_type.startswith("multipart"):
        assert read.fault == sent.body
        return
    encoder = TransportEncoder(read.ocsp_responses, boundary=boundary_of(content_type).removeprefix(b"xtop"))
    assert encoder.content_type == content_type
    if read.signed is None:
        assert read.fault is not None
        assert encoder.fault_part(read.fault) == sent.body
    else:
        assert b"".join(encoder.encode(read.signed)) == sent.body


@pytest.mark.parametrize(("case", "side"), SIGNED)
def test_parts_have_the_sizes_and_digests_that_were_recorded(case: str, side: Side) -> None:
    described = facts_of(case)[f"{side.value}_parts"]
    signed = signed_of(case, side)
    assert sorted(digests(signed)) == sorted(flat(described))
    sha512 = [part.digest.value.hex() for part in parts_of(signed.message)]
    assert set(sha512) <= {digest for _, digest in flat(described)}


def flat(parts: list[dict[str, Any]]) -> list[tuple[int, str]]:
    found = []
    for part in parts:
        if "ocsp-response" in part["headers"][0]:
            continue
        nested = part.get("parts")
        found += flat(nested) if nested is not None else [(part["size"], part["sha512"])]
    return found


def digests(signed: SignedMessage) -> list[tuple[int, str]]:
    signature = signed.signature
    pieces = [signed.message.raw, signature.xml, signature.hash_chain_result, signature.hash_chain]
    pieces += [content(body) for body in bodies_of(signed.message)]
    return [(len(piece), hashlib.sha512(piece).hexdigest()) for piece in pieces if piece is not None]


@pytest.mark.parametrize("case", chosen(Side.REQUEST))
def test_identifiers_of_the_request_are_those_recorded(case: str) -> None:
    facts = facts_of(case)
    message = signed_of(case, Side.REQUEST).message
    headers = message.headers if isinstance(message, SoapMessage) else message
    assert (str(headers.client), str(headers.service)) == (facts["client_id"], facts["service_id"])
    if facts["message_id"] is not None:
        assert headers.id == facts["message_id"]


@pytest.mark.parametrize("case", chosen(*Side))
def test_answer_is_consistent_with_its_question(case: str) -> None:
    request, response = signed_of(case, Side.REQUEST).message, signed_of(case, Side.RESPONSE).message
    expected = INCONSISTENT.get(case)
    if expected is None:
        check(request, response)
        return
    with pytest.raises(MalformedMessage) as caught:
        check(request, response)
    assert caught.value.code == expected


def check(request: object, response: object) -> None:
    if isinstance(request, SoapMessage) and isinstance(response, SoapMessage):
        check_consistency(request, response)
        check_request_hash(response, request)
    else:
        assert isinstance(request, RestRequest)
        assert isinstance(response, RestResponse)
        check_rest(request, response)


@pytest.mark.parametrize("case", CASES)
def test_hash_algorithm_is_asked_for(case: str) -> None:
    value = recording(case, Side.REQUEST).header("x-hash-algorithm")
    if case == "tampered-request-no-hash-algorithm":
        with pytest.raises(MalformedMessage):
            check_hash_algorithm(value)
    else:
        check_hash_algorithm(value)


@pytest.mark.parametrize("case", chosen(Side.REQUEST, protocol="REST", also_in="consumer", without=REWRITTEN_REQUESTS))
def test_rest_request_of_the_information_system_becomes_the_recorded_message(case: str) -> None:
    came = recording(case, Side.REQUEST, "consumer")
    message = signed_of(case, Side.REQUEST).message
    assert isinstance(message, RestRequest)
    method, target, _ = came.start_line.split(" ")
    made = build_rest_request(method, target, came.headers, request_id=message.request_id, new_id=message.id)
    assert made.raw == message.raw


@pytest.mark.parametrize("case", chosen(Side.REQUEST, protocol="SOAP", also_in="consumer", without=REWRITTEN_REQUESTS))
def test_soap_request_of_the_information_system_becomes_the_recorded_message(case: str) -> None:
    came = recording(case, Side.REQUEST, "consumer")
    message = signed_of(case, Side.REQUEST).message
    assert isinstance(message, SoapMessage)
    reader = PackageReader(came.header("content-type"), open_sink=BytesSink)
    reader.feed(came.body)
    soap = reader.finish(soap_action=came.header("soapaction") or "")
    assert isinstance(soap, SoapMessage)
    assert (soap.raw, soap.headers, soap.package_type) == (message.raw, message.headers, message.package_type)
    assert soap.soap_action == message.soap_action
    assert [sorted(a.headers) for a in soap.attachments] == [
        sorted((name if name != "content-type" else "Content-Type", value) for name, value in a.headers)
        for a in message.attachments
    ]


@pytest.mark.parametrize("case", chosen(Side.REQUEST, protocol="SOAP", also_in="provider"))
def test_soap_request_goes_on_to_the_service_as_recorded(case: str) -> None:
    request = signed_of(case, Side.REQUEST).message
    forwarded = recording(case, Side.REQUEST, "provider")
    assert isinstance(request, SoapMessage)
    assert b"".join(write_package(request)) == forwarded.body
    assert package_content_type(request) == forwarded.header("content-type")


@pytest.mark.parametrize("case", chosen(*Side, protocol="SOAP", also_in="consumer"))
def test_soap_answer_goes_home_as_recorded(case: str) -> None:
    if facts_of(case)["outcome"] == "success":
        response = signed_of(case, Side.RESPONSE).message
        assert isinstance(response, SoapMessage)
        assert b"".join(write_package(response)) == recording(case, Side.RESPONSE, "consumer").body


@pytest.mark.parametrize("case", chosen(*Side, protocol="REST", also_in="provider", without=REWRITTEN_ANSWERS))
def test_rest_answer_of_the_service_becomes_the_recorded_answer(case: str) -> None:
    came = recording(case, Side.RESPONSE, "provider")
    request, response = signed_of(case, Side.REQUEST).message, signed_of(case, Side.RESPONSE).message
    assert isinstance(request, RestRequest)
    assert isinstance(response, RestResponse)
    _, status, reason = [*came.start_line.split(" ", 2), ""][:3]
    assert build_rest_response(request, int(status), reason, came.headers, response.body).raw == response.raw


@pytest.mark.parametrize("case", chosen(*Side, protocol="SOAP", also_in="provider", without=REWRITTEN_ANSWERS))
def test_soap_answer_of_the_service_becomes_the_recorded_answer(case: str) -> None:
    came = recording(case, Side.RESPONSE, "provider")
    request, response = signed_of(case, Side.REQUEST).message, signed_of(case, Side.RESPONSE).message
    assert isinstance(request, SoapMessage)
    reader = PackageReader(came.header("content-type"), open_sink=BytesSink)
    reader.feed(came.body)
    answer = answer_to(request, reader.finish_raw(), reader.soap_content_type)
    assert isinstance(answer, SoapMessage)
    # The reference writes the declaration anew and a line break at either end.
    assert bare(answer.raw) == bare(response.raw)


def bare(raw: bytes) -> bytes:
    return raw.removeprefix(b'<?xml version="1.0" encoding="UTF-8"?>').strip()


@pytest.mark.parametrize(
    ("case", "code"),
    [("soap-service-lost-header", "missing_header_field"), ("soap-service-not-soap", "invalid_soap"),
     ("soap-service-html", "invalid_content_type")],
)  # fmt: skip
def test_unusable_answer_of_a_service_is_refused_as_recorded(case: str, code: str) -> None:
    request = signed_of(case, Side.REQUEST).message
    came = recording(case, Side.RESPONSE, "provider")
    assert isinstance(request, SoapMessage)
    with pytest.raises(MalformedMessage) as caught:
        answer_to(request, came.body, came.header("content-type") or "")
    assert caught.value.code == code


FAULTS = [case for case in transport_cases() if (facts_of(case)["server_proxy_fault_code"] or "").startswith("Server.")]


@pytest.mark.parametrize("case", FAULTS or NONE)
def test_fault_of_a_server_is_what_we_would_write(case: str) -> None:
    read = decode(recording(case, Side.RESPONSE), Side.RESPONSE)
    fault = read.parsed_fault
    assert fault is not None
    assert fault.code == facts_of(case)["server_proxy_fault_code"]
    assert build_soap_fault(fault.code, fault.text, fault.actor, fault.detail) == read.fault

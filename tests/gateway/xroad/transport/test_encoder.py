from __future__ import annotations

import pytest

from gateway.xroad.bodies import BytesBody
from gateway.xroad.signature.signed_message import SignedMessage
from gateway.xroad.soap.message import Attachment
from gateway.xroad.transport.encoder import TransportEncoder, letters_of
from tests.factories.messages import (
    BOUNDARY,
    a_rest_request,
    a_signature,
    a_soap_message,
    an_unproven_message,
    soap_bytes,
)

TOP = b"xtop" + BOUNDARY
NESTED = b"xatt" + BOUNDARY


def encoded(signed: SignedMessage, *ocsp: bytes) -> bytes:
    return b"".join(TransportEncoder(ocsp, boundary=BOUNDARY).encode(signed))


def test_content_type_is_that_of_the_reference() -> None:
    expected = f"multipart/mixed; charset=UTF-8; boundary={TOP.decode()}"
    assert TransportEncoder(boundary=BOUNDARY).content_type == expected


def test_plain_soap_has_ocsp_message_and_signature() -> None:
    signed = an_unproven_message()
    assert encoded(signed, b"\x30\x01", b"\x30\x02") == (
        b"--" + TOP + b"\r\ncontent-type: application/ocsp-response\r\n\r\n\x30\x01"
        b"\r\n--" + TOP + b"\r\ncontent-type: application/ocsp-response\r\n\r\n\x30\x02"
        b"\r\n--" + TOP + b"\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n" + soap_bytes() + b"\r\n--"
        + TOP + b"\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\n" + signed.signature.xml + b"\r\n--" + TOP + b"--\r\n"
    )  # fmt: skip


def test_attachments_are_nested_with_the_same_letters() -> None:
    attachments = (
        Attachment((("Content-ID", "<1>"), ("Content-TYPE", "a/b")), BytesBody(b"one")),
        Attachment((), BytesBody(b"")),
    )
    made = encoded(SignedMessage(a_soap_message(attachments=attachments), a_signature(batch=True)))
    assert (
        b"\r\n--" + TOP + b"\r\ncontent-type: multipart/mixed; charset=UTF-8; boundary=" + NESTED + b"\r\n\r\n"
        b"\r\n--" + NESTED + b"\r\ncontent-type: a/b\r\nContent-ID: <1>\r\n\r\none"
        b"\r\n--" + NESTED + b"\r\n\r\n\r\n--" + NESTED + b"--\r\n"
        b"\r\n--" + TOP + b"\r\ncontent-type: application/hash-chain-result\r\n\r\n<HashChainResult/>"
        b"\r\n--" + TOP + b"\r\ncontent-type: application/hash-chain\r\n\r\n<HashChain/>"
        b"\r\n--" + TOP + b"\r\ncontent-type: signature/bdoc-1.0/ts\r\n\r\n"
    ) in made  # fmt: skip


def test_headers_of_the_soap_part_follow_its_type() -> None:
    message = a_soap_message(part_headers=(("Content-ID", "<s>"),))
    assert b"content-type: text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n" in encoded(an_unproven_message(message))


@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_rest_body_has_a_part_when_there_is_one(body: bytes | None) -> None:
    made = encoded(an_unproven_message(a_rest_request("POST", body=body)))
    assert made.startswith(b"--" + TOP + b"\r\ncontent-type: application/x-road-rest-request\r\n\r\nPOST\r\n")
    assert (b"content-type: application/x-road-rest-body\r\n\r\n" in made) == (body is not None)


def test_large_bodies_pass_in_their_own_chunks() -> None:
    body = BytesBody(b"x" * 100_000)
    chunks = list(TransportEncoder(boundary=BOUNDARY).encode(an_unproven_message(a_rest_request("PUT", body=body))))
    assert [len(chunk) for chunk in chunks].count(100_000) == 1
    assert len(chunks) == 3


def test_fault_is_the_only_part() -> None:
    assert TransportEncoder(boundary=BOUNDARY).fault_part(b"<f/>") == (
        b"--" + TOP + b"\r\ncontent-type: text/xml; charset=UTF-8\r\n\r\n<f/>\r\n--" + TOP + b"--\r\n"
    )


def test_letters_come_from_the_entropy_given() -> None:
    assert letters_of(bytes(range(30))) == b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"
    assert letters_of(b"\xff" * 31) == letters_of(b"\xff" * 30)


@pytest.mark.parametrize("boundary", [b"", b"x" * 29, b"1" * 30, b"x" * 31])
def test_boundary_is_thirty_letters(boundary: bytes) -> None:
    with pytest.raises(RuntimeError):
        TransportEncoder(boundary=boundary)


def test_too_little_entropy_is_our_own_mistake() -> None:
    with pytest.raises(RuntimeError):
        letters_of(b"x" * 29)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.bodies import BytesSink
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import TEXT_XML_UTF8, SoapFault, SoapMessage
from gateway.xroad.soap.package import PackageLimits, PackageReader, package_content_type, write_package
from tests.factories.messages import a_soap_message, an_attachment, soap_bytes
from tests.properties.messages import splits

TYPE = 'multipart/related; type="text/xml"; boundary=MIME; start="<s>"'


def package(*attachments: bytes, soap: bytes | None = None) -> bytes:
    head = b"--MIME\r\nContent-Type: text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n"
    parts = [head + (soap_bytes() if soap is None else soap)]
    parts += [
        b"\r\n--MIME\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data for data in attachments
    ]
    return b"".join(parts) + b"\r\n--MIME--\r\n"


def read(content_type: str | None, *pieces: bytes, limits: PackageLimits | None = None) -> SoapMessage | SoapFault:
    reader = PackageReader(content_type, open_sink=BytesSink, limits=limits)
    for piece in pieces:
        reader.feed(piece)
    return reader.finish(soap_action='""')


def code_of(content_type: str | None, *pieces: bytes, limits: PackageLimits | None = None) -> str:
    with pytest.raises(MalformedMessage) as caught:
        read(content_type, *pieces, limits=limits)
    return caught.value.code


def test_plain_soap_is_read() -> None:
    message = read("text/xml", soap_bytes()[:50], soap_bytes()[50:])
    assert isinstance(message, SoapMessage)
    assert (message.raw, message.package_type, message.soap_action) == (soap_bytes(), None, '""')


def test_first_part_is_the_soap_and_the_others_are_attachments_as_they_came() -> None:
    message = read(TYPE, package(b"AAEC\r\n", b""))
    assert isinstance(message, SoapMessage)
    assert message.raw == soap_bytes()
    assert message.part_headers == (("Content-ID", "<s>"),)
    assert [list(a.body.chunks()) for a in message.attachments] == [[b"AAEC\r\n"], []]
    assert message.attachments[0].content_type == "a/b"
    assert message.original_content_type == TYPE


def test_package_without_attachments_stays_a_package() -> None:
    message = read(TYPE, package())
    assert isinstance(message, SoapMessage)
    assert package_content_type(message) == TYPE
    assert b"".join(write_package(message)).startswith(
        b"--MIME\r\ncontent-type:text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n"
    )


def test_what_goes_on_to_an_information_system_reads_the_same() -> None:
    message = read(TYPE, package(b"one", b"two"))
    assert isinstance(message, SoapMessage)
    again = read(package_content_type(message), *write_package(message))
    assert isinstance(again, SoapMessage)
    assert (again.raw, [a.body.digest for a in again.attachments]) == (
        message.raw,
        [a.body.digest for a in message.attachments],
    )


def test_plain_message_goes_on_as_utf8_text_xml() -> None:
    message = read("text/xml; charset=utf-8; action=x", soap_bytes())
    assert isinstance(message, SoapMessage)
    assert package_content_type(message) == TEXT_XML_UTF8
    assert b"".join(write_package(message)) == soap_bytes()


def test_attachments_that_came_without_a_package_get_one() -> None:
    message = a_soap_message(attachments=(an_attachment(),))
    again = read(package_content_type(message), *write_package(message))
    assert isinstance(again, SoapMessage)
    assert again.attachments[0].body.digest == message.attachments[0].body.digest


def test_fault_in_a_package_is_a_fault() -> None:
    assert isinstance(read(TYPE, package(soap=build_soap_fault("c", "t"))), SoapFault)


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        (None, b"", "invalid_request"),
        (" ", b"", "invalid_request"),
        ("text/html", b"", "invalid_content_type"),
        ("text/xml", b"", "invalid_soap"),
        ("multipart/related", b"", "invalid_content_type"),
        ("multipart/mixed; boundary=MIME", package(), "invalid_content_type"),
        (TYPE, b"", "missing_soap"),
        (TYPE, b"--MIME--\r\n", "missing_soap"),
        (TYPE, package()[:-20], "mime_parsing_failed"),
        (TYPE, b"--MIME\r\n\r\nx\r\n--MIME--", "invalid_content_type"),
        (TYPE, b"--MIME\r\nContent-Type: a/b\r\n\r\nx\r\n--MIME--", "invalid_content_type"),
        (TYPE, package().replace(b"\r\n--MIME--", b"\r\n--MIME\r\n\r\nx\r\n--MIME--"), "invalid_content_type"),
    ],
)
def test_unusable_request_is_refused(content_type: str | None, body: bytes, code: str) -> None:
    assert code_of(content_type, body) == code


@pytest.mark.parametrize(
    "limits", [PackageLimits(soap_bytes=100), PackageLimits(body_bytes=5), PackageLimits(attachments=1)]
)
def test_sizes_are_bounded(limits: PackageLimits) -> None:
    assert code_of(TYPE, package(b"123", b"456"), limits=limits) in ("invalid_request", "mime_parsing_failed")


@given(st.data())
def test_package_reads_the_same_however_it_is_split(data: st.DataObject) -> None:
    raw = package(b"\r\n--MIM", b"x" * 50)
    assert read(TYPE, *data.draw(splits(raw))) == read(TYPE, raw)

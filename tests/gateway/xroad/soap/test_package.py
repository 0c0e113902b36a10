from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.spool import SpoolDirectory
from gateway.xroad.bodies import BytesBody, BytesSink
from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.soap.faults import build_soap_fault
from gateway.xroad.soap.message import TEXT_XML_UTF8, Attachment, SoapFault, SoapMessage
from gateway.xroad.soap.package import (
    PackageLimits,
    PackageReader,
    answer_content_type,
    package_content_type,
    package_size,
    plain_content_type,
    with_charset,
    write_package,
)
from gateway.xroad.xml import NS_SOAP11, NS_SOAP12
from tests.factories.messages import a_soap_message, an_attachment, soap_bytes
from tests.properties.messages import PlainPart, multiparts, splits

TYPE = 'multipart/related; type="text/xml"; boundary=MIME; start="<s>"'


class InPieces(BytesBody):
    """A body that is read in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(b"".join(pieces))
        object.__setattr__(self, "pieces", pieces)

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces  # type: ignore[attr-defined]


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
    head = b"--MIME\r\ncontent-type: text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n"
    assert b"".join(write_package(message)) == head + soap_bytes() + b"\r\n--MIME--\r\n"


def test_attachments_go_on_under_the_same_boundary_with_their_headers() -> None:
    message = read(TYPE, package(b"AAEC\r\n"))
    assert isinstance(message, SoapMessage)
    head = b"--MIME\r\ncontent-type:text/xml; charset=UTF-8\r\nContent-ID: <s>\r\n\r\n"
    part = b"\r\n--MIME\r\ncontent-type:a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n"
    assert b"".join(write_package(message)) == head + soap_bytes() + part + b"\r\n--MIME--\r\n"


@given(multiparts())
def test_package_that_was_written_is_read_back(whole: tuple[bytes, tuple[PlainPart, ...]]) -> None:
    boundary, parts = whole
    attachments = tuple(
        Attachment((("content-type", "a/b"), *part.headers), BytesBody(part.content))
        for part in parts
        if all(name.lower() != "content-type" for name, _ in part.headers)
    )
    content_type = f"multipart/related; boundary={boundary.decode()}"
    message = a_soap_message(attachments=attachments, package_type=content_type, part_headers=(("Content-ID", "<s>"),))
    again = read(package_content_type(message), *write_package(message))
    assert isinstance(again, SoapMessage)
    assert (again.raw, again.part_headers, again.attachments) == (message.raw, message.part_headers, attachments)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_size_of_a_package_is_known_before_it_is_written(attachments: list[bytes]) -> None:
    message = read(TYPE, package(*(data for data in attachments if b"--MIME" not in data)))
    assert isinstance(message, SoapMessage)
    assert package_size(message) == len(b"".join(write_package(message)))


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("text/xml", TEXT_XML_UTF8),
        ('text/xml; charset="utf-8"; action=x', TEXT_XML_UTF8),
        ("text/xml; charset=windows-1251", "text/xml; charset=windows-1251"),
        ("application/xop+xml", TEXT_XML_UTF8),
    ],
)
def test_plain_message_is_called_utf8_text_unless_it_is_in_another_charset(came: str, goes: str) -> None:
    assert plain_content_type(came) == goes


@pytest.mark.parametrize(
    ("came", "printed"),
    [
        ('multipart/related; boundary="b"; start="<s>"', 'multipart/related; boundary="b"; start="<s>";charset=utf-8'),
        ("multipart/related; charset=UTF-8; boundary=b", "multipart/related; charset=UTF-8; boundary=b"),
        ("multipart/related; charset=latin1; boundary=b", "multipart/related; boundary=b;charset=utf-8"),
    ],
)
def test_package_goes_to_the_consumer_with_the_charset_the_reference_adds(came: str, printed: str) -> None:
    assert with_charset(came) == printed


def test_soap_12_keeps_what_its_content_type_says() -> None:
    content_type = 'application/soap+xml; charset=utf-8; action="urn:a"'
    message = read(content_type, soap_bytes().replace(NS_SOAP11.encode(), NS_SOAP12.encode()))
    assert isinstance(message, SoapMessage)
    assert package_content_type(message) == answer_content_type(message) == content_type


def test_plain_answer_is_called_as_the_reference_does() -> None:
    assert answer_content_type(a_soap_message()) == "text/xml;charset=utf-8"


def test_attachment_that_broke_off_leaves_nothing_behind(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path, partial(Digest, DigestAlgorithm.SHA512), memory_threshold_bytes=10)
    reader = PackageReader(TYPE, open_sink=spool.open_sink)
    reader.feed(package(b"x" * 500)[:-100])
    assert list(spool.directory.iterdir()) != []
    with pytest.raises(MalformedMessage):
        reader.finish()
    del reader
    assert list(spool.directory.iterdir()) == []


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


@pytest.mark.parametrize(
    "content",
    [
        b"--MIME\r\nContent-Type: a/b\r\n\r\n",
        b"x\r\n--MIME--",
        b"x\n--MIME\n",
        b"x\r\n--MIME",
        b"x" * 300_000 + b"\r\n--MIME \r\n" + b"x" * 9,
    ],
)
def test_part_that_holds_the_boundary_a_peer_named_is_never_finished(content: bytes) -> None:
    message = a_soap_message(attachments=(an_attachment(content),), package_type=TYPE)
    with pytest.raises(MalformedMessage) as caught:
        list(write_package(message))
    assert caught.value.code == "mime_parsing_failed"


@pytest.mark.parametrize("content", [b"x\r\n--MIMEX\r\n", b"x --MIME\r\n", b"--MIM", b"\r\n-MIME--"])
def test_part_that_only_looks_like_it_goes_on(content: bytes) -> None:
    message = a_soap_message(attachments=(an_attachment(content),), package_type=TYPE)
    assert b"".join(write_package(message)).endswith(content + b"\r\n--MIME--\r\n")


@given(st.data())
def test_boundary_is_found_however_the_part_is_cut(data: st.DataObject) -> None:
    pieces = data.draw(splits(b"x" * 5 + b"\r\n--MIME\r\n" + b"x" * 5))
    attachment = Attachment((("content-type", "a/b"),), InPieces(pieces))
    with pytest.raises(MalformedMessage):
        list(write_package(a_soap_message(attachments=(attachment,), package_type=TYPE)))


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

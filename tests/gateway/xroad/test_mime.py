from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage, XRoadFault
from gateway.xroad.mime import (
    Event,
    MultipartParser,
    PartBegin,
    PartData,
    boundary_of,
    closing,
    header_of,
    parse_content_type,
    part_head,
)
from tests.properties.messages import PlainPart, multiparts, splits


def parts_in(data: bytes | list[bytes], boundary: bytes = b"B", **limits: int) -> list[PlainPart]:
    parser = MultipartParser(boundary, **limits)
    events: list[Event] = []
    for piece in [data] if isinstance(data, bytes) else data:
        events += parser.feed(piece)
    events += parser.finish()
    return merge(events)


def merge(events: list[Event]) -> list[PlainPart]:
    parts: list[PlainPart] = []
    headers: tuple[tuple[str, str], ...] = ()
    content: list[bytes] = []
    for event in events:
        if isinstance(event, PartBegin):
            headers, content = event.headers, []
        elif isinstance(event, PartData):
            content.append(event.data)
        else:
            parts.append(PlainPart(headers, b"".join(content)))
    return parts


def written(boundary: bytes, parts: tuple[PlainPart, ...]) -> bytes:
    pieces = [part_head(boundary, part.headers, first=n == 0) + part.content for n, part in enumerate(parts)]
    return b"".join(pieces) + closing(boundary)


def code_of(data: bytes, **limits: int) -> str:
    with pytest.raises(MalformedMessage) as caught:
        parts_in(data, **limits)
    return caught.value.code


def test_line_break_before_a_delimiter_is_not_content() -> None:
    assert parts_in(b"--B\r\nA: 1\r\n\r\nhello\r\n\r\n--B--\r\n") == [PlainPart((("A", "1"),), b"hello\r\n")]


def test_part_without_headers_begins_after_the_empty_line() -> None:
    assert parts_in(b"--B\r\n\r\nx\r\n--B--") == [PlainPart((), b"x")]


def test_content_may_be_empty_with_or_without_its_line_break() -> None:
    assert parts_in(b"--B\r\n\r\n\r\n--B\r\n\r\n--B--") == [PlainPart((), b""), PlainPart((), b"")]


def test_preamble_and_epilogue_are_skipped() -> None:
    assert parts_in(b"to whom\r\nit concerns\r\n--B\r\n\r\nx\r\n--B--\r\nbye\r\n--B\r\n\r\ny\r\n--B--") == [
        PlainPart((), b"x")
    ]


def test_lone_line_feeds_are_line_breaks_too() -> None:
    assert parts_in(b"--B\nA: 1\n\nx\ny\n--B--\n") == [PlainPart((("A", "1"),), b"x\ny")]


def test_longer_boundary_that_begins_the_same_is_content() -> None:
    assert parts_in(b"--B\r\n\r\n\r\n--Bx\r\n\r\n--B--") == [PlainPart((), b"\r\n--Bx\r\n")]


def test_blanks_after_a_delimiter_are_allowed() -> None:
    assert parts_in(b"--B \t\r\n\r\nx\r\n--B--") == [PlainPart((), b"x")]


@pytest.mark.parametrize("tail", [b" x", b"-x", b"-\r", b"\rx"])
def test_delimiter_line_that_goes_on_is_refused(tail: bytes) -> None:
    assert code_of(b"--B\r\n\r\nx\r\n--B" + tail + b"\r\n\r\ny\r\n--B--") == "mime_parsing_failed"


def test_folded_header_is_unfolded() -> None:
    assert parts_in(b"--B\r\nContent-Type: a/b;\r\n boundary=C\r\n\r\n\r\n--B--")[0].headers == (
        ("Content-Type", "a/b; boundary=C"),
    )


@pytest.mark.parametrize("line", [b"no colon", b": no name", b"sp ace: x", b"A: \x00", b"A: x\ry", b" folded: first"])
def test_line_that_is_no_header_is_refused(line: bytes) -> None:
    assert code_of(b"--B\r\n" + line + b"\r\n\r\nx\r\n--B--") == "mime_parsing_failed"


@pytest.mark.parametrize(
    "data", [b"--B\r\nA: 1", b"--B\r\nA: 1\r\n\r\nhalf", b"--B\r\n\r\nx\r\n--B", b"--B\r\n\r\nx\r\n--B-"]
)
def test_message_that_breaks_off_inside_a_part_is_refused(data: bytes) -> None:
    assert code_of(data) == "mime_parsing_failed"


@pytest.mark.parametrize("data", [b"", b"nothing here", b"--B--\r\n", b"\r\n--B--"])
def test_no_part_at_all_is_left_to_the_caller(data: bytes) -> None:
    assert parts_in(data) == []


def test_headers_are_bounded() -> None:
    assert code_of(b"--B\r\nA: " + b"x" * 100 + b"\r\n\r\n", max_header_bytes=50) == "mime_parsing_failed"


def test_headers_that_never_end_are_refused_before_they_fill_memory() -> None:
    parser = MultipartParser(b"B", max_header_bytes=50)
    parser.feed(b"--B\r\nA: " + b"x" * 40)
    with pytest.raises(MalformedMessage):
        parser.feed(b"x" * 10)


def test_number_of_parts_is_bounded() -> None:
    assert code_of(b"--B\r\n\r\nx\r\n" * 3 + b"--B--", max_parts=2) == "mime_parsing_failed"


def test_large_content_comes_out_while_it_goes_in() -> None:
    parser = MultipartParser(b"B")
    parser.feed(b"--B\r\n\r\n")
    assert sum(len(event.data) for event in parser.feed(b"x" * 10_000) if isinstance(event, PartData)) > 9_900


def test_writer_gives_the_bytes_of_the_reference() -> None:
    head = part_head(b"xtopB", (("content-type", "text/xml"),), first=True)
    assert head == b"--xtopB\r\ncontent-type: text/xml\r\n\r\n"
    assert part_head(b"xtopB", ()) == b"\r\n--xtopB\r\n\r\n"
    assert closing(b"xtopB") == b"\r\n--xtopB--\r\n"


@given(multiparts(), st.data())
def test_what_was_written_is_read_back_however_it_is_split(
    made: tuple[bytes, tuple[PlainPart, ...]], data: st.DataObject
) -> None:
    boundary, parts = made
    pieces = data.draw(splits(written(boundary, parts)))
    assert parts_in(pieces, boundary) == list(parts)


@given(
    st.lists(st.sampled_from([b"--B", b"\r\n", b"\n", b"\r", b"-", b" ", b"A: 1", b"x", b":", b"\x00"])).map(b"".join),
    st.data(),
)
def test_any_bytes_give_the_same_outcome_however_they_are_split(raw: bytes, data: st.DataObject) -> None:
    def outcome(pieces: list[bytes]) -> object:
        try:
            return parts_in(pieces)
        except XRoadFault as fault:
            return fault.text_id

    assert outcome([raw]) == outcome(data.draw(splits(raw)))


def test_content_type_is_read_without_regard_to_case() -> None:
    read = parse_content_type('Multipart/Related; Type="text/xml"; BOUNDARY="a b\\"c"; ;charset=utf-8;')
    assert read.media_type == "multipart/related"
    assert dict(read.parameters) == {"type": "text/xml", "boundary": 'a b"c', "charset": "utf-8"}


def test_signature_media_type_with_two_slashes_is_read() -> None:
    assert parse_content_type("signature/bdoc-1.0/ts").media_type == "signature/bdoc-1.0/ts"


@pytest.mark.parametrize("value", ["", "text", "text/", ";a=b", "a/b; x", "a/b; x=1; x=2", 'a/b; x="1', "a b/c"])
def test_content_type_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse_content_type(value)
    assert caught.value.code == "invalid_content_type"


@pytest.mark.parametrize("value", ["multipart/mixed", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=ї"])
def test_multipart_without_usable_boundary_is_refused(value: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        boundary_of(value)
    assert caught.value.code == "invalid_content_type"


@given(st.text())
def test_any_content_type_is_read_or_refused(value: str) -> None:
    with contextlib.suppress(XRoadFault):
        assert boundary_of(value)


def test_header_is_found_without_regard_to_case() -> None:
    assert header_of((("A", "1"), ("a", "2")), "a") == "1"
    assert header_of((), "a") is None

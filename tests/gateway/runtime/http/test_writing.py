"""Heads and bodies to bytes: nothing comes out that reads otherwise than it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.http.heads import read_request_head, read_response_head
from gateway.runtime.http.model import Response
from gateway.runtime.http.writing import (
    PIECE_BYTES,
    Framing,
    chunk,
    gathered,
    request_head,
    response_head,
    whole_message,
)

ANY_TEXT = st.text(alphabet=st.characters(max_codepoint=0x2FF), max_size=12)
HEADERS = st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=5)


@given(HEADERS, st.binary(max_size=5))
def test_any_request_is_refused_or_read_back_as_it_was_given(headers: list[tuple[str, str]], body: bytes) -> None:
    try:
        head = request_head("POST", "/", headers, body, host="a", close=False)
    except ValueError:
        return
    read = read_request_head(head.data, 100)
    assert read.headers[1:-1] == [(name, value.strip(" \t")) for name, value in headers]
    assert read.length == len(body)


@given(HEADERS, st.binary(max_size=5), ANY_TEXT)
def test_any_response_is_refused_or_read_back_as_it_was_given(
    headers: list[tuple[str, str]], body: bytes, reason: str
) -> None:
    try:
        head = response_head(Response(200, reason, headers, body), method="GET", version="1.1", keep_alive=True)
    except ValueError:
        return
    read = read_response_head(head.data, 100, method="GET")
    assert read.headers[1:-1] == [(name, value.strip(" \t")) for name, value in headers]
    assert (read.length, read.reason) == (len(body), reason)


@pytest.mark.parametrize(
    ("method", "body", "framing"),
    [("GET", b"", Framing.NONE), ("DELETE", b"", Framing.NONE), ("POST", b"", Framing.LENGTH),
     ("PUT", b"", Framing.LENGTH), ("GET", b"x", Framing.LENGTH), ("POST", iter([b"x"]), Framing.CHUNKED)],
)  # fmt: skip
def test_body_of_a_request_is_framed_by_what_it_is(method: str, body: bytes, framing: Framing) -> None:
    head = request_head(method, "/", [], body, host="a", close=False)
    assert head.framing is framing
    assert (b"Content-Length" in head.data) is (framing is Framing.LENGTH)


@pytest.mark.parametrize("value", ["5", "x", "", "+1", "1, 1"])
def test_length_that_contradicts_the_body_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        response_head(
            Response(headers=[("content-length", value)], body=b"x"), method="GET", version="1.1", keep_alive=True
        )


def test_length_of_the_service_is_kept_for_head() -> None:
    head = response_head(Response(headers=[("Content-Length", "500")]), method="HEAD", version="1.1", keep_alive=True)
    assert head.framing is Framing.NONE
    assert b"Content-Length: 500\r\n" in head.data


def test_length_is_dropped_where_none_may_stand() -> None:
    head = response_head(
        Response(204, headers=[("Content-Length", "0"), ("A", "b")]), method="GET", version="1.1", keep_alive=True
    )
    assert b"Content-Length" not in head.data
    assert b"A: b\r\n" in head.data


@pytest.mark.parametrize(("options", "kept"), [("close", False), ("TE, Close", False), ("keep-alive", True)])
def test_connection_header_of_the_caller_is_honoured(options: str, kept: bool) -> None:
    response = response_head(Response(headers=[("connection", options)]), method="GET", version="1.1", keep_alive=True)
    request = request_head("GET", "/", [("Connection", options)], b"", host="a", close=False)
    assert (response.keep_alive, request.keep_alive) == (kept, kept)
    assert response.data.lower().count(b"connection:") == 1


@pytest.mark.parametrize(("reason", "line"), [(None, b"404 Not Found"), ("", b"404 "), ("Nope", b"404 Nope")])
def test_reason_phrase_is_the_usual_one_unless_given(reason: str | None, line: bytes) -> None:
    head = response_head(Response(404, reason), method="GET", version="1.1", keep_alive=True)
    assert head.data.startswith(b"HTTP/1.1 " + line + b"\r\n")


@given(st.lists(st.binary(max_size=50_000), max_size=8))
def test_gathered_pieces_are_the_same_bytes_in_few_pieces(pieces: list[bytes]) -> None:
    got = list(gathered(pieces))
    assert b"".join(got) == b"".join(pieces)
    assert all(len(piece) >= PIECE_BYTES for piece in got[:-1])


@pytest.mark.parametrize(
    ("method", "body", "sent"),
    [("POST", b"hi", b"hi"), ("GET", b"", b""), ("POST", b"x" * PIECE_BYTES, b"x" * PIECE_BYTES),
     ("POST", b"x" * (PIECE_BYTES + 1), None), ("POST", iter([b"hi"]), None)],
)  # fmt: skip
def test_message_of_few_bytes_is_one_write(method: str, body: bytes, sent: bytes | None) -> None:
    head = request_head(method, "/", [], body, host="a", close=False)
    assert whole_message(head, body) == (None if sent is None else head.data + sent)


def test_body_that_may_not_be_sent_is_not() -> None:
    head = response_head(Response(body=b"hi"), method="HEAD", version="1.1", keep_alive=True)
    assert whole_message(head, b"hi") == head.data


def test_chunk_states_its_size() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"

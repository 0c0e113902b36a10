"""Heads and bodies from bytes: what is accepted, what is refused and why, whatever the splits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.http.framing import ChunkedDecoder, LengthDecoder
from gateway.runtime.http.heads import HeadReader, read_request_head, read_response_head
from gateway.runtime.http.model import RequestHead, ResponseHead
from gateway.runtime.http.problems import HttpProblem, HttpTooLarge, MalformedHttp
from tests.factories.recordings import find_vectors, read_recording

HOST = b"Host: a\r\n"

REFUSED_REQUESTS = {
    "length_beside_coding": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                             "http.length_and_coding"),
    "length_behind_coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                             "http.length_and_coding"),
    "two_lengths": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                    "http.length_twice"),
    "same_length_twice": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n",
                          "http.length_twice"),
    "length_list": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "http.length"),
    "length_with_plus": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "http.length"),
    "length_negative": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", "http.length"),
    "length_hexadecimal": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", "http.length"),
    "length_with_space": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", "http.length"),
    "length_empty": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "http.length"),
    "length_with_underscore": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", "http.length"),
    "length_superscript": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2\r\n\r\n", "http.length"),
    "length_overlong": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", "http.length"),
    "coding_gzip": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "http.transfer_coding"),
    "coding_identity": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "http.transfer_encoding"),
    "coding_xchunked": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "http.transfer_encoding"),
    "chunked_not_last": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
                         "http.transfer_encoding"),
    "chunked_twice": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
                      "http.transfer_encoding"),
    "two_codings": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "http.transfer_encoding"),
    "chunked_in_quotes": (b'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "chunked"\r\n\r\n',
                          "http.transfer_encoding"),
    "coding_with_vertical_tab": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
                                 "http.control_character"),
    "coding_in_1_0": (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "http.coding_in_1_0"),
    "space_before_colon": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", "http.header_line"),
    "space_before_coding_colon": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n",
                                  "http.header_line"),
    "folded_header": (b"POST / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", "http.folded_header"),
    "folded_with_tab": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n", "http.folded_header"),
    "leading_space_in_first_header": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "http.folded_header"),
    "bare_line_feed": (b"GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", "http.line_end"),
    "bare_carriage_return": (b"GET / HTTP/1.1\r\nHost: a\rA: b\r\n\r\n", "http.line_end"),
    "nul_in_value": (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n", "http.control_character"),
    "delete_in_value": (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x7f\r\n\r\n", "http.control_character"),
    "no_colon": (b"GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n", "http.header_line"),
    "empty_name": (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "http.header_line"),
    "bracket_in_name": (b"GET / HTTP/1.1\r\nHost: a\r\nA[]: b\r\n\r\n", "http.header_line"),
    "name_not_ascii": (b"GET / HTTP/1.1\r\nHost: a\r\n\xc3\x84: b\r\n\r\n", "http.header_line"),
    "no_host": (b"GET / HTTP/1.1\r\n\r\n", "http.host_missing"),
    "two_hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", "http.host_twice"),
    "host_list": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "http.host"),
    "host_with_user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "http.host"),
    "host_with_path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "http.host"),
    "version_2": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "http.version"),
    "version_1_2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "http.version"),
    "version_0_9": (b"GET /\r\n\r\n", "http.request_line"),
    "http_2_preface": (b"PRI * HTTP/2.0\r\n\r\n", "http.version"),
    "other_protocol": (b"GET / RTSP/1.0\r\nHost: a\r\n\r\n", "http.request_line"),
    "lower_case_protocol": (b"GET / http/1.1\r\nHost: a\r\n\r\n", "http.request_line"),
    "space_in_target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"),
    "tab_in_target": (b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"),
    "two_spaces": (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"),
    "raw_utf8_in_target": (b"GET /\xd1\x96 HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"),
    "target_without_slash": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "http.not_http"),
    "asterisk_for_get": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "http.target"),
    "trailing_space": (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "http.request_line"),
    "bad_method": (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "http.method"),
    "unknown_method": (b"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", "http.unknown_method"),
    "lower_case_method": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", "http.unknown_method"),
    "connect": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", "http.unknown_method"),
    "other_expectation": (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: payment\r\n\r\n", "http.expectation"),
    "leading_empty_lines": (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "http.request_line"),
}  # fmt: skip

REFUSED_RESPONSES = {
    "length_beside_coding": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two_lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "length_list": b"HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n",
    "length_with_plus": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    "coding_gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "chunked_twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
    "coding_in_1_0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "folded_header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "space_before_colon": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n",
    "bare_line_feed": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n",
    "nul": b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
    "version_2": b"HTTP/2.0 200 OK\r\n\r\n",
    "status_of_two_digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status_beginning_with_0": b"HTTP/1.1 020 OK\r\n\r\n",
    "other_protocol": b"SSH-2.0-OpenSSH\r\n\r\n",
}

BROKEN_CHUNKS = {
    "size_with_0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size_with_plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size_negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "size_with_leading_space": b" 5\r\nhello\r\n0\r\n\r\n",
    "size_with_trailing_space": b"5 \r\nhello\r\n0\r\n\r\n",
    "size_with_underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "size_overlong": b"0000000000000005\r\nhello\r\n0\r\n\r\n",
    "size_beyond_all_bounds": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "size_missing": b"\r\nhello\r\n0\r\n\r\n",
    "size_line_ends_with_lf": b"5\nhello\r\n0\r\n\r\n",
    "size_line_ends_with_cr": b"5\rhello\r\n0\r\n\r\n",
    "chunk_longer_than_its_size": b"5\r\nhelloo\r\n0\r\n\r\n",
    "chunk_shorter_than_its_size": b"6\r\nhello\r\n0\r\n\r\n",
    "chunk_ends_with_lf": b"5\r\nhello\n0\r\n\r\n",
    "chunk_ends_with_cr_cr": b"5\r\nhello\r\r0\r\n\r\n",
    "extension_with_nul": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "extension_with_lf": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "extension_too_long": b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    "trailer_without_colon": b"0\r\nA\r\n\r\n",
    "trailer_folded": b"0\r\nA: b\r\n c\r\n\r\n",
    "trailer_ends_with_lf": b"0\r\nA: b\n\r\n",
}


def request_of(data: bytes, step: int = 65536) -> RequestHead:
    reader = HeadReader(65536, skip_empty_line=True)
    for position in range(0, len(data), step):
        found = reader.feed(data[position : position + step])
        if found is not None:
            return read_request_head(found[0], 100)
    raise AssertionError("no head")


def decode(data: bytes, step: int = 65536) -> ChunkedDecoder:
    decoder = ChunkedDecoder()
    for position in range(0, len(data), step):
        decoder.feed(data[position : position + step])
    return decoder


@pytest.mark.parametrize("name", REFUSED_REQUESTS)
def test_request_that_could_be_read_two_ways_is_refused(name: str) -> None:
    data, text_id = REFUSED_REQUESTS[name]
    with pytest.raises(MalformedHttp) as refusal:
        request_of(data)
    assert refusal.value.text_id == text_id


@pytest.mark.parametrize("name", REFUSED_REQUESTS)
def test_refusal_does_not_depend_on_how_the_bytes_arrive(name: str) -> None:
    data, text_id = REFUSED_REQUESTS[name]
    with pytest.raises(MalformedHttp) as refusal:
        request_of(data, step=1)
    assert refusal.value.text_id in (text_id, "http.line_end", "http.control_character")


@pytest.mark.parametrize("name", REFUSED_RESPONSES)
def test_response_that_could_be_read_two_ways_is_refused(name: str) -> None:
    with pytest.raises(MalformedHttp):
        read_response_head(REFUSED_RESPONSES[name], 100, method="GET")


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
@pytest.mark.parametrize("step", [1, 1000])
def test_chunk_trick_is_refused(name: str, step: int) -> None:
    with pytest.raises(MalformedHttp):
        decode(BROKEN_CHUNKS[name], step)


def test_header_names_keep_case_order_and_repetition() -> None:
    head = request_of(b"GET / HTTP/1.1\r\nhOsT: a\r\nX-b: 1\r\nx-B: 2\r\nX-b: 1\r\n\r\n")
    assert head.headers == [("hOsT", "a"), ("X-b", "1"), ("x-B", "2"), ("X-b", "1")]


def test_values_lose_surrounding_spaces_and_keep_all_else() -> None:
    head = request_of(b"GET / HTTP/1.1\r\nHost:a\r\nA: \t b  c\t \r\nB:\r\nC: \xd1\x96\r\n\r\n")
    assert head.headers[1:] == [("A", "b  c"), ("B", ""), ("C", "\xd1\x96")]


@pytest.mark.parametrize(
    "target", ["/r1/A%2FB/c?d=%20&e", "http://host/path?x", "/a//b/../c", "/?", "/a;b=c", '/[]|{}"<>^`\\', "/#x"]
)
def test_target_is_kept_as_written(target: str) -> None:
    assert request_of(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).target == target


@pytest.mark.parametrize("host", ["", "a", "a.b:5500", "127.0.0.1:80", "[::1]:8080", "[::1]", "localhost:5500"])
def test_host_in_any_lawful_form_is_accepted(host: str) -> None:
    assert request_of(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).headers == [("Host", host)]


def test_one_empty_line_before_a_request_is_skipped() -> None:
    assert request_of(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").method == "GET"


def test_offer_to_upgrade_is_ignored() -> None:
    head = request_of(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n")
    assert head.keep_alive


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True), (b"1.1", b"Connection: close\r\n", False), (b"1.1", b"connection: TE, Close\r\n", False),
        (b"1.1", b"Connection: keep-alive\r\n", True), (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", False),
    ],
)  # fmt: skip
def test_connection_option_decides_about_keeping(version: bytes, connection: bytes, kept: bool) -> None:
    assert request_of(b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, connection)).keep_alive is kept


def test_head_beyond_the_limit_is_refused_before_it_ends() -> None:
    reader = HeadReader(1000)
    with pytest.raises(HttpTooLarge):
        reader.feed(b"GET / HTTP/1.1\r\nA: " + b"b" * 1000)


def test_whole_head_beyond_the_limit_is_refused() -> None:
    with pytest.raises(HttpTooLarge):
        HeadReader(1000).feed(b"GET / HTTP/1.1\r\nA: " + b"b" * 1000 + b"\r\n\r\n")


def test_more_headers_than_the_limit_are_refused() -> None:
    with pytest.raises(HttpTooLarge):
        read_request_head(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 10 + b"\r\n", 10)


def test_bytes_of_another_protocol_are_refused_at_once() -> None:
    with pytest.raises(MalformedHttp):
        HeadReader(1000).feed(b"\x16\x03\x01\x02\x00\x01\x00")


@pytest.mark.parametrize(
    ("method", "line", "length", "chunked"),
    [
        ("GET", b"200 OK\r\nContent-Length: 5", 5, False),
        ("GET", b"200 OK\r\nTransfer-Encoding: chunked", None, True),
        ("GET", b"200 OK\r\nA: b", None, False),
        ("HEAD", b"200 OK\r\nContent-Length: 5", 0, False),
        ("HEAD", b"200 OK\r\nTransfer-Encoding: chunked", 0, False),
        ("GET", b"204 No Content\r\nA: b", 0, False),
        ("GET", b"304 Not Modified\r\nContent-Length: 5", 0, False),
        ("GET", b"100 Continue\r\nA: b", 0, False),
    ],
)
def test_body_of_a_response_is_framed_by_method_status_and_headers(
    method: str, line: bytes, length: int | None, chunked: bool
) -> None:
    head = read_response_head(b"HTTP/1.1 " + line + b"\r\n\r\n", 100, method=method)
    assert (head.length, head.chunked) == (length, chunked)


@pytest.mark.parametrize(
    ("line", "reason"), [(b"200 OK", "OK"), (b"200 ", ""), (b"200", ""), (b"404 \xd1\x96 x", "\xd1\x96 x")]
)
def test_reason_phrase_may_be_anything_or_missing(line: bytes, reason: str) -> None:
    assert read_response_head(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\n\r\n", 9, method="GET").reason == reason


def test_extensions_and_trailers_are_ignored() -> None:
    decoder = ChunkedDecoder()
    pieces = decoder.feed(b'5;a="b";c\r\nhello\r\n0;x\r\nA: b\r\nC: d\r\n\r\nnext')
    assert (b"".join(pieces), decoder.done, decoder.rest) == (b"hello", True, b"next")


def test_trailers_beyond_the_limit_are_refused() -> None:
    decoder = ChunkedDecoder()
    with pytest.raises(HttpTooLarge):
        decoder.feed(b"0\r\n" + b"A: b\r\n" * 5000)


def test_endless_trailer_line_is_refused() -> None:
    with pytest.raises(HttpTooLarge):
        decode(b"0\r\nA: " + b"b" * 10_000, step=100)


def test_extensions_of_all_chunks_together_are_bounded() -> None:
    with pytest.raises(MalformedHttp):
        decode((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 100)


CUTS = st.lists(st.integers(0, 10_000), max_size=12)


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(0, 10_000), max_size=12), st.binary(max_size=9)
)
def test_any_split_of_a_chunked_body_gives_the_same_body(pieces: list[bytes], cuts: list[int], rest: bytes) -> None:
    decoder = ChunkedDecoder()
    got: list[bytes] = []
    behind = b""
    for part in split(chunked(pieces) + rest, cuts):
        if decoder.done:
            behind += part
        else:
            got += decoder.feed(part)
    assert (b"".join(got), decoder.done, decoder.rest + behind) == (b"".join(pieces), True, rest)


@given(st.binary(max_size=60), CUTS, st.binary(max_size=9))
def test_any_split_of_a_body_with_length_gives_the_same_body(body: bytes, cuts: list[int], rest: bytes) -> None:
    decoder = LengthDecoder(len(body))
    got: list[bytes] = []
    behind = b""
    for part in split(body + rest, cuts):
        if decoder.done:
            behind += part
        else:
            got += decoder.feed(part)
    assert (b"".join(got), decoder.done, decoder.rest + behind) == (body, True, rest)


VALID_HEAD = b"POST /a%2F?b HTTP/1.1\r\nHost: a\r\nX-B: \xd1\x96 c\r\nx-b:\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(CUTS)
def test_any_split_of_a_head_gives_the_same_head(cuts: list[int]) -> None:
    reader = HeadReader(1000, skip_empty_line=True)
    heads = [head for part in split(b"\r\n" + VALID_HEAD, cuts) if part and (head := reader.feed(part))]
    assert [head for head, _ in heads] == [VALID_HEAD]


NEARLY = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b"GET", b" ", b"/", b" HTTP/1.1", b"\r\n", b"Host: a", b"Content-Length: 5", b"\n", b"\r",
                         b"Transfer-Encoding: chunked", b":", b"\t", b"HTTP/1.1 200 OK", b"5", b"0", b";", b"hello"]),
    ),
    max_size=20,
)  # fmt: skip


@given(NEARLY)
def test_any_bytes_are_a_head_or_refused(pieces: list[bytes]) -> None:
    for read in (lambda head: read_request_head(head, 20), lambda head: read_response_head(head, 20, method="GET")):
        reader = HeadReader(200, skip_empty_line=True)
        try:
            for piece in pieces:
                found = reader.feed(piece)
                if found:
                    read(found[0])
                    break
        except HttpProblem:
            pass


@given(NEARLY)
def test_any_bytes_are_chunks_or_refused(pieces: list[bytes]) -> None:
    decoder = ChunkedDecoder()
    try:
        for piece in pieces:
            if not decoder.done:
                decoder.feed(piece)
    except HttpProblem:
        pass


RECORDED = sorted((find_vectors() or Path("nowhere")).glob("transport/*/re*.http"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_message_recorded_between_real_servers_is_read(path: Path) -> None:
    found = HeadReader(65536).feed(path.read_bytes())
    assert found is not None
    start_line, headers, body = read_recording(path)
    head: RequestHead | ResponseHead
    if path.stem == "request":
        head = read_request_head(found[0], 100)
        assert f"{head.method} {head.target} HTTP/{head.version}" == start_line
    else:
        head = read_response_head(found[0], 100, method="POST")
        assert f"HTTP/{head.version} {head.status} {head.reason}".rstrip() == start_line.rstrip()
    assert tuple(head.headers) == headers
    if head.length is None and "chunked" in str(headers):
        decoder = ChunkedDecoder()
        assert b"".join(decoder.feed(found[1])) == body
        assert decoder.done
    else:
        assert head.length in (None, len(body))

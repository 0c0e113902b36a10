from __future__ import annotations

from gateway.exchange.http_response import http_response
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline


def test_length_of_a_stream_is_announced() -> None:
    answer = http_response(OutboundResponse(200, (("X", "y"),), iter([b"ab", b"c"]), 3))
    assert answer.headers == (("X", "y"), ("Content-Length", "3"))


def test_stream_of_unknown_length_is_left_to_the_server() -> None:
    assert http_response(OutboundResponse(200, (("X", "y"),), iter([b"ab"]))).headers == (("X", "y"),)


def test_bytes_need_no_header_of_ours() -> None:
    answer = http_response(OutboundResponse(404, (), b"abc", 3), close=True)
    assert (answer.status, answer.headers, answer.body, answer.close) == (404, (), b"abc", True)


def test_no_reason_means_the_usual_phrase_and_an_empty_one_stays_empty() -> None:
    assert http_response(OutboundResponse(200, ())).reason is None
    assert http_response(OutboundResponse(200, (), reason="")).reason == ""
    assert http_response(OutboundResponse(299, (), reason="Own")).reason == "Own"


def test_last_of_several_headers_counts() -> None:
    request = InboundRequest("GET", "/", (("A", "1"), ("a", "2")), None, None, False, "id")  # type: ignore[arg-type]
    assert (request.header("A"), request.header("b")) == ("2", None)


def test_timeline_notes_only_what_is_known() -> None:
    timeline = Timeline(0)
    timeline.note(client="c", peer=None)
    assert timeline.facts == {"client": "c"}

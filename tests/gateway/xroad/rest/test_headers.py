from __future__ import annotations

from gateway.xroad.rest.headers import last_of, parse_header_lines, request_headers, response_headers, serialise_headers


def test_order_case_and_duplicates_are_kept() -> None:
    headers = [("B", "1"), ("a", "2"), ("B", "3")]
    assert request_headers(headers) == response_headers(headers) == headers
    assert serialise_headers(headers) == b"B:1\r\na:2\r\nB:3\r\n"


def test_values_are_kept_as_they_stand_after_the_colon() -> None:
    assert parse_header_lines(["A: x : y "]) == (("A", " x : y "),)


def test_characters_are_written_as_utf8() -> None:
    assert serialise_headers([("A", "é")]) == b"A:\xc3\xa9\r\n"


def test_last_occurrence_counts() -> None:
    assert last_of((("A", "1"), ("a", "2")), "a") == "2"
    assert last_of((), "a") is None

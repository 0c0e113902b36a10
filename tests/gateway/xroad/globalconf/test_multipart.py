from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import ConfigurationUnusable
from gateway.xroad.globalconf.multipart import read_headers, split_parts, split_value


def test_the_line_end_before_a_delimiter_belongs_to_it() -> None:
    parts = split_parts(b"--B\r\nA: 1\r\n\r\nbody\r\n\r\n--B--\r\n", "B")
    assert [part.content for part in parts] == [b"body\r\n"]


def test_line_feeds_alone_end_lines_too() -> None:
    parts = split_parts(b"--B\nA: 1\n\nbody\n--B\nC: 2\n\n--B--", "B")
    assert [(dict(part.headers), part.content) for part in parts] == [({"a": "1"}, b"body"), ({"c": "2"}, b"")]


def test_a_delimiter_within_a_line_is_content() -> None:
    assert split_parts(b"--B\r\n\r\nx --B\r\n--BB\r\n--B--", "B")[0].content == b"x --B\r\n--BB"


def test_a_part_of_headers_alone_needs_no_empty_line() -> None:
    assert split_parts(b"--B\r\nExpire-date: x\r\n--B--", "B")[0].headers == {"expire-date": "x"}


def test_a_missing_last_delimiter_is_forgiven() -> None:
    assert [part.content for part in split_parts(b"--B\r\n\r\nbody", "B")] == [b"body"]


def test_text_before_and_after_is_dropped() -> None:
    assert [part.content for part in split_parts(b"before\r\n--B\r\n\r\nx\r\n--B--\r\nafter\r\n--B\r\n\r\ny", "B")] == [
        b"x"
    ]


@pytest.mark.parametrize("line", [b"no colon", b" folded", b": empty", b"A b: 1", b"A\xff: 1"])
def test_a_line_that_is_no_header_is_refused(line: bytes) -> None:
    with pytest.raises(ConfigurationUnusable):
        read_headers(b"A: 1\r\n" + line + b"\r\n\r\n")


def test_a_header_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigurationUnusable) as caught:
        read_headers(b"Expire-date: 1\r\nEXPIRE-DATE: 2\r\n\r\n")
    assert caught.value.code == "global_conf_header_field_wrong_value"


@pytest.mark.parametrize(
    "value",
    ["X; instance='DEV'", 'X; instance="DEV"', "X;instance=DEV", "X ; Instance = DEV ", "X; a=b; instance='DEV'"],
)
def test_parameters_are_read_in_either_quotes_or_none(value: str) -> None:
    main, parameters = split_value(value)
    assert (main, parameters["instance"]) == ("X", "DEV")


def test_quoted_values_may_hold_a_semicolon() -> None:
    assert split_value("X; instance='A;B'")[1] == {"instance": "A;B"}


def test_a_flood_of_parts_is_refused() -> None:
    with pytest.raises(ConfigurationUnusable):
        split_parts(b"--B\r\n\r\n\r\n" * 102, "B")


@given(st.binary(max_size=200).map(lambda data: data.replace(b"0", b"\r\n--B")))
def test_any_bytes_are_split_or_refused(data: bytes) -> None:
    with suppress(ConfigurationUnusable):
        split_parts(data, "B")

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.globalconf.times import format_time, parse_time


def _parse(text: str) -> datetime:
    return parse_time(text, code="malformed_global_conf", offset_required=True)


def test_whole_seconds_in_utc_are_written() -> None:
    assert format_time(datetime(2026, 1, 1, 10, 20, 30, 999, tzinfo=UTC)) == "2026-01-01T10:20:30Z"


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T10:20:30Z", "2026-01-01T12:20:30+02:00", "2026-01-01T08:20:30.000-02:00", "2026-01-01T10:20:30.0Z"],
)
def test_offsets_and_fractions_are_read(text: str) -> None:
    assert _parse(text) == datetime(2026, 1, 1, 10, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2026-01-01T10:20:30",
        "2026-13-01T10:20:30Z",
        "2026-01-01T10:20:30+99:00",
        "",
        "0001-01-01T00:00:00+23:59",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        _parse(text)


def test_a_time_without_offset_is_utc_where_none_is_required() -> None:
    assert parse_time("2026-01-01T10:20:30", code="malformed_anchor") == datetime(2026, 1, 1, 10, 20, 30, tzinfo=UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_fault(text: str) -> None:
    with suppress(MalformedMessage):
        assert _parse(text).tzinfo is UTC

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.console.formats import Formats, plural_form, zone_named

AT = datetime(2026, 7, 1, 9, 5, 7, 123456, tzinfo=UTC)
EN, UK = Formats("en"), Formats("uk", zone_named("Europe/Kyiv"))


def test_every_time_names_its_zone() -> None:
    assert EN.time(AT) == "2026-07-01 09:05:07 UTC"
    assert UK.time(AT) == "01.07.2026 12:05:07 UTC+03:00"
    assert UK.time(AT - timedelta(days=180)) == "02.01.2026 11:05:07 UTC+02:00"
    assert EN.time(AT, precise=True) == "2026-07-01 09:05:07.123 UTC"
    assert (EN.time(None), EN.date(None), EN.iso(None), EN.field(None)) == ("", "", "", "")


def test_machines_read_the_same_time_in_either_language() -> None:
    assert EN.iso(AT) == UK.iso(AT) == "2026-07-01T09:05:07.123Z"


@pytest.mark.parametrize(
    "text", ["2026-07-01T12:05", "2026-07-01 12:05:00", "01.07.2026 12:05", " 01.07.2026 12:05:00 "]
)
def test_typed_time_is_of_the_zone_that_is_shown(text: str) -> None:
    assert UK.read_time(text) == datetime(2026, 7, 1, 9, 5, tzinfo=UTC)


def test_day_begins_at_midnight_of_the_zone() -> None:
    assert UK.read_time("2026-07-01") == datetime(2026, 6, 30, 21, tzinfo=UTC)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = UK.read_time(text)
    assert found is None or found.tzinfo is not None


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)))
def test_field_is_read_back(at: datetime) -> None:
    moment = at.replace(microsecond=0, tzinfo=UTC)
    assert EN.read_time(EN.field(moment)) == moment


@pytest.mark.parametrize(
    ("value", "digits", "en", "uk"),
    [(0, 0, "0", "0"), (1234567, 0, "1,234,567", "1\u00a0234\u00a0567"), (1234.5, 1, "1,234.5", "1\u00a0234,5")],
)
def test_numbers_have_the_marks_of_the_language(value: float, digits: int, en: str, uk: str) -> None:
    assert (EN.number(value, digits), UK.number(value, digits)) == (en, uk)


@pytest.mark.parametrize(
    ("size", "en"),
    [
        (0, "0\u00a0B"),
        (1023, "1,023\u00a0B"),
        (1536, "1.5\u00a0KB"),
        (5 * 1024**3, "5.0\u00a0GB"),
        (1024**6, "1,048,576.0\u00a0TB"),
    ],
)
def test_sizes_are_in_the_unit_that_reads_best(size: int, en: str) -> None:
    assert EN.size(size) == en


@pytest.mark.parametrize(
    ("span", "en"),
    [
        (0, "0\u00a0ms"),
        (0.25, "250\u00a0ms"),
        (61, "1\u00a0min 1\u00a0s"),
        (3600, "1\u00a0h"),
        (timedelta(days=2, hours=3, minutes=5), "2\u00a0d 3\u00a0h"),
        (-90, "\u22121\u00a0min 30\u00a0s"),
    ],
)
def test_spans_are_told_by_their_two_greatest_units(span: float | timedelta, en: str) -> None:
    assert EN.duration(span) == en


def test_ukrainian_nouns_have_three_forms() -> None:
    forms = {number: plural_form(number, "uk") for number in (0, 1, 2, 4, 5, 11, 12, 14, 21, 22, 25, 101, 111, 112)}
    assert {n for n, form in forms.items() if form == "one"} == {1, 21, 101}
    assert {n for n, form in forms.items() if form == "few"} == {2, 4, 22}


def test_english_nouns_have_two_forms() -> None:
    assert [plural_form(number, "en") for number in (0, 1, 2, 21)] == ["many", "one", "many", "many"]


def test_zone_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/Nowhere"):
        zone_named("Europe/Nowhere")

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auditing.console.search_form import (
    FIELDS,
    MAX_TRAIL,
    Cursor,
    Search,
    read_cursor,
    read_search,
    values_of,
)
from gateway.auditing.model import Outcome, Query
from gateway.messagelog.model import Side
from gateway.runtime.console.formats import Formats
from gateway.runtime.console.forms import form_of_items

KYIV = Formats("uk", ZoneInfo("Europe/Kyiv"))


def typed(**fields: str) -> Search:
    return read_search(form_of_items(fields.items()), KYIV)


def errors(**fields: str) -> dict[str, str]:
    return {name: error.text_id.rpartition(".")[2] for name, error in typed(**fields).form.errors.items()}


def query(**fields: str) -> Query:
    asked = typed(**fields)
    assert asked.query is not None, asked.form.errors
    return asked.query


def test_an_empty_form_asks_for_everything() -> None:
    assert query().is_empty
    assert typed().address == ""


def test_a_day_is_the_whole_day_of_the_zone() -> None:
    asked = query(since="2026-11-21", until="2026-11-21")
    assert asked.since == datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert asked.until == datetime(2026, 11, 21, 22, tzinfo=UTC)


def test_the_day_when_clocks_are_put_back_has_25_hours() -> None:
    asked = query(since="2026-10-25", until="2026-10-25")
    assert asked.since == datetime(2026, 10, 24, 21, tzinfo=UTC)
    assert asked.until == datetime(2026, 10, 25, 22, tzinfo=UTC)


def test_a_minute_named_as_the_end_belongs_to_the_period() -> None:
    assert query(until="2026-11-21", until_time="14:05").until == datetime(2026, 11, 21, 12, 6, tzinfo=UTC)
    assert query(until="2026-11-21", until_time="14:05:30").until == datetime(2026, 11, 21, 12, 5, 31, tzinfo=UTC)


def test_a_day_may_be_written_as_ukrainians_do() -> None:
    assert query(since="21.11.2026").since == query(since="2026-11-21").since


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"since": "2026-02-30"}, {"since": "not_a_day"}),
        ({"since": "tomorrow"}, {"since": "not_a_day"}),
        ({"until": "2026-11-21", "until_time": "25:00"}, {"until_time": "not_a_time"}),
        ({"since_time": "10:00"}, {"since": "day_missing"}),
        ({"since": "2026-11-22", "until": "2026-11-21"}, {"until": "until_before_since"}),
        ({"client": "UA-DEMO"}, {"client": "client_form"}),
        ({"client": "UA-DEMO//1/X"}, {"client": "client_form"}),
        ({"client": "a/b/c/d/e"}, {"client": "client_form"}),
        ({"service": "a/b/c/d/e/f/g"}, {"service": "service_form"}),
        ({"outcome": "perhaps"}, {"outcome": "not_a_choice"}),
        ({"side": "both"}, {"side": "not_a_choice"}),
        ({"issue": "x" * 1001}, {"issue": "too_long"}),
        ({"issue": "a\x00b"}, {"issue": "not_printable"}),
    ],
)
def test_what_cannot_be_understood_is_told_beside_its_field(fields: dict[str, str], wrong: dict[str, str]) -> None:
    assert errors(**fields) == wrong
    assert typed(**fields).query is None


def test_an_identifier_is_understood_as_people_read_it_and_as_addresses_hold_it() -> None:
    assert query(client="УА/ДЕРЖ/1").client == query(client="%D0%A3%D0%90/%D0%94%D0%95%D0%A0%D0%96/1").client
    assert query(client="УА/ДЕРЖ/1").client == "%D0%A3%D0%90/%D0%94%D0%95%D0%A0%D0%96/1"


def test_a_star_asks_for_what_begins_so() -> None:
    assert query(client="UA-DEMO/GOV/100*").client == "UA-DEMO/GOV/100*"
    assert query(client="UA-DEMO/*").client == "UA-DEMO/*"


def test_every_condition_reaches_the_query() -> None:
    fields = {"client": "a/b/c/d", "service": "a/b/c/d/e/v1", "query_id": "q", "x_request_id": "x", "issue": "i",
              "purpose": "p", "user_id": "u", "represented_party": "r", "fault_code": "f", "outcome": "refused",
              "side": "provider", "since": "2026-01-01", "until": "2026-01-02"}  # fmt: skip
    asked = query(**fields)
    assert asked.outcome is Outcome.REFUSED
    assert asked.side is Side.PROVIDER
    unasked = {name for name in Query.__dataclass_fields__ if getattr(asked, name) is None}
    assert unasked == set()


def test_a_query_is_typed_again_as_it_was_meant() -> None:
    asked = query(since="2026-11-21", until="2026-11-21", client="a/b/c", outcome="failed", issue="7/26")
    assert query(**values_of(asked, KYIV)) == asked


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=40) | st.dates().map(str), max_size=6))
def test_anything_typed_is_a_query_or_told_to_be_wrong(fields: dict[str, str]) -> None:
    asked = typed(**fields)
    assert (asked.query is None) == bool(asked.form.errors)


def place(**parameters: str) -> Cursor:
    return read_cursor(form_of_items(parameters.items()))


def test_the_way_back_is_the_way_one_came() -> None:
    second = place(**place().older(90))
    third = place(**second.older(40))
    assert (second.before, third.before) == (90, 40)
    assert third.newer() == {"before": "90"}
    assert second.newer() == {}
    assert place().newer() is None


def test_the_way_back_is_bounded() -> None:
    at = place()
    for number in range(2 * MAX_TRAIL, 0, -1):
        at = place(**at.older(number))
    assert len(at.trail) == MAX_TRAIL


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "9" * 30, "٣", "1e3", " "])
def test_an_odd_place_is_the_beginning(text: str) -> None:
    assert place(before=text, trail=text) == Cursor()

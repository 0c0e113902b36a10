"""Queries as texts and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.auditing.model import Outcome, Query
from gateway.auditing.query_facts import NAMES, BadQuery, facts_of, query_of
from gateway.messagelog.model import Side

TEXTS = st.none() | st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
MOMENTS = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
QUERIES = st.builds(
    Query,
    since=MOMENTS,
    until=MOMENTS,
    outcome=st.none() | st.sampled_from(Outcome),
    side=st.none() | st.sampled_from(Side),
    **{name: TEXTS for name in NAMES if name not in ("since", "until", "outcome", "side")},
)


@given(QUERIES)
def test_query_is_the_same_after_its_texts(query: Query) -> None:
    assert query_of(facts_of(query)) == query


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_any_texts_are_a_query_or_refused_by_the_name_of_a_field(texts: dict[str, str]) -> None:
    refused = None
    try:
        query_of(texts)
    except BadQuery as refusal:
        refused = refusal.field
    assert refused is None or refused in texts


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-21T12:00+02:00", datetime(2026, 11, 21, 10, tzinfo=UTC), datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T12:00", datetime(2026, 11, 21, 12, tzinfo=UTC), datetime(2026, 11, 21, 12, tzinfo=UTC)),
    ],
)
def test_day_alone_is_the_whole_day_and_a_time_without_offset_is_utc(
    text: str, since: datetime, until: datetime
) -> None:
    assert query_of({"since": text, "until": text}) == Query(since=since, until=until)


def test_blank_asks_for_nothing() -> None:
    assert query_of({"issue": "  ", "client": None}).is_empty

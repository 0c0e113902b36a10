from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_adapters.citizen.deadlines import countdown, due_on, is_working_day

NONE: frozenset[date] = frozenset()
MONDAY, FRIDAY, SATURDAY = date(2026, 3, 2), date(2026, 3, 6), date(2026, 3, 7)


@pytest.mark.parametrize(
    ("received", "due"),
    [(MONDAY, date(2026, 3, 16)), (FRIDAY, date(2026, 3, 20)), (SATURDAY, date(2026, 3, 20)),
     (date(2026, 3, 8), date(2026, 3, 20))],
)  # fmt: skip
def test_ten_working_days_are_two_weeks_and_the_day_of_receipt_does_not_count(received: date, due: date) -> None:
    assert due_on(received, 10, NONE) == due


def test_a_day_off_moves_the_deadline() -> None:
    assert due_on(MONDAY, 10, frozenset({date(2026, 3, 9), date(2026, 3, 14)})) == date(2026, 3, 17)


@pytest.mark.parametrize(
    ("today", "left"),
    [(MONDAY, 10), (date(2026, 3, 3), 9), (SATURDAY, 6), (date(2026, 3, 13), 1), (date(2026, 3, 15), 1),
     (date(2026, 3, 16), 0), (date(2026, 3, 17), -1), (date(2026, 3, 20), -4), (date(2026, 3, 21), -4)],
)  # fmt: skip
def test_the_days_left_are_counted_down_to_the_last_and_beyond(today: date, left: int) -> None:
    counted = countdown(date(2026, 3, 16), today, NONE)
    assert (counted.days_left, counted.is_overdue) == (left, left < 0)


def test_the_weekend_after_a_friday_that_was_the_last_day_is_late() -> None:
    assert countdown(FRIDAY, SATURDAY, NONE).is_overdue


@given(
    received=st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    days=st.integers(1, 40),
    off=st.frozensets(st.dates(date(2020, 1, 1), date(2040, 6, 1)), max_size=20),
)
def test_on_the_day_of_receipt_all_days_are_left(received: date, days: int, off: frozenset[date]) -> None:
    due = due_on(received, days, off)
    assert is_working_day(due, off)
    assert countdown(due, received, off).days_left == days
    assert countdown(due, due, off).days_left == 0
    assert countdown(due, due + timedelta(days=1), off).is_overdue

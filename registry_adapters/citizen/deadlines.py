"""Working days: until when a request must be answered, and how many are left (Monday to Friday, less days off)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import date, timedelta

from registry_adapters.citizen.model import Countdown

_DAY = timedelta(days=1)


def is_working_day(day: date, days_off: AbstractSet[date]) -> bool:
    """Tell whether offices work on a day."""
    return day.weekday() < 5 and day not in days_off


def due_on(received: date, working_days: int, days_off: AbstractSet[date]) -> date:
    """Return the last day for an answer; the day of receipt does not count (Civil Code of Ukraine, article 253)."""
    day = received
    for _ in range(working_days):
        day = _next(day, days_off)
    return day


def countdown(due: date, today: date, days_off: AbstractSet[date]) -> Countdown:
    """Return how a deadline stands today; after it the days are negative."""
    first, last = sorted((today, due))
    days = 0
    while (first := first + _DAY) <= last:
        days += is_working_day(first, days_off)
    if today <= due:
        return Countdown(due, days)
    return Countdown(due, -max(days, 1))  # a weekend after the last day is late too


def _next(day: date, days_off: AbstractSet[date]) -> date:
    day += _DAY
    while not is_working_day(day, days_off):
        day += _DAY
    return day

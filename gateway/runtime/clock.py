"""The time of day as an argument: shells ask a clock, the core is told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Something that knows what time it is."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...

    def now_ms(self) -> int:
        """Return the present as whole milliseconds since 1970."""
        ...


class SystemClock:
    """The clock of the machine."""

    __slots__ = ()

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        return datetime.now(UTC)

    def now_ms(self) -> int:
        """Return the present as whole milliseconds since 1970."""
        return time.time_ns() // 1_000_000


class FixedClock:
    """A clock that stands still until it is told to move; for tests."""

    __slots__ = ("_at",)

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._at

    def now_ms(self) -> int:
        """Return the time it was set to as whole milliseconds since 1970."""
        return epoch_ms(self._at)

    def advance(self, **duration: float) -> datetime:
        """Move forward by `timedelta(**duration)` and return the new time."""
        self._at += timedelta(**duration)
        return self._at

    def set(self, at: datetime) -> None:
        """Jump to `at`."""
        self._at = at.astimezone(UTC)


def epoch_ms(at: datetime) -> int:
    """Return whole milliseconds since 1970 for an aware datetime, without a detour over floats."""
    return (at - _EPOCH) // _MILLISECOND


def from_epoch_ms(value: int) -> datetime:
    """Return the aware UTC datetime of `value` milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=value)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

"""Coarse timers: one sweep over all connections instead of a timer for each, and the pace a peer must keep."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Pace:
    """Watches a counter: each window must bring something, and at least `min_rate` bytes per second."""

    __slots__ = ("_count", "_min", "_since", "window_s")

    def __init__(self, window_s: float, min_rate: float = 0) -> None:
        self.window_s = window_s
        self._min = max(1.0, min_rate * window_s)
        self._since: float | None = None
        self._count = 0

    def rest(self) -> None:
        """Nothing is expected at present."""
        self._since = None

    def kept(self, now: float, count: int) -> bool:
        """Say whether the counter, now at `count`, moved on fast enough; to be asked every now and then."""
        if self._since is None:
            self._since, self._count = now, count
        elif now - self._since >= self.window_s:
            if count - self._count < self._min:
                return False
            self._since, self._count = now, count
        return True


class Watched(Protocol):
    """A connection that looks at its own timers when asked."""

    def on_tick(self, now: float) -> None:
        """Act on what has run out by `now` (loop time)."""


class Sweeper:
    """Asks every member to look at its timers, each `tick_s`; sleeps while there is no member."""

    def __init__(self, shortest_timer_s: float) -> None:
        self.tick_s = min(1.0, max(0.005, shortest_timer_s / 4))
        self._members: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._members)

    def add(self, member: Watched) -> None:
        """Watch a connection from now on."""
        self._members.add(member)
        if self._handle is None:
            self._schedule()

    def discard(self, member: Watched) -> None:
        """Watch it no more."""
        self._members.discard(member)
        if not self._members and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _schedule(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(self.tick_s, self._sweep)

    def _sweep(self) -> None:
        self._schedule()
        now = asyncio.get_running_loop().time()
        for member in tuple(self._members):
            member.on_tick(now)

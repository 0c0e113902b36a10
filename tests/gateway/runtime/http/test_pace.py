"""Coarse timers: a pace is kept or not, and a sweeper asks only while somebody is there."""

from __future__ import annotations

import asyncio

from gateway.runtime.http.pace import Pace, Sweeper

from .conftest import until


def test_pace_is_kept_while_each_window_brings_enough() -> None:
    pace = Pace(10, min_rate=5)
    assert pace.kept(0, 0)
    assert pace.kept(9, 0)
    assert pace.kept(10, 50)
    assert pace.kept(20, 100)
    assert not pace.kept(30, 149)


def test_nothing_in_a_window_is_too_slow_at_any_rate() -> None:
    pace = Pace(10)
    assert pace.kept(0, 7)
    assert pace.kept(10, 8)
    assert not pace.kept(20, 8)


def test_time_at_rest_does_not_count() -> None:
    pace = Pace(10)
    assert pace.kept(0, 0)
    pace.rest()
    assert pace.kept(1000, 0)
    assert pace.kept(1009, 0)
    assert not pace.kept(1010, 0)


class Member:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def on_tick(self, now: float) -> None:
        self.asked += 1


async def test_every_member_is_asked_until_it_leaves() -> None:
    sweeper = Sweeper(0.02)
    members = [Member(), Member()]
    for member in members:
        sweeper.add(member)
    await until(lambda: all(member.asked for member in members))
    for member in members:
        sweeper.discard(member)
    asked = [member.asked for member in members]
    await asyncio.sleep(0.03)
    assert [member.asked for member in members] == asked
    assert len(sweeper) == 0


def test_sweeps_are_finer_than_the_shortest_timer_but_never_busy() -> None:
    assert Sweeper(60).tick_s == 1
    assert Sweeper(2).tick_s == 0.5
    assert Sweeper(0.0001).tick_s == 0.005

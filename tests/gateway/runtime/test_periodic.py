from __future__ import annotations

import asyncio

import pytest

from gateway.runtime.periodic import Periodic


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.ran = asyncio.Event()
        self.fails = False

    async def __call__(self) -> None:
        self.runs += 1
        self.ran.set()
        if self.fails:
            raise RuntimeError("not now")

    async def next(self) -> None:
        self.ran.clear()
        await asyncio.wait_for(self.ran.wait(), 5)


def periodic(work: Work, interval_s: float = 3600, **options: object) -> Periodic:
    return Periodic("work", interval_s, work, **options)  # type: ignore[arg-type]


async def test_it_repeats() -> None:
    work = Work()
    task = periodic(work, 0.001)
    task.start()
    for _ in range(3):
        await work.next()
    await task.stop()
    assert work.runs >= 3


async def test_it_runs_at_once_when_triggered() -> None:
    work = Work()
    task = periodic(work, first_delay_s=3600)
    task.start()
    task.trigger()
    await work.next()
    task.trigger()
    await work.next()
    await task.stop()
    assert work.runs == 2


async def test_caller_can_wait_for_a_run() -> None:
    work = Work()
    task = periodic(work, first_delay_s=3600)
    task.start()
    await task.run_now()
    assert work.runs == 1
    await task.stop()


async def test_failure_is_told_and_survived() -> None:
    work = Work()
    work.fails = True
    task = periodic(work, first_delay_s=3600)
    task.start()
    await task.run_now()
    assert (task.failures, str(task.last_error)) == (1, "not now")
    work.fails = False
    await task.run_now()
    assert (task.failures, task.last_error) == (0, None)
    await task.stop()


@pytest.mark.parametrize(("failures", "pause"), [(0, 60.0), (1, 2.0), (2, 4.0), (3, 8.0), (4, 10.0), (500, 10.0)])
def test_pauses_grow_after_failures_up_to_a_bound(failures: int, pause: float) -> None:
    task = Periodic("work", lambda: 60.0, Work, retry_s=2, max_retry_s=10, chance=lambda: 0.5)  # type: ignore[arg-type]
    task.failures = failures
    assert task._next_pause() == pause


@pytest.mark.parametrize(("chance", "pause"), [(0.0, 80.0), (0.5, 100.0), (1.0, 120.0)])
def test_pauses_vary_by_the_jitter(chance: float, pause: float) -> None:
    task = Periodic("work", 100, Work, jitter=0.2, chance=lambda: chance)  # type: ignore[arg-type]
    assert task._next_pause() == pytest.approx(pause)


async def test_stopping_ends_a_run_and_those_who_wait_for_it() -> None:
    started = asyncio.Event()

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    task = Periodic("work", 1, forever)
    task.start()
    await started.wait()
    waiting = asyncio.create_task(task.run_now())
    await asyncio.sleep(0)
    await task.stop()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(RuntimeError, match="not running"):
        await task.run_now()

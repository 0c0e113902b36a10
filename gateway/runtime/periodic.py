"""A named task that repeats: with jitter, with back-off after failures, at once when asked.

Several servers started together must not all knock at the same second, hence the jitter; a peer that
is down must not be asked without pause, hence the back-off. A failure is logged and the task goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

log = logging.getLogger(__name__)

MAX_BACK_OFF_S: Final = 300.0

Interval = float | Callable[[], float]


class Periodic:
    """Runs `function` every `interval_s` (a number, or a function asked anew before each pause).

    `jitter` is the share of the interval by which each pause varies, both ways. After the n-th
    failure in a row the pause is `retry_s` times 2**(n-1), at most `max_retry_s`. Failures of a type in
    `expected` are logged in one line: they speak of the world, not of the code.
    """

    def __init__(
        self,
        name: str,
        interval_s: Interval,
        function: Callable[[], Awaitable[object]],
        *,
        jitter: float = 0.1,
        first_delay_s: float = 0.0,
        retry_s: float | None = None,
        max_retry_s: float = MAX_BACK_OFF_S,
        expected: type[Exception] | tuple[type[Exception], ...] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self._interval = interval_s
        self._function = function
        self._jitter = jitter
        self._first_delay_s = first_delay_s
        self._retry_s = retry_s
        self._max_retry_s = max_retry_s
        self._expected = expected
        self._chance = chance
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self.failures = 0
        self.last_error: Exception | None = None

    def start(self) -> None:
        """Begin; must be called inside the event loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"periodic {self.name}")

    def trigger(self) -> None:
        """Run as soon as possible; a run in progress is followed by another one."""
        self._wake.set()

    async def run_now(self) -> None:
        """Run as soon as possible and return after that run, however it ended (see `last_error`)."""
        if self._task is None or self._task.done():
            raise RuntimeError(f"{self.name} is not running")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._wake.set()
        await done

    async def stop(self) -> None:
        """Cancel and wait for the end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for done in self._waiting:
            if not done.done():
                done.cancel()

    async def _run(self) -> None:
        await self._pause(self._first_delay_s)
        while True:
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._function()
                self.failures, self.last_error = 0, None
            except Exception as cause:
                self.failures += 1
                self.last_error = cause
                facts = {"task": self.name, "failures": self.failures}
                if isinstance(cause, self._expected):
                    log.error("%s failed: %s", self.name, cause, extra=facts)
                else:
                    log.exception("%s failed", self.name, extra=facts)
            finally:
                for done in waiting:
                    if not done.done():
                        done.set_result(None)
            await self._pause(self._next_pause())

    def _next_pause(self) -> float:
        interval = self._interval() if callable(self._interval) else self._interval
        pause = interval
        if self.failures and self._retry_s is not None:
            pause = min(self._retry_s * 2 ** min(self.failures - 1, 20), self._max_retry_s)
        return pause * (1.0 + self._jitter * (2.0 * self._chance() - 1.0))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._wake.wait()

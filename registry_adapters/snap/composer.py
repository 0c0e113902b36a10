"""The once-only composer: legs run as soon as their inputs are there, and go on in the background.

Three kinds of threads: the writer alone writes; the pool asks registries; the timer knows when parked
legs are due. None of them waits for another: a pool's thread hands its answer to the writer and takes the next
question, so a slow registry or a slow answer holds no thread but the one that asks.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from gateway.runtime.clock import Clock
from gateway.runtime.database import Database
from registry_adapters.snap import store
from registry_adapters.snap.advance import Advance, Moved, Sent
from registry_adapters.snap.model import Fault, FaultKind, LegState
from registry_adapters.snap.pool import Pool
from registry_adapters.snap.registries import Asked, Asks, Reply
from registry_adapters.snap.writer import Writer, WriterStoppedError

log = logging.getLogger(__name__)

WRITE_AGAIN_S: Final = 1.0  # an answer that could not be written is kept and written later
GRACE_S: Final = 5.0
_LONGEST_SLEEP_S: Final = 3600.0

Changed = Callable[[], None]


class Composer:
    """Asks for all cases of one database; there must be one of them only."""

    def __init__(
        self, database: Database, writer: Writer, advance: Advance, asks: Asks, pool: Pool, clock: Clock
    ) -> None:
        self._database = database
        self._writer = writer
        self._advance = advance
        self._asks = asks
        self._pool = pool
        self._clock = clock
        self._lock = threading.Lock()
        self._watchers: dict[str, list[Changed]] = defaultdict(list)
        self._timer = _Timer(clock)

    def start(self) -> None:
        """Go on with what was under way."""
        self._timer.start()
        with self._database.reading() as tx:
            cut = sorted({number for number, _ in store.unfinished(tx, LegState.ASKING)})
            parked = store.unfinished(tx, LegState.PARKED)
        for number in cut:
            self._write(number, partial(self._advance.interrupt, number=number))
        for number, leg in parked:
            if leg.answer.next_at is not None:
                self._timer.at(leg.answer.next_at, partial(self._come_due, number, leg.answer.leg))

    def stop(self, grace_s: float = GRACE_S) -> None:
        """Ask nothing more; what is not answered within the grace is asked again at the next start."""
        self._timer.stop()
        self._pool.stop(grace_s)

    def run(self, work: Callable[[Connection], tuple[str, Moved]]) -> str:
        """Do a work on a case and return its number: durable, and on its way."""
        number, moved = self._writer.do(work)
        self._go_on(number, moved)
        return number

    def watch(self, number: str, changed: Changed) -> Callable[[], None]:
        """Have `changed` called after each change of a case; return what ends it."""
        with self._lock:
            self._watchers[number].append(changed)

        def end() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._watchers[number].remove(changed)
                if not self._watchers[number]:
                    del self._watchers[number]

        return end

    def _changed(self, number: str) -> None:
        with self._lock:
            watchers = tuple(self._watchers.get(number, ()))
        for watcher in watchers:
            try:
                watcher()
            except Exception:
                log.exception("a watcher failed", extra={"case": number})

    def _go_on(self, number: str, moved: Moved) -> None:
        for asked in moved.asked:
            self._pool.submit(asked.leg.service, partial(self._ask, asked))
        for leg, at in moved.parked.items():
            self._timer.at(at, partial(self._come_due, number, leg))
        self._changed(number)

    def _come_due(self, number: str, leg: str) -> None:
        self._write(number, lambda tx: self._advance.come_due(tx, number, leg))

    def _ask(self, asked: Asked) -> None:
        at, begun = self._clock.now(), time.monotonic()
        try:
            reply = self._asks.ask(asked)
        except Exception as cause:
            log.exception("a question failed", extra={"case": asked.number, "leg": asked.leg.id})
            reply = Reply(LegState.FAILED, fault=Fault(FaultKind.ANSWER, "internal_error", type(cause).__name__))
        sent = Sent(at, round((time.monotonic() - begun) * 1000), self._clock.now())
        self._write(asked.number, lambda tx: self._advance.receive(tx, asked, reply, sent))

    def _write(self, number: str, work: Callable[[Connection], Moved]) -> None:
        """Have a work done and what follows from it; one that cannot be written is tried again."""

        def done(future: Future[Moved]) -> None:
            error = future.exception()
            if error is not None:
                log.error("an answer is not written yet: %s", error, extra={"case": number})
                self._timer.after(WRITE_AGAIN_S, lambda: self._write(number, work))
                return
            self._go_on(number, future.result())

        with contextlib.suppress(WriterStoppedError):  # the next start asks again
            self._writer.submit(work).add_done_callback(done)


class _Timer:
    """Calls functions at their time, in one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: list[tuple[float, int, Changed]] = []
        self._count = 0
        self._is_stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="snap timer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join()

    def at(self, moment: datetime, call: Changed) -> None:
        self.after((moment - self._clock.now()).total_seconds(), call)

    def after(self, pause_s: float, call: Changed) -> None:
        with self._wake:
            self._count += 1
            heapq.heappush(self._due, (time.monotonic() + pause_s, self._count, call))
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._is_stopping and (not self._due or self._due[0][0] > time.monotonic()):
                    pause = self._due[0][0] - time.monotonic() if self._due else _LONGEST_SLEEP_S
                    self._wake.wait(max(0.0, min(pause, _LONGEST_SLEEP_S)))
                if self._is_stopping:
                    return
                _, _, call = heapq.heappop(self._due)
            try:
                call()
            except Exception:
                log.exception("a timer's call failed")

"""The one way into the counter's database: works from many threads, one durable transaction for all that wait.

While a commit waits for the disk the next works gather, so two hundred clerks share few commits. Each
work has a savepoint of its own: one that fails takes nothing of its neighbours along.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from gateway.runtime.database import Database

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]

MAX_BATCH: Final = 64


class WriterStoppedError(RuntimeError):
    """The program is about to end; nothing was written."""


class Writer:
    """A queue of works and the thread that does them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[tuple[Work[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="snap writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Do what is queued and end."""
        with self._lock:
            if self._is_stopping:
                return
            self._is_stopping = True
            self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, work: Work[T]) -> Future[T]:
        """Return the future of what a work returns: done when it is durable. Its callbacks run in the writer's thread.

        Raises WriterStoppedError when no more is taken.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_stopping:
                raise WriterStoppedError
            self._queue.put((work, future))
        return future

    def do(self, work: Work[T]) -> T:
        """Return what a work returns once it is durable; raises what it raises."""
        return self.submit(work).result()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
            try:
                with self._database.transaction() as tx:
                    outcomes = [(future, *_attempt(tx, work)) for work, future in batch]
            except Exception as cause:
                log.exception("nothing was written", extra={"works": len(batch)})
                outcomes = [(future, None, cause) for _, future in batch]
            for future, result, error in outcomes:
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

    def _next_batch(self) -> list[tuple[Work[Any], Future[Any]]] | None:
        """Return all works that wait, at least one; None at the end."""
        item = self._queue.get()
        if item is None:
            return None
        batch = [item]
        with contextlib.suppress(queue.Empty):
            while len(batch) < MAX_BATCH:
                item = self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)
                    break
                batch.append(item)
        return batch


def _attempt(tx: Connection, work: Work[Any]) -> tuple[Any, BaseException | None]:
    try:
        with tx.begin_nested():
            return work(tx), None
    except Exception as cause:  # it belongs to whoever handed in the work
        return None, cause

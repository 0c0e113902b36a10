"""Group commit: many callers, one durable transaction; the only way onto a log's disk.

Callers on event loops hand in items and wait; one thread drains whatever has gathered since its last
commit and writes it as one batch. While a commit waits for the disk the next batch gathers, so the
cost of a durable write is shared by everybody who is waiting and nobody is delayed on purpose.
Items go to the thread once per turn of the loop: all that is ready to run in that turn runs first,
so a busy loop makes large batches by itself, and a loop with one caller turns at once.

What can go wrong:

- An item that cannot be written fails alone: the batch is written again in halves until it stands
  by itself.
- A writer that cannot write (`CommitUnavailable`, or it cannot be opened) fails everybody in the
  batch at once, is closed, and is opened afresh for the next batch: recovery needs no hands.
- A caller that waited `timeout_s` in the queue takes its item back, so nothing is written for
  someone who was told that it was not. Once its batch is being written it waits as long again;
  after that only the log itself can say what became of the item.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

DEFAULT_QUEUE_LIMIT: Final = 4096
DEFAULT_BATCH_LIMIT: Final = 256
DEFAULT_TIMEOUT_S: Final = 10.0

Item = TypeVar("Item")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)


class CommitUnavailable(Exception):  # noqa: N818  it says what is, not what was done wrong
    """Nothing can be made durable now; the text says why.

    `certain` is False where the item may have reached the disk all the same.
    """

    def __init__(self, reason: str, *, certain: bool = True) -> None:
        super().__init__(reason)
        self.certain = certain


class BatchWriter(Protocol[ItemIn, ResultOut]):
    """Writes batches; used by one thread only, the one that opened it."""

    def write(self, items: Sequence[ItemIn]) -> Sequence[ResultOut]:
        """Write all items in one durable transaction and return a result for each, or write none and raise.

        Raises CommitUnavailable when nothing could be written whatever the items were; any other
        exception means that at least one of the items is at fault.
        """
        ...

    def close(self) -> None:
        """Give up everything that is held."""
        ...


class _State(Enum):
    QUEUED = 1
    WRITING = 2
    ABANDONED = 3


class _Entry(Generic[Item, Result]):
    __slots__ = ("future", "item", "loop", "state")

    def __init__(self, item: Item, loop: asyncio.AbstractEventLoop) -> None:
        self.item = item
        self.loop = loop
        self.future: asyncio.Future[Result] = loop.create_future()
        self.state = _State.QUEUED


class GroupCommit(Generic[Item, Result]):
    """The queue and the thread in front of one BatchWriter."""

    def __init__(
        self,
        name: str,
        open_writer: Callable[[], BatchWriter[Item, Result]],
        *,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        batch_limit: int = DEFAULT_BATCH_LIMIT,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._name = name
        self._open_writer = open_writer
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._timeout_s = timeout_s
        self._queue: deque[_Entry[Item, Result]] = deque()
        self._wake = threading.Condition()
        self._writer: BatchWriter[Item, Result] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._has_ended = False
        self._gathering: dict[asyncio.AbstractEventLoop, list[_Entry[Item, Result]]] = {}

    def start(self) -> None:
        """Start the thread; the writer is opened in it, with the first item."""
        if self._thread is not None:
            raise RuntimeError(f"{self._name} is started already")
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Write what is queued, close the writer and end the thread; call it off the loop, or when nobody waits."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.error("the writer did not end", extra={"writer": self._name, "waited_s": timeout_s})

    async def submit(self, item: Item) -> Result:
        """Return the writer's result once `item` is durable.

        Raises CommitUnavailable, or the exception the writer had for this very item.
        """
        loop = asyncio.get_running_loop()
        if self._thread is None or self._stopping:
            raise CommitUnavailable(f"{self._name} is not running")
        gathered = self._gathering.get(loop)
        if len(self._queue) + len(gathered or ()) >= self._queue_limit:
            raise CommitUnavailable(f"{self._queue_limit} items are waiting to be written already")
        entry: _Entry[Item, Result] = _Entry(item, loop)
        if gathered is None:
            self._gathering[loop] = [entry]
            loop.call_soon(self._hand_over, loop)
        else:
            gathered.append(entry)
        # One timer handle is far cheaper than a task around the future.
        timer = loop.call_later(self._timeout_s, self._expire, entry)
        try:
            return await entry.future
        except asyncio.CancelledError:
            self._take_back(entry)
            raise
        finally:
            timer.cancel()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the thread what this turn of the loop has brought."""
        gathered = [entry for entry in self._gathering.pop(loop) if entry.state is _State.QUEUED]
        with self._wake:
            if not self._has_ended:
                self._queue.extend(gathered)
                self._wake.notify()
                return
        lost: Result | BaseException = CommitUnavailable(f"{self._name} is not running")
        _settle([(entry, lost) for entry in gathered])

    def _expire(self, entry: _Entry[Item, Result]) -> None:
        if entry.future.done():
            return
        if self._take_back(entry):
            entry.future.set_exception(CommitUnavailable(f"nothing was written for {self._timeout_s:g} s"))
        else:
            entry.loop.call_later(self._timeout_s, self._give_up, entry)

    def _give_up(self, entry: _Entry[Item, Result]) -> None:
        if not entry.future.done():
            entry.future.set_exception(CommitUnavailable(f"a commit is stuck for {self._timeout_s:g} s", certain=False))

    def _take_back(self, entry: _Entry[Item, Result]) -> bool:
        with self._wake:
            if entry.state is not _State.QUEUED:
                return False
            entry.state = _State.ABANDONED
            with contextlib.suppress(ValueError):
                self._queue.remove(entry)
            return True

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                break
            try:
                self._deliver(batch, self._write([entry.item for entry in batch]))
            except BaseException:  # the thread is the log: it must outlive whatever happened
                log.exception("the writer failed", extra={"writer": self._name})
                self._close_writer()
                lost = CommitUnavailable("the writer failed", certain=False)
                self._deliver(batch, [lost] * len(batch))
        self._close_writer()

    def _next_batch(self) -> list[_Entry[Item, Result]]:
        """Return what is queued, at least one entry; empty when the thread is to end."""
        with self._wake:
            while not self._queue and not self._stopping:
                self._wake.wait()
            self._has_ended = not self._queue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_limit))]
            for entry in batch:
                entry.state = _State.WRITING
            return batch

    def _write(self, items: Sequence[Item]) -> list[Result | BaseException]:
        """Write `items`; return for each its result or its error."""
        try:
            if self._writer is None:
                self._writer = self._open_writer()
            return list(self._writer.write(items))
        except CommitUnavailable as cause:
            log.error("cannot write: %s", cause, extra={"writer": self._name, "items": len(items)})
            self._close_writer()
            return [cause] * len(items)
        except Exception as cause:
            if len(items) == 1:
                return [cause]
        middle = len(items) // 2
        return [*self._write(items[:middle]), *self._write(items[middle:])]

    def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except Exception:
                log.exception("closing the writer failed", extra={"writer": self._name})

    def _deliver(self, batch: list[_Entry[Item, Result]], outcomes: Sequence[Result | BaseException]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Entry[Item, Result], Result | BaseException]]] = {}
        for entry, outcome in zip(batch, outcomes, strict=True):
            loops.setdefault(entry.loop, []).append((entry, outcome))
        for loop, settled in loops.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody is waiting there
                loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: list[tuple[_Entry[Item, Result], Result | BaseException]]) -> None:
    for entry, outcome in settled:
        if entry.future.done():
            continue
        if isinstance(outcome, BaseException):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)

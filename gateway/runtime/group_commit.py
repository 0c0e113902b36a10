"""Group commit: many callers, one durable transaction; the only way onto a log's disk.

Callers on event loops hand in items and wait; one thread drains whatever has gathered since its last
commit and writes it as one batch. While a commit waits for the disk the next batch gathers, so the
cost of a durable write is shared by everybody who is waiting and nobody is delayed on purpose.
Items go to the thread when the loop has turned: all that is ready to run runs first, so a busy loop
makes large batches by itself, and a loop with one caller turns at once. With several callers it turns
once more. A loop that has nothing else to do does that in microseconds; a busy one gathers twice as
many items for the commit, whose switches between threads and whose write cost as much as many rows.

What can go wrong:

- An item that cannot be written fails alone: the batch is written again in halves until it stands
  by itself.
- A writer that cannot write (`CommitUnavailable`, or it cannot be opened) fails everybody in the
  batch at once, is closed, and is opened afresh for the next batch: recovery needs no hands.
- A caller that waited `timeout_s` in the queue gets its item back, so nothing is written for
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
from itertools import compress
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


class _Group(Generic[Item, Result]):
    """What a loop brought together: it reaches the thread together and waits together."""

    __slots__ = ("due_at", "futures", "has_turned", "has_waited", "is_settled", "is_writing", "items", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.items: list[Item] = []
        self.futures: list[asyncio.Future[Result]] = []
        self.due_at = 0.0
        self.has_turned = False
        self.is_writing = False
        self.has_waited = False
        self.is_settled = False

    def begin_writing(self) -> None:
        """Leave out who cancelled; from here on nobody can take an item back."""
        self.is_writing = True
        wanted = [not future.done() for future in self.futures]
        if not all(wanted):
            self.items = list(compress(self.items, wanted))
            self.futures = list(compress(self.futures, wanted))

    def settle(self, outcomes: Sequence[Result | BaseException]) -> None:
        """Tell everybody who still waits; on the group's loop."""
        if self.is_settled:
            return
        self.is_settled = True
        for future, outcome in zip(self.futures, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self.items = []
        self.futures = []


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
        self._queue: deque[_Group[Item, Result]] = deque()
        self._queued = 0  # items in the queue
        # Guards the queue and the flags below. `_wake` is let go, once, when an idle thread has work again:
        # two bare locks cost a tenth of a Condition, and a busy thread is never woken.
        self._lock = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._is_idle = False
        self._is_stopping = False
        self._has_ended = False
        self._writer: BatchWriter[Item, Result] | None = None
        self._thread: threading.Thread | None = None
        self._gathering: dict[asyncio.AbstractEventLoop, _Group[Item, Result]] = {}
        self._waiting: dict[asyncio.AbstractEventLoop, deque[_Group[Item, Result]]] = {}

    def start(self) -> None:
        """Start the thread; the writer is opened in it, with the first item."""
        if self._thread is not None:
            raise RuntimeError(f"{self._name} is started already")
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Write what is queued, close the writer and end the thread; call it off the loop, or when nobody waits."""
        with self._lock:
            self._is_stopping = True
            self._rouse()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.error("the writer did not end", extra={"writer": self._name, "waited_s": timeout_s})

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Return the future of the writer's result, which comes once `item` is durable.

        The future may hold CommitUnavailable, or the exception that the writer had for this very item.
        Cancelling it takes the item back unless it is being written. Raises CommitUnavailable when
        the item is not taken at all.
        """
        loop = asyncio.get_running_loop()
        if self._thread is None or self._is_stopping:
            raise CommitUnavailable(f"{self._name} is not running")
        group = self._gathering.get(loop)
        if self._queued + (0 if group is None else len(group.items)) >= self._queue_limit:
            raise CommitUnavailable(f"{self._queue_limit} items are waiting to be written already")
        if group is None or len(group.items) == self._batch_limit:
            group = self._gathering[loop] = _Group(loop)
            loop.call_soon(self._hand_over, group)
        future: asyncio.Future[Result] = loop.create_future()
        group.items.append(item)
        group.futures.append(future)
        return future

    def _hand_over(self, group: _Group[Item, Result]) -> None:
        """Give the thread what the loop has brought; where there are several callers, after one more turn."""
        if len(group.items) > 1 and not group.has_turned:
            group.has_turned = True
            group.loop.call_soon(self._hand_over, group)
            return
        if self._gathering.get(group.loop) is group:
            del self._gathering[group.loop]
        with self._lock:
            has_ended = self._has_ended
            if not has_ended:
                self._queue.append(group)
                self._queued += len(group.items)
                self._rouse()
        if has_ended:
            group.settle([CommitUnavailable(f"{self._name} is not running")] * len(group.items))
        else:
            self._watch(group)

    def _rouse(self) -> None:
        if self._is_idle:
            self._is_idle = False
            self._wake.release()

    def _watch(self, group: _Group[Item, Result]) -> None:
        """Look after a group until it is settled: one timer per loop for all of them, as they fall due in order."""
        group.due_at = group.loop.time() + self._timeout_s
        waiting = self._waiting.get(group.loop)
        if waiting is None:
            self._waiting[group.loop] = deque((group,))
            group.loop.call_at(group.due_at, self._look_after, group.loop)
            return
        while waiting and waiting[0].is_settled:
            waiting.popleft()
        waiting.append(group)

    def _look_after(self, loop: asyncio.AbstractEventLoop) -> None:
        """Settle what is due."""
        waiting = self._waiting[loop]
        now = loop.time()
        while waiting and (waiting[0].is_settled or waiting[0].due_at <= now):
            group = waiting.popleft()
            if not group.is_settled and not self._expire(group):
                group.due_at = now + self._timeout_s
                group.has_waited = True
                waiting.append(group)
        if waiting:
            loop.call_at(waiting[0].due_at, self._look_after, loop)
        else:
            del self._waiting[loop]

    def _expire(self, group: _Group[Item, Result]) -> bool:
        """Settle a group that waited too long; False when it is being written and may wait as long again."""
        with self._lock:
            is_writing = group.is_writing
            if not is_writing:
                self._queue.remove(group)
                self._queued -= len(group.items)
        if is_writing and not group.has_waited:
            return False
        lost = (
            CommitUnavailable(f"a commit is stuck for {self._timeout_s:g} s", certain=False)
            if is_writing
            else CommitUnavailable(f"nothing was written for {self._timeout_s:g} s")
        )
        group.settle([lost] * len(group.items))
        return True

    def _run(self) -> None:
        while groups := self._next_groups():
            sizes = [len(group.items) for group in groups]
            items = [item for group in groups for item in group.items]
            try:
                self._deliver(groups, sizes, self._write(items) if items else [])
            except BaseException:  # the thread is the log: it must outlive whatever happened
                log.exception("the writer failed", extra={"writer": self._name})
                self._close_writer()
                lost = CommitUnavailable("the writer failed", certain=False)
                self._deliver(groups, sizes, [lost] * len(items))
        self._close_writer()

    def _next_groups(self) -> list[_Group[Item, Result]]:
        """Return groups that are queued, at least one; none when the thread is to end."""
        while True:
            with self._lock:
                if self._queue:
                    return self._take_groups()
                if self._is_stopping:
                    self._has_ended = True
                    return []
                self._is_idle = True
            self._wake.acquire()

    def _take_groups(self) -> list[_Group[Item, Result]]:
        groups: list[_Group[Item, Result]] = []
        room = self._batch_limit
        while self._queue and len(self._queue[0].items) <= room:
            group = self._queue.popleft()
            room -= len(group.items)
            self._queued -= len(group.items)
            group.begin_writing()
            groups.append(group)
        return groups

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

    def _deliver(
        self, groups: list[_Group[Item, Result]], sizes: list[int], outcomes: list[Result | BaseException]
    ) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Group[Item, Result], list[Result | BaseException]]]] = {}
        position = 0
        for group, size in zip(groups, sizes, strict=True):
            loops.setdefault(group.loop, []).append((group, outcomes[position : position + size]))
            position += size
        for loop, settled in loops.items():
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody is waiting there
                loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: list[tuple[_Group[Item, Result], list[Result | BaseException]]]) -> None:
    for group, outcomes in settled:
        group.settle(outcomes)

"""Refusals and failures: an entry each while they are few, one entry with an exact count when they are many.

A refusal is durable before it is answered, as a record is; but answered it is in any case. What the log
cannot take, or should not, is counted in memory by its kind and written as one entry later:

1. of one kind, or of all kinds together, more than a set number within an interval: when the interval is over
2. the log cannot be written: as soon as it can be again
3. the log itself is the reason, for want of a disk or of time-stamps: once exchanges may go on
4. of a commit nobody knows whether it reached the disk: the log itself is asked once it can be written

Kinds are many only when somebody makes them so; above a bound they are counted without their callers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from gateway.messagelog.chain import refusal_hash
from gateway.messagelog.model import NewRefusal, RefusalContent, RefusalSettings, Side
from gateway.messagelog.writer import Change, Item
from gateway.runtime.clock import Clock
from gateway.runtime.group_commit import CommitUnavailable
from gateway.runtime.periodic import Periodic

log = logging.getLogger(__name__)

MANY_CALLERS: Final = "messagelog.refusals_of_many_callers"
MANY_KINDS: Final = "messagelog.refusals_of_many_kinds"
VARIOUS: Final = "various"  # in place of a fault code

_CODES: Final = 256  # kinds without their callers, beside those with them
_LOOK_S: Final = 1.0
_RETRY_S: Final = 0.5
_MAX_RETRY_S: Final = 10.0
_AT_ONCE: Final = 256
_TOLD_AT_THE_END: Final = 100


class Kind(NamedTuple):
    """What refusals have in common when they are counted together; identifiers in their URL form."""

    side: Side
    is_failure: bool
    fault_code: str
    text_id: str
    client: str | None = None
    provider: str | None = None
    service_code: str | None = None
    service_version: str | None = None
    address: str | None = None


class _Doubt(NamedTuple):
    """A refusal of whose commit nobody knows whether it reached the disk, which it did after that number or not."""

    refusal: NewRefusal
    after: int
    by_the_log: bool


@dataclass(slots=True)
class _Group:
    """Refusals of one kind that are counted in memory."""

    said: RefusalContent
    since_ms: int
    by_the_log: bool


class RefusalRecorder:
    """Writes refusals, or counts them: `begin` before the first one, `stop` before the writer stops.

    `submit` is the writer's; `find_written` returns the content hashes of the refusals after a number; and
    `may_go_on` tells whether the log is fit for exchanges, as far as anybody knows.
    """

    def __init__(
        self,
        submit: Callable[[Item], asyncio.Future[int]],
        settings: RefusalSettings,
        clock: Clock,
        *,
        find_written: Callable[[int], Sequence[bytes]],
        may_go_on: Callable[[], bool],
    ) -> None:
        self._submit = submit
        self._settings = settings
        self._clock = clock
        self._find_written = find_written
        self._may_go_on = may_go_on
        self._interval_ms = int(settings.interval_s * 1000)
        self._outage_ms = int(settings.outage_interval_s * 1000)
        self._groups: dict[Kind, _Group] = {}
        self._doubts: list[_Doubt] = []
        self._on_their_way: dict[asyncio.Future[int], int] = {}
        self._failures = 0
        self._is_failing = False
        self._last = 0  # the number of the last refusal that is known to be written
        self._told_of_outage_ms: int | None = None
        self._window_ms = 0
        self._one_by_one: Counter[Kind] = Counter()
        self._flushing = asyncio.Lock()
        self._looking = Periodic(
            "recording of counted refusals",
            self._pause_s,
            self.flush,
            retry_s=_RETRY_S,
            max_retry_s=_MAX_RETRY_S,
            expected=(CommitUnavailable, SQLAlchemyError),
        )

    @property
    def in_memory(self) -> int:
        """How many refusals have no entry yet."""
        counted = sum(group.said.times for group in self._groups.values())
        doubtful = sum(doubt.refusal.content.times for doubt in self._doubts)
        return counted + doubtful + sum(self._on_their_way.values())

    @property
    def held_back(self) -> int:
        """How many refusals have no entry because the log does not work, and not because they are many."""
        if self._is_failing or self._doubts:
            return self.in_memory
        return sum(group.said.times for group in self._groups.values() if group.by_the_log)

    @property
    def is_failing(self) -> bool:
        """Whether the log could not be written when a refusal was to be recorded last."""
        return self._is_failing

    def begin(self, last_sequence: int) -> None:
        """Begin to write what is counted; `last_sequence` is where the log ends."""
        self._last = last_sequence
        self._looking.start()

    async def stop(self) -> None:
        """Write everything that was counted; what cannot be written is told in the process's own log."""
        await self._looking.stop()
        if self._on_their_way:
            await asyncio.wait(self._on_their_way)
        with suppress(CommitUnavailable, SQLAlchemyError):
            await self.flush(everything=True)
        if self.in_memory:
            log.error("refusals were counted but could not be recorded", extra={"count": self.in_memory})
        left = [group.said for group in self._groups.values()] + [doubt.refusal.content for doubt in self._doubts]
        for said in left[:_TOLD_AT_THE_END]:
            log.error("refusals without an entry", extra={**said._asdict(), "message_digest": None})

    async def refuse(self, said: RefusalContent, *, by_the_log: bool = False) -> None:
        """Keep a refusal, durable when this returns, or count it."""
        kind = _kind_of(said)
        if by_the_log or self._is_failing or not self._is_one_of_few(kind):
            self._count(kind, said, by_the_log)
            return
        future = self._hand_in(said, by_the_log)
        if future is not None:
            await asyncio.wait((future,))

    async def flush(self, *, everything: bool = False) -> None:
        """Write what is due. Raises CommitUnavailable while the log cannot be written."""
        async with self._flushing:
            before, was_failing = self._failures, self._is_failing
            if was_failing or self._doubts:
                await self._submit(Change(()))  # when this is through, whatever was stuck in the writer has ended
                await self._settle_doubts()
            due = self._due(was_failing, everything)
            for start in range(0, len(due), _AT_ONCE):
                groups = [self._groups.pop(kind) for kind in due[start : start + _AT_ONCE]]
                handed_in = [self._hand_in(group.said, group.by_the_log) for group in groups]
                if waiting := [future for future in handed_in if future is not None]:
                    await asyncio.wait(waiting)
                if self._failures > before:
                    raise CommitUnavailable("counted refusals cannot be written")
            self._is_failing = False
            if was_failing:
                log.warning("the message log can be written again", extra={"refusals_recorded": len(due)})

    def _pause_s(self) -> float:
        return _LOOK_S if self._groups or self._doubts or self._is_failing else self._settings.interval_s

    def _is_one_of_few(self, kind: Kind) -> bool:
        """Tell whether this refusal gets an entry of its own, and remember that it did."""
        now_ms = self._clock.now_ms()
        if not self._window_ms <= now_ms < self._window_ms + self._interval_ms:
            self._window_ms = now_ms
            self._one_by_one.clear()
        if kind in self._groups or self._one_by_one[kind] >= self._settings.of_a_kind:
            return False
        if self._one_by_one.total() >= self._settings.of_all_kinds:
            return False
        self._one_by_one[kind] += 1
        return True

    def _count(self, kind: Kind, said: RefusalContent, by_the_log: bool) -> None:
        """Add to the group of this kind; where there are too many kinds, to a coarser one."""
        coarse = Kind(said.side, said.is_failure, said.fault_code, MANY_CALLERS)
        limit = self._settings.kinds
        for place, room in ((kind, limit), (coarse, limit + _CODES), (_coarsest(said), None)):
            group = self._groups.get(place)
            if group is not None:
                group.said = _together(group.said, said)
                group.by_the_log |= by_the_log
                return
            if room is None or len(self._groups) < room:
                self._groups[place] = _Group(_as(place, said), self._clock.now_ms(), by_the_log)
                if len(self._groups) == 1 and not self._is_failing:
                    self._looking.trigger()  # it looks more often from now on
                return

    def _due(self, was_failing: bool, everything: bool) -> list[Kind]:
        now_ms, told_ms = self._clock.now_ms(), self._told_of_outage_ms
        # A log that fails on and off is told of once in an interval.
        is_time = told_ms is None or not told_ms <= now_ms < told_ms + self._interval_ms
        log_is_back = is_time and any(group.by_the_log for group in self._groups.values()) and self._may_go_on()
        due = []
        for kind, group in self._groups.items():
            age_ms = now_ms - group.since_ms
            if group.by_the_log:
                is_due = log_is_back or not 0 <= age_ms < self._outage_ms
            else:
                is_due = was_failing or not 0 <= age_ms < self._interval_ms
            if is_due or everything:
                due.append(kind)
        return due

    def _hand_in(self, said: RefusalContent, by_the_log: bool) -> asyncio.Future[int] | None:
        """Give an entry to the writer; what becomes of it is seen to, whether somebody waits or not."""
        doubt = _Doubt(NewRefusal(said, refusal_hash(said)), self._last, by_the_log)
        try:
            future = self._submit(doubt.refusal)
        except CommitUnavailable:
            self._has_failed()
            self._count(_kind_of(said), said, by_the_log)
            return None
        self._on_their_way[future] = said.times
        future.add_done_callback(partial(self._settle, doubt))
        return future

    def _settle(self, doubt: _Doubt, future: asyncio.Future[int]) -> None:
        """Forget an entry that is written, and count one that is not."""
        del self._on_their_way[future]
        said = doubt.refusal.content
        if future.cancelled():
            self._doubts.append(doubt)
            return
        cause = future.exception()
        if cause is None:
            self._last = max(self._last, future.result())
            if doubt.by_the_log:
                self._told_of_outage_ms = self._clock.now_ms()
        elif not isinstance(cause, CommitUnavailable):
            log.error("a refusal was not taken by the database; it is counted without its facts", exc_info=cause)
            self._count(_coarsest(said), said, doubt.by_the_log)
        else:
            self._has_failed()
            if cause.certain:
                self._count(_kind_of(said), said, doubt.by_the_log)
            else:
                self._doubts.append(doubt)

    def _has_failed(self) -> None:
        self._failures += 1
        if not self._is_failing:
            self._is_failing = True
            self._looking.trigger()
            log.error("the message log cannot be written, so nothing is exchanged: see to its disk and its database")

    async def _settle_doubts(self) -> None:
        """Ask the log for the refusals that may have reached the disk, and count those that have not."""
        doubts = list(self._doubts)
        if not doubts:
            return
        written = Counter(await asyncio.to_thread(self._find_written, min(doubt.after for doubt in doubts)))
        self._doubts = self._doubts[len(doubts) :]
        for refusal, _, by_the_log in doubts:
            if written[refusal.content_hash]:
                written[refusal.content_hash] -= 1
            else:
                self._count(_kind_of(refusal.content), refusal.content, by_the_log)


def _kind_of(said: RefusalContent) -> Kind:
    return Kind(
        said.side,
        said.is_failure,
        said.fault_code,
        said.text_id,
        said.client,
        said.provider,
        said.service_code,
        said.service_version,
        said.address,
    )


def _coarsest(said: RefusalContent) -> Kind:
    return Kind(said.side, said.is_failure, VARIOUS, MANY_KINDS)


def _as(kind: Kind, said: RefusalContent) -> RefusalContent:
    """Return a refusal as one of a kind that may be coarser than its own."""
    if kind == _kind_of(said):
        return said
    return said._replace(**kind._asdict(), facts="{}", **_NOBODYS)


def _together(counted: RefusalContent, said: RefusalContent) -> RefusalContent:
    """Return the count of both; what belongs to one call alone is left out."""
    return counted._replace(
        time_ms=min(counted.time_ms, said.time_ms),
        until_ms=max(counted.until_ms, said.until_ms),
        times=counted.times + said.times,
        **_NOBODYS,
    )


_NOBODYS: Final[dict[str, Any]] = {"x_request_id": None, "query_id": None, "message_digest": None}

"""How the message log does, measured now and then: time-stamps, growth, what waits in memory.

Exchanges stop when the disk is full or time-stamps fail too long, so both are told while there is time: in
the log of the process at set thresholds, and to whoever asks. The growth of a day is the entries of the last
days times the bytes that an entry takes on average; what the archive will free again is not counted on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.messagelog import store
from gateway.messagelog.model import GrowthStatus, LogStatus, StampingStatus
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.tables import metadata
from gateway.runtime.clock import Clock, epoch_ms
from gateway.runtime.periodic import Periodic

log = logging.getLogger(__name__)

MEASURE_INTERVAL_S: Final = 60.0
AVERAGED_OVER: Final = timedelta(days=7)
LEAST_AVERAGED: Final = timedelta(hours=1)  # of less nobody can tell what a day brings
DAYS_LEFT: Final = (30, 7, 1)
STAMPING_TIME_USED: Final = (0.0, 0.5, 0.9, 1.0)
_DAY_MS: Final = 86_400_000


class LogWatch:
    """Measures a message log, and warns once at each threshold."""

    def __init__(self, message_log: MessageLog, clock: Clock, *, interval_s: float = MEASURE_INTERVAL_S) -> None:
        self._log = message_log
        self._clock = clock
        self._bodies = _BodyBytes(message_log.bodies.root)
        self._latest: LogStatus | None = None
        self._told = {"disk": 0, "stamping": 0}
        self._periodic = Periodic("measuring the message log", interval_s, self.look)

    @property
    def growth(self) -> GrowthStatus | None:
        """The growth as it was measured last."""
        return None if self._latest is None else self._latest.growth

    def start(self) -> None:
        """Begin to measure by itself."""
        self._periodic.start()

    async def stop(self) -> None:
        """Measure no more."""
        await self._periodic.stop()

    async def look(self) -> LogStatus:
        """Measure, and warn of what is worse than when it was measured last."""
        try:
            status = await asyncio.to_thread(self.measure)
        except (SQLAlchemyError, OSError) as cause:
            log.error("the message log cannot be read: %s", cause)
            return self._unreadable()
        self._latest = status
        self._warn("disk", _disk_level(status.growth), status)
        self._warn("stamping", _stamping_level(status), status)
        return status

    def measure(self) -> LogStatus:
        """Return how the log does now; it may wait for a disk."""
        health, refusals = self._log.health, self._log.refusals
        with self._log.database.reading() as connection:
            last = store.read_last_sequence(connection)
            stamping = StampingStatus(
                unstamped=store.count_unstamped(connection),
                oldest_unstamped_at=store.read_oldest_unstamped(connection),
                failing_since=health.failing_since,
                refuses_at=health.refuses_at,
            )
            growth = self._measure_growth(connection, last)
        return LogStatus(
            at=self._clock.now(),
            last_sequence=last,
            is_readable=True,
            is_writable=not refusals.is_failing,
            refusals_held_back=refusals.held_back,
            stamping=stamping,
            growth=growth,
        )

    def _unreadable(self) -> LogStatus:
        """Return what is known without the database."""
        health, latest = self._log.health, self._latest
        waiting = (0, None) if latest is None else (latest.stamping.unstamped, latest.stamping.oldest_unstamped_at)
        return LogStatus(
            at=self._clock.now(),
            last_sequence=0 if latest is None else latest.last_sequence,
            is_readable=False,
            is_writable=False,
            refusals_held_back=self._log.refusals.held_back,
            stamping=StampingStatus(*waiting, health.failing_since, health.refuses_at),
            growth=GrowthStatus(0, 0, None, None, None) if latest is None else latest.growth,
        )

    def _measure_growth(self, connection: Connection, last: int) -> GrowthStatus:
        first = store.read_first_sequence(connection)
        database_bytes = self._database_bytes(connection)
        log_bytes = database_bytes + self._bodies.measure()
        free_bytes = min(shutil.disk_usage(_existing(place)).free for place in self._places())
        per_day = _entries_per_day(connection, first, last, epoch_ms(self._clock.now()))
        if per_day is None:
            return GrowthStatus(log_bytes, free_bytes, None, None, None)
        bytes_per_day = per_day * log_bytes / (last - first + 1)
        # How much room a database server has, only its own administrator knows.
        days_left = free_bytes / bytes_per_day if self._log.database.is_sqlite else None
        return GrowthStatus(log_bytes, free_bytes, bytes_per_day, per_day, days_left)

    def _places(self) -> list[Path]:
        path = self._log.database.path
        return [self._log.bodies.root] if path is None else [path.parent, self._log.bodies.root]

    def _database_bytes(self, connection: Connection) -> int:
        path = self._log.database.path
        if path is not None:
            return sum(_size_of(path.with_name(path.name + suffix)) for suffix in ("", "-wal"))
        sizes = (
            connection.execute(text("SELECT pg_total_relation_size(to_regclass(:name))"), {"name": name}).scalar()
            for name in metadata.tables
        )
        return sum(int(size or 0) for size in sizes)

    def _warn(self, of: str, level: int, status: LogStatus) -> None:
        before, self._told[of] = self._told[of], level
        if level > before:
            _WARNINGS[of](level, status)
        elif before and not level:
            log.info("the message log recovered", extra={"of": of})


class _BodyBytes:
    """What the folder of bodies takes: a folder of a day is counted again only when something in it changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, tuple[int, int]] = {}

    def measure(self) -> int:
        """Return the bytes of all bodies."""
        if not self._root.is_dir():
            return 0
        known: dict[str, tuple[int, int]] = {}
        with os.scandir(self._root) as folders:
            for folder in folders:
                changed_at = folder.stat().st_mtime_ns
                counted = self._known.get(folder.name)
                if counted is None or counted[0] != changed_at:
                    counted = (changed_at, _bytes_in(folder.path))
                known[folder.name] = counted
        self._known = known
        return sum(size for _, size in known.values())


def _bytes_in(folder: str) -> int:
    total = 0
    if os.path.isdir(folder):
        with os.scandir(folder) as files:
            for file in files:
                total += _size_of(Path(file.path))
    return total


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it went while we were counting
        return 0


def _existing(path: Path) -> Path:
    return path if path.exists() else path.parent


def _entries_per_day(connection: Connection, first: int, last: int, now_ms: int) -> float | None:
    """Return how many entries a day of the last ones brought."""
    oldest_ms = store.read_time_at(connection, first) if first else None
    if oldest_ms is None:
        return None
    since_ms = max(oldest_ms, now_ms - AVERAGED_OVER // timedelta(milliseconds=1))
    if now_ms - since_ms < LEAST_AVERAGED // timedelta(milliseconds=1):
        return None
    entries = last + 1 - _first_since(connection, first, last, since_ms)
    return entries * _DAY_MS / (now_ms - since_ms) or None


def _first_since(connection: Connection, first: int, last: int, since_ms: int) -> int:
    """Return the first number that was given since then: numbers and times rise together."""
    low, high = first, last + 1
    while low < high:
        middle = (low + high) // 2
        time_ms = store.read_time_at(connection, middle)
        if time_ms is None or time_ms >= since_ms:
            high = middle
        else:
            low = middle + 1
    return low


def _disk_level(growth: GrowthStatus) -> int:
    days = growth.days_left
    return 0 if days is None else sum(days < threshold for threshold in DAYS_LEFT)


def _stamping_level(status: LogStatus) -> int:
    since, until = status.stamping.failing_since, status.stamping.refuses_at
    if since is None:
        return 0
    used = 0.0 if until is None else (status.at - since) / (until - since)
    return sum(used >= threshold for threshold in STAMPING_TIME_USED)


def _warn_of_disk(level: int, status: LogStatus) -> None:
    growth = status.growth
    say = log.error if level == len(DAYS_LEFT) else log.warning
    say(
        "the disk of the message log will be full in %.1f days; without room nothing is exchanged",
        growth.days_left,
        extra={"free_bytes": growth.free_bytes, "log_bytes": growth.log_bytes, "bytes_per_day": growth.bytes_per_day},
    )


def _warn_of_stamping(level: int, status: LogStatus) -> None:
    stamping = status.stamping
    facts = {"unstamped": stamping.unstamped, "failing_since": stamping.failing_since}
    if stamping.refuses_at is None:
        log.warning("records are not time-stamped", extra=facts)
    elif level == len(STAMPING_TIME_USED):
        log.error("records have not been time-stamped for too long: nothing is exchanged until they are", extra=facts)
    else:
        left_s = int((stamping.refuses_at - status.at).total_seconds())
        log.warning(
            "records are not time-stamped: in %d s nothing is exchanged any more unless they are", left_s, extra=facts
        )


_WARNINGS: Final[dict[str, Callable[[int, LogStatus], None]]] = {"disk": _warn_of_disk, "stamping": _warn_of_stamping}

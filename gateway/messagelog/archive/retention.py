"""Remove from the log what is archived and old enough (X-Road LogCleaner.java).

An entry goes when its file is in its place, its container held, its row says what was archived, and
it is older than the days it is kept for; the newest entry never goes, the writer begins from it. With
their records go bodies, and time-stamps and signature skeletons that nobody has any more. What was
archived where, and with which content, stays in `archived_entries`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table, exists, func, select

from gateway.messagelog import store
from gateway.messagelog.archive.journal import read_archived_through
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.tables import (
    archive_files,
    archived_entries,
    message_bodies,
    message_records,
    record_timestamps,
    refusals,
    signature_skeletons,
    timestamps,
    unverified_entries,
)
from gateway.messagelog.writer import Change, DropSkeletons
from gateway.runtime.clock import epoch_ms

log = logging.getLogger(__name__)

ENTRIES_PER_CHANGE: Final = 200  # records are waiting for the same writer
_PAUSE_S: Final = 0.05
_KEYS_PER_CHANGE: Final = 500
# A time-stamp is written before its records are linked to it.
_SETTLED: Final = timedelta(days=1)


@dataclass(slots=True)
class Removed:
    """What was removed."""

    records: int = 0
    refusals: int = 0
    bodies: int = 0
    timestamps: int = 0
    skeletons: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """Numbers of entries that may go, and where the bodies of records lie."""

    sequences: tuple[int, ...]
    locations: tuple[str, ...]


async def remove_archived(message_log: MessageLog, now: datetime, keep_days: int) -> Removed:
    """Remove what may go, a few entries at a time. Raises CommitUnavailable when the log cannot be written."""
    until = now - timedelta(days=keep_days)
    removed = Removed()
    removed.refusals = await _remove_rows(message_log, refusals, until, removed)
    removed.records = await _remove_rows(message_log, message_records, until, removed)
    removed.timestamps = await _remove_timestamps(message_log, min(until, now - _SETTLED))
    if removed.records:
        removed.skeletons = await _remove_skeletons(message_log)
    removed.bodies += await asyncio.to_thread(_sweep_bodies, message_log, min(until, now - _SETTLED))
    if removed.records or removed.refusals:
        log.info(
            "archived entries were removed from the message log",
            extra={name: getattr(removed, name) for name in Removed.__slots__},
        )
    return removed


async def _remove_rows(message_log: MessageLog, table: Table, until: datetime, removed: Removed) -> int:
    count, after = 0, 0
    while True:
        batch = await asyncio.to_thread(_find_batch, message_log, table, until, after)
        if not batch.sequences:
            return count
        await message_log.submit(Change(_deletions(table, batch.sequences)))
        for location in batch.locations:
            message_log.bodies.remove(location)
        removed.bodies += len(batch.locations)
        count, after = count + len(batch.sequences), batch.sequences[-1]
        await asyncio.sleep(_PAUSE_S)


def _find_batch(message_log: MessageLog, table: Table, until: datetime, after: int) -> _Batch:
    c, entry, file = table.c, archived_entries.c, archive_files.c
    with message_log.database.reading() as connection:
        last = min(read_archived_through(connection), store.read_last_sequence(connection) - 1)
        question = (
            select(c.sequence)
            .join(archived_entries, entry.sequence == c.sequence)
            .join(archive_files, file.id == entry.file_id)
            .where(
                c.sequence > after,
                c.sequence <= last,
                c.time_ms < epoch_ms(until),
                file.location != "",
                entry.content_hash == c.content_hash,
                ~exists().where(unverified_entries.c.sequence == c.sequence),
            )
            .order_by(c.sequence)
            .limit(ENTRIES_PER_CHANGE)
        )
        sequences = tuple(connection.execute(question).scalars())
        locations = _locations_of(connection, sequences) if table is message_records and sequences else ()
    return _Batch(sequences, locations)


def _locations_of(connection: Connection, sequences: Sequence[int]) -> tuple[str, ...]:
    c = message_bodies.c
    question = select(c.location).where(c.sequence.in_(sequences), c.location.is_not(None))
    return tuple(connection.execute(question).scalars())


def _deletions(table: Table, sequences: Sequence[int]) -> tuple[tuple[str, list[tuple[Any, ...]]], ...]:
    rows: list[tuple[Any, ...]] = [(sequence,) for sequence in sequences]
    if table is refusals:
        return (("DELETE FROM refusals WHERE sequence = ?", rows),)
    return (
        ("DELETE FROM record_timestamps WHERE sequence = ?", rows),
        ("DELETE FROM message_bodies WHERE sequence = ?", rows),
        ("DELETE FROM message_records WHERE sequence = ?", rows),
    )


async def _remove_timestamps(message_log: MessageLog, until: datetime) -> int:
    unused = await asyncio.to_thread(_find_unused_timestamps, message_log, until)
    for start in range(0, len(unused), _KEYS_PER_CHANGE):
        rows: list[tuple[Any, ...]] = [(number,) for number in unused[start : start + _KEYS_PER_CHANGE]]
        await message_log.submit(Change((("DELETE FROM timestamps WHERE id = ?", rows),)))
    return len(unused)


def _find_unused_timestamps(message_log: MessageLog, until: datetime) -> list[int]:
    c = timestamps.c
    used = exists().where(record_timestamps.c.timestamp_id == c.id)
    with message_log.database.reading() as connection:
        newest = connection.execute(select(func.max(c.id))).scalar() or 0  # the writer counts on from it
        question = select(c.id).where(c.time_ms < epoch_ms(until), c.id < newest, ~used)
        return list(connection.execute(question).scalars())


async def _remove_skeletons(message_log: MessageLog) -> int:
    unused, through = await asyncio.to_thread(_find_unused_skeletons, message_log)
    for start in range(0, len(unused), _KEYS_PER_CHANGE):
        await message_log.submit(DropSkeletons(tuple(unused[start : start + _KEYS_PER_CHANGE]), through))
    return len(unused)


def _find_unused_skeletons(message_log: MessageLog) -> tuple[list[bytes], int]:
    """Return skeletons that no record up to a number has; what comes later the writer sees itself.

    There is no index for this question: records would pay for it. Scanning them is for a thread that has time.
    """
    with message_log.database.reading() as connection:
        known = set(connection.execute(select(signature_skeletons.c.key)).scalars())
        through = store.read_last_sequence(connection)
        c = message_records.c
        used = connection.execute(select(c.skeleton_key).where(c.sequence <= through).distinct()).scalars()
        return sorted(known.difference(used)), through


def _sweep_bodies(message_log: MessageLog, until: datetime) -> int:
    """Remove files of old days that no record names any more: a crash may have kept them."""
    root, oldest = message_log.bodies.root, until.date().isoformat()
    removed = 0
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not folder.is_dir() or folder.name >= oldest:
            continue
        locations = [f"{folder.name}/{file.name}" for file in folder.iterdir()]
        for start in range(0, len(locations), _KEYS_PER_CHANGE):
            some = locations[start : start + _KEYS_PER_CHANGE]
            with message_log.database.reading() as connection:
                unknown = set(some) - store.find_locations(connection, some)
            for location in unknown:
                message_log.bodies.remove(location)
            removed += len(unknown)
        try:
            folder.rmdir()
        except OSError:  # something in it is still kept
            continue
    return removed

"""What an auditor should know before trusting a search, and who must do something about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.auditing.model import Archiving, Growth, SourceStatus, Stamping
from gateway.runtime.console.formats import Formats
from gateway.runtime.texts import render

DISK_URGENT_DAYS: Final = 7
DISK_WARNING_DAYS: Final = 30
KINDS: Final = {"urgent": "bad", "warning": "open", "note": ""}  # how much it matters -> how it is shown


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing: how much it matters, the sentence with its facts, and who acts."""

    kind: str
    text_id: str
    facts: Mapping[str, str]
    who: str


def notices_of(status: SourceStatus, formats: Formats, now: datetime, *, unreadable: int = 0) -> list[Notice]:
    """Return what needs attention, the most urgent first; `unreadable` is how many archives cannot be searched."""
    found = [*_writing(status, formats), *_searching(status, formats)]
    if unreadable:
        count = {"count": formats.number(unreadable)}
        found.append(Notice("warning", "audit.attention.archives_unreadable", count, "auditor"))
    if status.stamping is not None:  # a server, which makes checkpoints
        found += _stamping(status.stamping, formats, now)
        if status.last_sequence and status.checkpoint_size is None:
            found.append(Notice("note", "audit.attention.no_checkpoint", {}, "administrator"))
    if status.archiving is not None:
        found += _archiving(status.archiving, formats)
    if status.growth is not None:
        found += _growing(status.growth, formats)
    order = list(KINDS)
    return sorted(found, key=lambda notice: order.index(notice.kind))


def _writing(status: SourceStatus, formats: Formats) -> Iterator[Notice]:
    if status.uncounted_refusals:
        count = formats.number(status.uncounted_refusals)
        yield Notice("urgent", "audit.attention.uncounted", {"count": count}, "administrator")


def _searching(status: SourceStatus, formats: Formats) -> Iterator[Notice]:
    behind = status.last_sequence - status.indexed_through
    if behind > 0:
        yield Notice("note", "audit.attention.index_behind", {"count": formats.number(behind)}, "nobody")


def _stamping(stamping: Stamping, formats: Formats, now: datetime) -> Iterator[Notice]:
    if stamping.failing_since is None:
        return
    facts = {"since": formats.time(stamping.failing_since), "count": formats.number(stamping.unstamped)}
    if stamping.refuses_at is None:
        yield Notice("warning", "audit.attention.stamping_fails_unbounded", facts, "administrator")
        return
    facts["until"] = formats.time(stamping.refuses_at)
    left = stamping.refuses_at - now
    if left.total_seconds() <= 0:
        yield Notice("urgent", "audit.attention.stamping_stopped", facts, "administrator")
    else:
        facts["left"] = formats.duration(left)
        yield Notice("urgent", "audit.attention.stamping_fails", facts, "administrator")


def _archiving(archiving: Archiving, formats: Formats) -> Iterator[Notice]:
    if archiving.failure is not None:
        reason = render(archiving.failure.text_id, archiving.failure.facts, formats.language)
        yield Notice("warning", "audit.attention.archiving_fails", {"reason": reason}, "administrator")
    if archiving.unverified:
        count = {"count": formats.number(archiving.unverified)}
        yield Notice("urgent", "audit.attention.unverified", count, "administrator")


def _growing(growth: Growth, formats: Formats) -> Iterator[Notice]:
    days = growth.days_left
    if days is not None and days < DISK_WARNING_DAYS:
        kind = "urgent" if days < DISK_URGENT_DAYS else "warning"
        yield Notice(kind, "audit.attention.disk_soon", {"days": formats.number(days)}, "administrator")

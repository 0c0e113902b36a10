"""One walk over everything that is stored: what every entry says by itself, and how it stands beside its neighbours.

What the walk finds needs no checkpoint: contents that are not those the row states, gaps, doubles,
broken links. From it come two outlines, of what is stored and of what is stated, for those questions
that only a checkpoint answers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from gateway.messagelog.chain import GENESIS, record_hash
from gateway.messagelog.completeness.archives import ArchivedLeaves, stem_of
from gateway.messagelog.completeness.model import Counts, Finding, Findings, Kind
from gateway.messagelog.completeness.outlines import Outline, Outliner
from gateway.messagelog.completeness.stamps import TOLERANCE
from gateway.messagelog.completeness.stored import RECORDS, Place, leaf_of
from gateway.runtime.clock import epoch_ms

MAX_DISPUTES: Final = 100_000
_PROGRESS_STEP: Final = 200


class Entries(Protocol):
    """What tables hold."""

    def walk(self, first: int, last: int) -> Iterator[Place]:
        """Yield what is stored under each number of a range, in order; numbers without anything are left out."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one number: from tables, and from archives."""

    sequence: int
    place: Place | None
    archived: bytes | None

    @property
    def leaf(self) -> bytes | None:
        """The leaf worked out of what is stored: of the row, else of the archive, else what is remembered."""
        if self.place is not None and self.place.row is not None:
            return leaf_of(self.sequence, self.place.row.worked)
        if self.archived is not None or self.place is None:
            return self.archived
        return leaf_of(self.sequence, self.place.remembered)

    @property
    def stated(self) -> bytes | None:
        """The leaf that is stated in the tables."""
        return None if self.place is None else leaf_of(self.sequence, self.place.stated)

    @property
    def content(self) -> bytes | None:
        """The content hash worked out of a row, or remembered."""
        return None if self.place is None else self.place.worked


class Everything:
    """Tables and archives side by side."""

    def __init__(self, entries: Entries, archived: ArchivedLeaves) -> None:
        self._entries = entries
        self.archived = archived

    def walk(self, first: int, last: int) -> Iterator[Seen]:
        """Yield what is known of each number of a range, in order; numbers of which nothing is are left out."""
        places = self._entries.walk(first, last)
        leaves = self.archived.walk(first, last)
        place, leaf = next(places, None), next(leaves, None)
        while place is not None or leaf is not None:
            if leaf is None or (place is not None and place.sequence < leaf[0]):
                assert place is not None
                yield Seen(place.sequence, place, None)
                place = next(places, None)
            elif place is None or leaf[0] < place.sequence:
                yield Seen(leaf[0], None, leaf[1])
                leaf = next(leaves, None)
            else:
                yield Seen(leaf[0], place, leaf[1])
                place, leaf = next(places, None), next(leaves, None)

    def leaves(self, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield number and leaf of what is stored."""
        return ((seen.sequence, seen.leaf) for seen in self.walk(first, last))

    def stated(self, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield number and leaf of what the tables state."""
        return ((seen.sequence, seen.stated) for seen in self.walk(first, last))


@dataclass(slots=True)
class Walked:
    """What a walk found besides its findings, for whoever knows what the entries were.

    `disputed` are entries of which tables and archives say different things; `broken` those that the chain
    does not lead to, with the entry from which it was followed; `implausible` those whose time cannot be,
    by the checkpoints around them.
    """

    stored: Outline
    stated: Outline
    counts: Counts
    damaged: set[int]
    disputed: list[int] = field(default_factory=list)
    broken: list[tuple[int, int]] = field(default_factory=list)
    implausible: list[int] = field(default_factory=list)


class Walk:
    """A walk from the entry `first` on; `size` is that of the outlines, `sizes` those of their roots."""

    def __init__(
        self,
        findings: Findings,
        first: int,
        size: int,
        sizes: Collection[int],
        times: Sequence[tuple[int, datetime]],
        file_of: Callable[[int], str | None],
    ) -> None:
        self._findings = findings
        self._stored = Outliner(size, sizes)
        self._stated = Outliner(size, sizes)
        self._bounds = _Bounds(times)
        self._file_of = file_of
        self._previous: bytes | None = GENESIS if first == 1 else None
        self._first = self._next = first
        self._entries = self._records = self._refusals = self._archived = self._elsewhere = self._closed = 0
        self._damaged: set[int] = set()
        self._disputed: list[int] = []
        self._broken: list[tuple[int, int]] = []
        self._followed_from = first
        self._implausible: list[int] = []

    def over(
        self,
        everything: Everything,
        last: int,
        *,
        has_tables: bool,
        has_archives: bool,
        progress: Callable[[int], None],
    ) -> Walked:
        """Walk to the entry `last`."""
        self._has_tables, self._has_archives = has_tables, has_archives
        for seen in everything.walk(self._first, last):
            if seen.sequence > self._next:
                self._note_gap(self._next, seen.sequence - 1)
            self._next = seen.sequence + 1
            self._stored.add(seen.sequence, seen.leaf)
            self._stated.add(seen.sequence, seen.stated)
            self._look_at(seen, everything.archived)
            if seen.sequence % _PROGRESS_STEP == 0:
                progress(seen.sequence)
        if self._next <= last:
            self._note_gap(self._next, last)
        counts = Counts(
            entries=self._entries,
            records=self._records,
            refusals=self._refusals,
            archived=self._archived,
            elsewhere=self._elsewhere,
            closed=self._closed,
        )
        return Walked(
            self._stored.finish(), self._stated.finish(), counts, self._damaged, self._disputed, self._broken,
            self._implausible,
        )  # fmt: skip

    def _note_gap(self, first: int, last: int) -> None:
        self._findings.add(Kind.MISSING, first, "ledger.missing", last=last)
        self._previous = None

    def _look_at(self, seen: Seen, archived: ArchivedLeaves) -> None:
        self._entries += 1
        self._archived += seen.archived is not None
        place = seen.place
        if place is None:
            self._previous = None
            if self._has_tables:
                self._add(Kind.ALTERED, seen.sequence, "ledger.altered_remembered")
            return
        if place.is_doubled:
            self._add(Kind.DOUBLED, seen.sequence, "ledger.doubled")
        if place.row is None:
            self._look_at_remembered(seen, archived)
        else:
            self._look_at_row(seen, place)
        self._follow_chain(place)
        if seen.archived is not None or (place.row is not None and place.remembered is not None):
            says = {seen.leaf, seen.archived or seen.leaf, leaf_of(seen.sequence, place.remembered) or seen.leaf}
            if len(says) > 1 and seen.sequence not in self._damaged and len(self._disputed) < MAX_DISPUTES:
                self._disputed.append(seen.sequence)

    def _look_at_row(self, seen: Seen, place: Place) -> None:
        row = place.row
        assert row is not None
        if row.table == RECORDS:
            self._records += 1
        else:
            self._refusals += 1
        self._closed += row.is_closed
        if row.part is not None:
            self._add(Kind.ALTERED, seen.sequence, f"ledger.altered_{row.part.value}")
        elif not self._bounds.allow(seen.sequence, row.time_ms, is_record=row.table == RECORDS):
            self._implausible.append(seen.sequence)

    def _look_at_remembered(self, seen: Seen, archived: ArchivedLeaves) -> None:
        if seen.archived is not None:
            return
        file = self._file_of(seen.sequence) or "-"
        stem = stem_of(file)
        if not self._has_archives or stem in archived.closed:
            self._elsewhere += 1
        elif stem in archived.stems:
            self._add(Kind.ARCHIVE, seen.sequence, "ledger.archive_entry_missing", file=file)
        else:  # the whole file is not here, which is said once
            self._damaged.add(seen.sequence)

    def _add(self, kind: Kind, sequence: int, text_id: str, **facts: object) -> None:
        self._damaged.add(sequence)
        self._findings.put(Finding(kind, sequence, sequence, text_id, facts))

    def _follow_chain(self, place: Place) -> None:
        row, sequence = place.row, place.sequence
        if row is None:
            known = self._previous
            self._previous = None if known is None else record_hash(known, sequence, place.remembered or b"")
            return
        bound = record_hash(row.previous_hash or b"", sequence, row.stated or b"")
        if bound != row.record_hash or self._previous not in (None, row.previous_hash):
            self._broken.append((sequence, sequence if self._previous is None else self._followed_from))
        self._previous, self._followed_from = row.record_hash, sequence


class _Bounds:
    """Between which times an entry was written, by the checkpoints before and after it."""

    def __init__(self, times: Sequence[tuple[int, datetime]]) -> None:
        ordered = sorted(times)
        tolerance_ms = TOLERANCE // timedelta(milliseconds=1)
        self._sizes = [size for size, _ in ordered]
        self._earliest = [epoch_ms(at) - tolerance_ms for _, at in ordered]
        self._latest = [epoch_ms(at) + tolerance_ms for _, at in ordered]

    def allow(self, sequence: int, time_ms: int | None, *, is_record: bool) -> bool:
        """Tell whether an entry can be from that time; refusals may be written long after they happened."""
        if time_ms is None:
            return True
        after = bisect_left(self._sizes, sequence)
        if after < len(self._sizes) and time_ms > self._latest[after]:
            return False
        return not (is_record and after > 0 and time_ms < self._earliest[after - 1])

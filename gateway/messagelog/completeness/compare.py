"""What is stored against what was there: every entry that differs is named, and how it differs.

What was there is known from whoever leads to the roots of the checkpoints (`sources`). Blocks that are
the same need no second look; in the others every leaf is compared. Where nobody leads to a root, the
range since the last one that fits is named instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from gateway.messagelog.completeness.kept import OwnCheckpoint
from gateway.messagelog.completeness.model import ABOUT_ENTRIES, CheckedAgainst, Findings, Kind
from gateway.messagelog.completeness.outlines import BLOCK, block_of, outline_of
from gateway.messagelog.completeness.sources import Claim, ReadLeaves, Resolution, Source, resolve
from gateway.messagelog.completeness.walk import Everything, Walked
from gateway.xroad.ledger import entry_leaf

MAX_PAIRED: Final = 300  # entries that are compared each with each, to see whether they were exchanged

_Differing = tuple[int, bytes, bytes]  # number, content hash that is here, leaf that was


class Comparison:
    """One comparison; when it is made, it knows of every entry what it was, or that nobody tells.

    `others` are readers of leaves besides what is stored and stated; `blocks` as `resolve` takes them.
    """

    def __init__(
        self,
        everything: Everything,
        walked: Walked,
        findings: Findings,
        against: Sequence[CheckedAgainst],
        own: Sequence[OwnCheckpoint],
        others: Sequence[ReadLeaves],
        blocks: Mapping[int, bytes],
    ) -> None:
        self._everything = everything
        self._walked = walked
        self._findings = findings
        self._own = own
        size = walked.stored.size
        sizes = [*(one.size for one in against), *(one.size for one in own)]
        self._stored = Source(walked.stored, everything.leaves)
        sources = [
            self._stored,
            *(Source(outline_of(read(1, size), size, sizes), read) for read in others),
            Source(walked.stated, everything.stated),
        ]
        claims = [Claim(one.size, one.root) for one in against]
        end = max((one.size for one in against), default=0)
        self._outside = resolve(sources, claims, blocks, 1)
        later = [Claim(one.size, one.root) for one in own if one.is_proven and one.size > end]
        tail = resolve(sources, later, {}, end + 1)
        if tail.untold and not self._outside.untold:  # what differs lies before, perhaps
            mended = Source(outline_of(self._mended(1, size), size, sizes), self._mended)
            tail = resolve([mended, *sources], later, {}, end + 1)
        untold = [self._narrow(first, last) for first, last in self._outside.untold]
        self.right = Resolution([*self._outside.segments, *tail.segments], [*untold, *tail.untold])
        # What comes after a range where something differs is untold for the same reason.
        self._doubted = [self._narrow(*one) for one in self._outside.doubted] or list(tail.doubted)
        self._name_contradictions(claims)

    # findings

    def name_differences(self) -> None:
        """Name every entry that is another one now, and the ranges that hold one."""
        for segment in self.right.segments:
            if segment.source is not self._stored:
                self._judge(segment.first, segment.last, segment.source)
        self._settle_disputes()
        self._settle_chain()
        for sequence in self._walked.implausible:
            if not self.is_proven(sequence):
                self._findings.add(Kind.REDATED, sequence, "ledger.redated_between")
        for first, last in self._doubted:
            # Where an entry is not here, nothing follows from a root that cannot be worked out.
            blocks = self._walked.stored.blocks
            is_here = all(number in blocks for number in range(block_of(first), block_of(last) + 1))
            if is_here and not self._findings.within(first, last, ABOUT_ENTRIES):
                self._findings.add(Kind.SOMEWHERE, first, "ledger.somewhere", last=last)

    def _judge(self, first: int, last: int, right: Source) -> None:
        """Compare what is stored with who is right: block by block, and leaf by leaf where they differ."""
        differing: list[_Differing] = []
        begin = first
        while begin <= last:
            number = (begin - 1) // BLOCK
            end = min((number + 1) * BLOCK, last)
            is_full = begin == number * BLOCK + 1 and end == (number + 1) * BLOCK
            known = right.block(number) if is_full else None
            if known is None or self._stored.block(number) != known:
                differing += self._judge_leaves(begin, end, right)
            begin = end + 1
        self._explain(differing, right)

    def _judge_leaves(self, first: int, last: int, right: Source) -> Iterator[_Differing]:
        """Yield the entries that are here, whole, and others than they were."""
        expected = dict(right.read(first, last))
        for seen in self._everything.walk(first, last):
            was = expected.get(seen.sequence)
            if was is None or seen.leaf == was or seen.sequence in self._walked.damaged:
                continue
            self._walked.damaged.add(seen.sequence)
            if seen.place is not None and seen.place.row is not None and seen.content is not None:
                yield seen.sequence, seen.content, was
            elif seen.archived is not None:
                self._accuse_archive(seen.sequence)
            else:
                self._findings.add(Kind.ALTERED, seen.sequence, "ledger.altered_remembered")

    def _explain(self, differing: Sequence[_Differing], right: Source) -> None:
        """Say of each whether it was written under another number, or never."""
        were = {sequence: was for sequence, _, was in differing}
        few = list(were) if len(were) <= MAX_PAIRED else []
        shift = 1

        def was(content: bytes, number: int) -> bool:
            leaf = were.get(number) or next((leaf for _, leaf in right.read(number, number)), None)
            return leaf == entry_leaf(number, content)

        for sequence, content, _ in differing:
            near = (sequence + by for by in dict.fromkeys((shift, 1, -1)) if sequence + by > 0)
            origin = next((number for number in (*near, *few) if was(content, number)), None)
            if origin is None:
                self._findings.add(Kind.REPLACED, sequence, "ledger.replaced")
            else:
                shift = origin - sequence
                self._findings.add(Kind.MOVED, sequence, "ledger.moved", by=f"{shift:+d}")

    def _settle_disputes(self) -> None:
        """Where table and archive differ, say which of them is not what was written."""
        for sequence in self._walked.disputed:
            seen = next(self._everything.walk(sequence, sequence))
            right = self.right.find(sequence)
            was = None if right is None else next((leaf for _, leaf in right.read(sequence, sequence)), None)
            if seen.archived is not None and seen.archived != (was or seen.leaf):
                self._accuse_archive(sequence)
            elif sequence not in self._walked.damaged:
                self._findings.add(Kind.ALTERED, sequence, "ledger.altered_remembered")
            self._walked.damaged.add(sequence)

    def _accuse_archive(self, sequence: int) -> None:
        file = self._everything.archived.name_of(sequence)
        self._findings.add(Kind.ARCHIVE, sequence, "ledger.archive_differs", file=file)

    def _settle_chain(self) -> None:
        """Name a broken link unless an entry that it leads over is damaged: then it follows from that."""
        damaged = self._walked.damaged
        for sequence, followed_from in self._walked.broken:
            if not any(followed_from <= number <= sequence for number in damaged):
                self._findings.add(Kind.CHAIN, sequence, "ledger.chain")

    def _name_contradictions(self, claims: Sequence[Claim]) -> None:
        """Name checkpoints kept outside that exclude a larger one."""
        for claim in claims:
            if self._outside.root_at(claim.size) not in (None, claim.root):
                self._findings.add(Kind.CHECKPOINT, claim.size, "ledger.checkpoints_contradict")

    def _mended(self, first: int, last: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield the leaves of what is stored, and of what was there as far as checkpoints kept outside tell."""
        for sequence, leaf in self._everything.leaves(first, last):
            right = self._outside.find(sequence)
            if right is None or right is self._stored:
                yield sequence, leaf
            else:
                yield from right.read(sequence, sequence)

    def _narrow(self, first: int, last: int) -> tuple[int, int]:
        """Return where in a range the difference begins at the earliest: after the last own root that fits."""
        roots = self._walked.stored.roots
        proven = [one for one in self._own if one.is_proven and first <= one.size < last]
        fits = [one.size for one in proven if roots.get(one.size) == one.root]
        return max([first, *(size + 1 for size in fits)]), last

    # what others ask

    def is_proven(self, sequence: int) -> bool:
        """Tell whether an entry is known to be what was written."""
        return self.right.find(sequence) is not None and sequence not in self._walked.damaged

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first `size` entries as they ought to be, None where nobody tells."""
        is_stored = self.right.find(size) is None and not self._is_untold(size, size)
        return self._walked.stored.roots.get(size) if is_stored else self.right.root_at(size)

    def block(self, number: int) -> bytes | None:
        """Return the root of a full block as it ought to be, None where nobody tells."""
        first, last = number * BLOCK + 1, (number + 1) * BLOCK
        right, other = self.right.find(first), self.right.find(last)
        if right is not other or self._is_untold(first, last):
            return None
        return (right or self._stored).block(number)

    def leaves(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and leaf of the entries in a range as they ought to be; those that differ now are left out."""
        for sequence, leaf in self._everything.leaves(first, last):
            right = self.right.find(sequence)
            is_believed = right is self._stored or (right is None and not self._is_untold(sequence, sequence))
            if sequence in self._walked.damaged:
                continue
            if is_believed and leaf is not None:
                yield sequence, leaf
            elif right is not None:
                yield from ((number, one) for number, one in right.read(sequence, sequence) if one is not None)

    def _is_untold(self, first: int, last: int) -> bool:
        return any(begin <= last and first <= end for begin, end in self.right.untold)

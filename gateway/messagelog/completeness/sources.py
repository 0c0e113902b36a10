"""Who says which leaves there were, and whom a checkpoint proves right.

A source is authentic as far as its root is that of a checkpoint kept outside. What is stored is one
source among others: where it is authentic nothing more has to be asked; where it is not, another that
is tells which entries differ. Where none is, the range is untold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.messagelog.completeness.outlines import BLOCK, Outline, root_of_blocks
from gateway.xroad.ledger import root_of

# Yields number and leaf of the entries in a range, in order, as far as there are any.
ReadLeaves = Callable[[int, int], Iterator[tuple[int, bytes | None]]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A root that somebody vouches for."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """Leaves by their outline, and one by one."""

    outline: Outline
    read: ReadLeaves

    def reach(self, claims: Sequence[Claim]) -> int:
        """Return the size of the largest claim that this source fulfils, 0 where there is none."""
        roots = self.outline.roots
        return max((claim.size for claim in claims if roots.get(claim.size) == claim.root), default=0)

    def block(self, number: int) -> bytes | None:
        """Return the root of a full block, None when it is not known."""
        return self.outline.blocks.get(number) if (number + 1) * BLOCK <= self.outline.size else None


@dataclass(frozen=True, slots=True)
class Segment:
    """Entries `first` to `last`, and the source that tells what they were; `is_prefix`: of all before them, too."""

    first: int
    last: int
    source: Source
    is_prefix: bool = False


class Resolution:
    """Who is right where, in order; of the ranges `untold` nobody knows, and in each of `doubted` something differs."""

    __slots__ = ("_firsts", "doubted", "segments", "untold")

    def __init__(
        self,
        segments: Iterable[Segment],
        untold: Iterable[tuple[int, int]] = (),
        doubted: Iterable[tuple[int, int]] | None = None,
    ) -> None:
        self.segments: list[Segment] = []
        for one in segments:
            before = self.segments[-1] if self.segments else None
            follows = before is not None and before.last + 1 == one.first and before.is_prefix is one.is_prefix
            if before is not None and follows and before.source is one.source:
                self.segments[-1] = Segment(before.first, one.last, one.source, one.is_prefix)
            else:
                self.segments.append(one)
        self.untold = tuple(untold)
        self.doubted = self.untold if doubted is None else tuple(doubted)
        self._firsts = [one.first for one in self.segments]

    def find(self, sequence: int) -> Source | None:
        """Return the source that is right about an entry, None where nobody is known to be."""
        found = self._find(sequence)
        return None if found is None else found.source

    def root_at(self, size: int) -> bytes | None:
        """Return the root of the first `size` entries as they were, None where nobody is known to tell."""
        found = self._find(size)
        return found.source.outline.roots.get(size) if found is not None and found.is_prefix else None

    def _find(self, sequence: int) -> Segment | None:
        place = bisect_right(self._firsts, sequence) - 1
        found = self.segments[place] if place >= 0 else None
        return found if found is not None and sequence <= found.last else None


def resolve(sources: Sequence[Source], claims: Sequence[Claim], blocks: Mapping[int, bytes], first: int) -> Resolution:
    """Return who is right about the entries from `first` to the largest claim; of equals the first source.

    `blocks` are roots of full blocks by another source, the upper tiles: when they lead to the root, each
    source is asked for the blocks that it has right.
    """
    if not claims:
        return Resolution(())
    best = max(sources, key=lambda source: source.reach(claims))
    end, largest = best.reach(claims), max(claims, key=lambda claim: claim.size)
    segments = [Segment(first, end, best, is_prefix=True)] if end >= first else []
    if end >= largest.size:
        return Resolution(segments)
    beyond = max(end + 1, first)
    more = _by_blocks(sources, largest, blocks, beyond)
    if more is None:  # the first root that nobody leads to says where something differs
        differs = min(claim.size for claim in claims if claim.size >= beyond)
        return Resolution(segments, [(beyond, largest.size)], [(beyond, differs)])
    return Resolution((*segments, *more.segments), more.untold)


def _by_blocks(sources: Sequence[Source], claim: Claim, blocks: Mapping[int, bytes], first: int) -> Resolution | None:
    """Return who is right about each block, None unless the blocks and somebody's last leaves lead to the claim."""
    full, beyond = divmod(claim.size, BLOCK)
    known = {number: blocks[number] for number in range(full) if number in blocks}
    rest = _rest_of(sources, claim, known, full * BLOCK + 1) if beyond else None
    if (rest is None) if beyond else (root_of_blocks(known, claim.size) != claim.root):
        return None
    segments: list[Segment] = []
    untold: list[tuple[int, int]] = []
    for number in range((first - 1) // BLOCK, full):
        right = next((source for source in sources if source.block(number) == known[number]), None)
        begin, end = max(first, number * BLOCK + 1), (number + 1) * BLOCK
        if right is None:
            untold.append((begin, end))
        else:
            segments.append(Segment(begin, end, right))
    if rest is not None:
        segments.append(Segment(max(first, full * BLOCK + 1), claim.size, rest))
    return Resolution(segments, untold)


def _rest_of(sources: Sequence[Source], claim: Claim, known: Mapping[int, bytes], first: int) -> Source | None:
    """Return the source whose last leaves, after the full blocks, lead to the claim."""
    for source in sources:
        leaves = [leaf for _, leaf in source.read(first, claim.size) if leaf is not None]
        is_whole = len(leaves) == claim.size - first + 1
        if is_whole and root_of_blocks({**known, (first - 1) // BLOCK: root_of(leaves)}, claim.size) == claim.root:
            return source
    return None

"""Outlines of a ledger: one hash for each 256 leaves, so that two versions of millions of entries can be compared.

Several sources tell which leaves there were: what is stored, worked out again; what its rows state; the
tiles; files of leaves; an export. Each gives an outline. The one that leads to the root of a checkpoint
is authentic, and wherever another differs from it, the block is looked at leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.xroad.ledger import TILE_HASHES, Frontier, root_of

BLOCK: Final = TILE_HASHES

Leaves = Iterable[tuple[int, bytes | None]]


@dataclass(frozen=True, slots=True)
class Outline:
    """The first `size` leaves of a source: a root for each block, None where a leaf is missing or unreadable.

    `roots` are those of the sizes asked for, as far as nothing was missing before.
    """

    size: int
    blocks: tuple[bytes | None, ...]
    roots: dict[int, bytes] = field(default_factory=dict)

    @property
    def root(self) -> bytes | None:
        """The root over all of it, None when a block is not whole."""
        return root_of_blocks(self.blocks, self.size)


class Outliner:
    """Takes leaves in order of their number and makes the outline of the first `size`."""

    def __init__(self, size: int, sizes: Collection[int] = ()) -> None:
        self._size = size
        self._sizes = frozenset(sizes)
        self._next = 1
        self._blocks: list[bytes | None] = []
        self._block: list[bytes] = []
        self._is_whole = True
        self._frontier: Frontier | None = Frontier()
        self._roots: dict[int, bytes] = {}

    def add(self, sequence: int, leaf: bytes | None) -> None:
        """Add a leaf; numbers that are left out have none, and of a number that comes again the first leaf counts."""
        if not self._next <= sequence <= self._size:
            return
        while self._next < sequence:
            self._put(None)
        self._put(leaf)

    def finish(self) -> Outline:
        """Return the outline."""
        while self._next <= self._size:
            self._put(None)
        return Outline(self._size, tuple(self._blocks), self._roots)

    def _put(self, leaf: bytes | None) -> None:
        if leaf is None:
            self._is_whole, self._frontier = False, None
        else:
            self._block.append(leaf)
            if self._frontier is not None:
                self._frontier.append(leaf)
                if self._next in self._sizes:
                    self._roots[self._next] = self._frontier.root()
        if self._next % BLOCK == 0 or self._next == self._size:
            self._blocks.append(root_of(self._block) if self._is_whole else None)
            self._block, self._is_whole = [], True
        self._next += 1


def outline_of(leaves: Leaves, size: int, sizes: Collection[int] = ()) -> Outline:
    """Return the outline of the first `size` leaves."""
    outliner = Outliner(size, sizes)
    for sequence, leaf in leaves:
        if sequence > size:
            break
        outliner.add(sequence, leaf)
    return outliner.finish()


def root_of_blocks(blocks: Sequence[bytes | None], size: int) -> bytes | None:
    """Return the root of `size` leaves from the roots of their blocks; None when one is not known."""
    full, beyond = divmod(size, BLOCK)
    if len(blocks) < full + bool(beyond):
        return None
    frontier = Frontier()
    for block in blocks[:full]:
        if block is None:
            return None
        frontier.append(block)
    if not beyond:
        return frontier.root()
    last = blocks[full]
    return None if last is None else frontier.root(last)


def block_of(sequence: int) -> int:
    """Return the number of the block, from 0, that an entry is in."""
    return (sequence - 1) // BLOCK

"""Outlines of a ledger: one hash for each 256 leaves, so that two versions of millions of entries can be compared.

Several sources tell which leaves there were: what is stored, worked out again; what its rows state; the
tiles; files of leaves; an export. Each gives an outline. The one that leads to the root of a checkpoint
is authentic, and wherever another differs from it, the block is looked at leaf by leaf.

Numbers are believed of nobody: a gap of any length costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.xroad.ledger import TILE_HASHES, Frontier, root_of

BLOCK: Final = TILE_HASHES

Leaves = Iterable[tuple[int, bytes | None]]


@dataclass(frozen=True, slots=True)
class Outline:
    """The first `size` leaves of a source: the root of each block that is whole, the last one may be shorter.

    `roots` are those of the sizes asked for, as far as nothing was missing before.
    """

    size: int
    blocks: Mapping[int, bytes]
    roots: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def root(self) -> bytes | None:
        """The root over all of it, None when a block is not whole."""
        return root_of_blocks(self.blocks, self.size)


class Outliner:
    """Takes leaves in order of their number and makes the outline of the first `size`."""

    def __init__(self, size: int, sizes: Collection[int] = ()) -> None:
        self._size = size
        self._sizes = frozenset(sizes)
        self._last = 0
        self._blocks: dict[int, bytes] = {}
        self._block: list[bytes] = []
        self._frontier: Frontier | None = Frontier()
        self._roots: dict[int, bytes] = {}

    def add(self, sequence: int, leaf: bytes | None) -> None:
        """Add a leaf; numbers that are left out have none, and of a number that comes again the first leaf counts."""
        if not self._last < sequence <= self._size:
            return
        if leaf is None or sequence != self._last + 1:
            self._frontier = None
        if block_of(sequence) != block_of(self._last):
            self._block = []
        self._last = sequence
        if leaf is None:
            return
        self._block.append(leaf)
        if self._frontier is not None:
            self._frontier.append(leaf)
            if sequence in self._sizes:
                self._roots[sequence] = self._frontier.root()
        beginning = block_of(sequence) * BLOCK
        if (sequence % BLOCK == 0 or sequence == self._size) and len(self._block) == sequence - beginning:
            self._blocks[block_of(sequence)] = root_of(self._block)

    def finish(self) -> Outline:
        """Return the outline."""
        return Outline(self._size, self._blocks, self._roots)


def outline_of(leaves: Leaves, size: int, sizes: Collection[int] = ()) -> Outline:
    """Return the outline of the first `size` leaves."""
    outliner = Outliner(size, sizes)
    for sequence, leaf in leaves:
        if sequence > size:
            break
        outliner.add(sequence, leaf)
    return outliner.finish()


def root_of_blocks(blocks: Mapping[int, bytes], size: int) -> bytes | None:
    """Return the root of `size` leaves from the roots of their blocks; None when one is not known."""
    full, beyond = divmod(size, BLOCK)
    frontier = Frontier()
    for number in range(full):
        block = blocks.get(number)
        if block is None:
            return None
        frontier.append(block)
    if not beyond:
        return frontier.root()
    last = blocks.get(full)
    return None if last is None else frontier.root(last)


def block_of(sequence: int) -> int:
    """Return the number of the block, from 0, that an entry is in."""
    return (sequence - 1) // BLOCK

"""A Merkle tree over the entries of a log: roots, proofs and their verification (RFC 6962 2.1, RFC 9162 2.1).

    leaf  = SHA-256(0x00 || data)          data of entry n: 8-byte big-endian n || its content hash
    node  = SHA-256(0x01 || left || right)

Entry n is leaf n - 1. A node is named by its level (0: leaves) and its index there; its hash never
changes once all 2**level leaves below it are there. Whoever builds a proof brings a function that
gives the hashes of such nodes; whoever keeps them may do so in tiles of 256, eight levels apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Self

from gateway.xroad.faults import SignatureRefused

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

TILE_LEVELS: Final = 8
TILE_HASHES: Final = 1 << TILE_LEVELS

# Returns the hash of the node at (level, index); asked for nodes only that are complete.
Nodes = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


def entry_leaf(sequence: int, content_hash: bytes) -> bytes:
    """Return the leaf of an entry: what it says, and where it stands."""
    return sha256(b"\x00" + sequence.to_bytes(8, "big") + content_hash).digest()


# Roots


class Frontier:
    """The root of a growing tree in little memory: the roots of its perfect subtrees, the largest first."""

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    @classmethod
    def resume(cls, size: int, nodes: Nodes) -> Self:
        """Return the frontier of a tree of `size` leaves whose nodes are known."""
        frontier = cls()
        frontier.size = size
        frontier._roots = [nodes(level, index) for level, index in _cover(0, size)]
        return frontier

    def append(self, leaf: bytes) -> None:
        """Add a leaf at the end."""
        count = self.size
        while count & 1:
            leaf = node_hash(self._roots.pop(), leaf)
            count >>= 1
        self._roots.append(leaf)
        self.size += 1

    def root(self, beyond: bytes | None = None) -> bytes:
        """Return the root as it is now; `beyond` is that of more leaves, fewer than any subtree here has."""
        roots = self._roots if beyond is None else [*self._roots, beyond]
        return _fold(roots) if roots else EMPTY_ROOT


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def root_at(size: int, nodes: Nodes) -> bytes:
    """Return the root of the first `size` leaves."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def _cover(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the perfect subtrees that make up a range of the RFC's recursion, the largest first."""
    count = end - begin
    for level in range(count.bit_length() - 1, -1, -1):
        if count >> level & 1:
            yield level, begin >> level
            begin += 1 << level


def _range_hash(begin: int, end: int, nodes: Nodes) -> bytes:
    return _fold([nodes(level, index) for level, index in _cover(begin, end)])


def _fold(roots: Sequence[bytes]) -> bytes:
    top = roots[-1]
    for left in roots[-2::-1]:
        top = node_hash(left, top)
    return top


def _split(begin: int, end: int) -> int:
    """Return where the left subtree of a range ends: after the largest power of two below its length."""
    return begin + (1 << ((end - begin - 1).bit_length() - 1))


# Proofs


def build_inclusion(number: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that leaf `number` (from 0) is in the tree of `size` leaves (RFC 9162 2.1.3.1).

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= number < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {number}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = _split(begin, end)
        if number < middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(begin, middle, nodes))
            begin = middle
    return tuple(reversed(path))


def build_consistency(first: int, second: int, nodes: Nodes) -> tuple[bytes, ...]:
    """Return the proof that the tree of `second` leaves begins with that of `first` (RFC 9162 2.1.4.1).

    It is empty when the trees are the same, or the first one is. Raises ValueError when the first is larger.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {second} leaves cannot begin with one of {first}")
    if first in (0, second):
        return ()
    path: list[bytes] = []
    begin, end = 0, second
    while end != first:
        middle = _split(begin, end)
        if first <= middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(begin, middle, nodes))
            begin = middle
    if begin:
        path.append(_range_hash(begin, end, nodes))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, number: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Prove that `leaf` is leaf `number` (from 0) of the tree with this root (RFC 9162 2.1.3.2).

    Raises SignatureRefused (invalid_hash_chain).
    """
    refused = SignatureRefused("invalid_hash_chain", "ledger.inclusion", number=number + 1, size=size)
    if not 0 <= number < size:
        raise refused
    index, last, top = number, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != HASH_BYTES:
            raise refused
        if index & 1 or index == last:
            top = node_hash(sibling, top)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            top = node_hash(top, sibling)
        index, last = index >> 1, last >> 1
    if last != 0 or top != root:
        raise refused


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Prove that the tree of `second` leaves with its root begins with that of `first` (RFC 9162 2.1.4.2).

    Raises SignatureRefused (invalid_hash_chain).
    """
    refused = SignatureRefused("invalid_hash_chain", "ledger.consistency", first=first, second=second)
    if not 0 <= first <= second:
        raise refused
    if first in (0, second):
        same = first_root == (second_root if first else EMPTY_ROOT)
        if proof or not same:
            raise refused
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path or any(len(one) != HASH_BYTES for one in path):
        raise refused
    index, last = first - 1, second - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    older = newer = path[0]
    for one in path[1:]:
        if last == 0:
            raise refused
        if index & 1 or index == last:
            older, newer = node_hash(one, older), node_hash(one, newer)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            newer = node_hash(newer, one)
        index, last = index >> 1, last >> 1
    if last != 0 or older != first_root or newer != second_root:
        raise refused


# Tiles


class Place(NamedTuple):
    """Where the hash of a node is found: it is the root over `width` hashes of a tile, from `first` on."""

    level: int
    number: int
    first: int
    width: int


def place_of(level: int, index: int) -> Place:
    """Return the tile below a node; tiles of level 0 hold leaves, of level n the roots of full tiles below."""
    tile_level, inner = divmod(level, TILE_LEVELS)
    first = index << inner
    return Place(tile_level, first >> TILE_LEVELS, first & (TILE_HASHES - 1), 1 << inner)


def tile_hashes(level: int, size: int) -> int:
    """Return how many hashes all tiles of a level hold together in a tree of `size` leaves."""
    return size >> (TILE_LEVELS * level)


def hash_in(tile: bytes, place: Place) -> bytes:
    """Return the hash of a node from its tile. Raises ValueError when the tile does not reach so far."""
    begin, end = place.first * HASH_BYTES, (place.first + place.width) * HASH_BYTES
    if len(tile) < end:
        raise ValueError(f"tile {place.level}/{place.number} holds {len(tile) // HASH_BYTES} hashes only")
    return perfect_root(tile[begin:end])


def perfect_root(hashes: bytes) -> bytes:
    """Return the root over a power of two of hashes that stand one after the other."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[n : n + 2 * HASH_BYTES]).digest() for n in pairs])
    return hashes


class TileWriter:
    """The right edge of the tiles: takes leaves, and says which tiles they changed.

    `edge` holds the last, not yet full tile of each level of a tree of `size` leaves, where there is one.
    """

    __slots__ = ("_edge", "_full", "_touched", "size")

    def __init__(self, size: int, edge: Mapping[int, bytes]) -> None:
        self.size = size
        self._edge = {level: bytearray(hashes) for level, hashes in edge.items()}
        self._full: dict[tuple[int, int], bytes] = {}
        self._touched: set[int] = set()

    def append(self, leaf: bytes) -> None:
        """Add a leaf at the end."""
        self._put(0, self.size, leaf)
        self.size += 1

    def take_changed(self) -> dict[tuple[int, int], bytes]:
        """Return the tiles that changed since the last time, by level and number, as they are now."""
        changed, self._full = self._full, {}
        for level in self._touched:
            changed[level, tile_hashes(level, self.size) // TILE_HASHES] = bytes(self._edge[level])
        self._touched.clear()
        return changed

    def _put(self, level: int, index: int, value: bytes) -> None:
        tile = self._edge.setdefault(level, bytearray())
        tile += value
        self._touched.add(level)
        if len(tile) == TILE_HASHES * HASH_BYTES:
            full = bytes(tile)
            tile.clear()
            self._touched.discard(level)
            self._full[level, index // TILE_HASHES] = full
            self._put(level + 1, index // TILE_HASHES, perfect_root(full))

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.faults import SignatureRefused
from gateway.xroad.ledger import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_HASHES,
    Frontier,
    Place,
    TileWriter,
    build_consistency,
    build_inclusion,
    entry_leaf,
    hash_in,
    leaf_hash,
    node_hash,
    perfect_root,
    place_of,
    root_at,
    root_of,
    tile_hashes,
    verify_consistency,
    verify_inclusion,
)

SIZES = range(71)

# The inputs and answers that implementations of RFC 6962 agree on (Certificate Transparency, merkle_tree_test).
INPUTS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSIONS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCIES = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


class Tree:
    """All leaves at hand; nodes by the definition, with nothing clever."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves

    @cache  # noqa: B019
    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaves[index]
        return node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH as RFC 6962 2.1 writes it, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])).digest()


TREE = Tree([leaf_hash(b"%d" % n) for n in range(max(SIZES))])
ALL_ROOTS = [root_by_definition(TREE.leaves[:size]) for size in SIZES]
KNOWN = Tree([leaf_hash(data) for data in INPUTS])


def unhex(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)


def flipped(value: bytes, bit: int = 0) -> bytes:
    changed = bytearray(value)
    changed[bit // 8 % len(value)] ^= 1 << bit % 8
    return bytes(changed)


def altered(proof: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    """Every proof with one hash changed, left out, doubled, shortened, added or in another place."""
    for n, one in enumerate(proof):
        yield (*proof[:n], flipped(one, n * 37), *proof[n + 1 :])
        yield (*proof[:n], *proof[n + 1 :])
        yield (*proof[:n], one, *proof[n:])
        yield (*proof[:n], one[:-1], *proof[n + 1 :])
        if n and one != proof[n - 1]:
            yield (*proof[: n - 1], one, proof[n - 1], *proof[n + 1 :])
    yield (*proof, bytes(HASH_BYTES))
    yield (bytes(HASH_BYTES), *proof)


def is_included(leaf: bytes, number: int, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    try:
        verify_inclusion(leaf, number, size, root, proof)
    except SignatureRefused:
        return False
    return True


def is_consistent(first: int, second: int, one: bytes, other: bytes, proof: Sequence[bytes]) -> bool:
    try:
        verify_consistency(first, second, one, other, proof)
    except SignatureRefused:
        return False
    return True


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_that_everybody_gets(size: int) -> None:
    assert root_of(KNOWN.leaves[:size]).hex() == ROOTS[size]
    assert root_at(size, KNOWN.node).hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "path"), INCLUSIONS.items())
def test_inclusion_proofs_are_those_that_everybody_gets(place: tuple[int, int], path: tuple[str, ...]) -> None:
    number, size = place
    assert build_inclusion(number, size, KNOWN.node) == unhex(path)
    assert is_included(KNOWN.leaves[number], number, size, bytes.fromhex(ROOTS[size]), unhex(path))


@pytest.mark.parametrize(("sizes", "path"), CONSISTENCIES.items())
def test_consistency_proofs_are_those_that_everybody_gets(sizes: tuple[int, int], path: tuple[str, ...]) -> None:
    first, second = sizes
    assert build_consistency(first, second, KNOWN.node) == unhex(path)
    assert is_consistent(first, second, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second]), unhex(path))


def test_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root() == EMPTY_ROOT == root_of([]) == root_at(0, TREE.node)


def test_leaf_of_an_entry_binds_its_number() -> None:
    assert entry_leaf(258, b"c" * 64) == leaf_hash(bytes(6) + b"\x01\x02" + b"c" * 64)


def test_roots_grow_as_defined_and_can_be_resumed_at_every_size() -> None:
    frontier = Frontier()
    for size in SIZES:
        assert frontier.root() == ALL_ROOTS[size] == root_at(size, TREE.node)
        assert Frontier.resume(size, TREE.node).root() == ALL_ROOTS[size]
        if size < len(TREE.leaves):
            frontier.append(TREE.leaves[size])


def test_every_inclusion_proof_verifies_and_every_altered_one_fails() -> None:
    for size in SIZES:
        root = ALL_ROOTS[size]
        for number in range(size):
            leaf, proof = TREE.leaves[number], build_inclusion(number, size, TREE.node)
            assert is_included(leaf, number, size, root, proof)
            assert not is_included(flipped(leaf), number, size, root, proof)
            assert not is_included(leaf, number, size, flipped(root), proof)
            assert not is_included(leaf, (number + 1) % size, size, root, proof) or size == 1
            assert not any(is_included(leaf, number, size, root, other) for other in altered(proof))


def test_every_consistency_proof_verifies_and_every_altered_one_fails() -> None:
    for second in SIZES:
        for first in range(second + 1):
            one, other = ALL_ROOTS[first], ALL_ROOTS[second]
            proof = build_consistency(first, second, TREE.node)
            assert is_consistent(first, second, one, other, proof)
            assert not is_consistent(first, second, flipped(one), other, proof)
            assert first == 0 or not is_consistent(first, second, one, flipped(other), proof)
            assert not any(is_consistent(first, second, one, other, bad) for bad in altered(proof))


def test_proof_of_a_leaf_that_is_not_there_is_refused() -> None:
    for number, size in ((-1, 3), (3, 3), (0, 0)):
        assert not is_included(TREE.leaves[0], number, size, ALL_ROOTS[3], ())
        with pytest.raises(ValueError, match="has no leaf"):
            build_inclusion(number, size, TREE.node)


def test_larger_tree_is_not_at_the_beginning_of_a_smaller_one() -> None:
    assert not is_consistent(4, 3, ALL_ROOTS[4], ALL_ROOTS[3], ())
    with pytest.raises(ValueError, match="cannot begin"):
        build_consistency(4, 3, TREE.node)


@given(st.lists(st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES), max_size=12), st.data())
def test_proof_of_another_log_never_verifies(other: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    number = data.draw(st.integers(0, size - 1))
    assert not is_included(TREE.leaves[number], number, size, leaf_hash(b"another"), other)
    assert not is_consistent(number, size, leaf_hash(b"another"), ALL_ROOTS[size], other)


# Tiles


@lru_cache
def many_leaves(count: int = 70_000) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(count)]


def test_node_lies_in_the_tile_eight_levels_apart() -> None:
    assert place_of(0, 0) == Place(0, 0, 0, 1)
    assert place_of(0, 511) == Place(0, 1, 255, 1)
    assert place_of(3, 33) == Place(0, 1, 8, 8)
    assert place_of(8, 257) == Place(1, 1, 1, 1)
    assert place_of(17, 1) == Place(2, 0, 2, 2)


def test_tiles_are_the_same_however_the_leaves_arrive() -> None:
    leaves = many_leaves()
    at_once = TileWriter(0, {})
    for leaf in leaves:
        at_once.append(leaf)
    expected = at_once.take_changed()
    assert {place: len(tile) // HASH_BYTES for place, tile in expected.items() if place[0]} == {
        (1, 0): 256,
        (1, 1): 70_000 // 256 - 256,
        (2, 0): 1,
    }
    found: dict[tuple[int, int], bytes] = {}
    size = 0
    for step in (1, 254, 1, 1, 255, 25_000, 40_000, len(leaves)):
        edge = {level: found.get((level, tile_hashes(level, size) // TILE_HASHES), b"") for level in range(3)}
        writer = TileWriter(size, edge)
        for leaf in leaves[size : size + step]:
            writer.append(leaf)
        size = writer.size
        found |= writer.take_changed()
        assert writer.take_changed() == {}
    assert found == expected


def test_every_root_and_proof_can_be_had_from_tiles() -> None:
    leaves = many_leaves()
    writer = TileWriter(0, {})
    for leaf in leaves:
        writer.append(leaf)
    tiles = writer.take_changed()

    def node(level: int, index: int) -> bytes:
        place = place_of(level, index)
        return hash_in(tiles[place.level, place.number], place)

    for size in (1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000):
        root = root_at(size, node)
        assert root == root_of(leaves[:size])
        for number in {0, size // 3, size - 1}:
            assert is_included(leaves[number], number, size, root, build_inclusion(number, size, node))
        earlier = size // 2 + 1
        proof = build_consistency(earlier, size, node)
        assert is_consistent(earlier, size, root_of(leaves[:earlier]), root, proof)


def test_tile_that_does_not_reach_so_far_is_no_answer() -> None:
    with pytest.raises(ValueError, match="tile 0/0 holds 2 hashes only"):
        hash_in(bytes(2 * HASH_BYTES), place_of(0, 2))


@given(st.integers(0, 6), st.data())
def test_root_over_a_power_of_two_is_that_of_the_tree(level: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 1000))
    leaves = many_leaves()[start : start + (1 << level)]
    assert perfect_root(b"".join(leaves)) == root_of(leaves)

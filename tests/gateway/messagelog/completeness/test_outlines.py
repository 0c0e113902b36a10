from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.messagelog.completeness.outlines import BLOCK, Outline, outline_of, root_of_blocks
from gateway.messagelog.completeness.sources import Claim, Resolution, Segment, Source, resolve
from gateway.xroad.ledger import leaf_hash, root_of


@lru_cache
def leaves(count: int = 3 * BLOCK + 9) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def numbered(changes: dict[int, bytes | None] | None = None) -> list[tuple[int, bytes | None]]:
    known = dict(enumerate(leaves(), start=1))
    return list({**known, **(changes or {})}.items())


def a_source(changes: dict[int, bytes | None] | None = None, sizes: tuple[int, ...] = ()) -> Source:
    """The leaves with some changed; None for one that is missing."""
    changed = {n: leaf for n, leaf in numbered(changes) if leaf is not None}
    outline = outline_of(numbered(changes), len(leaves()), sizes or (len(leaves()),))
    return Source(outline, lambda first, last: ((n, changed[n]) for n in range(first, last + 1) if n in changed))


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 9])
def test_outline_leads_to_the_root(size: int) -> None:
    outline = outline_of(numbered(), size, (1, size))
    assert outline.root == root_of(leaves()[:size]) == outline.roots[size]
    assert sorted(outline.blocks) == list(range(-(-size // BLOCK)))


def test_missing_leaf_takes_its_block_and_every_later_root() -> None:
    outline = outline_of(numbered({BLOCK + 5: None}), len(leaves()), (BLOCK, BLOCK + 4, BLOCK + 5, 600))
    assert sorted(outline.blocks) == [0, 2, 3]
    assert sorted(outline.roots) == [BLOCK, BLOCK + 4]
    assert outline.root is None


def test_numbers_that_are_left_out_are_missing_and_those_that_come_again_do_not_count() -> None:
    some = [(1, leaves()[0]), (1, leaves()[7]), (3, leaves()[2])]
    assert outline_of(some, 3).blocks == {}
    assert outline_of([(1, leaves()[0]), (1, leaves()[7])], 1).root == leaves()[0]


def test_gap_of_any_length_costs_nothing() -> None:
    outline = outline_of([(1, leaves()[0]), (2**62, leaves()[1])], 2**62)
    assert outline.blocks == {}


def test_source_that_ends_early_has_no_later_blocks() -> None:
    outline = outline_of(numbered()[:BLOCK], len(leaves()))
    assert sorted(outline.blocks) == [0]


@given(st.integers(0, len(leaves())))
def test_blocks_give_the_root_of_any_size(size: int) -> None:
    assert root_of_blocks(outline_of(numbered(), size).blocks, size) == root_of(leaves()[:size])


def test_too_few_blocks_give_none() -> None:
    assert root_of_blocks({0: leaves()[0]}, BLOCK + 1) is None
    assert Outline(2, {}).root is None


# Who is right


SIZE = len(leaves())
CLAIM = Claim(SIZE, root_of(leaves()))


def ranges(resolution: Resolution, *names: Source) -> list[tuple[int, int, int]]:
    return [(one.first, one.last, names.index(one.source)) for one in resolution.segments]


def test_first_source_that_leads_to_the_claim_is_right() -> None:
    wrong, right, other = a_source({9: leaves()[0]}), a_source(), a_source()
    found = resolve([wrong, right, other], [CLAIM], {}, 1)
    assert ranges(found, wrong, right, other) == [(1, SIZE, 1)]
    assert found.find(SIZE) is right
    assert found.find(SIZE + 1) is None


def test_source_is_right_as_far_as_a_smaller_claim_reaches() -> None:
    changed = a_source({500: leaves()[0]}, (400, SIZE))
    found = resolve([changed], [Claim(400, root_of(leaves()[:400])), CLAIM], {}, 1)
    assert ranges(found, changed) == [(1, 400, 0)]
    assert found.untold == ((401, SIZE),)


def test_upper_tiles_tell_which_source_has_which_block_right() -> None:
    blocks = {n: root_of(leaves()[n * BLOCK : (n + 1) * BLOCK]) for n in range(3)}
    one, other = a_source({5: leaves()[0], 300: leaves()[0]}), a_source({600: leaves()[0], 301: leaves()[0]})
    found = resolve([one, other], [CLAIM], blocks, 1)
    assert ranges(found, one, other) == [(1, BLOCK, 1), (2 * BLOCK + 1, SIZE, 0)]
    assert found.untold == ((BLOCK + 1, 2 * BLOCK),)


def test_upper_tiles_that_lead_elsewhere_tell_nothing() -> None:
    one = a_source({5: leaves()[0]})
    assert resolve([one], [CLAIM], one.outline.blocks, 1).untold == ((1, SIZE),)


def test_without_claim_nobody_is_right_and_nothing_is_doubted() -> None:
    found = resolve([a_source()], [], {}, 1)
    assert (found.segments, found.untold) == ([], ())


def test_neighbouring_segments_of_one_source_are_one() -> None:
    source = a_source()
    found = Resolution([Segment(1, 4, source), Segment(5, 9, source)])
    assert found.segments == [Segment(1, 9, source)]

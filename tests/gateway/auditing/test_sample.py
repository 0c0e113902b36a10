"""Samples that anybody can draw again."""

from __future__ import annotations

import dataclasses
import hashlib
import random

from gateway.auditing.model import Exchange, Query, Scope
from gateway.auditing.sample import draw
from tests.factories.audit import a_source

EVERYTHING = Scope(frozenset({"*"}))


def some_exchanges(count: int) -> list[Exchange]:
    one = next(a_source().walk(Query(), EVERYTHING))
    return [dataclasses.replace(one, id=number) for number in range(1, count + 1)]


def ids(exchanges: tuple[Exchange, ...]) -> list[int]:
    return [one.id for one in exchanges]


def test_sample_does_not_depend_on_the_order_of_the_exchanges() -> None:
    exchanges = some_exchanges(300)
    first = draw(exchanges, 20, "court 7")
    random.Random(1).shuffle(exchanges)
    assert draw(exchanges, 20, "court 7") == first
    assert (first.size, first.population, first.through) == (20, 300, 300)


def test_sample_is_the_documented_one() -> None:
    by_rank = sorted(range(1, 301), key=lambda n: hashlib.sha256(b"court 7" + n.to_bytes(8, "big")).digest())
    assert ids(draw(some_exchanges(300), 20, "court 7").exchanges) == by_rank[:20]


def test_another_seed_draws_others() -> None:
    exchanges = some_exchanges(300)
    assert ids(draw(exchanges, 20, "a").exchanges) != ids(draw(exchanges, 20, "b").exchanges)


def test_larger_sample_of_a_seed_holds_the_smaller_one() -> None:
    exchanges = some_exchanges(100)
    assert ids(draw(exchanges, 30, "s").exchanges)[:10] == ids(draw(exchanges, 10, "s").exchanges)


def test_sample_of_a_log_that_has_grown_is_drawn_again_by_its_last_number() -> None:
    before = draw(some_exchanges(100), 10, "s")
    assert draw(some_exchanges(500), 10, "s", through=before.through) == before


def test_sample_larger_than_what_there_is_holds_everything() -> None:
    sample = draw(some_exchanges(5), 10, "s")
    assert sorted(ids(sample.exchanges)) == [1, 2, 3, 4, 5]
    assert draw([], 10, "s").exchanges == ()

"""A random sample that anybody can draw again: from the same exchanges, size and seed, the same ones.

    rank(exchange) = SHA-256(seed in UTF-8 || number of the exchange in 8 bytes, big-endian)

The sample is the `size` exchanges of the lowest rank, whatever the order they are read in; ranks are
compared as bytes. Nobody who does not choose the seed can choose what is drawn, and a larger sample
of the same seed holds the smaller one. `through` bounds the numbers, so that a log which has grown
since gives the same population.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.auditing.model import Exchange

ALGORITHM: Final = "lowest SHA-256(seed || 8-byte big-endian exchange number)"
MAX_SIZE: Final = 10_000
MAX_SEED_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn, by rank, the lowest first; from how many, and up to which number."""

    exchanges: tuple[Exchange, ...]
    population: int
    through: int
    seed: str

    @property
    def size(self) -> int:
        """How many were drawn: what was asked for, or all there are."""
        return len(self.exchanges)


def draw(exchanges: Iterable[Exchange], size: int, seed: str, *, through: int | None = None) -> Sample:
    """Draw a sample; remembers `size` exchanges at a time. Without `through` the largest number is it."""
    population, last = 0, 0
    # A heap of what was drawn so far with the highest rank on top: negated, since heapq keeps the lowest there.
    drawn: list[tuple[int, int, Exchange]] = []
    beginning = hashlib.sha256(seed.encode())
    for exchange in exchanges:
        if through is not None and exchange.id > through:
            continue
        population, last = population + 1, max(last, exchange.id)
        rank = beginning.copy()
        rank.update(exchange.id.to_bytes(8, "big"))
        entry = (-int.from_bytes(rank.digest(), "big"), population, exchange)
        if len(drawn) < size:
            heapq.heappush(drawn, entry)
        elif drawn and entry > drawn[0]:
            heapq.heapreplace(drawn, entry)
    chosen = tuple(exchange for _, _, exchange in sorted(drawn, reverse=True))
    return Sample(chosen, population, last if through is None else through, seed)

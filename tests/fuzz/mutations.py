"""Change inputs a little: flip, cut, repeat, splice, and put in what formats stumble over."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

INTERESTING: Final = (
    b"\x00", b"\xff", b"\r\n", b"\n", b"\r", b"--", b"<!DOCTYPE a>", b"<![CDATA[", b"&#0;", b"&amp;", b"%2F", b"%00",
    b"..", b"]]>", b"xmlns=''", b"Content-Length: 0\r\n", b"\xef\xbb\xbf", b"\x80", b"\x30\x80",
    b"\x84\xff\xff\xff\xff",
    b"{}", b"[", b"PK\x01\x02", b"9" * 40, b"-1", b"\xd0\xb0",
)  # fmt: skip
MAX_BYTES: Final = 256 * 1024


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return a seed with one to eight changes."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        _change(rng, data, seeds)
    return bytes(data[:MAX_BYTES])


def _change(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = rng.randint(0, len(data))
    end = min(len(data), at + rng.choice((1, 2, 8, 64, 512)))
    match rng.randrange(7):
        case 0 if data:
            position = rng.randrange(len(data))
            data[position] ^= 1 << rng.randrange(8)
        case 1:
            data[at:at] = rng.choice(INTERESTING)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * rng.choice((1, 2, 20))
        case 4:
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            data[at:end] = other[start : start + (end - at)]
        case 5:
            data[at:end] = rng.randbytes(end - at)
        case _:
            del data[at:]

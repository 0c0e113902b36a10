"""Documents that differ in a few texts only: where the texts stood last time is tried before anybody searches.

A form is what stands around the texts of one document. Another document of its length with the same
bytes around has its texts at the same places. What a text may hold, the caller judges: a form only
says where it begins and ends.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Generic, NamedTuple, TypeVar

MAX_LENGTHS: Final = 256
MAX_PER_LENGTH: Final = 4  # more senders than that rarely agree on a length

Kept = TypeVar("Kept")


class _Form(NamedTuple, Generic[Kept]):
    last: bytes  # what stands behind the last text
    cut: struct.Struct  # around, text, around, text, …
    around: tuple[bytes, ...]
    kept: Kept


class Forms(Generic[Kept]):
    """The forms met last, by length, each with what its finder keeps; strangers can only have them forgotten."""

    __slots__ = ("_by_length",)

    def __init__(self) -> None:
        self._by_length: dict[int, tuple[_Form[Kept], ...]] = {}

    def find(self, document: bytes, length: int) -> tuple[tuple[bytes, ...], Kept] | None:
        """Return the texts in the first `length` bytes, and what was kept with their form; None for a new form."""
        for last, cut, around, kept in self._by_length.get(length, ()):
            # The last piece is the longest one mostly, and tells senders apart without copying anything.
            if document.startswith(last, length - len(last)):
                pieces = cut.unpack_from(document)
                if pieces[::2] == around:
                    return pieces[1::2], kept
        return None

    def remember(self, document: bytes, length: int, spans: Sequence[tuple[int, int]], kept: Kept) -> None:
        """Keep the form of the first `length` bytes, whose texts stand at `spans`, in order."""
        if length not in self._by_length and len(self._by_length) >= MAX_LENGTHS:
            self._by_length.clear()
        borders = [0, *(border for span in spans for border in span)]
        cut = struct.Struct("".join([f"{end - start}s" for start, end in pairwise(borders)]))
        form = _Form(document[borders[-1] : length], cut, cut.unpack_from(document)[::2], kept)
        self._by_length[length] = (form, *self._by_length.get(length, ()))[:MAX_PER_LENGTH]

    def clear(self) -> None:
        """Forget all forms."""
        self._by_length.clear()

"""Ledger hashes of a range in a file: 32 bytes for each sequence number, no facts, never encrypted.

With all of them the root of every checkpoint can be worked out again long after the rows are gone. An
entry that was missing when the range was archived has 32 zero bytes, which no hash ever is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.messagelog.archive.names import parse_leaves_name
from gateway.xroad.faults import MalformedMessage

LEAF_BYTES: Final = 32
MISSING: Final = bytes(LEAF_BYTES)
MAX_LEAVES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Leaves:
    """The ledger's hashes of sequence numbers `first` to `last`."""

    first: int
    last: int
    hashes: bytes

    def of(self, sequence: int) -> bytes:
        """Return the hash of one entry of the range."""
        start = (sequence - self.first) * LEAF_BYTES
        return self.hashes[start : start + LEAF_BYTES]


def build_leaves(hashes: Sequence[bytes]) -> bytes:
    """Return the content of a file, from the hashes in order of the sequence."""
    return b"".join(hashes)


def parse_leaves(name: str, content: bytes) -> Leaves:
    """Return what a file holds. Raises MalformedMessage when name and size do not fit each other."""
    found = parse_leaves_name(name)
    if found is None or len(content) != (found[1] - found[0] + 1) * LEAF_BYTES:
        raise MalformedMessage("invalid_message", "archive.leaves", name=name, size_bytes=len(content))
    return Leaves(*found, content)

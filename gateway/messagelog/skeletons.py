"""Signatures without their repetition: the constant part stored once, the values beside the record.

Of a signature's 6 to 9 KB only digests, the signature value and the time differ between two messages
of one signer; certificates and OCSP responses repeat for an hour. `split` takes those values out,
`join` puts them back byte for byte: a tag has no `<` inside and a value ends at the next `<`, so the
skeleton has the same tags at the same places, each followed by nothing.

The signatures of one signer have their values at the same places, so where the last one of this
length had them is tried before searching.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

MAX_LAYOUTS: Final = 256

# The opening tag, then the text to take out. A text has no `<`, so `<` separates the values.
_VALUE: Final = re.compile(
    rb"(<(?:\w+:)?DigestValue>|<(?:\w+:)?SignatureValue(?: [^<>]*)?>|<(?:\w+:)?SigningTime>)([^<]*)"
)


@dataclass(frozen=True, slots=True)
class SplitSignature:
    """`key` names the skeleton (SHA-256 of it); `values` is None where there was nothing to take out."""

    key: bytes
    skeleton: bytes
    values: bytes | None


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a skeleton's pieces and the values stood in a signature."""

    key: bytes
    skeleton: bytes
    pieces: tuple[slice, ...]
    values: tuple[slice, ...]


_layouts: dict[int, _Layout] = {}


def split(signature: bytes) -> SplitSignature:
    """Split a signature into skeleton and values."""
    known = _layouts.get(len(signature))
    if known is not None and b"".join([signature[piece] for piece in known.pieces]) == known.skeleton:
        values = b"<".join([signature[value] for value in known.values])
        if values.count(b"<") == len(known.values) - 1:
            return SplitSignature(known.key, known.skeleton, values)
    return _search(signature)


def _search(signature: bytes) -> SplitSignature:
    values = [slice(*match.span(2)) for match in _VALUE.finditer(signature)]
    ends = [0, *(value.stop for value in values)]
    pieces = [slice(end, value.start) for end, value in zip(ends, values, strict=False)]
    pieces.append(slice(ends[-1], len(signature)))
    skeleton = b"".join([signature[piece] for piece in pieces])
    key = hashlib.sha256(skeleton).digest()
    if not values:
        return SplitSignature(key, skeleton, None)
    if len(_layouts) >= MAX_LAYOUTS:
        _layouts.clear()
    _layouts[len(signature)] = _Layout(key, skeleton, tuple(pieces), tuple(values))
    return SplitSignature(key, skeleton, b"<".join([signature[value] for value in values]))


def join(skeleton: bytes, values: bytes | None) -> bytes:
    """Return the signature that was split."""
    if values is None:
        return skeleton
    pieces: list[bytes] = []
    position = 0
    for match, value in zip(_VALUE.finditer(skeleton), values.split(b"<"), strict=False):
        pieces += (skeleton[position : match.end(1)], value)
        position = match.end(1)
    pieces.append(skeleton[position:])
    return b"".join(pieces)

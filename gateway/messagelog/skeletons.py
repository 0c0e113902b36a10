"""Signatures without their repetition: the constant part stored once, the values beside the record.

Of a signature's 6 to 9 KB only digests, the signature value and the time differ between two messages
of one signer; certificates and OCSP responses repeat for an hour. `split` takes those values out,
`join` puts them back byte for byte: a tag has no `<` inside and a value ends at the next `<`, so the
skeleton has the same tags at the same places, each followed by nothing.

The signatures of one signer have their values at the same places, so where the last ones of this
length had them is tried before searching.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import struct
from typing import Final, NamedTuple

MAX_LENGTHS: Final = 256
MAX_LAYOUTS: Final = 4  # per length: more signers than that rarely agree on it

# The opening tag, then the text to take out. A text has no `<`, so `<` separates the values.
_VALUE: Final = re.compile(
    rb"(<(?:\w+:)?DigestValue>|<(?:\w+:)?SignatureValue(?: [^<>]*)?>|<(?:\w+:)?SigningTime>)([^<]*)"
)


class SplitSignature(NamedTuple):
    """`key` names the skeleton (SHA-256 of it); `values` is None where there was nothing to take out."""

    key: bytes
    skeleton: bytes
    values: bytes | None


class _Layout(NamedTuple):
    """A skeleton's pieces and where they stood: each before a value, the last one after all of them."""

    last: bytes
    form: struct.Struct  # piece, value, piece, value, …
    pieces: tuple[bytes, ...]
    key: bytes
    skeleton: bytes


_layouts: dict[int, tuple[_Layout, ...]] = {}


def split(signature: bytes) -> SplitSignature:
    """Split a signature into skeleton and values."""
    for last, form, pieces, key, skeleton in _layouts.get(len(signature), ()):
        # The last piece has the certificates: it tells signers apart without copying anything.
        if signature.endswith(last):
            found = form.unpack_from(signature)
            if found[::2] == pieces:
                values = b"<".join(found[1::2])
                if values.count(b"<") == len(pieces) - 1:
                    return SplitSignature(key, skeleton, values)
    return _search(signature)


def _search(signature: bytes) -> SplitSignature:
    spans = [match.span(2) for match in _VALUE.finditer(signature)]
    if not spans:
        return SplitSignature(hashlib.sha256(signature).digest(), signature, None)
    borders = [0, *(border for span in spans for border in span)]
    form = struct.Struct("".join([f"{end - start}s" for start, end in itertools.pairwise(borders)]))
    found, last = form.unpack_from(signature), signature[borders[-1] :]
    skeleton = b"".join(found[::2]) + last
    layout = _Layout(last, form, found[::2], hashlib.sha256(skeleton).digest(), skeleton)
    _remember(len(signature), layout)
    return SplitSignature(layout.key, skeleton, b"<".join(found[1::2]))


def _remember(length: int, layout: _Layout) -> None:
    if length not in _layouts and len(_layouts) >= MAX_LENGTHS:
        _layouts.clear()
    _layouts[length] = (layout, *_layouts.get(length, ()))[:MAX_LAYOUTS]


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

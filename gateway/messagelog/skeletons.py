"""Signatures without their repetition: the constant part stored once, the values beside the record.

Of a signature's 6 to 9 KB only digests, the signature value and the time differ between two messages
of one signer; certificates and OCSP responses repeat for an hour. `split` takes those values out,
`join` puts them back byte for byte: a tag has no `<` inside and a value ends at the next `<`, so the
skeleton has the same tags at the same places, each followed by nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

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


def split(signature: bytes) -> SplitSignature:
    """Split a signature into skeleton and values."""
    pieces = _VALUE.split(signature)  # text, tag, value, text, tag, value, …, text
    values = b"<".join(pieces[2::3]) if len(pieces) > 1 else None
    del pieces[2::3]
    skeleton = b"".join(pieces)
    return SplitSignature(hashlib.sha256(skeleton).digest(), skeleton, values)


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

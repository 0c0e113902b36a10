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
import re
from typing import Final, NamedTuple

from gateway.xroad.forms import Forms

# The opening tag, then the text to take out. A text has no `<`, so `<` separates the values.
_VALUE: Final = re.compile(
    rb"(<(?:\w+:)?DigestValue>|<(?:\w+:)?SignatureValue(?: [^<>]*)?>|<(?:\w+:)?SigningTime>)([^<]*)"
)


class SplitSignature(NamedTuple):
    """`key` names the skeleton (SHA-256 of it); `values` is None where there was nothing to take out."""

    key: bytes
    skeleton: bytes
    values: bytes | None


_forms: Final = Forms[tuple[bytes, bytes]]()  # keeps key and skeleton


def split(signature: bytes) -> SplitSignature:
    """Split a signature into skeleton and values."""
    known = _forms.find(signature, len(signature))
    if known is not None:
        texts, (key, skeleton) = known
        values = b"<".join(texts)
        if values.count(b"<") == len(texts) - 1:
            return SplitSignature(key, skeleton, values)
    return _search(signature)


def _search(signature: bytes) -> SplitSignature:
    spans = [match.span(2) for match in _VALUE.finditer(signature)]
    if not spans:
        return SplitSignature(hashlib.sha256(signature).digest(), signature, None)
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(signature)]
    skeleton = b"".join([signature[end:start] for end, start in zip(ends, starts, strict=True)])
    key = hashlib.sha256(skeleton).digest()
    _forms.remember(signature, len(signature), spans, (key, skeleton))
    return SplitSignature(key, skeleton, b"<".join([signature[start:end] for start, end in spans]))


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

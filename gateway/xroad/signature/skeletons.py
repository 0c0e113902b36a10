"""Read signatures of a known signer without parsing them again.

All signatures of one signer, until its next certificate status, are the same bytes but for some text:
the digests in SignedInfo, the value, the signing time. So a document is cut at these texts, and what is
left, the skeleton, is looked up. Each text stands between `>` and `<` and has letters only that mean
themselves (and `&#13;`), so a document with a known skeleton has a known tree, and its canonical
forms are the known ones with the new texts put in. Whatever doesn't fit is parsed.

This decides nothing: a skeleton is remembered when a document was read, and texts are decoded as strictly.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.xroad.digests import Digest, DigestAlgorithm
from gateway.xroad.facts import fact
from gateway.xroad.forms import Forms
from gateway.xroad.signature.xades_reader import SignatureReference, XadesSignature, parse_signature

MAX_BYTES: Final = 32 * 1024
MAX_SKELETONS: Final = 256

_INFO_END: Final = b"</ds:SignedInfo>"
_DIGEST: Final = b"<ds:DigestValue>"
_VALUE: Final = b"<ds:SignatureValue"
_TIME: Final = b"<xades:SigningTime>"

_RETURN: Final = b"&#13;"  # how Java wraps base64; C14N 1.0 writes it `&#xD;`
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \n"
_DATE: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z")


@fact
class _Cut:
    """A document in two: the texts, and what stands around them."""

    around: tuple[bytes, ...]
    digests: tuple[bytes, ...]
    value: bytes
    time: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Skeleton:
    """The facts of one document, and its canonical forms without the texts."""

    facts: XadesSignature
    algorithms: tuple[DigestAlgorithm, ...]
    sizes: tuple[int, ...]
    properties_at: int
    info: tuple[bytes, ...]
    properties: tuple[bytes, bytes]

    def fill(self, cut: _Cut) -> XadesSignature | None:
        """Return the facts with other texts; None when one of them isn't what it should be."""
        decoded = [_decode(text) for text in cut.digests]
        value = _decode(cut.value)
        if not value or tuple(map(len, decoded)) != self.sizes:
            return None
        try:
            time = datetime.fromisoformat(cut.time.decode("ascii"))
        except ValueError:
            return None
        digests = list(map(Digest, self.algorithms, decoded))
        properties = digests.pop(self.properties_at)
        known = self.facts
        return XadesSignature(
            known.algorithm,
            _join(self.info, cut.digests),
            value,
            tuple([SignatureReference(old.uri, new) for old, new in zip(known.references, digests, strict=True)]),
            properties,
            _join(self.properties, (cut.time,)),
            known.certificate_der,
            known.other_certificates,
            time,
            known.signing_certificate,
            known.policy,
            known.unsigned,
            self,
        )


_known: dict[tuple[bytes, ...], _Skeleton] = {}
_forms: Final = Forms[_Skeleton]()


def read_signature(xml: bytes) -> XadesSignature:
    """Return what `parse_signature` returns, or raise what it raises."""
    found = _forms.find(xml, len(xml))
    if found is not None:
        (*digests, value, time), skeleton = found
        if _may_stand(digests, value, time):
            return skeleton.fill(_Cut((), tuple(digests), value, time)) or parse_signature(xml)
    cut = _cut(xml)
    if cut is None:
        return parse_signature(xml)
    known = _known.get(cut.around)
    if known is not None:
        _forms.remember(xml, len(xml), _spans_of(cut), known)
        return known.fill(cut) or parse_signature(xml)
    facts = parse_signature(xml)
    made = _skeleton_of(facts, cut)
    if made is not None:
        if len(_known) >= MAX_SKELETONS:
            _known.clear()
            _forms.clear()
        _known[cut.around] = made
    return facts


def _spans_of(cut: _Cut) -> list[tuple[int, int]]:
    spans, position = [], 0
    for piece, text in zip(cut.around, (*cut.digests, cut.value, cut.time), strict=False):
        start = position + len(piece)
        position = start + len(text)
        spans.append((start, position))
    return spans


def _cut(xml: bytes) -> _Cut | None:
    info, _, rest = xml.partition(_INFO_END)
    value_at = rest.find(b">", rest.find(_VALUE)) + 1
    value_end = rest.find(b"<", value_at)
    time_at = rest.find(_TIME, value_end) + len(_TIME)
    time_end = rest.find(b"<", time_at)
    pieces = [piece.partition(b"<") for piece in info.split(_DIGEST)]
    first, digests = pieces[0], tuple(text for text, _, _ in pieces[1:])
    value, time = rest[value_at:value_end], rest[time_at:time_end]
    if len(xml) > MAX_BYTES or not digests or not 0 < value_at < value_end < time_at < time_end:
        return None
    if not _may_stand(digests, value, time):
        return None
    around = (
        b"".join(first) + _DIGEST,
        *(b"<" + tail + _DIGEST for _, _, tail in pieces[1:-1]),
        b"<" + pieces[-1][2] + _INFO_END + rest[:value_at],
        rest[value_end:time_at],
        rest[time_end:],
    )
    return _Cut(around, digests, value, time)


def _may_stand(digests: Sequence[bytes], value: bytes, time: bytes) -> bool:
    """Whether texts have letters only that mean themselves, in any document."""
    text = b"\n".join([*digests, value])
    return not text.replace(_RETURN, b"").translate(None, _LETTERS) and _DATE.fullmatch(time) is not None


def _skeleton_of(facts: XadesSignature, cut: _Cut) -> _Skeleton | None:
    """Return the skeleton of a document that was read, if putting its own texts back gives the same facts."""
    if facts.properties_digest is None or len(cut.digests) != len(facts.references) + 1:
        return None
    stated = [reference.digest for reference in facts.references]
    decoded = [_decode(text) for text in cut.digests]
    for place in range(len(decoded)):
        digests = [*stated[:place], facts.properties_digest, *stated[place:]]
        if [digest.value for digest in digests] == decoded:
            break
    else:
        return None
    info = _split(facts.signed_info, _DIGEST)
    properties = _split(facts.signed_properties, _TIME)
    if len(info) != len(decoded) + 1 or len(properties) != 2:
        return None
    made = _Skeleton(
        facts,
        tuple(digest.algorithm for digest in digests),
        tuple(digest.algorithm.primitive.digest_size for digest in digests),
        place,
        info,
        (properties[0], properties[1]),
    )
    return made if made.fill(cut) == facts else None


def _split(canonical: bytes, opening: bytes) -> tuple[bytes, ...]:
    """Return what stands around the texts after `opening` in a canonical form."""
    first, *pieces = canonical.split(opening)
    around = [first]
    for piece in pieces:
        around[-1] += opening
        around.append(piece[max(piece.find(b"<"), 0) :])
    return tuple(around)


def _join(around: Sequence[bytes], texts: Sequence[bytes]) -> bytes:
    """Return the canonical form with these texts."""
    pieces = [around[0]]
    for text, after in zip(texts, around[1:], strict=True):
        pieces += (text.replace(_RETURN, b"&#xD;"), after)
    return b"".join(pieces)


def _decode(text: bytes) -> bytes:
    """Return the octets of a text in the only base64 they have; none for any other text."""
    letters = text.replace(_RETURN, b"").translate(None, b" \n")
    try:
        octets = a2b_base64(letters, strict_mode=True)
    except Base64Error:
        return b""
    return octets if b2a_base64(octets, newline=False) == letters else b""

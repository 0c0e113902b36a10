"""Read envelopes of known callers without hearing their header again.

The headers of one caller's messages are the same bytes but for some text: id, user, issue, request
hash. So the document is cut at these texts up to the end of its header, and what is left is looked
up. A text has letters only that mean themselves, so a header with known bytes around it has the known
fields, and the envelope is well-formed if it is so without it: expat walks the rest alone.

In the rest, Python hears of three elements. The body has one child when the tag that opens it stands
there once and its end tag is the body's last; no document is deeper than it has tags. Whatever doesn't
fit is scanned whole, so every refusal is the scanner's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from gateway.xroad.facts import fact
from gateway.xroad.soap.envelope import ENVELOPE11, ENVELOPE12, SECTIONS, SEPARATOR, Envelope, Layout, scan_envelope
from gateway.xroad.xml import MAX_XML_DEPTH

MAX_HEADER_BYTES: Final = 8 * 1024
MAX_KNOWN: Final = 256

_FIELD: Final = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?(?:id|userId|issue|requestHash)(?:\s[^<>]*[^<>/])?>([\w .:/@+=,;()#?!*~|-]*)</", re.ASCII
)
# The body's child ends, the body ends, the envelope ends; the name of the child as it is written.
_END: Final = re.compile(
    rb"</((?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)\s*>\s*</(?:[\w.-]+:)?Body\s*>\s*</(?:[\w.-]+:)?Envelope\s*>\s*\Z",
    re.ASCII,
)
_MAX_END_BYTES: Final = 256
_ENCODINGS: Final = (None, "utf-8", "UTF-8")


@fact
class _Cut:
    """Where the header ends, the texts in it, and what stands around them."""

    end: int
    fields: tuple[re.Match[bytes], ...]
    around: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What a scan found: everything before the header, and its fields; `texts` names those that vary."""

    opening: bytes
    envelope: Envelope
    texts: tuple[str, ...]
    body: str
    fault: str


_known: dict[tuple[bytes, ...], _Known] = {}


def scan_known(raw: bytes) -> Envelope:
    """Return what `scan_envelope` returns, or raise what it raises."""
    cut = _cut(raw)
    if cut is None:
        return scan_envelope(raw)
    known = _known.get(cut.around)
    if known is not None:
        body_name = _body_name(known, raw[cut.end :])
        return scan_envelope(raw) if body_name is None else _fill(known, cut, body_name)
    found = scan_envelope(raw)
    _remember(raw, cut, found)
    return found


def _cut(raw: bytes) -> _Cut | None:
    """Cut behind the last end tag before the first `Body`: usually the header's, else nothing is remembered."""
    body = raw.find(b"Body", 0, MAX_HEADER_BYTES)
    end = raw.find(b">", raw.rfind(b"</", 0, max(body, 0)), max(body, 0)) + 1
    if end <= 0:
        return None
    fields = tuple(_FIELD.finditer(raw, 0, end))
    around = []
    position = 0
    for found in fields:
        start, stop = found.span(1)
        around.append(raw[position:start])
        position = stop
    return _Cut(end, fields, (*around, raw[position:end]))


class _Unusual(Exception):  # noqa: N818  it never leaves this module
    """The rest is not what it mostly is."""


def _body_name(known: _Known, rest: bytes) -> str | None:
    """Return the name of the body's one child; None when the scanner has to look."""
    end = _END.search(rest, max(len(rest) - _MAX_END_BYTES, 0))
    if end is None or rest.count(b"<") >= MAX_XML_DEPTH or rest.count(b"<" + end[1]) != 1:
        return None
    names: list[str] = []
    parser = expat.ParserCreate(None, SEPARATOR)

    def start(name: str, _attributes: object) -> None:
        names.append(name)
        if len(names) == 3:
            parser.StartElementHandler = None
            if not rest.startswith(end[1], parser.CurrentByteIndex - len(known.opening) + 1):
                raise _Unusual
        elif len(names) == 2 and name != known.body:
            raise _Unusual

    parser.StartElementHandler = start
    try:
        parser.Parse(known.opening, False)
        parser.Parse(rest, True)
    except (_Unusual, expat.ExpatError, ValueError, LookupError):
        return None
    finally:
        parser.StartElementHandler = None  # it holds the parser: leave no cycle to the garbage collector
    return None if len(names) < 3 or names[2] == known.fault else names[2].rpartition(SEPARATOR)[2]


def _fill(known: _Known, cut: _Cut, body_name: str) -> Envelope:
    old = known.envelope
    values = old.values.copy()
    layout = Layout(old.layout.envelope, old.layout.header, id_has_algorithm=old.layout.id_has_algorithm)
    for attribute, field in zip(known.texts, cut.fields, strict=True):
        values[attribute] = field[1].decode("ascii")
        if attribute == "id":
            layout.id, layout.id_end = field.start(), field.end(1)
        elif attribute == "request_hash":
            layout.request_hashes.append((field.start(), field.end(1)))
    return Envelope(values, True, True, body_name, None, old.encoding, old.is_soap12, layout)


def _remember(raw: bytes, cut: _Cut, found: Envelope) -> None:
    layout = found.layout
    places = {start: attribute for attribute, start in layout.texts}
    names = tuple(places.get(field.start(), "") for field in cut.fields)
    if not found.has_header or raw.find(b">", layout.header_end) + 1 != cut.end or found.encoding not in _ENCODINGS:
        return
    unmatched = len(layout.request_hashes) - names.count("request_hash")
    if "" in names or unmatched or ("id" in found.values and "id" not in names):
        return  # a text is something else, or a place would move with the texts
    if len(_known) >= MAX_KNOWN:
        _known.clear()
    _, body, fault = SECTIONS[ENVELOPE12 if found.is_soap12 else ENVELOPE11]
    _known[cut.around] = _Known(raw[: layout.header], found, names, body, fault)

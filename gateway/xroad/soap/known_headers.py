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
from gateway.xroad.forms import Forms
from gateway.xroad.soap.envelope import ENVELOPE11, ENVELOPE12, SECTIONS, SEPARATOR, Envelope, Layout, scan_envelope
from gateway.xroad.xml import MAX_XML_DEPTH

MAX_BYTES: Final = 64 * 1024  # of larger envelopes the header is the smaller part
MAX_HEADER_BYTES: Final = 8 * 1024
MAX_KNOWN: Final = 256

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ .:/@+=,;()#?!*~|-"
_FIELD: Final = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?(?:id|userId|issue|requestHash)(?:\s[^<>]*[^<>/])?>([%b]*)</" % re.escape(_LETTERS),
    re.ASCII,
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
    """Where the header ends, what stands around the texts in it, and for each text its element, begin and end."""

    end: int
    around: tuple[bytes, ...]
    spans: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What a scan found: everything before the header, and its fields; `texts` names those that vary."""

    opening: bytes
    envelope: Envelope
    texts: tuple[str, ...]
    body: str
    fault: str


_known: dict[tuple[bytes, ...], _Known] = {}
_forms: Final = Forms[tuple[_Cut, _Known]]()


def scan_known(raw: bytes) -> Envelope:
    """Return what `scan_envelope` returns, or raise what it raises."""
    end = _header_end(raw) if len(raw) <= MAX_BYTES else 0
    if end <= 0:
        return scan_envelope(raw)
    form = _forms.find(raw, end)
    if form is not None and not b"".join(form[0]).translate(None, _LETTERS):
        cut, known = form[1]
    else:
        cut = _cut(raw, end)
        found = _known.get(cut.around)
        if found is None:
            envelope = scan_envelope(raw)
            _remember(raw, cut, envelope)
            return envelope
        known = found
        _forms.remember(raw, end, [(start, stop) for _, start, stop in cut.spans], (cut, known))
    body_name = _body_name(known, raw[end:])
    return scan_envelope(raw) if body_name is None else _fill(known, cut, raw, body_name)


def _header_end(raw: bytes) -> int:
    """Return where the last end tag before the first `Body` ends: mostly the header's, else nothing is remembered."""
    body = max(raw.find(b"Body", 0, MAX_HEADER_BYTES), 0)
    return raw.find(b">", raw.rfind(b"</", 0, body), body) + 1


def _cut(raw: bytes, end: int) -> _Cut:
    around, spans = [], []
    position = 0
    for found in _FIELD.finditer(raw, 0, end):
        start, stop = found.span(1)
        around.append(raw[position:start])
        spans.append((found.start(), start, stop))
        position = stop
    return _Cut(end, (*around, raw[position:end]), tuple(spans))


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


def _fill(known: _Known, cut: _Cut, raw: bytes, body_name: str) -> Envelope:
    old = known.envelope
    values = old.values.copy()
    layout = Layout(old.layout.envelope, old.layout.header, id_has_algorithm=old.layout.id_has_algorithm)
    for attribute, (element, start, stop) in zip(known.texts, cut.spans, strict=True):
        values[attribute] = raw[start:stop].decode("ascii")
        if attribute == "id":
            layout.id, layout.id_end = element, stop
        elif attribute == "request_hash":
            layout.request_hashes.append((element, stop))
    return Envelope(values, True, True, body_name, None, old.encoding, old.is_soap12, layout)


def _remember(raw: bytes, cut: _Cut, found: Envelope) -> None:
    layout = found.layout
    places = {start: attribute for attribute, start in layout.texts}
    names = tuple(places.get(element, "") for element, _, _ in cut.spans)
    if not found.has_header or raw.find(b">", layout.header_end) + 1 != cut.end or found.encoding not in _ENCODINGS:
        return
    unmatched = len(layout.request_hashes) - names.count("request_hash")
    if "" in names or unmatched or ("id" in found.values and "id" not in names):
        return  # a text is something else, or a place would move with the texts
    if len(_known) >= MAX_KNOWN:
        _known.clear()
        _forms.clear()
    _, body, fault = SECTIONS[ENVELOPE12 if found.is_soap12 else ENVELOPE11]
    _known[cut.around] = _Known(raw[: layout.header], found, names, body, fault)

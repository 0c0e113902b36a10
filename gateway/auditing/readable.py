"""Messages as people read them: XML and JSON laid out, and what is personal masked until there is a reason.

Names of fields stay, so the structure can be seen; of headers, those of the protocol stay but for the
represented party and tokens. What cannot be taken apart is not shown at all while it is masked, and as text
or hexadecimal afterwards. Nothing shown here is evidence: that is the container, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.auditing.masking import MASK as MASK
from gateway.auditing.masking import Veil, rules_of
from gateway.auditing.model import Entry, MaskingSettings
from gateway.auditing.readable_json import print_json
from gateway.auditing.readable_rest import header_lines, start_line
from gateway.auditing.readable_xml import is_xml, print_xml, soap_headers
from gateway.xroad.faults import XRoadFault
from gateway.xroad.rest.message import RestRequest, RestResponse, parse_rest_message

MAX_SHOWN_BYTES: Final = 1024 * 1024
MAX_HEX_BYTES: Final = 64 * 1024
REST_BODY: Final = 1  # a REST body is kept as the first attachment
DEFAULT_MASKING: Final = MaskingSettings()
_BYTES_IN_A_ROW: Final = 16
# What moves or hides the letters around it on a screen.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]"
)


class Kind(StrEnum):
    """What a text is."""

    XML = "xml"
    JSON = "json"
    HTTP = "http"  # the header part of a REST message
    TEXT = "text"
    HEX = "hex"
    NOTHING = "nothing"  # it cannot be shown: masked, empty or too large


@dataclass(frozen=True, slots=True)
class Readable:
    """One part of a message; `text` is empty for NOTHING, `masked_fields` names those in which something is hidden."""

    name: str
    kind: Kind
    text: str
    size: int
    is_masked: bool
    masked_fields: tuple[str, ...] = ()


def needs_body(entry: Entry) -> bool:
    """Whether the first attachment is a body to be shown with the message."""
    size = entry.attachments.get(REST_BODY)
    return size is not None and size <= MAX_SHOWN_BYTES and not is_xml(entry.message)


def read_message(
    entry: Entry, body: bytes | None, *, masked: bool, masking: MaskingSettings = DEFAULT_MASKING
) -> tuple[Readable, ...]:
    """Return the parts of a message; `body` is that of a REST message, where `needs_body` asks for it."""
    veil = Veil(rules_of(masking)) if masked else None
    if is_xml(entry.message):
        shown = print_xml(entry.message, veil) if len(entry.message) <= MAX_SHOWN_BYTES else None
        if shown is None:
            return (_read_unknown("message", entry.message, veil),)
        return (_readable("message", Kind.XML, shown, entry.message, veil),)
    try:
        message = parse_rest_message(entry.message)
    except XRoadFault:
        return (_read_unknown("message", entry.message, veil),)
    # What is hidden in the body is hidden in the head too, so the body comes first.
    parts = [] if body is None else [_read_body(body, _content_type(message), veil)]
    return (_readable("message", Kind.HTTP, _head(message, veil), entry.message, veil), *parts)


def read_body(
    content: bytes, content_type: str, *, masked: bool, masking: MaskingSettings = DEFAULT_MASKING
) -> Readable:
    """Return a body; its content decides, and its type where that does not."""
    return _read_body(content, content_type, Veil(rules_of(masking)) if masked else None)


def header_facts(message: bytes, *, masked: bool, masking: MaskingSettings = DEFAULT_MASKING) -> list[tuple[str, str]]:
    """Return what the headers of a message say, by name; nothing where they cannot be read."""
    veil = Veil(rules_of(masking)) if masked else None
    if is_xml(message):
        found = list(soap_headers(message, veil))
    else:
        try:
            found = list(header_lines(parse_rest_message(message), veil))
        except XRoadFault:
            return []
    return [(name, _shown(value)) for name, value in found]


def _read_body(content: bytes, content_type: str, veil: Veil | None) -> Readable:
    name = f"attachment{REST_BODY}"
    if len(content) <= MAX_SHOWN_BYTES:
        if "xml" in content_type.lower() or is_xml(content):
            shown = print_xml(content, veil)
            if shown is not None:
                return _readable(name, Kind.XML, shown, content, veil)
        shown = print_json(content, veil)
        if shown is not None:
            return _readable(name, Kind.JSON, shown, content, veil)
    return _read_unknown(name, content, veil)


def _read_unknown(name: str, content: bytes, veil: Veil | None) -> Readable:
    """Return what cannot be taken apart; masked it is nothing, for nobody can tell what is personal in it."""
    if veil is not None or not content or len(content) > MAX_SHOWN_BYTES:
        return Readable(name, Kind.NOTHING, "", len(content), veil is not None)
    text = _text_of(content)
    if text is not None:
        return _readable(name, Kind.TEXT, text, content, veil)
    return _readable(name, Kind.HEX, _hex_of(content[:MAX_HEX_BYTES]), content, veil)


def _readable(name: str, kind: Kind, text: str, content: bytes, veil: Veil | None) -> Readable:
    fields = () if veil is None else veil.fields
    return Readable(name, kind, _shown(text), len(content), veil is not None, fields)


def _head(message: RestRequest | RestResponse, veil: Veil | None) -> str:
    lines = [start_line(message, veil), *(f"{name}: {value}" for name, value in header_lines(message, veil))]
    return "\n".join(_shown(line).replace("\n", " ") for line in lines)


def _content_type(message: RestRequest | RestResponse) -> str:
    return next((value for name, value in message.headers if name.lower() == "content-type"), "")


def _text_of(content: bytes) -> str | None:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(sign.isprintable() or sign in "\r\n\t" for sign in text) else None


def _hex_of(content: bytes) -> str:
    rows = range(0, len(content), _BYTES_IN_A_ROW)
    return "\n".join(_hex_row(start, content[start : start + _BYTES_IN_A_ROW]) for start in rows)


def _hex_row(start: int, row: bytes) -> str:
    signs = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
    return f"{start:08x}  {row.hex(' '):<{3 * _BYTES_IN_A_ROW}} {signs}"


def _shown(text: str) -> str:
    """Return a text that shows as it is written, whatever its sender put between the letters."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n").replace("\r", "\n"))

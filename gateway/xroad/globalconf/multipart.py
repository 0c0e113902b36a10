"""Splitting a signed directory without touching a byte of it (RFC 2046 5.1.1, X-Road ConfigurationParser.java).

The streaming parser of messages hides where its input ends lines; here the exact range matters,
because it was signed. CRLF and LF both end a line. Delimiters stand at the start of a line, and the
line end before one belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.xroad.faults import ConfigurationUnusable

MAX_PARTS: Final = 100  # a directory lists two parts and a handful of optional ones
MAX_HEADER_BYTES: Final = 16384
PARSING_FAILED: Final = "global_conf_parsing_downloaded_conf_directory_failure"
_LINE_END: Final = re.compile(rb"\r?\n")
_HEADER: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:[ \t]*(.*?)[ \t]*")
_PARAMETER: Final = re.compile(r"""[ \t]*;[ \t]*([^=;\s]+)[ \t]*=[ \t]*("[^"]*"|'[^']*'|[^;]*)""")


@dataclass(frozen=True, slots=True)
class RawPart:
    """One part: its headers by lower-case name, and its content as it stands."""

    headers: Mapping[str, str]
    content: bytes


def read_headers(data: bytes) -> RawPart:
    """Split a part, or the whole envelope, at its first empty line; without one it is headers only.

    Raises ConfigurationUnusable for a line that is no header, and for a header that stands twice.
    """
    headers: dict[str, str] = {}
    position = 0
    while position < len(data):
        end = _LINE_END.search(data, position)
        line, after = (data[position : end.start()], end.end()) if end else (data[position:], len(data))
        position = after
        if not line:
            break
        if position > MAX_HEADER_BYTES:
            raise ConfigurationUnusable(PARSING_FAILED, "globalconf.header_too_large", limit_bytes=MAX_HEADER_BYTES)
        name, value = _read_header(line)
        if name in headers:
            raise ConfigurationUnusable("global_conf_header_field_wrong_value", "globalconf.header_twice", field=name)
        headers[name] = value
    return RawPart(headers, data[position:])


def _read_header(line: bytes) -> tuple[str, str]:
    try:
        match = _HEADER.fullmatch(line.decode("utf-8"))
    except UnicodeDecodeError:
        match = None
    if match is None:
        raise ConfigurationUnusable(PARSING_FAILED, "globalconf.not_a_header", line=line[:60].decode("latin-1"))
    return match[1].lower(), match[2]


def split_value(value: str) -> tuple[str, Mapping[str, str]]:
    """Return a header value without its parameters, and the parameters by lower-case name.

    Quotes of either kind are taken off: the central server quotes an instance with single ones, the
    configuration proxy with double ones.
    """
    main, semicolon, rest = value.partition(";")
    parameters: dict[str, str] = {}
    for match in _PARAMETER.finditer(semicolon + rest):
        parameters.setdefault(match[1].lower(), _unquote(match[2].strip()))
    return main.strip(), parameters


def _unquote(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'" else text


def split_parts(data: bytes, boundary: str) -> list[RawPart]:
    """Return the parts between the delimiters; text before the first and after the last is dropped.

    A missing last delimiter is forgiven: what counts is signed, or is the signature itself.
    """
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    parts: list[RawPart] = []
    start: int | None = None
    for match in delimiter.finditer(data):
        if start is not None:
            parts.append(_part(data[start : match.start()]))
        start = None if match[1] else match.end()
        if start is None:
            break
        if len(parts) >= MAX_PARTS:
            raise ConfigurationUnusable(PARSING_FAILED, "globalconf.too_many_parts", limit=MAX_PARTS)
    if start is not None:
        parts.append(_part(data[start:]))
    return parts


def _part(data: bytes) -> RawPart:
    end = _LINE_END.match(data)  # the end of the delimiter's own line
    return read_headers(data[end.end() :] if end else data)

"""Incremental multipart: bytes in, part events out; and the writer (RFC 2046, PR-MESSTRANSP 3.1).

Content is raw: no transfer decoding, and the line break before a delimiter is not part of it. As in
the reference's parser (mime4j) a lone LF counts as a line break, and preamble and epilogue are
skipped; a delimiter line that could be read two ways is refused instead of guessed at. The writer
gives the reference's exact bytes (X-Road MultipartEncoder.java).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from gateway.xroad.facts import fact
from gateway.xroad.faults import MalformedMessage

MAX_HEADER_BYTES: Final = 16_384
MAX_PARTS: Final = 1_024
_SHORT_HEAD: Final = 128
# What may follow a boundary on its line: blanks only, and not more than a line holds.
_MAX_DELIMITER_TAIL: Final = 256

Headers = tuple[tuple[str, str], ...]

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# More than one slash is no media type by RFC 2045, but `signature/bdoc-1.0/ts` is X-Road's.
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)+")
_PARAMETER: Final = re.compile(r""";[ \t]*(?:([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"\s]*)[ \t]*)?""")
_USUAL: Final = re.compile(r"multipart/mixed; charset=UTF-8; boundary=([A-Za-z]{1,64})")
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=?<>@!#$%&*^{}|~ ]{0,199}[0-9A-Za-z'()+_,\-./:=?<>@!#$%&*^{}|~]")


@fact
class ContentType:
    """A Content-Type: media type in lower case, parameters by lower-case name."""

    media_type: str
    parameters: Mapping[str, str]


def parse_content_type(value: str) -> ContentType:
    """Read a Content-Type value.

    Raises MalformedMessage (invalid_content_type) when it has no media type, or parameters that
    cannot be read or contradict each other.
    """
    if value.startswith("multipart/"):
        usual = _USUAL.fullmatch(value)
        if usual:  # peers make a new boundary for each message: such a value never comes again
            return ContentType("multipart/mixed", {"charset": "UTF-8", "boundary": usual[1]})
    return _parse(value)


@lru_cache(maxsize=256)
def _parse(value: str) -> ContentType:
    text = value.strip(" \t")
    media_type, _, _ = text.partition(";")
    media_type = media_type.strip(" \t")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise MalformedMessage("invalid_content_type", "mime.bad_content_type", value=value[:200])
    parameters: dict[str, str] = {}
    position = text.find(";")
    while 0 <= position < len(text):
        match = _PARAMETER.match(text, position)
        if match is None:
            raise MalformedMessage("invalid_content_type", "mime.bad_content_type", value=value[:200])
        if match[1] is not None:
            name = match[1].lower()
            plain = _unquote(match[2])
            if parameters.setdefault(name, plain) != plain:
                raise MalformedMessage("invalid_content_type", "mime.bad_content_type", value=value[:200])
        position = match.end()
    return ContentType(media_type.lower(), MappingProxyType(parameters))


def _unquote(text: str) -> str:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def boundary_of(value: str) -> bytes:
    """Return the boundary of a multipart Content-Type.

    Raises MalformedMessage (invalid_content_type) when there is none, or one RFC 2046 has no room for.
    """
    boundary = parse_content_type(value).parameters.get("boundary", "")
    if not boundary:
        raise MalformedMessage("invalid_content_type", "mime.boundary_missing", value=value[:200])
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedMessage("invalid_content_type", "mime.bad_boundary", value=value[:200])
    return boundary.encode("ascii")


def header_of(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the first header called `name`, without regard to case."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins; header names as they were written."""

    headers: Headers


@fact
class PartData:
    """The next bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


Event = PartBegin | PartData | PartEnd

_END: Final = PartEnd()
_PREAMBLE, _HEADERS, _CONTENT, _EPILOGUE = range(4)


class MultipartParser:
    """Turn the bytes of one multipart, however split, into part events.

    A nested multipart is the content of a part: give its data to a parser of its own. After a
    MalformedMessage the parser must not be used again.
    """

    __slots__ = ("_buffer", "_delimiter", "_max_header_bytes", "_max_parts", "_parts", "_probe", "_skip", "_state")

    def __init__(
        self, boundary: bytes, *, max_header_bytes: int = MAX_HEADER_BYTES, max_parts: int = MAX_PARTS
    ) -> None:
        self._delimiter = b"\n--" + boundary
        self._probe = self._delimiter[:8]  # few different letters: the search can skip over most of a text
        self._max_header_bytes = max_header_bytes
        self._max_parts = max_parts
        self._parts = 0
        self._state = _PREAMBLE
        # A delimiter stands at the start of a line, so a line break nobody sent opens the preamble and
        # every content; the first `_skip` bytes of the buffer are such a one.
        self._buffer = b"\n"
        self._skip = 1

    @property
    def complete(self) -> bool:
        """The closing delimiter was seen."""
        return self._state == _EPILOGUE

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes; return what they complete.

        Raises MalformedMessage (mime_parsing_failed) as soon as the structure is broken.
        """
        if self._state == _PREAMBLE and self._skip == len(self._buffer) and data.endswith(_CLOSED):
            whole = self._whole(data)
            if whole is not None:
                self._state = _EPILOGUE
                return whole
        self._buffer += data
        events: list[Event] = []
        while _STEPS[self._state](self, events):
            pass
        return events

    def finish(self) -> list[Event]:
        """Say that nothing more comes.

        Raises MalformedMessage (mime_parsing_failed) inside a part. No part at all is not an error here.
        """
        if self._state in (_HEADERS, _CONTENT):
            raise MalformedMessage("mime_parsing_failed", "mime.truncated", parts=self._parts)
        return []

    def _whole(self, data: bytes) -> list[Event] | None:
        """Return the events of a multipart that came in one piece, in the writer's form; None for any other."""
        pieces = data.split(self._probe)
        probed = self._delimiter[len(self._probe) :] + b"\r\n"
        start = len(probed)
        first, last = pieces[0], pieces.pop()
        if not 0 < len(pieces) <= self._max_parts or last != probed[:-2] + _CLOSED:
            return None
        if not first.startswith(self._probe[1:]):
            return None
        pieces[0] = first[len(self._probe) - 1 :]
        longest = min(_SHORT_HEAD, self._max_header_bytes)
        events: list[Event] = []
        for piece in pieces:
            blank = _BLANK_LINE.search(piece, start)
            if blank is None or not piece.startswith(probed) or piece[start] in b"\r\n" or piece[-1] != _CR:
                return None
            stop, begin = blank.span()
            if stop - start > longest:
                return None
            events.append(_known_head(piece[start:stop]))
            if begin < len(piece) - 1:
                events.append(PartData(piece[begin:-1]))
            events.append(_END)
        return events

    def _preamble(self, _events: list[Event]) -> bool:
        stop, end, closing = self._scan()
        if end < 0:
            self._buffer = self._buffer[stop:]
            return False
        self._enter(end, closing)
        return True

    def _headers(self, events: list[Event]) -> bool:
        stop, rest = _end_of_headers(self._buffer)
        if max(stop, 0 if rest else len(self._buffer)) > self._max_header_bytes:
            raise MalformedMessage("mime_parsing_failed", "mime.headers_too_large", limit_bytes=self._max_header_bytes)
        if not rest:
            return False
        block = self._buffer[:stop]
        events.append(_known_head(block) if stop <= _SHORT_HEAD else PartBegin(_parse_headers(block)))
        self._buffer = b"\n" + self._buffer[rest:]
        self._skip = 1
        self._state = _CONTENT
        return True

    def _content(self, events: list[Event]) -> bool:
        stop, end, closing = self._scan()
        if stop > self._skip:
            events.append(PartData(self._buffer[self._skip : stop]))
        if end < 0:
            if stop > self._skip:
                self._buffer = self._buffer[stop:]
                self._skip = 0
            return False
        events.append(_END)
        self._enter(end, closing)
        return True

    def _epilogue(self, _events: list[Event]) -> bool:
        self._buffer = b""
        return False

    def _enter(self, end: int, closing: bool) -> None:
        if closing:
            self._state = _EPILOGUE
            return
        self._parts += 1
        if self._parts > self._max_parts:
            raise MalformedMessage("mime_parsing_failed", "mime.too_many_parts", limit=self._max_parts)
        self._buffer = self._buffer[end:]
        self._state = _HEADERS

    def _scan(self) -> tuple[int, int, bool]:
        """Return where content stops, where the delimiter line ends (-1: none complete yet), is it the last."""
        position = 0
        while (start := self._buffer.find(self._probe, position)) >= 0:
            if self._buffer.startswith(self._delimiter, start):
                end, closing = self._delimiter_line(start + len(self._delimiter))
                if end != 0:
                    stop = start - 1 if start > self._skip and self._buffer[start - 1] == _CR else start
                    return stop, end, closing
            position = start + 1
        # The tail may hold the beginning of a delimiter and the CR in front of it.
        return max(0, len(self._buffer) - len(self._delimiter)), -1, False

    def _delimiter_line(self, position: int) -> tuple[int, bool]:
        """Return the end of a delimiter line whose boundary ends at `position`: 0 if it is none, -1 if unknown yet."""
        after = self._buffer[position : position + _MAX_DELIMITER_TAIL]
        if not after:
            return -1, False
        if after.startswith(b"--"):
            return position + 2, True
        if after[0] not in b" \t\r\n-":
            return 0, False  # a longer word that begins like the boundary
        line, newline, _ = after.partition(b"\n")
        if newline and not line.removesuffix(b"\r").strip(b" \t"):
            return position + len(line) + 1, False
        if newline or len(after) == _MAX_DELIMITER_TAIL or after.strip(b" \t\r") not in (b"", b"-"):
            raise MalformedMessage("mime_parsing_failed", "mime.ambiguous_delimiter", parts=self._parts)
        return -1, False


# By state: take what can be taken; True when the state has changed and there may be more.
_STEPS: Final = (
    MultipartParser._preamble,
    MultipartParser._headers,
    MultipartParser._content,
    MultipartParser._epilogue,
)
_CR: Final = 13
_CLOSED: Final = b"--\r\n"
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")


def _end_of_headers(buffer: bytes) -> tuple[int, int]:
    """Return where the header block stops and the content begins; (0, 0) when its end is not there yet."""
    if buffer.startswith((b"\r\n", b"\n")):
        return 0, 1 + buffer.startswith(b"\r")
    found = _BLANK_LINE.search(buffer)
    return (found.start(), found.end()) if found else (0, 0)


@lru_cache(maxsize=256)
def _known_head(block: bytes) -> PartBegin:
    """The same few short heads open nearly every part: parse them once."""
    return PartBegin(_parse_headers(block))


def _parse_headers(block: bytes) -> Headers:
    headers: list[tuple[str, str]] = []
    for line in re.split(rb"\r?\n", block) if block else []:
        if line[:1] in (b" ", b"\t") and headers:  # a folded line: unfold as the reference does
            name, value = headers[-1]
            headers[-1] = (name, f"{value}{_value(line)}".strip(" \t"))
            continue
        raw_name, colon, raw_value = line.partition(b":")
        raw_name = raw_name.rstrip(b" \t")
        if not colon or not _NAME.fullmatch(raw_name):
            raise MalformedMessage("mime_parsing_failed", "mime.bad_header", size_bytes=len(line))
        headers.append((raw_name.decode("ascii"), _value(raw_value).strip(" \t")))
    return tuple(headers)


def _value(raw: bytes) -> str:
    if _FORBIDDEN.search(raw):
        raise MalformedMessage("mime_parsing_failed", "mime.bad_header", size_bytes=len(raw))
    return raw.decode("latin-1")


def part_head(boundary: bytes, headers: Iterable[tuple[str, str]], *, first: bool = False) -> bytes:
    """Return the delimiter and header lines that open a part, with the line break that ends the part before it.

    `first` is the very first part of the outermost multipart.
    """
    return b"%b%b\r\n%b\r\n" % (b"--" if first else b"\r\n--", boundary, _lines(tuple(headers)))


@lru_cache(maxsize=256)
def _lines(headers: Headers) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1", "replace")


def closing(boundary: bytes) -> bytes:
    """Return the closing delimiter, with the line breaks around it."""
    return b"\r\n--" + boundary + b"--\r\n"

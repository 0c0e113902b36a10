"""How a body is framed, and the body out of its frame, for server and client alike (RFC 9112 6, 7).

Whatever two recipients could frame differently is refused, never repaired: Content-Length beside
Transfer-Encoding or twice, any coding but one `chunked`, chunk sizes with anything but hexadecimal digits.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.runtime.http.problems import HttpTooLarge, MalformedHttp

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*"
HEADER: Final = rb"(?:" + TOKEN + rb":" + VALUE + rb"\r\n)"
HEADER_LINE: Final = re.compile(HEADER)
NEVER_IN_A_HEAD: Final = re.compile(rb"(?P<control>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f])|(?<!\r)\n|\r(?!\n|\Z)")

_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)

MAX_CHUNK_EXTENSION: Final = 256
"""Extensions of one chunk, bytes; nobody is known to send any."""
MAX_EXTENSION_BYTES: Final = 16 * 1024
"""Extensions of all chunks of one message."""
MAX_TRAILER_BYTES: Final = 8 * 1024

_CHUNK_EXTENSION: Final = rb"(;[\t\x20-\x7e\x80-\xff]{0,%d})?" % MAX_CHUNK_EXTENSION
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})" + _CHUNK_EXTENSION + rb"\r\n")
_CHUNK_LINE_BEGUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,15}" + _CHUNK_EXTENSION + rb"\r?)?")


class FramingHeaders:
    """The headers that decide about framing and connection, gathered one by one."""

    __slots__ = ("codings", "expect", "hosts", "length", "options")

    NAMES: Final = frozenset({"content-length", "transfer-encoding", "connection", "host", "expect"})

    def __init__(self) -> None:
        self.length: int | None = None
        self.codings: list[str] = []
        self.hosts: list[str] = []
        self.options = ""
        self.expect: list[str] = []

    def note(self, lower_name: str, value: str) -> None:
        """Take one of NAMES."""
        if lower_name == "host":
            self.hosts.append(value)
        elif lower_name == "content-length":
            if self.length is not None:
                raise MalformedHttp("http.length_twice")
            if not _LENGTH.fullmatch(value):
                raise MalformedHttp("http.length")
            self.length = int(value)
        elif lower_name == "connection":
            self.options += f",{value.lower()}"
        elif lower_name == "transfer-encoding":
            self.codings.append(value.lower())
        else:
            self.expect.append(value.lower())

    @property
    def says_close(self) -> bool:
        """Whether `close` is among the connection's options."""
        return "close" in self.options and "close" in (option.strip(" \t") for option in self.options.split(","))

    def is_chunked(self, version: str) -> bool:
        """Say whether the body is chunked; refuse every other coding, and any beside a length."""
        if not self.codings:
            return False
        if self.length is not None:
            raise MalformedHttp("http.length_and_coding")
        if version != "1.1":
            raise MalformedHttp("http.coding_in_1_0")
        if self.codings == ["chunked"]:
            return True
        last = self.codings[-1].rpartition(",")[2].strip(" \t")
        if len(self.codings) == 1 and last == "chunked" and self.codings[0].count("chunked") == 1:
            raise MalformedHttp("http.transfer_coding")  # gzip, chunked: well framed, but we do not decode it
        raise MalformedHttp("http.transfer_encoding")


class LengthDecoder:
    """A body of a known number of bytes."""

    __slots__ = ("_left", "done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the body's bytes; when `done`, what follows them is `rest`."""
        size = len(data)
        if size > self._left:
            data, self.rest = data[: self._left], data[self._left :]
            size = self._left
        self._left -= size
        self.done = self._left == 0
        return [data] if data else []


class UntilCloseDecoder:
    """A response body that the end of the connection ends."""

    __slots__ = ()
    done = False
    rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return everything."""
        return [data]


class ChunkedDecoder:
    """A chunked body (RFC 9112 7.1); extensions and trailers are bounded and ignored."""

    __slots__ = ("_extensions", "_held", "_left", "_state", "_trailer", "done", "rest")

    def __init__(self) -> None:
        self._state = self._size_line
        self._held = b""
        self._left = 0
        self._extensions = 0
        self._trailer = 0
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of the body found; when `done`, what follows the message is `rest`."""
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        position = 0
        while not self.done:
            following = self._state(data, position, pieces)
            if following < 0:
                return pieces
            position = following
        self.rest = data[position:]
        return pieces

    # Each state takes the bytes at a position and returns the next position, or -1 when it needs more.

    def _size_line(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        line = _CHUNK_LINE.match(data, position)
        if line is None:
            if not _CHUNK_LINE_BEGUN.fullmatch(data, position):
                raise MalformedHttp("http.chunk_size")
            self._held = data[position:]
            return -1
        if line[2]:
            self._extensions += len(line[2])
            if self._extensions > MAX_EXTENSION_BYTES:
                raise MalformedHttp("http.chunk_extensions")
        self._left = int(line[1], 16)
        self._state = self._data if self._left else self._trailer_line
        return line.end()

    def _data(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = min(position + self._left, len(data))
        if end > position:
            pieces.append(data[position:end])
            self._left -= end - position
        if self._left:
            return -1
        self._state = self._data_end
        return end

    def _data_end(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = data[position : position + 2]
        if end == b"\r\n":
            self._state = self._size_line
            return position + 2
        if end not in (b"", b"\r"):
            raise MalformedHttp("http.chunk_end")
        self._held = end
        return -1

    def _trailer_line(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = data.find(b"\n", position) + 1
        line = data[position:end] if end else data[position:]
        if self._trailer + len(line) > MAX_TRAILER_BYTES:
            raise HttpTooLarge("http.trailers_too_large", limit=MAX_TRAILER_BYTES)
        if not end:
            if NEVER_IN_A_HEAD.search(line):
                raise MalformedHttp("http.trailer")
            self._held = line
            return -1
        self._trailer += len(line)
        if line == b"\r\n":
            self.done = True
        elif not HEADER_LINE.fullmatch(line):
            raise MalformedHttp("http.trailer")
        return end


BodyDecoder = LengthDecoder | ChunkedDecoder | UntilCloseDecoder

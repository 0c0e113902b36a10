"""Heads and bodies from bytes, for server and client alike (RFC 9112 2, 3, 5, 6, 7).

A head is accepted only when two readers agree: our own pattern over its bytes, and llhttp in its strict
mode, which then yields the values. Whatever two recipients could frame differently is refused, never
repaired: bare LF or CR, folded lines, space before the colon, Content-Length beside Transfer-Encoding or
twice, any coding but one `chunked`, chunk sizes with anything but hexadecimal digits.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httptools

from gateway.runtime.http.model import RequestHead, ResponseHead
from gateway.runtime.http.problems import HttpTooLarge, MalformedHttp

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_HEADER: Final = rb"(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)"
_REQUEST_LINE: Final = _TOKEN + rb" [\x21-\x7e]+ HTTP/1\.[01]\r\n"
_STATUS_LINE: Final = rb"HTTP/1\.[01] [1-9][0-9]{2}(?: " + _VALUE + rb")?\r\n"

_REQUEST_HEAD: Final = re.compile(_REQUEST_LINE + _HEADER + rb"*\r\n")
_RESPONSE_HEAD: Final = re.compile(_STATUS_LINE + _HEADER + rb"*\r\n")
_HEADER_LINE: Final = re.compile(_HEADER)
_NEVER_IN_A_HEAD: Final = re.compile(rb"(?P<control>[\x00-\x08\x0b\x0c\x0e-\x1f\x7f])|(?<!\r)\n|\r(?!\n|\Z)")
_VERSION: Final = re.compile(rb"HTTP/([0-9]+)\.([0-9]+)")
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9\-._~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")

MAX_CHUNK_LINE: Final = 256
"""Extensions of one chunk, bytes; nobody is known to send any."""
MAX_EXTENSION_BYTES: Final = 16 * 1024
"""Extensions of all chunks of one message."""
MAX_TRAILER_BYTES: Final = 8 * 1024

_CHUNK_EXTENSION: Final = rb"(;[\t\x20-\x7e\x80-\xff]{0,%d})?" % MAX_CHUNK_LINE
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})" + _CHUNK_EXTENSION + rb"\r\n")
_CHUNK_LINE_BEGUN: Final = re.compile(rb"(?:[0-9A-Fa-f]{1,15}" + _CHUNK_EXTENSION + rb"\r?)?")


class HeadReader:
    """Collects bytes up to the empty line; refuses at once what cannot become a head any more."""

    __slots__ = ("_checked", "_held", "_limit", "_may_skip", "_skipped")

    def __init__(self, limit: int, *, skip_empty_line: bool = False) -> None:
        self._limit = limit
        self._held = bytearray()
        self._checked = 0
        self._may_skip = skip_empty_line  # RFC 9112 2.2: one empty line before a request line
        self._skipped = False

    @property
    def begun(self) -> bool:
        """Whether a part of a head has been received."""
        return bool(self._held)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the head with its empty line and the bytes behind it, or None while incomplete."""
        if not self._held and data[:1] != b"\r":
            self._skipped = False
            end = data.find(b"\r\n\r\n") + 4
            if end >= 4:
                self._measure(end)
                return data[:end], data[end:]
        self._held += data
        if self._may_skip and not self._skipped and self._held[:1] == b"\r":
            if len(self._held) < 2:
                return None
            if self._held[:2] == b"\r\n":
                self._skipped = True
                del self._held[:2]
        end = self._held.find(b"\r\n\r\n", max(0, self._checked - 3)) + 4
        if end >= 4:
            self._measure(end)
            head, rest = bytes(self._held[:end]), bytes(self._held[end:])
            self._held.clear()
            self._checked = 0
            self._skipped = False
            return head, rest
        self._check_partial()
        return None

    def _check_partial(self) -> None:
        flaw = _NEVER_IN_A_HEAD.search(self._held, max(0, self._checked - 1))
        if flaw:
            raise MalformedHttp("http.control_character" if flaw["control"] else "http.line_end")
        self._checked = len(self._held)
        self._measure(self._checked)

    def _measure(self, size: int) -> None:
        if size > self._limit:
            raise HttpTooLarge("http.head_too_large", limit=self._limit)


class _Collector:
    """llhttp's callbacks: gathers what the head says."""

    __slots__ = ("headers", "reason", "target")

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.target = ""
        self.reason = ""

    def on_url(self, data: bytes) -> None:
        self.target += data.decode("latin-1")

    def on_status(self, data: bytes) -> None:
        self.reason += data.decode("latin-1")

    def on_header(self, name: bytes, value: bytes | None) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t") if value else ""))


def read_request_head(head: bytes, max_headers: int) -> RequestHead:
    """Parse a whole request head, empty line included."""
    if not _REQUEST_HEAD.fullmatch(head):
        raise _request_flaw(head)
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    _second_reader(parser, head)
    method = parser.get_method().decode("ascii")
    version = parser.get_http_version()
    target = collector.target
    if not head.startswith(b"%b %b HTTP/" % (method.encode(), target.encode("latin-1"))):
        raise MalformedHttp("http.request_line")
    if method == "CONNECT":
        raise MalformedHttp("http.unknown_method")
    if not (target.startswith("/") or "://" in target or (target == "*" and method == "OPTIONS")):
        raise MalformedHttp("http.target")
    _count(collector.headers, max_headers)
    length, codings, connection, hosts, expect = _framing_of(collector.headers)
    if len(hosts) != 1:
        if hosts:
            raise MalformedHttp("http.host_twice")
        if version == "1.1":
            raise MalformedHttp("http.host_missing")
    elif not _HOST.fullmatch(hosts[0]):
        raise MalformedHttp("http.host")
    chunked = _is_chunked(codings, length, version)
    if expect is not None and version == "1.1" and expect.lower() != "100-continue":
        raise MalformedHttp("http.expectation")
    keep_alive = version == "1.1" and "close" not in connection
    size = None if chunked else (length or 0)
    wants_continue = expect is not None and version == "1.1"
    return RequestHead(method, target, version, collector.headers, size, keep_alive, wants_continue)


def read_response_head(head: bytes, max_headers: int, *, method: str) -> ResponseHead:
    """Parse a whole response head to a request with `method` (which decides about the body, RFC 9112 6.3)."""
    if not _RESPONSE_HEAD.fullmatch(head):
        raise _head_flaw(head, "http.status_line")
    collector = _Collector()
    parser = httptools.HttpResponseParser(collector)
    _second_reader(parser, head)
    status = parser.get_status_code()
    version = parser.get_http_version()
    _count(collector.headers, max_headers)
    length, codings, connection, _, _ = _framing_of(collector.headers)
    chunked = _is_chunked(codings, length, version)
    if method == "HEAD" or status < 200 or status in (204, 304):
        length, chunked = 0, False
    keep_alive = version == "1.1" and "close" not in connection and (chunked or length is not None)
    return ResponseHead(status, collector.reason, version, collector.headers, length, chunked, keep_alive)


def _second_reader(parser: Any, head: bytes) -> None:
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # an offer to change the protocol, which may be ignored (RFC 9110 7.8)
    except httptools.HttpParserInvalidMethodError as error:
        raise MalformedHttp("http.unknown_method") from error
    except httptools.HttpParserError as error:
        _explain(head)
        raise MalformedHttp("http.not_http", reason=str(error)) from error


def _explain(head: bytes) -> None:
    """Refuse in our own words a head that only llhttp refused, where it is about the body's framing."""
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    fields = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    length, codings, _, _, _ = _framing_of(fields)
    _is_chunked(codings, length, "1.0" if "HTTP/1.0" in first else "1.1")


def _count(headers: list[tuple[str, str]], limit: int) -> None:
    if len(headers) > limit:
        raise HttpTooLarge("http.too_many_headers", limit=limit)


def _framing_of(headers: list[tuple[str, str]]) -> tuple[int | None, list[str], str, list[str], str | None]:
    """Return Content-Length, transfer codings, connection options, hosts and expectation."""
    length: int | None = None
    codings: list[str] = []
    hosts: list[str] = []
    connection = ""
    expect: str | None = None
    for name, value in headers:
        match name.lower():
            case "content-length":
                if length is not None:
                    raise MalformedHttp("http.length_twice")
                if not _LENGTH.fullmatch(value):
                    raise MalformedHttp("http.length")
                length = int(value)
            case "transfer-encoding":
                codings.append(value.lower())
            case "connection":
                connection += f",{value.lower()}"
            case "host":
                hosts.append(value)
            case "expect":
                expect = value if expect is None else "twice"
    options = {option.strip(" \t") for option in connection.split(",")} if connection else ()
    return length, codings, "close" if "close" in options else "", hosts, expect


def _is_chunked(codings: list[str], length: int | None, version: str) -> bool:
    if not codings:
        return False
    if length is not None:
        raise MalformedHttp("http.length_and_coding")
    if version != "1.1":
        raise MalformedHttp("http.coding_in_1_0")
    if codings == ["chunked"]:
        return True
    last = codings[-1].rpartition(",")[2].strip(" \t")
    if len(codings) == 1 and last == "chunked" and codings[0].count("chunked") == 1:
        raise MalformedHttp("http.transfer_coding")  # gzip, chunked: well framed, but we do not decode it
    raise MalformedHttp("http.transfer_encoding")


def _request_flaw(head: bytes) -> MalformedHttp:
    line = head.partition(b"\r\n")[0]
    parts = line.split(b" ")
    version = _VERSION.fullmatch(parts[-1])
    if version and version[0] not in (b"HTTP/1.0", b"HTTP/1.1"):
        return MalformedHttp("http.version")
    if not re.fullmatch(_REQUEST_LINE, line + b"\r\n"):
        if _NEVER_IN_A_HEAD.search(line):
            return _head_flaw(head, "http.request_line")
        if not version or len(parts) < 3:
            return MalformedHttp("http.request_line")
        if not re.fullmatch(_TOKEN, parts[0]):
            return MalformedHttp("http.method")
        return MalformedHttp("http.target")
    return _head_flaw(head, "http.request_line")


def _head_flaw(head: bytes, first_line: str) -> MalformedHttp:
    """Name the first thing wrong with a head that the pattern refused."""
    flaw = _NEVER_IN_A_HEAD.search(head)
    if flaw:
        return MalformedHttp("http.control_character" if flaw["control"] else "http.line_end")
    for line in head.split(b"\r\n")[1:-2]:
        if line[:1] in (b" ", b"\t"):
            return MalformedHttp("http.folded_header")
        if not _HEADER_LINE.fullmatch(line + b"\r\n"):
            return MalformedHttp("http.header_line")
    return MalformedHttp(first_line)


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
            if _NEVER_IN_A_HEAD.search(line):
                raise MalformedHttp("http.trailer")
            self._held = line
            return -1
        self._trailer += len(line)
        if line == b"\r\n":
            self.done = True
        elif not _HEADER_LINE.fullmatch(line):
            raise MalformedHttp("http.trailer")
        return end


BodyDecoder = LengthDecoder | ChunkedDecoder | UntilCloseDecoder

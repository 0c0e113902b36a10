"""Request and response heads from bytes, for server and client alike (RFC 9112 2, 3, 4, 5).

A head is accepted only when two readers agree: our own pattern over its bytes, and llhttp in its strict
mode. Bare LF or CR, folded lines, space before the colon, control characters, a
second Host and the like are refused, never repaired.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

import httptools

from gateway.runtime.http.framing import HEADER, HEADER_LINE, NEVER_IN_A_HEAD, TOKEN, VALUE, FramingHeaders
from gateway.runtime.http.model import RequestHead, ResponseHead
from gateway.runtime.http.problems import HttpTooLarge, MalformedHttp

_REQUEST_LINE: Final = rb"(" + TOKEN + rb") ([\x21-\x7e]+) HTTP/1\.([01])\r\n"
_STATUS_LINE: Final = rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (" + VALUE + rb"))?\r\n"
_REQUEST_HEAD: Final = re.compile(_REQUEST_LINE + HEADER + rb"*\r\n")
_RESPONSE_HEAD: Final = re.compile(_STATUS_LINE + HEADER + rb"*\r\n")
_VERSION: Final = re.compile(rb"HTTP/([0-9]+)\.([0-9]+)")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9\-._~%!$&'()*+,;=]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")

_NAMES_KNOWN: Final = 1024
_names: dict[str, str] = {}
"""Header names met before: in lower case when they concern framing, else empty."""


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
        flaw = NEVER_IN_A_HEAD.search(self._held, max(0, self._checked - 1))
        if flaw:
            raise MalformedHttp("http.control_character" if flaw["control"] else "http.line_end")
        self._checked = len(self._held)
        self._measure(self._checked)

    def _measure(self, size: int) -> None:
        if size > self._limit:
            raise HttpTooLarge("http.head_too_large", limit=self._limit)


class _SecondReader:
    """llhttp's callbacks: what it takes for the target."""

    __slots__ = ("target",)

    def __init__(self) -> None:
        self.target = b""

    def on_url(self, data: bytes) -> None:
        self.target += data


def _headers_of(head: bytes, max_headers: int) -> tuple[list[tuple[str, str]], FramingHeaders]:
    """Take apart the header lines of a head that the pattern has accepted."""
    lines = head[:-4].decode("latin-1").split("\r\n")
    if len(lines) - 1 > max_headers:
        raise HttpTooLarge("http.too_many_headers", limit=max_headers)
    headers: list[tuple[str, str]] = []
    framing = FramingHeaders()
    for line in islice(lines, 1, None):
        name, _, value = line.partition(":")
        value = value.strip(" \t")
        headers.append((name, value))
        concern = _names.get(name)
        if concern is None:
            concern = _learn(name)
        if concern:
            framing.note(concern, value)
    return headers, framing


def _learn(name: str) -> str:
    lower = name.lower()
    concern = lower if lower in FramingHeaders.NAMES else ""
    if len(_names) < _NAMES_KNOWN:
        _names[name] = concern
    return concern


def read_request_head(head: bytes, max_headers: int) -> RequestHead:
    """Parse a whole request head, empty line included."""
    own = _REQUEST_HEAD.fullmatch(head)
    if own is None:
        raise _request_flaw(head)
    raw_method, raw_target, minor = own.groups()
    version = "1.1" if minor == b"1" else "1.0"
    headers, framing = _headers_of(head, max_headers)
    length = None if framing.is_chunked(version) else framing.length or 0
    second = _SecondReader()
    parser = httptools.HttpRequestParser(second)
    _read_again(parser, head)
    if parser.get_method() != raw_method or second.target != raw_target:
        raise MalformedHttp("http.request_line")
    method, target = raw_method.decode("ascii"), raw_target.decode("ascii")
    if method == "CONNECT":
        raise MalformedHttp("http.unknown_method")
    if not (target[0] == "/" or "://" in target or (target == "*" and method == "OPTIONS")):
        raise MalformedHttp("http.target")
    _check_host(framing.hosts, version)
    expects_continue = bool(framing.expect) and version == "1.1"
    if expects_continue and framing.expect != ["100-continue"]:
        raise MalformedHttp("http.expectation")
    keep_alive = version == "1.1" and not framing.says_close
    return RequestHead(method, target, version, headers, length, keep_alive, expects_continue)


def _check_host(hosts: list[str], version: str) -> None:
    if len(hosts) == 1:
        if not _HOST.fullmatch(hosts[0]):
            raise MalformedHttp("http.host")
    elif hosts:
        raise MalformedHttp("http.host_twice")
    elif version == "1.1":
        raise MalformedHttp("http.host_missing")


def read_response_head(head: bytes, max_headers: int, *, method: str) -> ResponseHead:
    """Parse a whole response head to a request with `method` (which decides about the body, RFC 9112 6.3)."""
    own = _RESPONSE_HEAD.fullmatch(head)
    if own is None:
        raise _head_flaw(head, "http.status_line")
    version = "1.1" if own[1] == b"1" else "1.0"
    headers, framing = _headers_of(head, max_headers)
    length, chunked = framing.length, framing.is_chunked(version)
    _read_again(httptools.HttpResponseParser(None), head)
    status = int(own[2])
    if method == "HEAD" or status < 200 or status in (204, 304):
        length, chunked = 0, False
    keep_alive = version == "1.1" and not framing.says_close and (chunked or length is not None)
    return ResponseHead(status, (own[3] or b"").decode("latin-1"), version, headers, length, chunked, keep_alive)


def _read_again(parser: Any, head: bytes) -> None:
    """Let llhttp read a head that we have accepted."""
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # an offer to change the protocol, which may be ignored (RFC 9110 7.8)
    except httptools.HttpParserInvalidMethodError as error:
        raise MalformedHttp("http.unknown_method") from error
    except httptools.HttpParserError as error:
        raise MalformedHttp("http.not_http", reason=str(error)) from error


def _request_flaw(head: bytes) -> MalformedHttp:
    line = head.partition(b"\r\n")[0]
    parts = line.split(b" ")
    version = _VERSION.fullmatch(parts[-1])
    if version and version[0] not in (b"HTTP/1.0", b"HTTP/1.1"):
        return MalformedHttp("http.version")
    if not re.fullmatch(_REQUEST_LINE, line + b"\r\n"):
        if NEVER_IN_A_HEAD.search(line):
            return _head_flaw(head, "http.request_line")
        if not version or len(parts) < 3:
            return MalformedHttp("http.request_line")
        if not re.fullmatch(TOKEN, parts[0]):
            return MalformedHttp("http.method")
        return MalformedHttp("http.target")
    return _head_flaw(head, "http.request_line")


def _head_flaw(head: bytes, first_line: str) -> MalformedHttp:
    """Name the first thing wrong with a head that the pattern refused."""
    flaw = NEVER_IN_A_HEAD.search(head)
    if flaw:
        return MalformedHttp("http.control_character" if flaw["control"] else "http.line_end")
    for line in head.split(b"\r\n")[1:-2]:
        if line[:1] in (b" ", b"\t"):
            return MalformedHttp("http.folded_header")
        if not HEADER_LINE.fullmatch(line + b"\r\n"):
            return MalformedHttp("http.header_line")
    return MalformedHttp(first_line)

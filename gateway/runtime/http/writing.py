"""Heads and bodies to bytes: headers in the case and order given, framing added by us alone (RFC 9112 6).

A header that would not come out as the one line it is (a line end or NUL within, a name that is no token,
framing that contradicts the body) raises ValueError before anything is sent.
"""

from __future__ import annotations

import http
import re
import time
from collections.abc import AsyncIterable, Iterable, Iterator
from email.utils import formatdate
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

from gateway.runtime.http.model import Headers, OutgoingBody, Response

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN: Final = re.compile("[^\t\x20-\x7e\x80-\xff]")
_TARGET: Final = re.compile(r"[\x21-\x7e]+")
_PHRASES: Final = {status.value: status.phrase for status in http.HTTPStatus}
_NOTED: Final = frozenset({"content-length", "transfer-encoding", "connection", "date", "host"})
_NAMES_KNOWN: Final = 1024
_names: dict[str, str] = {}
"""Header names checked before: in lower case when they are among the noted, else empty."""

_USUALLY_BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})

PIECE_BYTES: Final = 64 * 1024
"""Small pieces of an iterator are put together up to here, larger bytes cut to here."""


class Framing(Enum):
    """How the end of a body is told."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


class OutgoingHead(NamedTuple):
    """A head ready to send, and what it promised."""

    data: bytes
    framing: Framing
    length: int
    keep_alive: bool


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes) -> None:
        """Send or buffer; raises ConnectionLost when the peer is gone."""

    async def drain(self) -> None:
        """Wait while the peer is not reading; raises ConnectionLost when it never will."""


class _Lines:
    """Headers as lines, and what they say that concerns framing."""

    __slots__ = ("has_date", "has_host", "length", "says_close", "says_connection", "text")

    def __init__(self, headers: Headers, *, without_length: bool = False) -> None:
        self.length: int | None = None
        self.has_date = self.has_host = self.says_connection = self.says_close = False
        lines: list[str] = []
        for name, value in headers:
            noted = _names.get(name)
            if noted is None:
                noted = _learn(name)
            if not (value.isascii() and value.isprintable()) and _FORBIDDEN.search(value):
                raise ValueError(f"a value of header {name} holds a character that cannot be sent")
            if noted:
                self._note(noted, value)
                if without_length and noted == "content-length":
                    continue
            lines.append(f"{name}: {value}\r\n")
        self.text = "".join(lines)

    def _note(self, lower: str, value: str) -> None:
        if lower == "content-length":
            if self.length is not None or not (value.isascii() and value.isdigit()):
                raise ValueError("Content-Length must be one number")
            self.length = int(value)
        elif lower == "connection":
            self.says_connection = True
            options = [option.strip() for option in value.lower().split(",")]
            self.says_close = self.says_close or "close" in options
        elif lower == "transfer-encoding":
            raise ValueError("Transfer-Encoding is written by the connection, not by its user")
        elif lower == "date":
            self.has_date = True
        else:
            self.has_host = True


def _learn(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a header name: {name!r}")
    lower = name.lower()
    noted = lower if lower in _NOTED else ""
    if len(_names) < _NAMES_KNOWN:
        _names[name] = noted
    return noted


class _Date:
    """The Date header's value, made once a second."""

    second = 0
    text = ""

    @classmethod
    def now(cls) -> str:
        second = int(time.time())
        if second != cls.second:
            cls.second, cls.text = second, formatdate(second, usegmt=True)
        return cls.text


def response_head(response: Response, *, method: str, version: str, keep_alive: bool) -> OutgoingHead:
    """Return a response's head; `keep_alive` is a wish that framing or the caller's headers may end."""
    status, body = response.status, response.body
    if not 100 <= status <= 999:
        raise ValueError(f"not a status: {status}")
    reason = response.reason
    if reason is None:
        reason = _PHRASES.get(status, "")
    elif _FORBIDDEN.search(reason):
        raise ValueError("the reason phrase holds a character that cannot be sent")
    bodyless = status < 200 or status in (204, 304)
    lines = _Lines(response.headers, without_length=bodyless)
    length = len(body) if isinstance(body, bytes) else lines.length
    if lines.length is not None and lines.length != length and method != "HEAD":
        raise ValueError(f"Content-Length says {lines.length}, the body has {length} bytes")
    extra = ""
    if bodyless:
        framing = Framing.NONE
    elif method == "HEAD":
        framing = Framing.NONE
        if lines.length is None and length:
            extra = f"Content-Length: {length}\r\n"
    elif length is not None:
        framing = Framing.LENGTH
        if lines.length is None:
            extra = f"Content-Length: {length}\r\n"
    elif version == "1.1":
        framing = Framing.CHUNKED
        extra = "Transfer-Encoding: chunked\r\n"
    else:
        framing = Framing.CLOSE
        keep_alive = False
    if lines.says_connection:
        keep_alive = keep_alive and not lines.says_close
    elif not keep_alive:
        extra += "Connection: close\r\n"
    date = "" if lines.has_date else f"Date: {_Date.now()}\r\n"
    head = f"HTTP/1.1 {status} {reason}\r\n{date}{lines.text}{extra}\r\n"
    return OutgoingHead(head.encode("latin-1"), framing, length or 0, keep_alive)


def request_head(
    method: str, target: str, headers: Headers, body: OutgoingBody, *, host: str, close: bool
) -> OutgoingHead:
    """Return a request's head.

    Host goes first unless the caller gives one; framing headers follow the caller's.
    """
    if not _NAME.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ValueError(f"not a request line: {method!r} {target!r}")
    if not _TARGET.fullmatch(host):
        raise ValueError(f"not a host: {host!r}")
    lines = _Lines(headers)
    length = len(body) if isinstance(body, bytes) else lines.length
    if lines.length is not None and lines.length != length:
        raise ValueError(f"Content-Length says {lines.length}, the body has {length} bytes")
    extra = ""
    if length is None:
        framing = Framing.CHUNKED
        extra = "Transfer-Encoding: chunked\r\n"
    elif lines.length is None and not length and method in _USUALLY_BODYLESS:
        framing = Framing.NONE
    else:
        framing = Framing.LENGTH
        if lines.length is None:
            extra = f"Content-Length: {length}\r\n"
    if close and not lines.says_connection:
        extra += "Connection: close\r\n"
    first = "" if lines.has_host else f"Host: {host}\r\n"
    head = f"{method} {target} HTTP/1.1\r\n{first}{lines.text}{extra}\r\n"
    return OutgoingHead(head.encode("latin-1"), framing, length or 0, not (close or lines.says_close))


def chunk(data: bytes) -> bytes:
    """Frame one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole_message(outgoing: OutgoingHead, body: OutgoingBody) -> bytes | None:
    """Return a message that one write can take; None when its body goes out in pieces."""
    if not isinstance(body, bytes) or len(body) > PIECE_BYTES:
        return None
    return outgoing.data if outgoing.framing is Framing.NONE else outgoing.data + body


async def write_message(sink: Sink, outgoing: OutgoingHead, body: OutgoingBody) -> None:
    """Send head and body, waiting whenever the peer is not reading.

    Raises ValueError when an iterator yields more or fewer bytes than the head promised: the caller
    must then cut the connection.
    """
    head, framing, length, _ = outgoing
    if framing is Framing.NONE:
        sink.write(head)
    elif isinstance(body, bytes):
        sink.write(head)
        for start in range(0, len(body), PIECE_BYTES):
            sink.write(body[start : start + PIECE_BYTES])
            await sink.drain()
    else:
        await _write_iterator(sink, head, body, framing, length)
    await sink.drain()


async def _write_iterator(
    sink: Sink, head: bytes, body: Iterable[bytes] | AsyncIterable[bytes], framing: Framing, length: int
) -> None:
    chunked = framing is Framing.CHUNKED
    sent = 0
    if isinstance(body, AsyncIterable):
        sink.write(head)
        async for piece in body:
            if piece:
                sent = _counted(sent, piece, framing, length)
                sink.write(chunk(piece) if chunked else piece)
                await sink.drain()
        if chunked:
            sink.write(b"0\r\n\r\n")
    else:
        unsent = head
        for piece in gathered(body):
            sent = _counted(sent, piece, framing, length)
            sink.write(unsent + (chunk(piece) if chunked else piece))
            unsent = b""
            await sink.drain()
        if chunked or unsent:
            sink.write(unsent + (b"0\r\n\r\n" if chunked else b""))
    if framing is Framing.LENGTH and sent != length:
        raise ValueError(f"Content-Length says {length}, the body had {sent} bytes")


def _counted(sent: int, piece: bytes, framing: Framing, length: int) -> int:
    sent += len(piece)
    if framing is Framing.LENGTH and sent > length:
        raise ValueError(f"Content-Length says {length}, the body has more")
    return sent


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Put small pieces together up to PIECE_BYTES, so that each write is worth its cost."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held.clear()
            size = 0
    if size:
        yield b"".join(held)


async def close_body(body: object) -> None:
    """Let an iterator that will not be asked again release what it holds."""
    close: Any = getattr(body, "aclose", None) if isinstance(body, AsyncIterable) else getattr(body, "close", None)
    if close is not None:
        outcome = close()
        if outcome is not None:
            await outcome

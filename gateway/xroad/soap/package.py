"""SOAP as an information system sends and gets it: plain, or multipart/related (PR-MESS 2.4, RFC 2387, MTOM, swaRef).

The first part is the SOAP, whatever `start` says; attachments stay in their transfer encoding, which
is how they are hashed and signed. Nothing is inlined or resolved: references from one part to another
are the information systems' own. A package with no attachment is still a package and stays one.
Toward an information system the boundary it came with is used again, and the content type's header
line has no space (X-Road SoapMessageDecoder.java, MultipartOutputStream.java).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway.xroad.bodies import Body, BodySink, OpenSink
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import (
    Headers,
    MultipartParser,
    PartBegin,
    PartData,
    boundary_of,
    closing,
    header_of,
    parse_content_type,
    part_head,
)
from gateway.xroad.soap.faults import FAULT_CONTENT_TYPE
from gateway.xroad.soap.message import (
    TEXT_XML_UTF8,
    Attachment,
    SoapFault,
    SoapMessage,
    check_soap_type,
    parse_soap,
)

MULTIPART_RELATED: Final = "multipart/related"
_CHARSET: Final = re.compile(r""";[ \t]*charset[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;"\s]*)[ \t]*""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """Bounds of what an information system may send; X-Road has none."""

    soap_bytes: int = 64 * 1024 * 1024
    attachments: int = 1000
    body_bytes: int | None = None
    header_bytes: int = 16_384


class PackageReader:
    """Reads one SOAP request or answer, however its bytes are split; attachments go to sinks."""

    __slots__ = (
        "_attachments", "_content_type", "_headers", "_limits", "_open_sink", "_package_type", "_parser", "_parts",
        "_pieces", "_sink", "_size", "_soap_headers", "_spooled",
    )  # fmt: skip

    def __init__(self, content_type: str | None, *, open_sink: OpenSink, limits: PackageLimits | None = None) -> None:
        """Raises MalformedMessage: invalid_request without a content type, invalid_content_type for another one."""
        if content_type is None or not content_type.strip():
            raise MalformedMessage("invalid_request", "soap.content_type_missing")
        self._limits = limits or PackageLimits()
        self._open_sink = open_sink
        self._content_type = content_type
        self._package_type: str | None = None
        self._parser: MultipartParser | None = None
        self._headers: Headers = ()
        self._soap_headers: Headers = ()
        self._pieces: list[bytes] = []
        self._size = 0
        self._spooled = 0
        self._parts = 0
        self._sink: BodySink | None = None
        self._attachments: list[Attachment] = []
        if parse_content_type(content_type).media_type == MULTIPART_RELATED:
            self._package_type = content_type
            self._parser = MultipartParser(
                boundary_of(content_type),
                max_header_bytes=self._limits.header_bytes,
                max_parts=self._limits.attachments + 1,
            )
        else:
            check_soap_type(content_type)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._parser is None:
            self._hold(data)
            return
        for event in self._parser.feed(data):
            if isinstance(event, PartData):
                self._take(event.data)
            elif isinstance(event, PartBegin):
                self._begin(event.headers)
            elif self._sink is not None:
                self._attachments.append(Attachment(self._headers, self._sink.finish()))

    def finish(self, *, soap_action: str | None = None) -> SoapMessage | SoapFault:
        """Say that nothing more comes, and return what came.

        Raises MalformedMessage: mime_parsing_failed, missing_soap for a package without parts, and
        everything `parse_soap` raises.
        """
        raw = self.finish_raw()
        return parse_soap(
            raw,
            self.soap_content_type,
            attachments=self.attachments,
            soap_action=soap_action,
            part_headers=self.part_headers,
            package_type=self._package_type,
        )

    def finish_raw(self) -> bytes:
        """Say that nothing more comes, and return the bytes of the SOAP part for another reader of them."""
        if self._parser is not None:
            self._parser.finish()
            if self._parts == 0:
                raise MalformedMessage("missing_soap", "soap.package_empty")
        return b"".join(self._pieces)

    @property
    def soap_content_type(self) -> str:
        """Content type of the SOAP part."""
        if self._parser is None:
            return self._content_type
        return header_of(self._soap_headers, "content-type") or ""

    @property
    def part_headers(self) -> Headers:
        """The other headers of the SOAP part."""
        return tuple(header for header in self._soap_headers if header[0].lower() != "content-type")

    @property
    def package_type(self) -> str | None:
        """Content type of the whole when it is a package."""
        return self._package_type

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """What followed the SOAP part."""
        return tuple(self._attachments)

    def _begin(self, headers: Headers) -> None:
        content_type = header_of(headers, "content-type")
        if content_type is None:
            raise MalformedMessage("invalid_content_type", "soap.part_without_type", part=self._parts + 1)
        self._parts += 1
        self._headers = headers
        if self._parts == 1:
            check_soap_type(content_type)
            self._soap_headers = headers
        else:
            self._sink = self._open_sink()

    def _take(self, data: bytes) -> None:
        if self._sink is None:
            self._hold(data)
            return
        self._spooled += len(data)
        limit = self._limits.body_bytes
        if limit is not None and self._spooled > limit:
            raise MalformedMessage("invalid_request", "soap.attachments_too_large", limit_bytes=limit)
        self._sink.write(data)

    def _hold(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limits.soap_bytes:
            raise MalformedMessage("invalid_request", "soap.too_large", limit_bytes=self._limits.soap_bytes)
        self._pieces.append(data)


@lru_cache(maxsize=256)
def plain_content_type(content_type: str) -> str:
    """Return the Content-Type of SOAP 1.1 that goes to an information system by itself.

    In UTF-8 it is always called the same, whatever parameters it had, as the reference does. Another
    charset stays named: the reference calls it UTF-8, which only misleads.
    """
    charset = parse_content_type(content_type).parameters.get("charset", "utf-8")
    return TEXT_XML_UTF8 if charset.lower() == "utf-8" else content_type


def package_content_type(message: SoapMessage) -> str:
    """Return the Content-Type under which `message` goes to an information system; a package keeps its own."""
    if message.package_type is not None:
        return message.package_type
    if not message.attachments:
        return message.content_type if message.is_soap12 else plain_content_type(message.content_type)
    kind = parse_content_type(message.content_type).media_type
    return f'{MULTIPART_RELATED}; type="{kind}"; charset=UTF-8; boundary={_own_boundary(message).decode("ascii")}'


@lru_cache(maxsize=256)
def with_charset(content_type: str) -> str:
    """Return a package's Content-Type as the consumer's gateway prints it (X-Road JettyUtils.java).

    The charset stands at the end, and has no meaning: each part says its own.
    """
    charset = parse_content_type(content_type).parameters.get("charset")
    if charset is not None:
        if charset.lower() == "utf-8":
            return content_type
        content_type = _CHARSET.sub("", content_type)
    return f"{content_type};charset=utf-8"


def answer_content_type(message: SoapMessage) -> str:
    """Return the Content-Type under which the consumer's information system gets an answer."""
    content_type = package_content_type(message)
    if is_package(message):
        return with_charset(content_type)
    return FAULT_CONTENT_TYPE if content_type is TEXT_XML_UTF8 else content_type


def is_package(message: SoapMessage) -> bool:
    """Tell whether `message` goes to an information system as multipart/related."""
    return message.package_type is not None or bool(message.attachments)


def package_size(message: SoapMessage) -> int:
    """Return how many bytes `write_package` yields."""
    return sum(piece.size if not isinstance(piece, bytes) else len(piece) for piece in _pieces(message))


def write_package(message: SoapMessage) -> Iterator[bytes]:
    """Yield the bytes that belong to `package_content_type(message)`.

    Raises MalformedMessage (mime_parsing_failed) at a part that holds the boundary, before the package could
    be taken for a whole one: a peer chooses the boundary, and no signature covers it.
    """
    if not is_package(message):
        yield message.raw
        return
    delimiter = re.compile(rb"\n--" + re.escape(_boundary_of(message)) + rb"[ \t\r\n-]")
    if delimiter.search(b"\n" + message.raw):
        raise _boundary_within(0)
    part = 0
    for piece in _pieces(message):
        if isinstance(piece, bytes):
            yield piece
            continue
        part += 1
        tail = b"\n"
        for chunk in piece.chunks():
            window = tail + chunk
            if delimiter.search(window):
                raise _boundary_within(part)
            tail = window[-len(delimiter.pattern) :]
            yield chunk
        if delimiter.search(tail + b"\r"):
            raise _boundary_within(part)


def _boundary_within(part: int) -> MalformedMessage:
    return MalformedMessage("mime_parsing_failed", "soap.boundary_within", part=part + 1)


def _boundary_of(message: SoapMessage) -> bytes:
    return boundary_of(message.package_type) if message.package_type is not None else _own_boundary(message)


def _pieces(message: SoapMessage) -> Iterator[bytes | Body]:
    if not is_package(message):
        yield message.raw
        return
    boundary = _boundary_of(message)
    soap_headers = (("content-type", message.content_type), *message.part_headers)
    if not message.attachments:
        # X-Road ProxyMessage.java: a package of one part is written by the encoder of transport messages.
        yield part_head(boundary, soap_headers, first=True) + message.raw + closing(boundary)
        return
    yield _head(boundary, soap_headers).removeprefix(b"\r\n") + message.raw
    for attachment in message.attachments:
        yield _head(boundary, attachment.headers)
        yield attachment.body
    yield closing(boundary)


def _own_boundary(message: SoapMessage) -> bytes:
    return b"xroad" + message.digest.hex[:32].encode("ascii")


def _head(boundary: bytes, headers: Headers) -> bytes:
    content_type = header_of(headers, "content-type")
    lines = [] if content_type is None else [f"content-type:{content_type}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers if name.lower() != "content-type"]
    return b"\r\n--" + boundary + b"\r\n" + "".join(lines).encode("latin-1", "replace") + b"\r\n"

"""Message and signature -> the bytes between two servers (PR-MESSTRANSP 3.1, X-Road ProxyMessageEncoder.java).

The bytes are the reference's own: boundary `xtop` and 30 letters, attachments in a nested multipart
with `xatt` and the same letters, header lines `content-type: X`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.xroad.mime import Headers, closing, part_head
from gateway.xroad.rest.message import RestRequest, RestResponse
from gateway.xroad.signature.signed_message import SignedMessage
from gateway.xroad.soap.message import Attachment, SoapMessage
from gateway.xroad.transport.parts import FAULT_PART_TYPE, Kind

_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTER_OF_BYTE: Final = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))
BOUNDARY_LETTERS: Final = 30
_BOUNDARY: Final = re.compile(rb"[A-Za-z]{30}")


def letters_of(entropy: bytes) -> bytes:
    """Return the 30 letters of a boundary from 30 random bytes."""
    if len(entropy) < BOUNDARY_LETTERS:
        raise RuntimeError(f"a boundary needs {BOUNDARY_LETTERS} random bytes, not {len(entropy)}")
    return entropy[:BOUNDARY_LETTERS].translate(_LETTER_OF_BYTE)


class TransportEncoder:
    """Writes one transport message; `boundary` is its 30 letters."""

    __slots__ = ("_attachment_boundary", "_boundary", "_ocsp_responses")

    def __init__(self, ocsp_responses: Sequence[bytes] = (), *, boundary: bytes) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise RuntimeError("a boundary is made of 30 letters")
        self._ocsp_responses = tuple(ocsp_responses)
        self._boundary = b"xtop" + boundary
        self._attachment_boundary = b"xatt" + boundary

    @property
    def content_type(self) -> str:
        """The Content-Type of the whole."""
        return _mixed(self._boundary)

    def encode(self, signed: SignedMessage) -> Iterator[bytes]:
        """Yield the message: everything up to the first big body, the bodies, the proof."""
        message = signed.message
        head = [*self._ocsp_parts(), self._head(_message_headers(message), first=not self._ocsp_responses), message.raw]
        if isinstance(message, SoapMessage):
            bodies = self._attachments(message.attachments)
        else:
            bodies = self._rest_body(message)
        for chunk in bodies:
            if len(chunk) < 4096:
                head.append(chunk)
                continue
            yield b"".join(head)
            head.clear()
            yield chunk
        yield b"".join([*head, *self._proof(signed), closing(self._boundary)])

    def fault_part(self, fault_xml: bytes) -> bytes:
        """Return a whole multipart whose only part is a fault (PR-MESSTRANSP 3.1: after a failed answer)."""
        head = self._head((("content-type", FAULT_PART_TYPE),), first=True)
        return head + fault_xml + closing(self._boundary)

    def _head(self, headers: Headers, *, first: bool = False) -> bytes:
        return part_head(self._boundary, headers, first=first)

    def _ocsp_parts(self) -> Iterator[bytes]:
        for number, response in enumerate(self._ocsp_responses):
            yield self._head((("content-type", Kind.OCSP.value),), first=number == 0)
            yield response

    def _attachments(self, attachments: tuple[Attachment, ...]) -> Iterator[bytes]:
        if not attachments:
            return
        yield self._head((("content-type", _mixed(self._attachment_boundary)),))
        for attachment in attachments:
            yield part_head(self._attachment_boundary, _type_first(attachment.headers))
            yield from attachment.body.chunks()
        yield closing(self._attachment_boundary)

    def _rest_body(self, message: RestRequest | RestResponse) -> Iterator[bytes]:
        if message.body is not None:
            yield self._head((("content-type", Kind.REST_BODY.value),))
            yield from message.body.chunks()

    def _proof(self, signed: SignedMessage) -> Iterator[bytes]:
        signature = signed.signature
        if signature.hash_chain_result is not None and signature.hash_chain is not None:
            yield self._head((("content-type", Kind.HASH_CHAIN_RESULT.value),))
            yield signature.hash_chain_result
            yield self._head((("content-type", Kind.HASH_CHAIN.value),))
            yield signature.hash_chain
        yield self._head((("content-type", Kind.SIGNATURE.value),))
        yield signature.xml


def _mixed(boundary: bytes) -> str:
    return f"multipart/mixed; charset=UTF-8; boundary={boundary.decode('ascii')}"


def _message_headers(message: SoapMessage | RestRequest | RestResponse) -> Headers:
    if isinstance(message, SoapMessage):
        return (("content-type", message.content_type), *message.part_headers)
    kind = Kind.REST_REQUEST if isinstance(message, RestRequest) else Kind.REST_RESPONSE
    return (("content-type", kind.value),)


def _type_first(headers: Headers) -> Headers:
    """The reference writes the content type first, its name in lower case, and keeps the others as they came."""
    types = tuple(("content-type", value) for name, value in headers if name.lower() == "content-type")
    return (*types[:1], *(header for header in headers if header[0].lower() != "content-type"))

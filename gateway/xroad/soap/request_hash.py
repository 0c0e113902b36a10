"""Insert and check xroad:requestHash (PR-MESS 2.2, X-Road ServerMessageProcessor.java ResponseSoapParserImpl).

The provider's security server puts the SHA-512 of the request's bytes into the answer, directly after
`id`: same prefix, same attributes, preceded by the header's first run of white space; an existing one
is dropped. X-Road re-serialises the whole answer for that; we change only these bytes.

Providers written for other dialects answer without any X-Road header. `complete` gives them the
request's, as their gateways do.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import replace
from typing import Final

from gateway.xroad.digests import Digest
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import Headers
from gateway.xroad.soap.envelope import Envelope, Layout
from gateway.xroad.soap.headers import REQUEST_HASH_ALGORITHM, SoapHeaders, build_header_elements
from gateway.xroad.soap.known_headers import scan_known
from gateway.xroad.soap.message import (
    Attachment,
    SoapFault,
    SoapMessage,
    fault_of,
    read_envelope,
    validated_headers,
)
from gateway.xroad.xml import NS_IDENTIFIERS, NS_XROAD

_TAG: Final = re.compile(rb"""<([^\s/>"']+)((?:[^<>"']|"[^"]*"|'[^']*')*?)(/?)>""")
_WHITE_SPACE_RUN: Final = re.compile(rb">([ \t\r\n]+)<")
_TOP_ELEMENT: Final = re.compile(r"<(xrd:[A-Za-z]+)")
_NAMESPACES: Final = f'xmlns:xrd="{NS_XROAD}" xmlns:id="{NS_IDENTIFIERS}"'


def insert_request_hash(response_raw: bytes, request_digest: Digest) -> bytes:
    """Return the answer with the requestHash in its place; a fault comes back as it is.

    Raises MalformedMessage for everything `parse_soap` would refuse.
    """
    envelope = scan_known(response_raw)
    if envelope.fault is not None:
        return response_raw
    validated_headers(envelope)
    return _with_hash(response_raw, envelope.layout, request_digest)


def answer_to(
    request: SoapMessage,
    raw: bytes,
    content_type: str,
    *,
    complete: bool = False,
    attachments: tuple[Attachment, ...] = (),
    part_headers: Headers = (),
    package_type: str | None = None,
) -> SoapMessage | SoapFault:
    """Read a service's answer and give it its requestHash, in one pass over the bytes.

    With `complete`, an answer without any X-Road header gets the request's.
    """
    envelope = read_envelope(raw, content_type)
    if envelope.fault is not None:
        return fault_of(envelope, raw)
    if complete and not envelope.values:
        raw = _with_header(raw, envelope, _echo(request))
        envelope = scan_known(raw)
        headers = validated_headers(envelope)
    else:
        headers = validated_headers(envelope, request_hash=request.digest.base64)
        raw = _with_hash(raw, envelope.layout, request.digest)
    return SoapMessage(
        raw, content_type, headers, envelope.body_name or "", attachments,
        part_headers=part_headers, package_type=package_type, is_soap12=envelope.is_soap12,
    )  # fmt: skip


def check_request_hash(response: SoapMessage, request: SoapMessage) -> None:
    """Refuse an answer that was not given to exactly these bytes.

    algorithmId is not read, as X-Road does not: the value is SHA-512 or does not match. Raises
    MalformedMessage (inconsistent_response).
    """
    text = response.headers.request_hash
    if text is None:
        raise MalformedMessage("inconsistent_response", "soap.request_hash_missing", id=request.headers.id[:200])
    try:
        value = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if value != request.digest.value:
        raise MalformedMessage("inconsistent_response", "soap.request_hash_differs", id=request.headers.id[:200])


def _echo(request: SoapMessage) -> SoapHeaders:
    return replace(request.headers, request_hash=request.digest.base64)


def _with_hash(raw: bytes, layout: Layout, digest: Digest) -> bytes:
    _require_ascii(raw)
    if layout.id_has_algorithm:
        raise MalformedMessage("invalid_soap", "soap.id_has_algorithm")
    opening = _tag(raw, layout.id)
    name, attributes, _ = opening.groups()
    prefix, colon, _ = name.rpartition(b":")
    element = prefix + colon + b"requestHash"
    id_end = _element_end(raw, layout.id_end, opening)
    run = _WHITE_SPACE_RUN.search(raw, layout.header, id_end)
    piece = b'%s<%s%s algorithmId="%s">%s</%s>' % (
        run[1] if run else b"", element, attributes.rstrip(), REQUEST_HASH_ALGORITHM.encode(),
        digest.base64.encode(), element,
    )  # fmt: skip
    edits = [(id_end, id_end, piece)]
    edits += [(start, _element_end(raw, end, _tag(raw, start)), b"") for start, end in layout.request_hashes]
    for start, end, text in sorted(edits, reverse=True):
        raw = raw[:start] + text + raw[end:]
    return raw


def _with_header(raw: bytes, envelope: Envelope, headers: SoapHeaders) -> bytes:
    _require_ascii(raw)
    elements = build_header_elements(headers)
    layout = envelope.layout
    opening = _tag(raw, layout.envelope if layout.header < 0 else layout.header)
    start = end = opening.end()
    if layout.header < 0:
        prefix, colon, _ = opening[1].rpartition(b":")
        name = prefix + colon + b"Header"
        head, tail = b"<%s %s>" % (name, _NAMESPACES.encode()), b"</%s>" % name
    else:
        elements = _TOP_ELEMENT.sub(rf"<\1 {_NAMESPACES}", elements)
        head = tail = b""
        if opening[3]:  # <Header/>
            start, head, tail = end - 2, b">", b"</%s>" % opening[1]
    return raw[:start] + head + _encode(elements, envelope.encoding) + tail + raw[end:]


def _encode(text: str, encoding: str | None) -> bytes:
    return text.encode(encoding or "utf-8", "xmlcharrefreplace")


def _tag(raw: bytes, start: int) -> re.Match[bytes]:
    found = _TAG.match(raw, start)
    if found is None:  # the document is well-formed, so only a name outside ASCII supersets gets here
        raise MalformedMessage("invalid_soap", "soap.encoding", encoding="-")
    return found


def _element_end(raw: bytes, end_event: int, opening: re.Match[bytes]) -> int:
    """Return where an element ends, from where expat saw its end tag."""
    return opening.end() if opening[3] else raw.index(b">", end_event) + 1


def _require_ascii(raw: bytes) -> None:
    """Refuse to edit an answer whose tags are not ASCII bytes (UTF-16, UTF-32)."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in raw[:4]:
        raise MalformedMessage("invalid_soap", "soap.encoding", encoding="UTF-16")

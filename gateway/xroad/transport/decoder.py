"""The bytes between two servers -> OCSP responses, message and signature, or a fault (PR-MESSTRANSP 3.1).

The reader only goes forward through `parts.ORDER`. Small parts are held in memory up to a bound each;
bodies and attachments go to a sink, which hashes while they come in. A fault counts wherever it
stands, and whatever came before it is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from gateway.xroad.bodies import Body, BodySink, OpenSink
from gateway.xroad.facts import fact
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import (
    Event,
    Headers,
    MultipartParser,
    PartBegin,
    PartData,
    boundary_of,
    header_of,
    parse_content_type,
)
from gateway.xroad.rest.message import RestRequest, RestResponse, parse_rest_request, parse_rest_response
from gateway.xroad.signature.signed_message import Signature, SignedMessage
from gateway.xroad.soap.faults import parse_fault
from gateway.xroad.soap.message import Attachment, SoapFault, SoapMessage, parse_soap
from gateway.xroad.transport.parts import KINDS, ORDER, Kind, Place


class Side(Enum):
    """Which half of an exchange the bytes are."""

    REQUEST = "request"
    RESPONSE = "response"


class Protocol(Enum):
    """Which kind of message is expected; x-road-message-type tells a provider."""

    SOAP = "SOAP"
    REST = "REST"


@dataclass(frozen=True, slots=True)
class TransportLimits:
    """Bounds of one transport message; X-Road has none (messages larger than memory are bodies, not SOAP)."""

    soap_bytes: int = 64 * 1024 * 1024
    rest_head_bytes: int = 256 * 1024
    ocsp_bytes: int = 64 * 1024
    ocsp_parts: int = 16
    signature_bytes: int = 1024 * 1024
    hash_chain_bytes: int = 1024 * 1024
    fault_bytes: int = 1024 * 1024
    attachments: int = 1000
    body_bytes: int | None = None
    header_bytes: int = 16_384


DEFAULT_LIMITS: Final = TransportLimits()


@fact
class DecodedMessage:
    """What a transport message held: a signed message, or the bytes of a fault, also in parsed form."""

    ocsp_responses: tuple[bytes, ...]
    signed: SignedMessage | None
    fault: bytes | None = None
    parsed_fault: SoapFault | None = None


class TransportDecoder:
    """Reads one transport message, however its bytes are split."""

    __slots__ = (
        "_bodies", "_fault", "_hash_chain", "_hash_chain_result", "_headers", "_kind", "_limit", "_limits", "_message",
        "_ocsp_responses", "_package_type", "_parser", "_pieces", "_place", "_protocol", "_side", "_signature", "_size",
        "_soap_action",
    )  # fmt: skip

    def __init__(
        self,
        content_type: str,
        *,
        side: Side,
        open_sink: OpenSink,
        x_original_content_type: str | None = None,
        soap_action: str | None = None,
        protocol: Protocol | None = None,
        limits: TransportLimits = DEFAULT_LIMITS,
    ) -> None:
        """Raises MalformedMessage (invalid_content_type) for anything but what this side may send."""
        self._side = side
        self._protocol = protocol
        self._limits = limits
        self._soap_action = soap_action
        self._package_type = _package_type(x_original_content_type)
        self._place = Place.MESSAGE
        self._ocsp_responses: list[bytes] = []
        self._message: SoapMessage | RestRequest | RestResponse | None = None
        self._hash_chain_result: bytes | None = None
        self._hash_chain: bytes | None = None
        self._signature: Signature | None = None
        self._fault: SoapFault | None = None
        self._bodies = _Bodies(open_sink, limits)
        self._kind = Kind.SOAP
        self._headers: Headers = ()
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = limits.fault_bytes
        self._parser: MultipartParser | None = None
        media_type = parse_content_type(content_type).media_type
        if media_type == _MULTIPART:
            self._parser = MultipartParser(boundary_of(content_type), max_header_bytes=limits.header_bytes)
        elif media_type != Kind.SOAP.value or side is Side.REQUEST:
            raise MalformedMessage("invalid_content_type", "transport.content_type", value=media_type, side=side.value)

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises MalformedMessage at the first part that may not stand where it does."""
        if self._parser is None:
            self._hold(data)
            return
        for event in self._parser.feed(data):
            self._take(event)

    @property
    def message(self) -> SoapMessage | RestRequest | RestResponse | None:
        """The message as far as it came, also when what should follow it never does; without its bodies."""
        return self._message

    def finish(self) -> DecodedMessage:
        """Say that nothing more comes, and return what came.

        Raises MalformedMessage: mime_parsing_failed when it broke off, invalid_message for a whole body
        that is no fault, missing_soap, missing_rest, missing_signature.
        """
        if self._parser is None:
            self._fault = parse_fault(b"".join(self._pieces))
        else:
            self._parser.finish()
        if self._fault is not None and self._side is Side.RESPONSE:
            return DecodedMessage(tuple(self._ocsp_responses), None, self._fault.raw, self._fault)
        return DecodedMessage(tuple(self._ocsp_responses), self._signed())

    def _take(self, event: Event) -> None:
        if isinstance(event, PartData):
            if self._kind in _BODY_KINDS:
                self._bodies.write(self._kind, event.data)
            else:
                self._hold(event.data)
        elif isinstance(event, PartBegin):
            self._begin(event.headers)
        else:
            self._end()

    def _begin(self, headers: Headers) -> None:
        content_type = header_of(headers, "content-type")
        media_type = _media_type(content_type)
        if self._place is Place.END:
            raise MalformedMessage("invalid_message", "transport.after_signature", value=media_type or "—")
        kind = KINDS.get(media_type)
        step = None if kind is None else ORDER[self._place].get(kind)
        if kind is None or step is None or kind is _OTHER_SIDE[self._side]:
            raise MalformedMessage(
                "invalid_content_type",
                "transport.unexpected_part",
                value=media_type or "—",
                place=self._place.name.lower(),
            )
        limits = self._limits
        if kind in _SOAP_KINDS:
            self._limit = limits.soap_bytes if self._place is Place.MESSAGE else limits.fault_bytes
        elif kind not in _BODY_KINDS:
            self._limit = getattr(limits, _LIMITS[kind])
        self._kind = kind
        self._headers = headers
        self._pieces = []
        self._size = 0
        if kind in _BODY_KINDS:
            self._bodies.begin(kind, content_type or "")

    def _hold(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise MalformedMessage(
                "invalid_message", "transport.part_too_large", part=self._kind.value, limit_bytes=self._limit
            )
        self._pieces.append(data)

    def _end(self) -> None:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        place, self._place = self._place, ORDER[self._place][self._kind]
        if self._kind in _SOAP_KINDS:
            if place is Place.MESSAGE:
                self._soap(data)
            else:
                self._fault = self._fault or _fault_instead_of_signature(data)
        else:
            _TAKE[self._kind](self, data)

    def _ocsp(self, data: bytes) -> None:
        if len(self._ocsp_responses) == self._limits.ocsp_parts:
            raise MalformedMessage(
                "invalid_message", "transport.too_many_parts", part=self._kind.value, limit=self._limits.ocsp_parts
            )
        self._ocsp_responses.append(data)

    def _rest_request(self, data: bytes) -> None:
        self._message = parse_rest_request(data)

    def _rest_response(self, data: bytes) -> None:
        self._message = parse_rest_response(data)

    def _end_of_body(self, _data: bytes) -> None:
        self._bodies.end(self._kind)

    def _chain_result(self, data: bytes) -> None:
        self._hash_chain_result = data

    def _chain(self, data: bytes) -> None:
        self._hash_chain = data

    def _signature_part(self, data: bytes) -> None:
        self._signature = Signature(data, self._hash_chain_result, self._hash_chain)

    def _soap(self, data: bytes) -> None:
        content_type = header_of(self._headers, "content-type") or ""
        others = () if len(self._headers) == 1 else _others(self._headers)
        soap = parse_soap(
            data, content_type, soap_action=self._soap_action, part_headers=others, package_type=self._package_type
        )
        if isinstance(soap, SoapFault):
            self._fault = soap
        else:
            self._message = soap

    def _signed(self) -> SignedMessage:
        message = self._message
        is_soap = isinstance(message, SoapMessage)
        if message is None or (self._protocol is not None and is_soap != (self._protocol is Protocol.SOAP)):
            code = "missing_rest" if self._protocol is Protocol.REST else "missing_soap"
            raise MalformedMessage(code, "transport.message_missing", side=self._side.value)
        if self._signature is None:
            raise MalformedMessage("missing_signature", "transport.signature_missing", side=self._side.value)
        return SignedMessage(self._bodies.attach(message), self._signature)


class _Bodies:
    """The spooled parts: one REST body, or attachments in a multipart of their own."""

    __slots__ = ("_attachments", "_headers", "_limits", "_nested", "_open_sink", "_rest_body", "_sink", "_size")

    def __init__(self, open_sink: OpenSink, limits: TransportLimits) -> None:
        self._open_sink = open_sink
        self._limits = limits
        self._size = 0
        self._sink: BodySink | None = None
        self._nested: MultipartParser | None = None
        self._headers: Headers = ()
        self._attachments: list[Attachment] = []
        self._rest_body: Body | None = None

    def begin(self, kind: Kind, content_type: str) -> None:
        if kind is Kind.REST_BODY:
            self._sink = self._open_sink()
        else:
            self._nested = MultipartParser(
                boundary_of(content_type),
                max_header_bytes=self._limits.header_bytes,
                max_parts=self._limits.attachments,
            )

    def write(self, kind: Kind, data: bytes) -> None:
        if kind is Kind.REST_BODY or self._nested is None:
            self._write(data)
            return
        for event in self._nested.feed(data):
            if isinstance(event, PartData):
                self._write(event.data)
            elif isinstance(event, PartBegin):
                self._headers = event.headers
                self._sink = self._open_sink()
            else:
                self._attachments.append(Attachment(self._headers, self._finish()))

    def end(self, kind: Kind) -> None:
        if kind is Kind.REST_BODY:
            self._rest_body = self._finish()
        elif self._nested is not None:
            self._nested.finish()

    def attach(self, message: SoapMessage | RestRequest | RestResponse) -> SoapMessage | RestRequest | RestResponse:
        """Return the message with what was spooled for it."""
        if isinstance(message, SoapMessage):
            return replace(message, attachments=tuple(self._attachments)) if self._attachments else message
        return message if self._rest_body is None else replace(message, body=self._rest_body)

    def _write(self, data: bytes) -> None:
        self._size += len(data)
        limit = self._limits.body_bytes
        if limit is not None and self._size > limit:
            raise MalformedMessage("invalid_message", "transport.bodies_too_large", limit_bytes=limit)
        if self._sink is not None:
            self._sink.write(data)

    def _finish(self) -> Body:
        sink, self._sink = self._sink, None
        if sink is None:
            raise RuntimeError("no body was begun")
        return sink.finish()


_MULTIPART: Final = Kind.ATTACHMENTS.value
_BODY_KINDS: Final = frozenset({Kind.REST_BODY, Kind.ATTACHMENTS})
_SOAP_KINDS: Final = frozenset({Kind.SOAP, Kind.SOAP_XOP})
_LIMITS: Final = {
    Kind.OCSP: "ocsp_bytes",
    Kind.REST_REQUEST: "rest_head_bytes",
    Kind.REST_RESPONSE: "rest_head_bytes",
    Kind.HASH_CHAIN_RESULT: "hash_chain_bytes",
    Kind.HASH_CHAIN: "hash_chain_bytes",
    Kind.SIGNATURE: "signature_bytes",
}
_TAKE: Final = {
    Kind.OCSP: TransportDecoder._ocsp,
    Kind.REST_REQUEST: TransportDecoder._rest_request,
    Kind.REST_RESPONSE: TransportDecoder._rest_response,
    Kind.REST_BODY: TransportDecoder._end_of_body,
    Kind.ATTACHMENTS: TransportDecoder._end_of_body,
    Kind.HASH_CHAIN_RESULT: TransportDecoder._chain_result,
    Kind.HASH_CHAIN: TransportDecoder._chain,
    Kind.SIGNATURE: TransportDecoder._signature_part,
}
_OTHER_SIDE: Final = {Side.REQUEST: Kind.REST_RESPONSE, Side.RESPONSE: Kind.REST_REQUEST}


def _others(headers: Headers) -> Headers:
    return tuple(header for header in headers if header[0].lower() != "content-type")


def _media_type(content_type: str | None) -> str:
    return "" if content_type is None else parse_content_type(content_type).media_type


def _package_type(original: str | None) -> str | None:
    """The information system's own Content-Type counts only when it says that SOAP came as a package."""
    return original if original is not None and original.strip().lower().startswith("multipart/related") else None


def _fault_instead_of_signature(data: bytes) -> SoapFault:
    try:
        return parse_fault(data)
    except MalformedMessage as cause:
        if cause.code != "invalid_message":
            raise
        # X-Road ProxyMessageDecoder.java: a message where the signature belongs has the wrong type.
        raise MalformedMessage(
            "invalid_content_type", "transport.unexpected_part", value=Kind.SOAP.value, place="signature"
        ) from cause

"""SoapMessage: the bytes as received and the facts read from them (PR-MESS 2, X-Road SoapMessageImpl.java).

`raw` is what is hashed, signed, forwarded and logged, byte order mark and all; nobody re-serialises it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, digest_of
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import Headers, header_of, parse_content_type
from gateway.xroad.soap.envelope import Envelope, scan_envelope
from gateway.xroad.soap.headers import SoapHeaders, headers_of

TEXT_XML: Final = "text/xml"
XOP_XML: Final = "application/xop+xml"
TEXT_XML_UTF8: Final = "text/xml; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment: part headers as received, bytes still in their transfer encoding."""

    headers: Headers
    body: Body

    @property
    def content_type(self) -> str | None:
        """The Content-Type as received."""
        return header_of(self.headers, "content-type")


@dataclass(frozen=True, slots=True)
class SoapMessage:
    """A request or an answer.

    `content_type` belongs to the SOAP part itself. When the message came as a multipart, `package_type`
    is the type of the whole, boundary included, and `part_headers` are the SOAP part's other headers.
    """

    raw: bytes
    content_type: str
    headers: SoapHeaders
    body_name: str
    attachments: tuple[Attachment, ...] = ()
    soap_action: str | None = None
    part_headers: Headers = ()
    package_type: str | None = None
    digest: Digest = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest_of(self.raw))

    @property
    def is_response(self) -> bool:
        """X-Road's rule: the name of the body element ends with `Response`."""
        return self.body_name.endswith("Response")

    @property
    def original_content_type(self) -> str:
        """What the information system sent as Content-Type: of the package, else of the SOAP itself."""
        return self.package_type or self.content_type


@dataclass(frozen=True, slots=True)
class SoapFault:
    """A SOAP Fault somebody sent; `raw` is relayed as it came."""

    code: str
    text: str
    actor: str | None
    detail: str | None
    raw: bytes


def parse_soap(
    raw: bytes,
    content_type: str,
    *,
    attachments: tuple[Attachment, ...] = (),
    soap_action: str | None = None,
    part_headers: Headers = (),
    package_type: str | None = None,
) -> SoapMessage | SoapFault:
    """Read one SOAP 1.1 message or fault.

    Raises MalformedMessage: invalid_content_type, invalid_soap, missing_header, missing_header_field,
    duplicate_header_field, invalid_protocol_version, invalid_xml, missing_body, invalid_body,
    inconsistent_headers; internal_error for blank components of identifiers.
    """
    check_soap_type(content_type)
    envelope = scan_envelope(raw)
    if envelope.fault is not None:
        return fault_of(envelope, raw)
    return SoapMessage(
        raw, content_type, validated_headers(envelope), envelope.body_name or "",
        attachments, soap_action, part_headers, package_type,
    )  # fmt: skip


def check_soap_type(content_type: str) -> None:
    """Refuse a SOAP part that is neither text/xml nor application/xop+xml (invalid_content_type)."""
    media_type = parse_content_type(content_type).media_type
    if media_type not in (TEXT_XML, XOP_XML):
        raise MalformedMessage("invalid_content_type", "soap.content_type", value=media_type)


def fault_of(envelope: Envelope, raw: bytes) -> SoapFault:
    """Return the fault an envelope carries."""
    values = envelope.fault or {}
    code, text = values.get("faultcode", ""), values.get("faultstring", "")
    return SoapFault(code, text, values.get("faultactor"), values.get("detail"), raw)


def validated_headers(envelope: Envelope) -> SoapHeaders:
    """Make the checks X-Road makes when `</Envelope>` closes, in its order, and return the header."""
    if not envelope.has_header:
        raise MalformedMessage("missing_header", "soap.header_missing")
    headers = headers_of(envelope.values)
    if not envelope.has_body:
        raise MalformedMessage("missing_body", "soap.body_missing")
    if envelope.body_name is None:
        raise MalformedMessage("invalid_body", "soap.body_not_one_element")
    if not envelope.body_name.startswith(headers.service.service_code):
        raise MalformedMessage(
            "inconsistent_headers",
            "soap.body_not_service",
            element=envelope.body_name[:200],
            service=headers.service.service_code,
        )
    return headers


# What an answer must repeat (X-Road SoapHeader.java @CheckConsistency).
_REPEATED: Final = {
    "client": "client",
    "service": "service",
    "user_id": "userId",
    "represented_party": "representedParty",
    "issue": "issue",
    "id": "id",
}


def check_consistency(request: SoapMessage, response: SoapMessage) -> None:
    """Refuse an answer whose header says something else than the question (PR-MESS 2.2).

    Raises MalformedMessage (service_failed.inconsistent_response). securityServer, protocolVersion and
    unknown headers are not compared.
    """
    for attribute, name in _REPEATED.items():
        if getattr(request.headers, attribute) != getattr(response.headers, attribute):
            raise MalformedMessage("service_failed.inconsistent_response", "soap.answer_differs", field=name)

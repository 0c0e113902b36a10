"""SoapMessage: the bytes as received and the facts read from them (PR-MESS 2, X-Road SoapMessageImpl.java).

`raw` is what is hashed, signed, forwarded and logged, byte order mark and all; nobody re-serialises it.
SOAP 1.2 is read by the same rules; a peer of the field knows 1.1 only and refuses it by its content type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, digest_of
from gateway.xroad.facts import fact
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.mime import Headers, header_of, parse_content_type
from gateway.xroad.soap.envelope import Envelope
from gateway.xroad.soap.headers import SoapHeaders, headers_of
from gateway.xroad.soap.known_headers import scan_known

TEXT_XML: Final = "text/xml"
XOP_XML: Final = "application/xop+xml"
SOAP12_XML: Final = "application/soap+xml"
TEXT_XML_UTF8: Final = "text/xml; charset=UTF-8"
# What the SOAP part may be called; under the last one either version of SOAP may stand.
SOAP_TYPES: Final = (TEXT_XML, SOAP12_XML, XOP_XML)


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment: part headers as received, bytes still in their transfer encoding."""

    headers: Headers
    body: Body

    @property
    def content_type(self) -> str | None:
        """The Content-Type as received."""
        return header_of(self.headers, "content-type")


@fact
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
    is_soap12: bool = False
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
    is_soap12: bool = False


def parse_soap(
    raw: bytes,
    content_type: str,
    *,
    attachments: tuple[Attachment, ...] = (),
    soap_action: str | None = None,
    part_headers: Headers = (),
    package_type: str | None = None,
) -> SoapMessage | SoapFault:
    """Read one SOAP message or fault, of the version that its content type announces.

    Raises MalformedMessage: invalid_content_type, invalid_soap, missing_header, missing_header_field,
    duplicate_header_field, invalid_protocol_version, invalid_xml, missing_body, invalid_body,
    inconsistent_headers; internal_error for blank components of identifiers.
    """
    envelope = read_envelope(raw, content_type)
    if envelope.fault is not None:
        return fault_of(envelope, raw)
    return SoapMessage(
        raw, content_type, validated_headers(envelope), envelope.body_name or "",
        attachments, soap_action, part_headers, package_type, envelope.is_soap12,
    )  # fmt: skip


def check_soap_type(content_type: str) -> str:
    """Return the media type of a SOAP part; refuse any but SOAP_TYPES (invalid_content_type)."""
    media_type = parse_content_type(content_type).media_type
    if media_type not in SOAP_TYPES:
        raise MalformedMessage("invalid_content_type", "soap.content_type", value=media_type)
    return media_type


def read_envelope(raw: bytes, content_type: str) -> Envelope:
    """Read an envelope of the SOAP version that its content type announces.

    Raises MalformedMessage: invalid_content_type, invalid_soap, and the codes of `scan_envelope`.
    """
    media_type = check_soap_type(content_type)
    envelope = scan_known(raw)
    if media_type != XOP_XML and envelope.is_soap12 != (media_type == SOAP12_XML):
        found = "1.2" if envelope.is_soap12 else "1.1"
        raise MalformedMessage("invalid_soap", "soap.other_version", value=media_type, version=found)
    return envelope


def fault_of(envelope: Envelope, raw: bytes) -> SoapFault:
    """Return the fault an envelope carries."""
    values = envelope.fault or {}
    code, text = values.get("faultcode", ""), values.get("faultstring", "")
    return SoapFault(code, text, values.get("faultactor"), values.get("detail"), raw, envelope.is_soap12)


def validated_headers(envelope: Envelope, **instead: object) -> SoapHeaders:
    """Make the checks X-Road makes when `</Envelope>` closes, in its order, and return the header.

    Fields in `instead` take the place of those that were read.
    """
    if not envelope.has_header:
        raise MalformedMessage("missing_header", "soap.header_missing")
    headers = headers_of({**envelope.values, **instead} if instead else envelope.values)
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

    Raises MalformedMessage: service_failed.inconsistent_response, or service_failed.invalid_content_type
    for the other version of SOAP. securityServer, protocolVersion and unknown headers are not compared.
    """
    check_version(request, response, response.content_type)
    for attribute, name in _REPEATED.items():
        if getattr(request.headers, attribute) != getattr(response.headers, attribute):
            raise MalformedMessage("service_failed.inconsistent_response", "soap.answer_differs", field=name)


def check_version(request: SoapMessage, answer: SoapMessage | SoapFault, content_type: str) -> None:
    """Refuse an answer of another version of SOAP than the question (service_failed.invalid_content_type).

    A fault of SOAP 1.1 answers everything: it is how a service says that it does not know 1.2.
    """
    if answer.is_soap12 == request.is_soap12 or (isinstance(answer, SoapFault) and not answer.is_soap12):
        return
    raise MalformedMessage(
        "service_failed.invalid_content_type",
        "soap.answer_other_version",
        value=parse_content_type(content_type).media_type,
        version="1.2" if request.is_soap12 else "1.1",
    )

"""SOAP faults in both directions (PR-MESS 2.5, X-Road SoapFault.java; SOAP 1.2 part 1, 5.4).

What we write is X-Road's one line; what we read is any SOAP fault, and its bytes are kept for relaying.
Who asked in SOAP 1.2 cannot read a fault of SOAP 1.1, and gets the same words in its own form.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.xroad.faults import MalformedMessage, RemoteFault
from gateway.xroad.mime import parse_content_type
from gateway.xroad.soap.envelope import scan_envelope
from gateway.xroad.soap.message import SOAP12_XML, SoapFault, fault_of
from gateway.xroad.xml import NS_SOAP11, NS_SOAP12

# HTTP header of a fault and of a plain answer (X-Road HandlerBase.java, JettyUtils.java).
FAULT_CONTENT_TYPE: Final = "text/xml;charset=utf-8"
FAULT12_CONTENT_TYPE: Final = "application/soap+xml;charset=utf-8"

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"}
_SPECIAL: Final = re.compile("[&<>\"'\r]")
# XML 1.0 2.2: characters that no document can hold are left out, as the reference does.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# A subcode is a qualified name, which our codes are as they stand and others need not be.
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+", re.IGNORECASE)


def escape_text(text: str) -> str:
    """Escape `text` for XML as the reference does, quotes and apostrophes too."""
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], _ILLEGAL.sub("", text))


def build_soap_fault(code: str, text: str, actor: str | None = "", detail: str | None = None) -> bytes:
    """Return a fault in UTF-8. An empty actor is printed, None is not; `detail` is the id of the failure."""
    actor_xml = "" if actor is None else f"<faultactor>{escape_text(actor)}</faultactor>"
    detail_xml = "" if detail is None else f'<detail><faultDetail xmlns="">{escape_text(detail)}</faultDetail></detail>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{NS_SOAP11}"><SOAP-ENV:Body>'
        f"<SOAP-ENV:Fault><faultcode>{escape_text(code)}</faultcode><faultstring>{escape_text(text)}</faultstring>"
        f"{actor_xml}{detail_xml}</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def parse_fault(raw: bytes) -> SoapFault:
    """Read a document that must be a fault.

    Raises MalformedMessage: invalid_message when it is a message that is no fault, else as `parse_soap`.
    """
    envelope = scan_envelope(raw)
    if envelope.fault is None:
        raise MalformedMessage("invalid_message", "soap.not_a_fault", element=(envelope.body_name or "-")[:200])
    return fault_of(envelope, raw)


def remote_fault_of(fault: SoapFault) -> RemoteFault:
    """Return the exception that relays `fault` byte for byte."""
    content_type = FAULT12_CONTENT_TYPE if fault.is_soap12 else FAULT_CONTENT_TYPE
    return RemoteFault(fault.code, fault.text, fault.detail or "", fault.raw, content_type)


def build_soap12_fault(code: str, text: str, detail: str | None = None, *, language: str = "en") -> bytes:
    """Return a fault of SOAP 1.2 in UTF-8; a code that is no name stands in the detail instead of the subcode."""
    value = "Sender" if code.lower().startswith("client") else "Receiver"
    subcode, pieces = "", [] if detail is None else [f"<faultDetail>{escape_text(detail)}</faultDetail>"]
    if _NAME.fullmatch(code):
        subcode = f"<env:Subcode><env:Value>{code}</env:Value></env:Subcode>"
    else:
        pieces.insert(0, f"<faultcode>{escape_text(code)}</faultcode>")
    detail_xml = f"<env:Detail>{''.join(pieces)}</env:Detail>" if pieces else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="{NS_SOAP12}"><env:Body><env:Fault>'
        f"<env:Code><env:Value>env:{value}</env:Value>{subcode}</env:Code>"
        f'<env:Reason><env:Text xml:lang="{language}">{escape_text(text)}</env:Text></env:Reason>'
        f"{detail_xml}</env:Fault></env:Body></env:Envelope>"
    ).encode()


def speaks_soap12(content_type: str | None) -> bool:
    """Tell whether a request with this Content-Type, plain or a package, is SOAP 1.2."""
    try:
        parsed = parse_content_type(content_type or "")
    except MalformedMessage:
        return False
    said = (parsed.media_type, parsed.parameters.get("type", ""), parsed.parameters.get("start-info", ""))
    return any(each.lower().startswith(SOAP12_XML) for each in said)


def refuses_soap12(fault: RemoteFault) -> bool:
    """Tell whether a peer's fault says that it does not know the content type of SOAP 1.2.

    The same code tells of a service's answer, so the type it complains about has to be this one.
    """
    leaf = fault.code.rpartition(".")[2].replace("_", "").lower()
    named = _MEDIA_TYPE.search(fault.text)
    return leaf == "invalidcontenttype" and named is not None and named[0].lower() == SOAP12_XML

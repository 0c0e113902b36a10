"""SOAP faults in both directions (PR-MESS 2.5, X-Road SoapFault.java).

What we write is X-Road's one line; what we read is any SOAP 1.1 fault, and its bytes are kept for
relaying.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.xroad.faults import MalformedMessage, RemoteFault
from gateway.xroad.soap.envelope import scan_envelope
from gateway.xroad.soap.message import SoapFault, fault_of
from gateway.xroad.xml import NS_SOAP11

# HTTP header of a fault; between servers and toward information systems (X-Road HandlerBase.java).
FAULT_CONTENT_TYPE: Final = "text/xml;charset=utf-8"

_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;"}
_SPECIAL: Final = re.compile("[&<>\"'\r]")
# XML 1.0 2.2: characters that no document can hold are left out, as the reference does.
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


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


def remote_fault_of(fault: SoapFault, content_type: str = FAULT_CONTENT_TYPE) -> RemoteFault:
    """Return the exception that relays `fault` byte for byte."""
    return RemoteFault(fault.code, fault.text, fault.detail or "", fault.raw, content_type)

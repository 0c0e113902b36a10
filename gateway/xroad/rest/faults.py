"""Faults as a REST caller reads them (PR-REST 4.6, X-Road ClientRestMessageHandler.java).

500 for what a server failed at, 400 for the rest, in either spelling of the code; the code again in
X-Road-Error; the body is JSON unless the caller asks for XML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from gateway.xroad.faults import is_server_code
from gateway.xroad.soap.faults import escape_text

# What a caller may ask for -> what it gets. Anything else is JSON.
_XML_TYPES: Final = {
    "text/xml": "text/xml;charset=utf-8",
    "application/xml": "application/xml;charset=utf-8",
    "text/*": "text/xml;charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class RestFaultResponse:
    """An HTTP response that says a fault."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def build_rest_fault(code: str, text: str, detail: str, accept: str | None = None) -> RestFaultResponse:
    """Return the answer for a fault with this full code, origin included; `accept` is the caller's Accept."""
    xml_type = _xml_type(accept)
    if xml_type is None:
        content_type = "application/json"
        body = json.dumps(
            {"type": code, "message": text, "detail": detail}, ensure_ascii=False, separators=(",", ":")
        ).encode("utf-8", "replace")
    else:
        content_type = xml_type
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>'
            f"<error><type>{escape_text(code)}</type><message>{escape_text(text)}</message>"
            f"<detail>{escape_text(detail)}</detail></error>"
        ).encode()
    status = 500 if is_server_code(code) else 400
    return RestFaultResponse(status, (("Content-Type", content_type), ("X-Road-Error", _header_value(code))), body)


def _xml_type(accept: str | None) -> str | None:
    for entry in (accept or "").split(","):
        found = _XML_TYPES.get(entry.partition(";")[0].strip().lower())
        if found is not None:
            return found
    return None


def _header_value(code: str) -> str:
    # A peer's code is opaque; nothing in it may end the header line.
    return "".join(c if " " <= c <= "~" else "?" for c in code)

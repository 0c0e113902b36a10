"""The syntax of SOAPAction (SOAP 1.1 6.1.1, X-Road MessageProcessorBase.java)."""

from __future__ import annotations

import re
from typing import Final

from gateway.xroad.faults import MalformedMessage

# RFC 3986 reserved, unreserved and percent-encoded characters: what a URI can be made of.
_QUOTED_URI: Final = re.compile(r'"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&\'()*+,;=]|%[0-9A-Fa-f]{2})*"')


def check_soap_action(value: str | None) -> None:
    """Accept none, an empty one or a quoted URI; raise MalformedMessage (invalid_soap_action) otherwise."""
    if value and not _QUOTED_URI.fullmatch(value):
        raise MalformedMessage("invalid_soap_action", "soap.action", value=value[:200])

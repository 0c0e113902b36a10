"""X-Road-* headers, and which HTTP headers travel (PR-REST 4.3-4.5, X-Road RestMessage.java).

Values are characters as the HTTP layer hands them over (latin-1 of the wire); in a header part they
are written as UTF-8, as the reference does. Order, case and duplicates are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, SecurityServerId, ServiceId, client_of, decode_path, server_of
from gateway.xroad.mime import Headers
from gateway.xroad.soap.headers import RepresentedParty

CLIENT: Final = "x-road-client"
SERVICE: Final = "x-road-service"
ID: Final = "x-road-id"
USER_ID: Final = "x-road-userid"
ISSUE: Final = "x-road-issue"
REPRESENTED_PARTY: Final = "x-road-represented-party"
SECURITY_SERVER: Final = "x-road-security-server"
REQUEST_ID: Final = "x-road-request-id"
REQUEST_HASH: Final = "x-road-request-hash"
ERROR: Final = "x-road-error"

# Of one connection, not of the message; fatal when found in a received header part (RestMessage.SKIPPED_HEADERS).
SKIPPED: Final = frozenset({
    "transfer-encoding", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade",
    "connection", "user-agent", "host", "content-length", "server", "expect",
})  # fmt: skip
_NOT_FROM_CLIENT: Final = SKIPPED | {REQUEST_ID, REQUEST_HASH}
_NOT_FROM_SERVICE: Final = SKIPPED | {ID, REQUEST_HASH, CLIENT, REQUEST_ID}
# Headers that say who speaks to whom: two that differ would be read one way by us and another way behind us.
_SINGLE: Final = (CLIENT, ID, SECURITY_SERVER, REPRESENTED_PARTY, USER_ID, ISSUE, REQUEST_ID)

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def request_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what travels of an information system's request headers."""
    return [header for header in headers if header[0].lower() not in _NOT_FROM_CLIENT]


def response_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what travels of a service's response headers."""
    return [header for header in headers if header[0].lower() not in _NOT_FROM_SERVICE]


def serialise_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the header lines of a header part: `Name:value`, CRLF, no empty line at the end.

    Raises MalformedMessage (internal_error) for a name or value that could not be read back.
    """
    lines = []
    for name, value in headers:
        check_header(name, value)
        lines.append(f"{name}:{value}\r\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as cause:
        raise MalformedMessage("internal_error", "rest.bad_header", name="-") from cause


def check_header(name: str, value: str) -> None:
    """Refuse a header that is not one (internal_error, as X-Road answers)."""
    if not _NAME.fullmatch(name) or _FORBIDDEN.search(value):
        raise MalformedMessage("internal_error", "rest.bad_header", name=name[:100])


def parse_header_lines(lines: Iterable[str]) -> Headers:
    """Read the header lines of a received header part; values as they stand after the colon.

    Raises MalformedMessage (internal_error) for a line that is no header, and for the headers that
    must have been removed.
    """
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise MalformedMessage("internal_error", "rest.bad_header", name=name[:100])
        check_header(name, value)
        if name.lower() in SKIPPED:
            raise MalformedMessage("internal_error", "rest.forbidden_header", name=name)
        headers.append((name, value))
    return tuple(headers)


def last_of(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the last header called `name`, without regard to case: the one X-Road goes by."""
    found = None
    for key, value in headers:
        if key.lower() == name:
            found = value
    return found


def refuse_contradictions(headers: Iterable[tuple[str, str]]) -> None:
    """Refuse a request that says two different things in one X-Road header (internal_error)."""
    seen: dict[str, str] = {}
    for key, value in headers:
        name = key.lower()
        if name in _SINGLE and seen.setdefault(name, value) != value:
            raise MalformedMessage("internal_error", "rest.contradicting_headers", name=key)


def client_from(value: str | None) -> ClientId:
    """Read X-Road-Client.

    Raises MalformedMessage: invalid_client_identifier when there is none, internal_error when it names
    no client, as X-Road answers.
    """
    if value is None:
        raise MalformedMessage("invalid_client_identifier", "rest.client_missing")
    try:
        return client_of(decode_path(value.strip(" \t")))
    except MalformedMessage as cause:
        raise MalformedMessage("internal_error", "rest.bad_client", value=value[:200]) from cause


def service_from(value: str | None) -> ServiceId:
    """Read X-Road-Service: exactly five segments (internal_error otherwise)."""
    parts = [] if value is None else decode_path(value.strip(" \t"))
    if len(parts) != 5:
        raise MalformedMessage("internal_error", "rest.bad_service", value=(value or "-")[:200])
    return ServiceId(client_of(parts[:4]), parts[4])


def server_from(value: str | None) -> SecurityServerId | None:
    """Read X-Road-Security-Server, if any (internal_error when it is not four segments)."""
    return None if value is None else server_of(decode_path(value.strip(" \t")))


def represented_party_from(value: str | None) -> RepresentedParty | None:
    """Read X-Road-Represented-Party, if any: `code` or `class/code`."""
    if value is None:
        return None
    parts = decode_path(value.strip(" \t"))
    if len(parts) > 2 or not all(parts):
        raise MalformedMessage("internal_error", "rest.bad_represented_party", value=value[:200])
    return RepresentedParty(parts[0] if len(parts) == 2 else None, parts[-1])

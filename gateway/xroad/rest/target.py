"""/r1/... -> ServiceId and service path (PR-REST 4.1, 4.2, X-Road RestRequest.java).

Everything is done on the raw target: an identifier may hold `%2F`, and the service path goes on as it
was written. Only RFC 3986 characters pass, so that raw UTF-8 cannot be read two ways, and no segment
may hide a dot segment, which a service behind us would resolve after the access decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ServiceId, client_of, decode_segment

PREFIX: Final = "r1"
MAX_TARGET: Final = 16_384

_PCHAR: Final = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_PATH: Final = re.compile(rf"(?:/{_PCHAR}*)+")
# java.net.URI, through which a peer reads the target, lets brackets stand in a query.
_QUERY: Final = re.compile(rf"(?:{_PCHAR}|[/?\[\]])*")
_SEPARATORS: Final = re.compile(rb"[/\\]")
# /r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE: the empty text before the first slash, six segments, the rest.
_IDENTIFIER_SEGMENTS: Final = 7


@dataclass(frozen=True, slots=True)
class Target:
    """A request target, taken apart; path, service path and query still encoded."""

    raw: str
    path: str
    query: str | None
    service: ServiceId
    service_path: str


def parse_target(raw: str) -> Target:
    """Read `/r1/{instance}/{class}/{member}/{subsystem}/{service}[/path][?query]`.

    The service path is what follows the service code, its slash included: "" if there is none. Raises
    MalformedMessage (internal_error, as X-Road answers).
    """
    if len(raw) > MAX_TARGET:
        raise MalformedMessage("internal_error", "rest.target_too_long", limit=MAX_TARGET)
    path, question, query = raw.partition("?")
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise MalformedMessage("internal_error", "rest.bad_target", target=raw[:200])
    parts = path.split("/", _IDENTIFIER_SEGMENTS)
    if len(parts) < _IDENTIFIER_SEGMENTS or parts[1] != PREFIX:
        raise MalformedMessage("internal_error", "rest.target_incomplete", target=raw[:200])
    refuse_dot_segments(path)
    identifiers = [decode_segment(part) for part in parts[2:_IDENTIFIER_SEGMENTS]]
    service = ServiceId(client_of(identifiers[:4]), identifiers[4])
    service_path = "/" + parts[_IDENTIFIER_SEGMENTS] if len(parts) > _IDENTIFIER_SEGMENTS else ""
    return Target(raw, path, query if question else None, service, service_path)


def refuse_dot_segments(path: str) -> None:
    """Refuse `.` and `..` in any spelling a service might resolve: `%2e`, `..%2f..`, `..;x` (internal_error)."""
    if "." not in path and "%" not in path:
        return
    for segment in path.split("/"):
        for piece in _SEPARATORS.split(unquote_to_bytes(segment)):
            if piece.partition(b";")[0] in (b".", b".."):
                raise MalformedMessage("internal_error", "rest.dot_segment", segment=segment[:100])

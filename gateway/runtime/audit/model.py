"""A deed as the audit log tells it (X-Road spec-al_x-road_audit_log_events.md 1.1, AuditLogger.java).

The fields are the reference's: event, user, ipaddress, reason, warning, auth, url, data. A failed deed
says so at the end of its event. Ours are time, n, correlation and previous, the hash of the line before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

SYSTEM: Final = "system"  # the user of what no person did
FAILED: Final = " failed"
MAX_DATA_CHARACTERS: Final = 16_384
# The address of the caller of this request, so that nobody passes it along.
caller_address: ContextVar[str | None] = ContextVar("caller_address", default=None)

_SECRET_NAME: Final = re.compile(r"(?:^|_)(?:pin|password|secret|token)(?:_|$)|password", re.IGNORECASE)
_HIDDEN: Final = "***"


class TrailUnavailable(Exception):  # noqa: N818
    """A deed cannot be put on record, so it must not be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did or tried: with `reason` it failed; `warning` is whether only a warning stood against it."""

    event: str
    user: str | None
    ipaddress: str | None = None
    auth: str | None = None
    url: str | None = None
    reason: str | None = None
    warning: bool = False
    data: Mapping[str, object] = field(default_factory=dict)
    correlation: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields of the line in the order of the reference; what is not known is left out, as there."""
        optional: dict[str, Any] = {
            "ipaddress": self.ipaddress,
            "reason": self.reason,
            "warning": self.warning if self.reason is not None else None,
            "auth": self.auth,
            "url": self.url,
        }
        return {
            "event": self.event + (FAILED if self.reason is not None else ""),
            "user": self.user,
            **{name: value for name, value in optional.items() if value is not None},
            "data": bounded(self.data),
            **({} if self.correlation is None else {"correlation": self.correlation}),
        }


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of the trail: its number and the hash of its line; 0 and zeros before the first."""

    number: int = 0
    line_sha256: str = "0" * 64


def link(fields: Mapping[str, Any], head: Head, at: datetime) -> bytes:
    """Return the line, without its end, that follows `head`."""
    time = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    content = {"time": time, "n": head.number + 1, **fields, "previous": head.line_sha256}
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), default=str).encode("ascii")


def hash_of(line: bytes) -> str:
    """Return the hash that the next line names."""
    return hashlib.sha256(line).hexdigest()


def parse_line(line: bytes) -> dict[str, Any] | None:
    """Return the fields of a line; None for what is none of ours."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or type(fields.get("n")) is not int or not isinstance(fields.get("previous"), str):
        return None
    return fields


def without_secrets(value: Any) -> Any:
    """Return what a request said, with PINs and passwords hidden."""
    if isinstance(value, dict):
        return {
            str(name): _HIDDEN if _SECRET_NAME.search(str(name)) else without_secrets(item)
            for name, item in value.items()
        }
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def bounded(data: Mapping[str, object]) -> Mapping[str, object]:
    """Return facts of a bearable length; of what is longer only size and hash."""
    text = json.dumps(data, ensure_ascii=True, default=str)
    if len(text) <= MAX_DATA_CHARACTERS:
        return data
    return {"omitted_characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}

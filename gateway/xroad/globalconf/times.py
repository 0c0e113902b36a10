"""Points in time as the configuration writes them: ISO 8601 with an offset (X-Road TimeUtils, OffsetDateTime)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from gateway.xroad.faults import MalformedMessage

_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)


def parse_time(text: str, *, code: str, offset_required: bool = False) -> datetime:
    """Return an aware UTC time; without an offset the text means UTC unless one is required."""
    match = _TIME.fullmatch(text)
    if match is None or (offset_required and match[8] is None):
        raise MalformedMessage(code, "globalconf.not_time", value=text[:64])
    year, month, day, hour, minute = (int(match[n]) for n in range(1, 6))
    microsecond = int((match[7] or "0").ljust(6, "0")[:6])
    try:
        local = datetime(year, month, day, hour, minute, int(match[6] or 0), microsecond, tzinfo=_zone(match[8]))
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as cause:
        raise MalformedMessage(code, "globalconf.not_time", value=text[:64]) from cause


def format_time(at: datetime) -> str:
    """Write whole seconds in UTC: `2026-01-01T10:20:30Z`, the form that health scripts read."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    delta = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-delta if text[0] == "-" else delta)

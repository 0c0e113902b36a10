"""Times, numbers and sizes as people of either language read them; every time names its zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = {"en": "%Y-%m-%d", "uk": "%d.%m.%Y"}
# A thousands separator that no line break may follow, and the decimal sign.
_MARKS: Final = {"en": (",", "."), "uk": ("\u00a0", ",")}
_SIZES: Final = {"en": ("B", "KB", "MB", "GB", "TB"), "uk": ("Б", "КБ", "МБ", "ГБ", "ТБ")}
_SPANS: Final = {"en": ("d", "h", "min", "s", "ms"), "uk": ("д", "год", "хв", "с", "мс")}
# What `<input type="datetime-local">` and `<input type="date">` send, and what people type.
_TYPED: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d",
                 "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y")  # fmt: skip


def zone_named(name: str) -> tzinfo:
    """Return a time zone by its name. Raises ValueError for one that this machine does not know."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as cause:
        raise ValueError(f"time zone {name!r} is not known here; use UTC or a name such as Europe/Kyiv") from cause


@dataclass(frozen=True, slots=True)
class Formats:
    """How one visitor reads times and numbers."""

    language: str = "en"
    zone: tzinfo = UTC

    @property
    def zone_name(self) -> str:
        """The zone in words, to stand beside fields for times."""
        return str(self.zone)

    def time(self, at: datetime | None, *, precise: bool = False) -> str:
        """Return a moment with its offset; `precise` adds milliseconds. Empty for None."""
        if at is None:
            return ""
        local = at.astimezone(self.zone)
        clock = local.strftime("%H:%M:%S") + (f".{local.microsecond // 1000:03d}" if precise else "")
        return f"{self.date(at)} {clock} {_offset(local)}"

    def date(self, at: datetime | None) -> str:
        """Return the day of a moment. Empty for None."""
        return "" if at is None else at.astimezone(self.zone).strftime(_DAY.get(self.language, _DAY["en"]))

    def iso(self, at: datetime | None) -> str:
        """Return a moment for the `datetime` attribute of `<time>`."""
        return "" if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def field(self, at: datetime | None) -> str:
        """Return a moment as the value of `<input type="datetime-local">`, in this zone."""
        return "" if at is None else at.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S")

    def read_time(self, text: str) -> datetime | None:
        """Read what was typed into a field for times, in this zone; None for what is no time."""
        for form in _TYPED:
            try:
                return datetime.strptime(text.strip(), form).replace(tzinfo=self.zone).astimezone(UTC)
            except (ValueError, OverflowError):
                continue
        return None

    def number(self, value: float, digits: int = 0) -> str:
        """Return a number with separated thousands and `digits` after the decimal sign."""
        thousands, decimal = _MARKS.get(self.language, _MARKS["en"])
        return f"{value:,.{digits}f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)

    def size(self, size_bytes: float) -> str:
        """Return a number of bytes in the unit that reads best (1024 to the next)."""
        units = _SIZES.get(self.language, _SIZES["en"])
        steps = 0
        while abs(size_bytes) >= 1024 and steps < len(units) - 1:
            size_bytes, steps = size_bytes / 1024, steps + 1
        return f"{self.number(size_bytes, 1 if steps else 0)}\u00a0{units[steps]}"

    def duration(self, span: timedelta | float) -> str:
        """Return a span of time (seconds or a timedelta) by its two greatest units."""
        total_s = span.total_seconds() if isinstance(span, timedelta) else span
        days, hours, minutes, seconds, milliseconds = _SPANS.get(self.language, _SPANS["en"])
        if abs(total_s) < 1:
            return f"{self.number(total_s * 1000)}\u00a0{milliseconds}"
        whole = round(abs(total_s))
        parts = [
            (whole // 86_400, days),
            (whole // 3_600 % 24, hours),
            (whole // 60 % 60, minutes),
            (whole % 60, seconds),
        ]
        first = next(place for place, (count, _) in enumerate(parts) if count)
        said = [f"{self.number(count)}\u00a0{unit}" for count, unit in parts[first : first + 2] if count]
        return ("\u2212" if total_s < 0 else "") + " ".join(said)


def plural_form(number: int, language: str) -> str:
    """Return `one`, `few` or `many`: which form of a noun a number takes (Unicode CLDR plural rules)."""
    if language != "uk":
        return "one" if number == 1 else "many"
    last, last_two = abs(number) % 10, abs(number) % 100
    if last == 1 and last_two != 11:
        return "one"
    return "few" if 2 <= last <= 4 and not 12 <= last_two <= 14 else "many"


def _offset(local: datetime) -> str:
    text = local.strftime("%z")
    return "UTC" if text in ("+0000", "") else f"UTC{text[:3]}:{text[3:5]}"

"""A query as texts and back: parameters of an address, options of a command, JSON of an export.

The names are those of the fields of `Query`. Times are ISO 8601; without an offset they are UTC. A day
alone means its beginning, and as `until` its end, so that two days name what people mean by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.auditing.model import Outcome, Query
from gateway.messagelog.model import Side

NAMES: Final = tuple(field.name for field in fields(Query))
MAX_TEXT_CHARACTERS: Final = 1000
_DAY_CHARACTERS: Final = len("2026-11-21")


class BadQuery(ValueError):  # noqa: N818
    """A condition that cannot be one; `field` names it."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field}: {value[:80]!r} cannot be used")
        self.field = field


def query_of(texts: Mapping[str, str | None]) -> Query:
    """Return the query that texts stand for; empty ones ask for nothing. Raises BadQuery."""
    given = {name: text.strip() for name in NAMES if (text := texts.get(name)) is not None and text.strip()}
    for name, text in given.items():
        if len(text) > MAX_TEXT_CHARACTERS or not text.isprintable():
            raise BadQuery(name, text)
    plain = {name: text for name, text in given.items() if name not in _READ}
    read = {name: _read(name, text) for name, text in given.items() if name in _READ}
    return Query(**plain, **read)  # type: ignore[arg-type]


def facts_of(query: Query) -> dict[str, str]:
    """Return the conditions of a query as texts, without those that ask for nothing."""
    asked = {name: getattr(query, name) for name in NAMES}
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in asked.items()
        if value is not None
    }


def _read(name: str, text: str) -> object:
    try:
        return _READ[name](text)
    except (ValueError, OverflowError):
        raise BadQuery(name, text) from None


def _since(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)


def _until(text: str) -> datetime:
    return _since(text) + (timedelta(days=1) if len(text) <= _DAY_CHARACTERS else timedelta())


_READ: Final = {"since": _since, "until": _until, "outcome": Outcome, "side": Side}

"""The search form and the query it stands for: texts of an address into conditions, and back again.

A search is a GET, so that it can be bookmarked, sent to a colleague and quoted in a report. Whatever
was typed comes back in its field, with a sentence beside each field that could not be understood. The
end of a period is meant as people say it: the day, the minute or the second named belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode

from gateway.auditing.model import Outcome, Query
from gateway.messagelog.model import Side
from gateway.runtime.console.formats import Formats
from gateway.runtime.console.forms import Form
from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import decode_segment, encode_segment

MAX_TEXT: Final = 1000  # characters; the longest identifiers that were ever seen have 255
MAX_CURSOR: Final = 2**62
MAX_TRAIL: Final = 20  # pages to go back one by one

PERIOD: Final = ("since", "since_time", "until", "until_time")
PARTIES: Final = {"client": (3, 4), "service": (3, 6)}  # how many parts an identifier has
TEXTS: Final = ("query_id", "x_request_id", "issue", "purpose", "user_id", "represented_party", "fault_code")
CHOICES: Final = ("outcome", "side")
FIELDS: Final = (*PERIOD, *PARTIES, *TEXTS, *CHOICES)

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Search:
    """What was typed, and the query it stands for; None while `form` has errors."""

    form: Form
    query: Query | None

    @property
    def values(self) -> dict[str, str]:
        """The fields that were filled in."""
        return {name: text for name in FIELDS if (text := self.form.text(name))}

    @property
    def is_usable(self) -> bool:
        """Whether nothing was wrong with the conditions."""
        return self.query is not None

    @property
    def address(self) -> str:
        """The query string of this search; empty for everything."""
        return urlencode(self.values)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: what it continues below, and the places it came from, the last one visited last."""

    before: int | None = None
    trail: tuple[int, ...] = ()

    def older(self, next_before: int) -> dict[str, str]:
        """Return the parameters of the next page; its way back is this page."""
        trail = self.trail if self.before is None else (*self.trail, self.before)[-MAX_TRAIL:]
        return _place(next_before, trail)

    def newer(self) -> dict[str, str] | None:
        """Return the parameters of the page before this one; None on the first."""
        if self.before is None:
            return None
        return _place(self.trail[-1], self.trail[:-1]) if self.trail else {}


def read_search(form: Form, formats: Formats) -> Search:
    """Return the search that was filled in; what is wrong stands in the form afterwards."""
    for name in FIELDS:
        text = form.text(name)
        if len(text) > MAX_TEXT:
            form.refuse(name, "audit.search.error.too_long", limit=MAX_TEXT)
        elif not text.isprintable():
            form.refuse(name, "audit.search.error.not_printable")
    query = Query(
        since=_moment(form, formats, "since", is_end=False),
        until=_moment(form, formats, "until", is_end=True),
        client=_party(form, "client"),
        service=_party(form, "service"),
        outcome=_choice(form, "outcome", Outcome),
        side=_choice(form, "side", Side),
        **{name: form.text(name) or None for name in TEXTS},
    )
    if query.since is not None and query.until is not None and query.since >= query.until:
        form.refuse("until", "audit.search.error.until_before_since")
    return Search(form, query if form.is_good else None)


def read_cursor(form: Form) -> Cursor:
    """Return the place in the list; what cannot be one is its beginning."""
    before = _number(form.text("before"))
    if before is None:
        return Cursor()
    numbers = [_number(text) for text in form.text("trail").split(".")[:MAX_TRAIL]]
    return Cursor(before, tuple(number for number in numbers if number is not None))


def values_of(query: Query, formats: Formats) -> dict[str, str]:
    """Return how a query is typed: for links to a search and for searches that were kept."""
    asked = {name: getattr(query, name) for name in (*PARTIES, *TEXTS, *CHOICES)}
    values = {name: str(value) for name, value in asked.items() if value is not None}
    ends = {"since": query.since, "until": None if query.until is None else query.until - timedelta(seconds=1)}
    for name, at in ends.items():
        if at is not None:
            day, _, clock = formats.field(at).partition("T")
            values |= {name: day, f"{name}_time": clock}
    return values


def _moment(form: Form, formats: Formats, name: str, *, is_end: bool) -> datetime | None:
    day, clock = form.text(name), form.text(f"{name}_time")
    if name in form.errors or f"{name}_time" in form.errors:
        return None
    if not day:
        if clock:
            form.refuse(name, "audit.search.error.day_missing")
        return None
    typed = f"{day} {clock}".strip()
    at = formats.read_time(typed)
    if at is None:
        is_day = formats.read_time(day) is not None
        wrong, error = (f"{name}_time", "not_a_time") if is_day else (name, "not_a_day")
        form.refuse(wrong, f"audit.search.error.{error}")
        return None
    return at + _length(at, typed.count(":"), formats) if is_end else at


def _length(at: datetime, colons: int, formats: Formats) -> timedelta:
    """Return how long what was named lasts: a second, a minute, or a day, which may have 23 or 25 hours."""
    if colons:
        return timedelta(seconds=1) if colons > 1 else timedelta(minutes=1)
    try:
        following = at.astimezone(formats.zone).replace(tzinfo=None) + timedelta(days=1)
    except OverflowError:  # the last day that a calendar knows
        return timedelta()
    beginning = formats.read_time(following.isoformat(timespec="seconds"))
    return timedelta() if beginning is None else beginning - at


def _party(form: Form, name: str) -> str | None:
    """Return an identifier in URL form, however it was typed; `*` at its end asks for what begins so."""
    text = form.text(name)
    if not text or name in form.errors:
        return None
    is_beginning = text.endswith("*")
    segments = text.removesuffix("*").split("/")
    shortest, longest = (1 if is_beginning else PARTIES[name][0]), PARTIES[name][1]
    is_whole = all(segments[:-1]) and (segments[-1] or is_beginning)
    if not is_whole or not shortest <= len(segments) <= longest:
        form.refuse(name, f"audit.search.error.{name}_form")
        return None
    return "/".join(map(_encoded, segments)) + ("*" if is_beginning else "")


def _choice(form: Form, name: str, choices: type[Choice]) -> Choice | None:
    text = form.text(name)
    if not text:
        return None
    try:
        return choices(text)
    except ValueError:
        form.refuse(name, "audit.search.error.not_a_choice")
        return None


def _encoded(segment: str) -> str:
    try:
        return encode_segment(decode_segment(segment))
    except MalformedMessage:  # as people read it, not as an address holds it
        return encode_segment(segment)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        return None
    number = int(text)
    return number if 0 < number < MAX_CURSOR else None


def _place(before: int, trail: tuple[int, ...]) -> dict[str, str]:
    return {"before": str(before), **({"trail": ".".join(map(str, trail))} if trail else {})}

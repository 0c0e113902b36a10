"""What a clerk is shown of a case: words and colours of states, values as people read them, masked numbers.

Everything here is a pure function of the case, so that the whole page and the parts of it that appear by
themselves say the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Final

from gateway.runtime import texts
from gateway.runtime.console.formats import Formats
from registry_adapters.snap.model import (
    Action,
    Case,
    CaseStatus,
    Contradiction,
    Event,
    FaultKind,
    Leg,
    LegAnswer,
    LegState,
    Recipe,
    Value,
    Words,
)
from registry_adapters.snap.plan import dependants
from registry_adapters.snap.values import is_empty, text_of

UNDER_WAY_MS: Final = 400
WAITING_MS: Final = 3000
LEG_MARKS: Final[Mapping[LegState, str]] = {
    LegState.WAITING: "",
    LegState.ASKING: "open",
    LegState.SLOW: "open",
    LegState.ANSWERED: "good",
    LegState.NOT_FOUND: "open",
    LegState.AMBIGUOUS: "open",
    LegState.PARKED: "bad",
    LegState.FAILED: "bad",
    LegState.REFUSED: "bad",
    LegState.SKIPPED: "",
}
STATUS_MARKS: Final[Mapping[CaseStatus, str]] = {
    CaseStatus.OPEN: "",
    CaseStatus.GATHERING: "open",
    CaseStatus.READY: "good",
    CaseStatus.PARKED: "bad",
    CaseStatus.DECIDED: "",
    CaseStatus.CANCELLED: "",
}
QUEUE: Final = (CaseStatus.OPEN, CaseStatus.GATHERING, CaseStatus.PARKED, CaseStatus.READY)
_MOVING: Final = frozenset((LegState.ASKING, LegState.SLOW))
_SETTLED: Final = frozenset((LegState.ANSWERED, LegState.NOT_FOUND, LegState.SKIPPED))
_PAUSED: Final = frozenset((LegState.PARKED, LegState.WAITING))
_AGAIN: Final = frozenset(
    (LegState.PARKED, LegState.FAILED, LegState.REFUSED, LegState.NOT_FOUND, LegState.AMBIGUOUS, LegState.SLOW)
)
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]*")
_DIGITS: Final = re.compile(r"[0-9]")
_BOOKLET: Final = re.compile(r"[А-ЯІЇЄҐ]{2} [0-9]{6}")
_HIDDEN: Final = "•"
_LONG_CODE: Final = 8  # found also inside a line; a short one only alone

Say = Callable[..., str]  # text id and facts -> the sentence in the clerk's language


@dataclass(frozen=True, slots=True)
class Shown:
    """A value for people: one line, or the rows of a small table."""

    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class LegView:
    """A leg beside what is known of it."""

    leg: Leg
    answer: LegAnswer
    registry: str
    values: tuple[tuple[str, Shown], ...]
    contradicts: bool
    can_retry: bool
    takes_paper: bool
    technical: tuple[tuple[str, str], ...]

    @property
    def state(self) -> str:
        """The state as it is told: an answer that is being prepared is not silence, and a paper is not nothing."""
        told = self.answer.fault is not None and self.answer.fault.kind in (FaultKind.PENDING, FaultKind.PAPER)
        return self.answer.fault.kind.value if self.answer.fault and told else self.answer.state.value

    @property
    def mark(self) -> str:
        """The colour of the state."""
        return "open" if self.state == FaultKind.PENDING.value else LEG_MARKS[self.answer.state]


@dataclass(frozen=True, slots=True)
class Question:
    """What a leg is going to ask, before it asks."""

    leg: Leg
    registry: str
    gives: tuple[tuple[str, str], ...]  # what is told to the registry, and where it comes from
    asks: tuple[str, ...]  # what is wanted of it
    purpose: str


@dataclass(frozen=True, slots=True)
class Reader:
    """How one clerk reads: language, formats, sentences."""

    language: str
    formats: Formats
    say: Say
    choices: Mapping[str, str] = field(default_factory=dict)  # codes that a recipe's fields name

    def of(self, recipe: Recipe) -> Reader:
        """Return the same reader, who knows the choices of a recipe's fields by their titles."""
        choices = {one.value: one.title.of(self.language) for each in recipe.fields for one in each.choices}
        return replace(self, choices=choices)

    def name(self, *text_ids: str, otherwise: str) -> str:
        """Return the first of the texts that there is."""
        known = texts.catalogue()
        return next((self.say(text_id) for text_id in text_ids if text_id in known), otherwise)

    def registry(self, service: str) -> str:
        """Return the name of the registry behind `…/subsystem/service`."""
        subsystem = service.split("/")[-2] if "/" in service else service
        return self.name(f"snap.registry.{subsystem}", otherwise=subsystem)

    def registries(self, services: Sequence[str]) -> str:
        """Return the names of several registries, each once."""
        return ", ".join(dict.fromkeys(self.registry(service) for service in services))

    def event(self, event: Event, recipe: Recipe) -> str:
        """Return what happened to a case as a sentence, with names for ids."""
        return self.say(f"snap_history.{event.kind}", **{k: self._fact(k, v, recipe) for k, v in event.facts.items()})

    def _fact(self, name: str, text: str, recipe: Recipe) -> str:
        titles: dict[str, Words] = {}
        if name == "leg":
            titles = {leg.id: leg.title for leg in recipe.legs}
        elif name == "contradiction":
            titles = {one.name: one.title for one in recipe.comparisons}
        elif name == "fields":
            titles = {each.name: each.title for each in recipe.fields}
        elif name == "line":
            return next((self.label(text, line.label) for line in recipe.lines if line.name == text), text)
        elif name == "outcome":
            return self.name(f"snap.outcome.{text}", otherwise=text)
        return ", ".join(titles[part].of(self.language) if part in titles else part for part in text.split(", "))

    def is_plain(self, value: Value) -> bool:
        """Tell whether a value is one line that a clerk can change."""
        return not isinstance(value, list | Mapping)

    def label(self, name: str, label: str = "") -> str:
        """Return what a value is called: by its label, else by its name."""
        return self.name(label, f"snap_label.{name}", f"snap.label.{name}", otherwise=name.replace("_", " "))

    def value(self, value: Value) -> Shown:
        """Return a value as this clerk reads it."""
        if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            columns = tuple(dict.fromkeys(name for row in value for name in row))
            rows = tuple(tuple(self._text(row.get(name)) for name in columns) for row in value)
            return Shown(self.say("snap.rows", n=len(rows)), tuple(self.label(name) for name in columns), rows)
        if isinstance(value, list):
            return Shown("; ".join(self._text(item) for item in value))
        return Shown(self._text(value))

    def day(self, text: str) -> str:
        """Return an ISO date as people write it."""
        return self.formats.date(datetime.combine(date.fromisoformat(text), time(12), self.formats.zone))

    def _text(self, value: Value) -> str:
        if isinstance(value, bool):
            return self.say("snap.yes" if value else "snap.no")
        text = text_of(value)
        try:
            if _ISO_DATE.fullmatch(text):
                return self.day(text)
            if _ISO_TIME.fullmatch(text):
                return self.formats.time(datetime.fromisoformat(text))
        except ValueError:
            return text
        for code, title in self.choices.items():
            text = title if text == code else text.replace(code, title) if len(code) >= _LONG_CODE else text
        return self.name(f"snap.value.{text}", otherwise=text) if _CODE.fullmatch(text) else text


def mask(person: str) -> str:
    """Return a person as lists show them: of a number the first and last two signs, of a name the surname.

    Who has the citizen before them recognises the case; who looks over a shoulder learns no number.
    """
    words = person.split()
    if len(words) > 1 and not _BOOKLET.fullmatch(person) and not _DIGITS.search(words[0]):
        initials = "".join(f" {word[0]}." for word in words[1:] if not _DIGITS.search(word))
        return words[0] + initials
    signs = sum(1 for sign in person if sign.isalnum())
    place, shown = 0, []
    for sign in person:
        place += sign.isalnum()
        shown.append(sign if not sign.isalnum() or place <= 2 or place > signs - 2 else _HIDDEN)
    return "".join(shown)


def poll_ms(case: Case) -> int:
    """Return after how long something may have changed; 0: nothing changes by itself."""
    if case.status.is_closed or case.status is CaseStatus.OPEN:
        return 0
    states = {answer.state for answer in case.legs}
    if states & _MOVING or case.status is CaseStatus.GATHERING:
        return UNDER_WAY_MS
    return WAITING_MS if any(answer.state in _PAUSED and answer.next_at for answer in case.legs) else 0


def answered(case: Case) -> int:
    """Return how many registries have said what they have to say."""
    return sum(1 for answer in case.legs if answer.state in _SETTLED)


def legs_of(case: Case, reader: Reader) -> list[LegView]:
    """Return the legs of a case in the order of its recipe."""
    disputed = {
        side.leg for one in case.contradictions if one.settled_by is None for side in (one.left, one.right) if side.leg
    }
    return [
        _leg_view(case, case.recipe.leg(answer.leg), answer, answer.leg in disputed, reader) for answer in case.legs
    ]


def _leg_view(case: Case, leg: Leg, answer: LegAnswer, contradicts: bool, reader: Reader) -> LegView:
    is_over = case.status.is_closed
    return LegView(
        leg,
        answer,
        reader.registry(leg.service),
        tuple(_values(leg, answer, reader)) if answer.state is LegState.ANSWERED else (),
        contradicts,
        can_retry=not is_over and (answer.state in _AGAIN or answer.action is Action.RETRY),
        takes_paper=not is_over and answer.state in _AGAIN and answer.state is not LegState.SLOW,
        technical=tuple(_technical(case.recipe, leg, answer, reader)),
    )


def _technical(recipe: Recipe, leg: Leg, answer: LegAnswer, reader: Reader) -> Iterator[tuple[str, str]]:
    say = reader.say
    yield say("snap.column.service"), f"{leg.service} {leg.operation}"
    yield say("snap.column.message"), answer.message_id or ""
    yield say("snap.column.attempt"), str(answer.attempt)
    yield say("snap.column.purpose"), leg.purpose or recipe.purpose
    if answer.fault is not None:
        yield say("snap.column.code"), f"{answer.fault.kind.value} {answer.fault.code}".strip()
        yield say("snap.column.words"), answer.fault.text


def _values(leg: Leg, answer: LegAnswer, reader: Reader) -> Iterator[tuple[str, Shown]]:
    for output in leg.outputs:
        value = answer.values.get(output.name)
        if not is_empty(value):
            yield reader.label(output.name, output.label), reader.value(value)


def questions_of(recipe: Recipe, fields: Mapping[str, str], reader: Reader) -> list[Question]:
    """Return what each registry will be asked with these fields; what a field left empty asks for is left out."""
    unasked = _unasked(recipe, fields)
    return [
        Question(
            leg,
            reader.registry(leg.service),
            tuple(_gives(recipe, leg, fields, reader)),
            tuple(dict.fromkeys(reader.label(output.name, output.label) for output in leg.outputs)),
            leg.purpose or recipe.purpose,
        )
        for leg in recipe.legs
        if leg.id not in unasked
    ]


def _unasked(recipe: Recipe, fields: Mapping[str, str]) -> frozenset[str]:
    """Return the legs that need a field which is empty, with all that build on them."""
    needing = {
        leg.id
        for leg in recipe.legs
        for name, source in leg.inputs.items()
        if str(source).startswith("field.") and name not in leg.optional_inputs and str(source)[6:] not in fields
    }
    return dependants(recipe, frozenset(needing))


def _gives(recipe: Recipe, leg: Leg, fields: Mapping[str, str], reader: Reader) -> Iterator[tuple[str, str]]:
    titles = {one.name: one.title.of(reader.language) for one in recipe.fields}
    periods = False
    for parameter, source in leg.inputs.items():
        kind, _, rest = str(source).partition(".")
        if kind == "field":
            if rest in fields:
                yield titles[rest], reader.value(fields[rest]).text
        elif kind == "leg":
            asked = recipe.leg(rest.partition(".")[0]).title.of(reader.language)
            yield reader.label("person" if parameter == "*" else parameter), reader.say("snap.from_answer", leg=asked)
        elif kind == "period":
            if not periods:
                yield reader.label("period"), reader.say("snap.two_quarters")
            periods = True
        else:
            yield reader.label(parameter), reader.value(str(source).removeprefix("=")).text


def sides_of(one: Contradiction, case: Case, reader: Reader) -> list[tuple[str, str]]:
    """Return who says what in a contradiction."""
    shown = []
    for side in (one.left, one.right):
        if side.leg is None:
            who = reader.say("snap.said_at_counter")
        else:
            leg = case.recipe.leg(side.leg)
            who = f"{reader.registry(leg.service)}: {leg.title.of(reader.language)}"
        shown.append((who, reader.value(side.value).text))
    return shown


def missing_of(case: Case, reader: Reader) -> list[tuple[str, str]]:
    """Return name and label of the lines that are required and empty."""
    return [
        (line.name, reader.label(line.name, line.label))
        for line in case.application
        if line.required and is_empty(line.value)
    ]


def given_of(case: Case, reader: Reader) -> list[tuple[str, str]]:
    """Return title and value of what was typed."""
    return [
        (one.title.of(reader.language), reader.value(case.fields[one.name]).text)
        for one in case.recipe.fields
        if one.name in case.fields
    ]


def unsettled(case: Case) -> list[Contradiction]:
    """Return the contradictions that nobody has looked at yet."""
    return [one for one in case.contradictions if one.settled_by is None]


def person_of(case: Case) -> str:
    """Return the first person field as it was typed; empty when the recipe has none."""
    return next((case.fields[one.name] for one in case.recipe.fields if one.name in case.fields), "")


def carried(recipe: Recipe, known: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the fields that known values fill: each value, a field kind and a text, is used once."""
    filled: dict[str, str] = {}
    rest = list(known)
    for each in recipe.fields:
        found = next((one for one in rest if one[0] == each.kind.value), None)
        if found is not None:
            filled[each.name] = found[1]
            rest.remove(found)
    return filled


def fingerprint(html: str) -> str:
    """Return by what a browser knows whether a part of the page has changed."""
    return hashlib.sha256(html.encode()).hexdigest()[:16]

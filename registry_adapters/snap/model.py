"""Life events, cases and what registries said about them, as plain facts.

A recipe is what the law and the registries make of a life event; a case is one citizen's event at one
centre. A leg is one question to one registry: the recipe declares it, the case holds its `LegAnswer`.
Only values that a recipe declares as outputs are ever kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

# What an output holds: a text, number, boolean, a list of these, or a list of rows (name -> plain value).
Value = Any


class FieldKind(StrEnum):
    """What a clerk types into a field; decides how it is read and checked."""

    PERSON = "person"  # UNZR, RNOKPP, passport, or name and birth date: whatever is typed is recognised
    TEXT = "text"
    DATE = "date"  # ISO, or dd.mm.yyyy; kept as ISO
    NUMBER = "number"
    CADASTRAL_NUMBER = "cadastral_number"
    CHOICE = "choice"


class Fallback(StrEnum):
    """What becomes of a case when a leg brings nothing."""

    PARK = "park"  # the case waits; the registry is asked again in the background
    GO_ON = "go_on"  # the case goes on without it
    PAPER = "paper"  # the citizen is asked for the paper; the registry is still asked again


class LegState(StrEnum):
    """How far a leg is; SLOW is an ASKING that lasts."""

    WAITING = "waiting"  # for a field or another leg's answer
    ASKING = "asking"
    SLOW = "slow"
    ANSWERED = "answered"
    NOT_FOUND = "not_found"
    AMBIGUOUS = "ambiguous"
    PARKED = "parked"  # asked again at `next_at`
    FAILED = "failed"  # not asked again by itself
    REFUSED = "refused"
    SKIPPED = "skipped"  # its inputs will not come, or a paper stands in for it


class Action(StrEnum):
    """What a clerk can do about a leg."""

    NONE = "none"
    WAIT = "wait"
    RETRY = "retry"
    CORRECT = "correct"  # the clerk's entries: nobody or several persons fit
    PAPER = "paper"
    REPORT = "report"  # to the administrator


class FaultKind(StrEnum):
    """Why a leg has no answer."""

    UNREACHABLE = "unreachable"  # the registry, or a security server on the way
    TIMEOUT = "timeout"
    REGISTRY_FAILED = "registry_failed"
    GATEWAY_FAILED = "gateway_failed"
    REFUSED = "refused"
    QUESTION = "question"  # the registry does not take what was asked
    NOT_PUBLISHED = "not_published"  # the service is not there
    ANSWER = "answer"  # what came is not what the service declares
    PENDING = "pending"  # a slow registry prepares its answer
    GIVEN_ALREADY = "given_already"  # an answer that is given once was given, and lost on the way to us
    INTERRUPTED = "interrupted"  # the program ended while it was asked
    INPUT_MISSING = "input_missing"  # the leg it builds on brought nothing
    PAPER = "paper"  # a clerk took a paper instead


class CaseStatus(StrEnum):
    """Where a case stands."""

    OPEN = "open"  # nothing was asked yet
    GATHERING = "gathering"
    READY = "ready"  # to be decided
    PARKED = "parked"  # waits for a registry, a paper or a correction
    DECIDED = "decided"
    CANCELLED = "cancelled"

    @property
    def is_closed(self) -> bool:
        """Whether nothing may change any more."""
        return self in (CaseStatus.DECIDED, CaseStatus.CANCELLED)


class Outcome(StrEnum):
    """What was decided."""

    GRANTED = "granted"
    REFUSED = "refused"


class Source(StrEnum):
    """Where a line of an application comes from."""

    REGISTRY = "registry"
    CLERK = "clerk"  # a field typed when the case was opened
    EDITED = "edited"  # changed by a clerk, with a reason
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Words:
    """A short text in both languages."""

    en: str
    uk: str

    def of(self, language: str) -> str:
        """Return it in a language."""
        return self.uk if language == "uk" else self.en


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field may have."""

    value: str
    title: Words


@dataclass(frozen=True, slots=True)
class Field:
    """What the clerk fills in."""

    name: str
    kind: FieldKind
    title: Words
    required: bool = True
    hint: Words | None = None
    pattern: str | None = None
    max_length: int = 200
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """A value kept of an answer; with `columns` a list of rows.

    `path` is dotted: `person.surname`, `acts[0].number`, `acts[].number`, `documents[status=in_force].number`.
    `label` is the text id of its name for people.
    """

    name: str
    path: str
    columns: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """The second step of a two-step question: asked until the answer is no longer `pending`."""

    status: str  # path of the status in the answer
    pending: tuple[str, ...]
    given: tuple[str, ...] = ()  # statuses of an answer that is gone: it was given before, or nobody came for it
    failed: tuple[str, ...] = ()  # statuses of a question that has no answer
    ready_at: str | None = None  # path of the time from which asking makes sense
    resubmit: str | None = None  # the leg to repeat when the answer was given already


@dataclass(frozen=True, slots=True)
class Leg:
    """One question to one registry.

    `inputs` map parameters of the service to `field.NAME`, `leg.ID.OUTPUT`, `period.NAME` (the two full
    quarters before the case) or a constant after `=`. The parameter `*` is a person: `field.NAME` as it was
    typed, or `leg.ID` by the first of `by` which that leg's outputs hold. Inputs in `optional_inputs` are
    left out when they are not there; any other makes the leg wait, or skips it.

    Of the list `items` only those count that have the values of `where`; a path after `!` must have another.
    """

    id: str
    title: Words
    service: str  # member class / code / subsystem / service code, without instance
    operation: str
    method: str
    path: str
    inputs: Mapping[str, str | int | bool]
    outputs: tuple[Output, ...]
    by: tuple[str, ...] = ("unzr", "rnokpp", "document", "name")
    required: bool = True
    when_silent: Fallback = Fallback.PARK
    when_missing: Fallback = Fallback.PAPER
    optional_inputs: frozenset[str] = frozenset()
    items: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    one: bool = False  # several items are ambiguous
    poll: Poll | None = None
    purpose: str = ""  # of the recipe, unless the leg has its own


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the prefilled application; the first of `values` whose references are all there is taken.

    `{leg.output}` and `{field.name}` stand for values.
    """

    name: str
    section: str
    label: str  # text id
    values: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the application."""

    name: str
    title: Words


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values that have to agree; `manner` is one of `values.MANNERS`."""

    name: str
    title: Words
    left: str  # leg.output or field.name
    right: str
    manner: str = "text"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A life event."""

    id: str
    purpose: str
    title: Words
    summary: Words
    ground: str  # the legal basis as it is sent to registries and shown to people
    application_title: Words
    fields: tuple[Field, ...]
    legs: tuple[Leg, ...]
    sections: tuple[Section, ...]
    lines: tuple[Line, ...]
    comparisons: tuple[Comparison, ...]
    term_days: int = 30

    def leg(self, leg_id: str) -> Leg:
        """Return a leg by id. Raises KeyError."""
        for leg in self.legs:
            if leg.id == leg_id:
                return leg
        raise KeyError(leg_id)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no answer: `code` and `text` are the technical words of whoever refused."""

    kind: FaultKind
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class LegAnswer:
    """What a case knows of one leg: of the last attempt."""

    leg: str
    state: LegState
    attempt: int = 0
    asked_at: datetime | None = None
    took_ms: int | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    message_id: str | None = None
    fault: Fault | None = None
    action: Action = Action.NONE
    next_at: datetime | None = None  # of a parked leg


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a contradiction."""

    leg: str | None  # None: the clerk's field
    output: str
    value: Value


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two sources that do not agree; `settled_by` and `reason` once a clerk has looked at it."""

    name: str
    title: Words
    left: Side
    right: Side
    settled_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a prefilled value comes from."""

    source: Source
    legs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    at: datetime | None = None
    by: str | None = None  # who edited it
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Prefilled:
    """A line of a case's application; `registered` is the registries' value when a clerk changed it."""

    name: str
    section: str
    label: str
    value: Value
    provenance: Provenance
    required: bool = False
    registered: Value = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How a case ended."""

    outcome: Outcome
    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a case; `kind` is the name of a text in the area `snap_history`."""

    at: datetime
    by: str
    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One citizen's life event at one centre, with all that is known of it now."""

    number: str
    recipe: Recipe
    centre: str
    clerk: str
    status: CaseStatus
    fields: Mapping[str, str]
    legs: tuple[LegAnswer, ...]  # in the recipe's order
    contradictions: tuple[Contradiction, ...]
    application: tuple[Prefilled, ...]
    opened_at: datetime
    changed_at: datetime
    decision: Decision | None = None
    history: tuple[Event, ...] = ()
    revision: int = 0  # grows with each change

    def leg(self, leg_id: str) -> LegAnswer:
        """Return what is known of a leg. Raises KeyError."""
        for answer in self.legs:
            if answer.leg == leg_id:
                return answer
        raise KeyError(leg_id)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as lists show it."""

    number: str
    recipe: str
    centre: str
    clerk: str
    status: CaseStatus
    person: str  # the first person field as typed
    opened_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Exchange:
    """One signed exchange of a case; `outcome` is a LegState or a FaultKind value, empty while it is asked."""

    leg: str
    attempt: int
    service: str
    operation: str
    message_id: str
    asked_at: datetime
    answered_at: datetime | None
    outcome: str
    purpose: str
    ground: str
    clerk: str  # as whose question it went out


@dataclass(frozen=True, slots=True)
class Receipt:
    """Every signed exchange of a case, in the order they were sent; each can be taken from the server as evidence."""

    number: str
    recipe: str
    client: str
    clerk: str
    exchanges: tuple[Exchange, ...]

"""What the composer's API takes and gives, as dataclasses that its description is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field as Bounds

from registry_adapters.snap.model import (
    Action,
    Case,
    CaseStatus,
    Exchange,
    FaultKind,
    FieldKind,
    LegState,
    Receipt,
    Recipe,
    Source,
)
from registry_adapters.snap.plan import blocks


@dataclass(frozen=True, slots=True)
class WordsShape:
    """A text in both languages."""

    en: str
    uk: str


@dataclass(frozen=True, slots=True)
class FieldShape:
    """What has to be known to open a case."""

    name: str
    kind: FieldKind
    title: WordsShape
    required: bool
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LegShape:
    """What is asked of a registry, and for what purpose."""

    leg: str
    title: WordsShape
    service: str
    operation: str
    purpose: str
    required: bool
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LifeEventShape:
    """A life event."""

    id: str
    title: WordsShape
    ground: str
    term_days: int
    fields: tuple[FieldShape, ...]
    legs: tuple[LegShape, ...]


@dataclass(frozen=True, slots=True)
class NewCaseShape:
    """A question to several registries at once.

    `wait_s` is how long to wait for answers; `user_id` names the person in whose hands the case is, as registries
    are told; `centre` is needed by keys that are for more than one.
    """

    fields: Annotated[dict[str, Annotated[str, Bounds(max_length=2000)]], Bounds(max_length=50)]
    wait_s: Annotated[float, Bounds(ge=0)] = 0
    user_id: Annotated[str | None, Bounds(min_length=1, max_length=64)] = None
    centre: Annotated[str | None, Bounds(pattern="^SN[0-9]{8}$")] = None


@dataclass(frozen=True, slots=True)
class ReasonShape:
    """Why a leg has no answer."""

    kind: FaultKind
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """How far a leg is, and what it brought; `blocks` is whether the case waits for it."""

    leg: str
    state: LegState
    action: Action
    blocks: bool
    attempt: int
    asked_at: datetime | None
    took_ms: int | None
    message_id: str | None
    next_at: datetime | None
    reason: ReasonShape | None
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContradictionShape:
    """Two sources that do not agree."""

    name: str
    title: WordsShape
    left: Any
    right: Any
    settled: bool


@dataclass(frozen=True, slots=True)
class LineShape:
    """A line of the prefilled application, and where it comes from."""

    name: str
    value: Any
    required: bool
    source: Source
    services: tuple[str, ...]
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExchangeShape:
    """One signed exchange; its evidence is had from the security server by the message id."""

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
    user_id: str


@dataclass(frozen=True, slots=True)
class ReceiptShape:
    """Every signed exchange of a case, in the order they were sent."""

    number: str
    life_event: str
    client: str
    exchanges: tuple[ExchangeShape, ...]


@dataclass(frozen=True, slots=True)
class CaseShape:
    """A case as it stands: answers that are there, reasons for those that are not, and the receipt."""

    number: str
    life_event: str
    centre: str
    status: CaseStatus
    complete: bool
    opened_at: datetime
    changed_at: datetime
    answers: tuple[AnswerShape, ...]
    contradictions: tuple[ContradictionShape, ...]
    application: tuple[LineShape, ...]
    receipt: ReceiptShape


def life_event_shape(recipe: Recipe) -> LifeEventShape:
    """Return a recipe as the API tells it."""
    return LifeEventShape(
        recipe.id,
        WordsShape(recipe.title.en, recipe.title.uk),
        recipe.ground,
        recipe.term_days,
        tuple(
            FieldShape(
                field.name,
                field.kind,
                WordsShape(field.title.en, field.title.uk),
                field.required,
                tuple(choice.value for choice in field.choices),
            )
            for field in recipe.fields
        ),
        tuple(
            LegShape(
                leg.id,
                WordsShape(leg.title.en, leg.title.uk),
                leg.service,
                leg.operation,
                leg.purpose,
                leg.required,
                tuple(output.name for output in leg.outputs),
            )
            for leg in recipe.legs
        ),
    )


def case_shape(case: Case, receipt: Receipt) -> CaseShape:
    """Return a case as the API tells it."""
    return CaseShape(
        case.number,
        case.recipe.id,
        case.centre,
        case.status,
        case.status is CaseStatus.READY,
        case.opened_at,
        case.changed_at,
        tuple(
            AnswerShape(
                answer.leg,
                answer.state,
                answer.action,
                blocks(case.recipe.leg(answer.leg), answer),
                answer.attempt,
                answer.asked_at,
                answer.took_ms,
                answer.message_id,
                answer.next_at,
                None if answer.fault is None else ReasonShape(answer.fault.kind, answer.fault.code, answer.fault.text),
                dict(answer.values),
            )
            for answer in case.legs
        ),
        tuple(
            ContradictionShape(
                one.name,
                WordsShape(one.title.en, one.title.uk),
                one.left.value,
                one.right.value,
                one.settled_by is not None,
            )
            for one in case.contradictions
        ),
        tuple(
            LineShape(
                line.name,
                line.value,
                line.required,
                line.provenance.source,
                line.provenance.services,
                line.provenance.message_ids,
            )
            for line in case.application
        ),
        receipt_shape(receipt),
    )


def receipt_shape(receipt: Receipt) -> ReceiptShape:
    """Return a receipt as the API tells it."""
    return ReceiptShape(
        receipt.number, receipt.recipe, receipt.client, tuple(_exchange(one) for one in receipt.exchanges)
    )


def _exchange(one: Exchange) -> ExchangeShape:
    facts: Mapping[str, Any] = {
        name: getattr(one, name) for name in ExchangeShape.__dataclass_fields__ if name != "user_id"
    }
    return ExchangeShape(**facts, user_id=one.clerk)

"""What a case is to do next: pure, from its recipe, its fields and what the legs brought.

Each change of a case passes here: which legs have their inputs, which never will, where the case
stands, what contradicts what, and what the application says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from registry_adapters.sdk.matching import name_key
from registry_adapters.snap.fields import criterion_of
from registry_adapters.snap.model import (
    Action,
    CaseStatus,
    Contradiction,
    Fallback,
    Fault,
    FaultKind,
    FieldKind,
    Leg,
    LegAnswer,
    LegState,
    Prefilled,
    Provenance,
    Recipe,
    Side,
    Source,
    Value,
)
from registry_adapters.snap.values import agree, filled, is_empty, references

Answers = Mapping[str, LegAnswer]

IN_FLIGHT: Final = frozenset({LegState.ASKING, LegState.SLOW})
UNSETTLED: Final = IN_FLIGHT | {LegState.WAITING, LegState.PARKED}
BY_NAME: Final = ("surname", "given_name", "patronymic", "birth_date")
PERIOD: Final = ("from_year", "from_quarter", "to_year", "to_quarter")
MAX_KEY: Final = 300  # what the column holds
_INPUT_MISSING: Final = Fault(FaultKind.INPUT_MISSING)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a case has to go by."""

    fields: Mapping[str, str]
    answers: Answers
    opened_on: date


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a leg is asked with; `missing` when something is not there and will not come."""

    values: Mapping[str, Value]
    where: Mapping[str, str | None]
    is_waiting: bool = False
    is_missing: bool = False


def period_before(day: date) -> dict[str, int]:
    """Return the two full quarters before a day."""
    last = day.year * 4 + (day.month - 1) // 3 - 1
    years = ((last - 1) // 4, (last - 1) % 4 + 1, last // 4, last % 4 + 1)
    return dict(zip(PERIOD, years, strict=True))


def refers_to(leg: Leg) -> frozenset[str]:
    """Return the legs whose answers a leg builds on."""
    named = (*leg.inputs.values(), *leg.where.values())
    return frozenset(str(name).split(".")[1] for name in named if str(name).startswith("leg."))


def fields_of(leg: Leg) -> frozenset[str]:
    """Return the fields that a leg asks with or picks by."""
    named = (*leg.inputs.values(), *leg.where.values())
    return frozenset(str(name).split(".")[1] for name in named if str(name).startswith("field."))


def dependants(recipe: Recipe, ids: frozenset[str]) -> frozenset[str]:
    """Return `ids` with all legs that build on them, also indirectly."""
    while True:
        more = ids | {leg.id for leg in recipe.legs if refers_to(leg) & ids}
        if more == ids:
            return ids
        ids = more


def inputs_of(leg: Leg, facts: Facts) -> Inputs:
    """Return what a leg would be asked with now."""
    values: dict[str, Value] = {}
    is_missing = False
    for name, reference in leg.inputs.items():
        if name == "*":
            criterion = _criterion(leg, str(reference), facts)
            values.update(criterion)
            is_missing |= not criterion
        else:
            value = value_of(reference, facts)
            if not is_empty(value):
                values[name] = value
            elif name not in leg.optional_inputs:
                is_missing = True
    is_waiting = any(facts.answers[other].state in UNSETTLED for other in refers_to(leg))
    where = {path: _text(value_of(reference, facts)) for path, reference in leg.where.items()}
    return Inputs(values, where, is_waiting=is_waiting, is_missing=is_missing)


def _text(value: Value) -> str | None:
    return None if is_empty(value) else str(value)


def value_of(reference: str | int | bool, facts: Facts) -> Value:
    """Return what `field.NAME`, `leg.ID.OUTPUT`, `ID.OUTPUT` or `period.NAME` stands for; anything else is itself."""
    if not isinstance(reference, str) or reference.startswith("="):
        return reference[1:] if isinstance(reference, str) else reference
    kind, _, rest = reference.removeprefix("leg.").partition(".")
    if kind == "field":
        return facts.fields.get(rest)
    if kind == "period":
        return period_before(facts.opened_on)[rest]
    answer = facts.answers.get(kind)
    return answer.values.get(rest) if answer is not None and answer.state is LegState.ANSWERED else None


def _criterion(leg: Leg, reference: str, facts: Facts) -> dict[str, Value]:
    kind, _, name = reference.partition(".")
    if kind == "field":
        text = facts.fields.get(name)
        return {} if text is None else dict(criterion_of(text))
    known = {key: value_of(f"leg.{name}.{key}", facts) for key in ("unzr", "rnokpp", "document", *BY_NAME)}
    for way in leg.by:
        wanted = BY_NAME if way == "name" else (way,)
        if not any(is_empty(known[key]) for key in wanted if key != "patronymic"):
            return {key: known[key] for key in wanted if not is_empty(known[key])}
    return {}


def next_legs(recipe: Recipe, facts: Facts) -> tuple[dict[str, Inputs], dict[str, LegAnswer]]:
    """Return which legs can be asked now, and which others change: those whose inputs come, or never will."""
    due: dict[str, Inputs] = {}
    changed: dict[str, LegAnswer] = {}
    for leg in recipe.legs:
        answer = facts.answers[leg.id]
        is_undecided = answer.state is LegState.WAITING or answer.fault == _INPUT_MISSING
        if not is_undecided:
            continue
        inputs = inputs_of(leg, facts)
        if inputs.is_waiting:
            if answer.state is not LegState.WAITING:
                changed[leg.id] = LegAnswer(leg.id, LegState.WAITING, attempt=answer.attempt)
        elif not inputs.is_missing:
            due[leg.id] = inputs
        elif answer.fault != _INPUT_MISSING:
            changed[leg.id] = LegAnswer(leg.id, LegState.SKIPPED, attempt=answer.attempt, fault=_INPUT_MISSING)
    return due, changed


def status_of(recipe: Recipe, answers: Answers) -> CaseStatus:
    """Return where an undecided case stands; asking an optional registry once more holds up nobody."""
    if any(
        answers[leg.id].state in IN_FLIGHT and (leg.required or answers[leg.id].attempt <= 1) for leg in recipe.legs
    ):
        return CaseStatus.GATHERING
    return CaseStatus.PARKED if any(blocks(leg, answers[leg.id]) for leg in recipe.legs) else CaseStatus.READY


def blocks(leg: Leg, answer: LegAnswer) -> bool:
    """Tell whether a case cannot be decided as long as a leg is as it is."""
    if not leg.required or answer.state in (LegState.ANSWERED, LegState.SKIPPED, LegState.WAITING):
        return False
    if answer.state is LegState.NOT_FOUND:
        return leg.when_missing is not Fallback.GO_ON
    return answer.state is LegState.AMBIGUOUS or leg.when_silent is not Fallback.GO_ON


def action_of(leg: Leg, answer: LegAnswer, recipe: Recipe) -> Action:
    """Return what a clerk can do about a leg."""
    asks_a_person = "*" in leg.inputs and any(
        field.kind is FieldKind.PERSON and field.name in fields_of(leg) for field in recipe.fields
    )
    match answer.state:
        case LegState.WAITING | LegState.ASKING | LegState.SLOW:
            return Action.WAIT
        case LegState.NOT_FOUND if leg.when_missing is Fallback.GO_ON:
            return Action.NONE
        case LegState.NOT_FOUND:
            return Action.CORRECT if asks_a_person or fields_of(leg) else Action.PAPER
        case LegState.AMBIGUOUS:
            return Action.CORRECT
        case LegState.PARKED if answer.fault is not None and answer.fault.kind is FaultKind.PENDING:
            return Action.WAIT
        case LegState.PARKED:
            return Action.PAPER if leg.when_silent is Fallback.PAPER else Action.RETRY
        case LegState.REFUSED:
            return Action.REPORT
        case LegState.FAILED:
            return _action_of_failed(leg, answer)
    return Action.NONE


def _action_of_failed(leg: Leg, answer: LegAnswer) -> Action:
    kind = answer.fault.kind if answer.fault is not None else FaultKind.ANSWER
    if kind is FaultKind.QUESTION:
        return Action.CORRECT if fields_of(leg) else Action.REPORT
    if kind in (FaultKind.NOT_PUBLISHED, FaultKind.ANSWER):
        return Action.REPORT
    return Action.PAPER if leg.when_silent is Fallback.PAPER else Action.RETRY


def contradictions(recipe: Recipe, facts: Facts, settled: Mapping[str, Mapping[str, str]]) -> tuple[Contradiction, ...]:
    """Return what does not agree; what is not there contradicts nothing.

    What a clerk settled stays settled only while both values are what they were.
    """
    found = []
    for comparison in recipe.comparisons:
        left, right = _side(comparison.left, facts), _side(comparison.right, facts)
        if is_empty(left.value) or is_empty(right.value) or agree(left.value, right.value, comparison.manner):
            continue
        note = settled.get(comparison.name, {})
        by, reason = (note["by"], note["reason"]) if note.get("values") == fingerprint(left, right) else (None, None)
        found.append(Contradiction(comparison.name, comparison.title, left, right, by, reason))
    return tuple(found)


def fingerprint(left: Side, right: Side) -> str:
    """Return what a settled contradiction was about."""
    return f"{left.value!r} {right.value!r}"


def _side(reference: str, facts: Facts) -> Side:
    kind, _, name = reference.partition(".")
    value = value_of(reference, facts)
    if kind != "field":
        return Side(kind, name, value)
    return Side(None, name, value)


def application(
    recipe: Recipe,
    facts: Facts,
    edits: Mapping[str, Mapping[str, str]],
    service_of: Mapping[str, str],
    language: str = "uk",
) -> tuple[Prefilled, ...]:
    """Return the prefilled application with where each value comes from; choices are named in `language`."""
    chosen = {
        f"field.{field.name}": choice.title.of(language)
        for field in recipe.fields
        for choice in field.choices
        if facts.fields.get(field.name) == choice.value
    }
    lines = []
    for line in recipe.lines:
        value, provenance = _registered(line.values, facts, chosen, service_of)
        registered = None
        edit = edits.get(line.name)
        if edit is not None:
            registered, value = value, edit["value"]
            provenance = replace(provenance, source=Source.EDITED, by=edit["by"], reason=edit["reason"])
        lines.append(
            Prefilled(line.name, line.section, line.label, value, provenance, line.required, registered=registered)
        )
    return tuple(lines)


def _registered(
    templates: tuple[str, ...], facts: Facts, chosen: Mapping[str, str], service_of: Mapping[str, str]
) -> tuple[Value, Provenance]:
    for template in templates:
        value = filled(template, lambda reference: chosen.get(reference) or value_of(reference, facts))
        if not is_empty(value):
            named = dict.fromkeys(reference.partition(".")[0] for reference in references(template))
            legs = tuple(name for name in named if name in facts.answers)
            answers = [facts.answers[name] for name in legs]
            return value, Provenance(
                Source.REGISTRY if legs else Source.CLERK,
                legs,
                tuple(service_of[name] for name in legs),
                tuple(answer.message_id or "" for answer in answers),
                max((answer.asked_at for answer in answers if answer.asked_at), default=None),
            )
    return None, Provenance(Source.NONE)


def basis(lines: Iterable[Prefilled], found: Iterable[Contradiction]) -> str:
    """Return by what a decision knows whether a case is still what the clerk has seen."""
    seen = (
        [(line.name, line.value) for line in lines],
        [(one.name, fingerprint(one.left, one.right), one.settled_by) for one in found],
    )
    return hashlib.sha256(repr(seen).encode("utf-8", "replace")).hexdigest()[:32]


def keys_of(recipe: Recipe, facts: Facts) -> frozenset[str]:
    """Return by what a case's persons are found: identifiers, and surname with given name."""
    keys: set[str] = set()
    for field in recipe.fields:
        if field.kind is FieldKind.PERSON and field.name in facts.fields:
            keys |= keys_of_criterion(criterion_of(facts.fields[field.name]))
        elif field.kind is FieldKind.CADASTRAL_NUMBER and field.name in facts.fields:
            keys.add(facts.fields[field.name])
    for answer in facts.answers.values():
        criterion = {key: str(answer.values[key]) for key in ("unzr", "rnokpp", *BY_NAME) if answer.values.get(key)}
        keys |= keys_of_criterion(criterion)
    return frozenset(keys)


def keys_of_criterion(criterion: Mapping[str, str]) -> frozenset[str]:
    """Return the keys of one person."""
    keys = {name_key(criterion[key]) for key in ("unzr", "rnokpp", "document") if key in criterion}
    if "surname" in criterion and "given_name" in criterion:
        keys.add(name_key(f"{criterion['surname']} {criterion['given_name']}"))
    return frozenset(key[:MAX_KEY] for key in keys)

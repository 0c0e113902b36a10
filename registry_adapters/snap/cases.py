"""What clerks and other systems do with cases: open, follow, correct, decide, find.

Every method may be called from any thread. What a method changes is durable when it returns.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from gateway.runtime.clock import Clock, SystemClock
from gateway.runtime.database import Database, migrate
from registry_adapters.sdk.matching import name_key
from registry_adapters.snap import plan, store
from registry_adapters.snap.advance import Advance, Loaded, Moved
from registry_adapters.snap.composer import GRACE_S, Composer
from registry_adapters.snap.errors import CaseNotFoundError, CaseStateError, FieldsError, SnapError
from registry_adapters.snap.fields import criterion_of, read_fields
from registry_adapters.snap.model import (
    Case,
    CaseRow,
    CaseStatus,
    Decision,
    Event,
    FieldKind,
    LegAnswer,
    LegState,
    Outcome,
    Prefilled,
    Receipt,
    Recipe,
)
from registry_adapters.snap.pool import Pool
from registry_adapters.snap.registries import Registries, service_of
from registry_adapters.snap.settings import SnapSettings
from registry_adapters.snap.store import StoredCase
from registry_adapters.snap.writer import Writer

MAX_REASON: Final = 1000
MAX_LISTED: Final = 200
MAX_NAME: Final = 64  # of a clerk
_CENTRE: Final = 32
_HEADERS: Final = ("clerk", "centre")  # go along in headers of every question, the second within the case's number

Change = Callable[[Connection, Loaded], Moved]


class CaseService:
    """The cases of one database, and the composer that fills them.

    Raises CaseNotFoundError for a number nobody has (or another centre's), FieldsError for fields that the
    recipe does not take, CaseStateError where the case does not allow it: each a SnapError.
    """

    def __init__(
        self,
        database: Database,
        recipes: Mapping[str, Recipe],
        registries: Registries,
        settings: SnapSettings,
        *,
        clock: Clock | None = None,
    ) -> None:
        migrate(database, store.MIGRATIONS)
        self._database = database
        self._recipes = recipes
        self._settings = settings
        self._clock = clock or SystemClock()
        self._slow = timedelta(seconds=settings.slow_s)
        self._zone = ZoneInfo(settings.zone)
        self._client = registries.client_id
        with database.transaction() as tx:
            namespace: uuid.UUID = store.namespace(tx)
        self._advance = Advance(recipes, self._client, namespace, self._clock, settings.retry, self._zone)
        self._writer = Writer(database)
        pool = Pool(settings.workers, settings.workers_per_service)
        self._composer = Composer(database, self._writer, self._advance, registries, pool, self._clock)

    def go(self) -> None:
        """Start the threads and go on with what was under way when the program ended."""
        self._writer.start()
        self._composer.start()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End; what is not answered within the grace is asked again at the next start."""
        self._composer.stop(grace_s)
        self._writer.stop()

    @property
    def recipes(self) -> Mapping[str, Recipe]:
        """Return the life events by id."""
        return self._recipes

    def open_case(self, recipe: str, fields: Mapping[str, str], *, clerk: str, centre: str, start: bool = True) -> Case:
        """Open a case and begin to ask; without `start` it stays OPEN."""
        event = self._recipe(recipe)
        typed = read_fields(event, fields)
        _check_texts(clerk=(clerk, MAX_NAME), centre=(centre, _CENTRE))

        def work(tx: Connection) -> tuple[str, Moved]:
            now = self._clock.now()
            number = store.next_number(tx, centre, now.astimezone(self._zone).year)
            case = StoredCase(number, recipe, centre, clerk, CaseStatus.OPEN, typed, {}, {}, None, now, now, 0)
            store.add_case(tx, case, _person_of(event, typed), [leg.id for leg in event.legs])
            store.add_event(tx, number, Event(now, clerk, "opened"))
            loaded = self._advance.load(tx, number)
            assert loaded is not None
            store.set_subjects(tx, number, plan.keys_of(event, loaded.facts))
            return number, self._advance.move(tx, loaded) if start else Moved()

        return self.case(self._composer.run(work))

    def start(self, number: str, *, clerk: str) -> Case:
        """Begin to ask what an OPEN case needs."""

        def change(tx: Connection, case: Loaded) -> Moved:
            if case.stored.status is not CaseStatus.OPEN:
                raise CaseStateError("snap_case.started", number=number)
            return self._advance.move(tx, case, clerk=clerk)

        return self._change(number, clerk, "started", {}, change)

    def correct_fields(self, number: str, fields: Mapping[str, str], *, clerk: str) -> Case:
        """Change what was typed, all of it; legs that were asked with what changes are asked anew."""
        facts: dict[str, str] = {}

        def change(tx: Connection, case: Loaded) -> Moved:
            typed = read_fields(case.recipe, fields)
            old = case.stored.fields
            changed = {name for name in {*old, *typed} if old.get(name) != typed.get(name)}
            facts["fields"] = ", ".join(sorted(changed)) or "–"
            case.stored = replace(case.stored, fields=typed)
            store.set_case(tx, number, self._clock.now(), fields=typed, person=_person_of(case.recipe, typed))
            touched = frozenset(leg.id for leg in case.recipe.legs if plan.fields_of(leg) & changed)
            self._advance.reset(tx, case, plan.dependants(case.recipe, touched))
            if case.stored.status is CaseStatus.OPEN:
                return Moved()
            return self._advance.move(tx, case, clerk=clerk)

        return self._change(number, clerk, "corrected", facts, change)

    def retry_leg(self, number: str, leg: str, *, clerk: str) -> Case:
        """Ask one registry again, now."""

        def change(tx: Connection, case: Loaded) -> Moved:
            answer = _leg(case, leg)
            if case.stored.status is CaseStatus.OPEN or answer.state is LegState.WAITING:
                raise CaseStateError("snap_case.leg_waits", leg=leg)
            poll = case.recipe.leg(leg).poll
            if poll is None or poll.resubmit is None or answer.state is LegState.PARKED:
                return self._advance.move(tx, case, again=frozenset((leg,)), clerk=clerk)
            self._advance.reset(tx, case, frozenset((leg,)))  # what was fetched once cannot be fetched again
            return self._advance.move(tx, case, again=frozenset((poll.resubmit,)), clerk=clerk)

        return self._change(number, clerk, "retried", {"leg": leg}, change)

    def take_paper(self, number: str, leg: str, note: str, *, clerk: str) -> Case:
        """Go on without a registry: the citizen has shown a paper."""
        _check_texts(note=(note, MAX_REASON))

        def change(tx: Connection, case: Loaded) -> Moved:
            if case.stored.status is CaseStatus.OPEN:  # nobody is asked yet, and this would ask
                raise CaseStateError("snap_case.leg_waits", leg=leg)
            if _leg(case, leg).state is LegState.ANSWERED:
                raise CaseStateError("snap_case.leg_answered", leg=leg)
            self._advance.take_paper(tx, case, leg)
            return self._advance.move(tx, case, clerk=clerk)

        return self._change(number, clerk, "paper", {"leg": leg, "note": note}, change)

    def edit(self, number: str, line: str, value: str, reason: str, *, clerk: str) -> Case:
        """Change a line of the application, with the reason."""
        _check_texts(reason=(reason, MAX_REASON))
        if len(value) > MAX_REASON:
            raise FieldsError({line: "snap_case.field_text"})

        def change(tx: Connection, case: Loaded) -> Moved:
            if line not in {known.name for known in case.recipe.lines}:
                raise FieldsError({line[:100]: "snap_case.field_unknown"})
            edits = {**case.stored.edits, line: {"value": value, "by": clerk, "reason": reason}}
            store.set_case(tx, number, self._clock.now(), edits=edits)
            return Moved()

        return self._change(number, clerk, "edited", {"line": line, "value": value, "reason": reason}, change)

    def settle(self, number: str, contradiction: str, reason: str, *, clerk: str) -> Case:
        """Note that a clerk has looked at a contradiction, and what came of it."""
        _check_texts(reason=(reason, MAX_REASON))

        def change(tx: Connection, case: Loaded) -> Moved:
            there = {one.name: one for one in plan.contradictions(case.recipe, case.facts, {})}
            if contradiction not in there:
                raise CaseStateError("snap_case.no_contradiction", contradiction=contradiction[:100])
            one = there[contradiction]
            note = {"by": clerk, "reason": reason, "values": plan.fingerprint(one.left, one.right)}
            store.set_case(tx, number, self._clock.now(), settled={**case.stored.settled, contradiction: note})
            return Moved()

        return self._change(number, clerk, "settled", {"contradiction": contradiction, "reason": reason}, change)

    def decide(self, number: str, outcome: Outcome, reason: str, *, clerk: str, seen: str | None = None) -> Case:
        """Decide a READY case; contradictions have to be settled, and required lines filled, before it is granted.

        A refusal needs a reason. With `seen`, the `plan.basis` of what the clerk was shown, a case that says
        something else by now is not decided.
        """
        if outcome is Outcome.REFUSED or reason:
            _check_texts(reason=(reason, MAX_REASON))

        def change(tx: Connection, case: Loaded) -> Moved:
            if case.stored.status is not CaseStatus.READY:
                raise CaseStateError("snap_case.not_ready", number=number)
            if seen not in (None, self._basis(case)):
                raise CaseStateError("snap_case.changed", number=number)
            if outcome is Outcome.GRANTED:
                self._check_complete(case)
            now = self._clock.now()
            decision = {"outcome": outcome.value, "by": clerk, "at": now.isoformat(), "reason": reason}
            store.set_case(tx, number, now, status=CaseStatus.DECIDED, decision=decision)
            return Moved()

        return self._change(number, clerk, "decided", {"outcome": outcome.value, "reason": reason}, change)

    def _basis(self, case: Loaded) -> str:
        lines = self._application(case.recipe, case.facts, case.stored.edits)
        return plan.basis(lines, plan.contradictions(case.recipe, case.facts, case.stored.settled))

    def _check_complete(self, case: Loaded) -> None:
        open_ones = [
            one.name for one in plan.contradictions(case.recipe, case.facts, case.stored.settled) if not one.settled_by
        ]
        if open_ones:
            raise CaseStateError("snap_case.contradictions", contradictions=", ".join(open_ones))
        lines = self._application(case.recipe, case.facts, case.stored.edits)
        missing = [line.name for line in lines if line.required and line.value in (None, "", [])]
        if missing:
            raise CaseStateError("snap_case.lines_missing", lines=", ".join(missing))

    def cancel(self, number: str, reason: str, *, clerk: str) -> Case:
        """End a case that nobody decides."""
        _check_texts(reason=(reason, MAX_REASON))

        def change(tx: Connection, _case: Loaded) -> Moved:
            store.set_case(tx, number, self._clock.now(), status=CaseStatus.CANCELLED)
            return Moved()

        return self._change(number, clerk, "cancelled", {"reason": reason}, change)

    def _change(self, number: str, clerk: str, kind: str, facts: Mapping[str, str], change: Change) -> Case:
        _check_texts(clerk=(clerk, MAX_NAME))

        def work(tx: Connection) -> tuple[str, Moved]:
            case = self._advance.load(tx, number)
            if case is None:
                raise CaseNotFoundError("snap_case.not_found", number=number[:100])
            if case.stored.status.is_closed:
                raise CaseStateError("snap_case.closed", number=number)
            moved = change(tx, case)
            store.add_event(tx, number, Event(self._clock.now(), clerk, kind, facts))
            return number, moved

        return self.case(self._composer.run(work))

    def case(self, number: str, *, centre: str | None = None) -> Case:
        """Return a case as it stands; `centre`: only if it belongs there."""
        with self._database.reading() as tx:
            stored = store.find_case(tx, number)
            if stored is None or centre not in (None, stored.centre):
                raise CaseNotFoundError("snap_case.not_found", number=number[:100])
            legs = store.legs_of(tx, number)
            history = store.events_of(tx, number)
        recipe = self._recipe(stored.recipe)
        answers = {leg.id: legs[leg.id].answer if leg.id in legs else _unasked(leg.id) for leg in recipe.legs}
        facts = plan.Facts(stored.fields, answers, stored.opened_at.astimezone(self._zone).date())
        decision = stored.decision
        return Case(
            stored.number, recipe, stored.centre, stored.clerk, stored.status, stored.fields,
            tuple(self._shown(recipe, answers[leg.id]) for leg in recipe.legs),
            plan.contradictions(recipe, facts, stored.settled),
            self._application(recipe, facts, stored.edits),
            stored.opened_at, stored.changed_at, None if decision is None else _decision(decision), history,
            stored.revision,
        )  # fmt: skip

    def _shown(self, recipe: Recipe, answer: LegAnswer) -> LegAnswer:
        leg = recipe.leg(answer.leg)
        now = self._clock.now()
        is_slow = (
            answer.state is LegState.ASKING and answer.asked_at is not None and now - answer.asked_at >= self._slow
        )
        return replace(
            answer,
            state=LegState.SLOW if is_slow else answer.state,
            values=answer.values if answer.state is LegState.ANSWERED else {},
            action=plan.action_of(leg, answer, recipe),
        )

    def _application(
        self, recipe: Recipe, facts: plan.Facts, edits: Mapping[str, Mapping[str, str]]
    ) -> tuple[Prefilled, ...]:
        services = {leg.id: str(service_of(leg, self._client.xroad_instance)) for leg in recipe.legs}
        return plan.application(recipe, facts, edits, services, self._settings.language)

    def watch(self, number: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called (from any thread) after each change; return what ends it."""
        return self._composer.watch(number, changed)

    def find(
        self,
        *,
        centres: tuple[str, ...] = (),
        clerk: str | None = None,
        statuses: tuple[CaseStatus, ...] = (),
        text: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> tuple[tuple[CaseRow, ...], int]:
        """Return cases, the last changed first, and how many there are; without `centres` of all.

        `text` is a number or a person as typed.
        """
        wanted = " ".join(text.split())[:300]
        keys: frozenset[str] = frozenset()
        if wanted:
            try:
                keys = plan.keys_of_criterion(criterion_of(wanted))
            except ValueError:
                keys = frozenset((name_key(wanted),))
        with self._database.reading() as tx:
            return store.find_rows(
                tx, centres=centres, clerk=clerk, statuses=statuses, number=wanted or None, keys=keys,
                offset=max(0, offset), limit=min(max(1, limit), MAX_LISTED),
            )  # fmt: skip

    def receipt(self, number: str, *, centre: str | None = None) -> Receipt:
        """Return every signed exchange of a case."""
        with self._database.reading() as tx:
            stored = store.find_case(tx, number)
            if stored is None or centre not in (None, stored.centre):
                raise CaseNotFoundError("snap_case.not_found", number=number[:100])
            exchanges = store.exchanges_of(tx, number)
        return Receipt(stored.number, stored.recipe, str(self._client), stored.clerk, exchanges)

    def _recipe(self, recipe: str) -> Recipe:
        found = self._recipes.get(recipe)
        if found is None:
            raise CaseNotFoundError("snap_case.no_recipe", recipe=recipe[:100])
        return found


def _leg(case: Loaded, leg: str) -> LegAnswer:
    if leg not in case.legs:
        raise CaseNotFoundError("snap_case.no_leg", leg=leg[:100])
    return case.legs[leg].answer


def _unasked(leg: str) -> LegAnswer:
    return LegAnswer(leg, LegState.WAITING)


def _person_of(recipe: Recipe, fields: Mapping[str, str]) -> str:
    """Return the person whom lists name: the first that was typed, else the first field."""
    persons = (fields[field.name] for field in recipe.fields if field.kind is FieldKind.PERSON and field.name in fields)
    return next(persons, next(iter(fields.values()), ""))[:300]


def _decision(stored: Mapping[str, Any]) -> Decision:
    at = datetime.fromisoformat(stored["at"])
    return Decision(Outcome(stored["outcome"]), stored["by"], at, stored["reason"])


def _check_texts(**texts: tuple[str, int]) -> None:
    for name, (text, longest) in texts.items():
        if not text.strip() or len(text) > longest:
            raise SnapError("snap_case.text", name=name, limit=longest)
        if name in _HEADERS and (text != text.strip() or not text.isprintable()):
            raise SnapError("snap_case.text_in_header", name=name)

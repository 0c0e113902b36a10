"""A case within one transaction: what came of a question is noted, and what is to be asked next is written down.

Every question is durable, with the identifier it goes out with, before it is sent; its answer and the
questions that follow from it are durable together. So whatever moment the program ends at, the
database says what is under way.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from sqlalchemy import Connection

from gateway.runtime.clock import Clock
from gateway.xroad.identifiers import ClientId
from registry_adapters.sdk.client import Reason
from registry_adapters.snap import plan, store
from registry_adapters.snap.model import (
    CaseStatus,
    Event,
    Exchange,
    Fault,
    FaultKind,
    Leg,
    LegAnswer,
    LegState,
    Recipe,
)
from registry_adapters.snap.plan import Facts, Inputs
from registry_adapters.snap.registries import Asked, Reply, service_of
from registry_adapters.snap.settings import RetrySettings
from registry_adapters.snap.store import StoredCase, StoredLeg

JITTER: Final = 0.2  # share by which pauses differ, so that parked cases do not knock all at once


@dataclass(slots=True)
class Loaded:
    """A case as it is read at the beginning of a transaction, and as it becomes."""

    stored: StoredCase
    recipe: Recipe
    legs: dict[str, StoredLeg]
    zone: tzinfo
    parked: dict[str, datetime] = field(default_factory=dict)  # legs that were parked meanwhile, until when

    @property
    def facts(self) -> Facts:
        """What the plan goes by."""
        answers = {leg: stored.answer for leg, stored in self.legs.items()}
        return Facts(self.stored.fields, answers, self.stored.opened_at.astimezone(self.zone).date())


@dataclass(frozen=True, slots=True)
class Moved:
    """What has to be done once the transaction is durable: questions to send, legs to look at later."""

    asked: tuple[Asked, ...] = ()
    parked: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """When a question really went out, how long its answer took and when it was there."""

    at: datetime
    took_ms: int
    ended_at: datetime


class Advance:
    """Moves cases on; holds nothing of them."""

    def __init__(
        self,
        recipes: Mapping[str, Recipe],
        client: ClientId,
        namespace: uuid.UUID,
        clock: Clock,
        retry: RetrySettings,
        zone: tzinfo,
    ) -> None:
        self.recipes = recipes
        self.client = client
        self._namespace = namespace
        self._clock = clock
        self._retry = retry
        self._zone = zone

    def load(self, tx: Connection, number: str) -> Loaded | None:
        """Return a case; None when there is none, or none of its recipe any more."""
        stored = store.find_case(tx, number)
        recipe = self.recipes.get(stored.recipe) if stored is not None else None
        if stored is None or recipe is None:
            return None
        legs = store.legs_of(tx, number)
        store.add_legs(tx, number, [leg.id for leg in recipe.legs if leg.id not in legs])  # the recipe has grown
        return Loaded(stored, recipe, {leg.id: legs.get(leg.id, _new(leg.id)) for leg in recipe.legs}, self._zone)

    def move(
        self, tx: Connection, case: Loaded, *, again: frozenset[str] = frozenset(), clerk: str | None = None
    ) -> Moved:
        """Write down what is to be asked now, and where the case stands.

        `again` are legs to be asked whatever became of them before, if their inputs are there.
        """
        if case.stored.status.is_closed:
            return Moved()
        for leg_id in again:  # its values stay until others come, so that a change of them is seen
            self._cut(tx, case.legs[leg_id].answer)
            waiting = replace(case.legs[leg_id].answer, state=LegState.WAITING, fault=None, next_at=None)
            self._set(tx, case, StoredLeg(waiting))
        due, changed = plan.next_legs(case.recipe, case.facts)
        for answer in changed.values():
            self._set(tx, case, StoredLeg(answer))
        asked = tuple(
            self._ask(tx, case, case.recipe.leg(leg_id), inputs, clerk or case.stored.clerk)
            for leg_id, inputs in due.items()
        )
        self._set_status(tx, case)
        return Moved(asked, case.parked)

    def _ask(self, tx: Connection, case: Loaded, leg: Leg, inputs: Inputs, clerk: str) -> Asked:
        stored, now = case.legs[leg.id], self._clock.now()
        number, attempt = case.stored.number, stored.answer.attempt + 1
        message_id = str(uuid.uuid5(self._namespace, f"{number}/{leg.id}/{attempt}"))
        answer = LegAnswer(leg.id, LegState.ASKING, attempt, now, None, stored.answer.values, message_id)
        self._set(tx, case, StoredLeg(answer, stored.failures))
        service = str(service_of(leg, self.client.xroad_instance))
        ground = case.recipe.ground
        store.add_exchange(
            tx,
            number,
            Exchange(leg.id, attempt, service, leg.operation, message_id, now, None, "", leg.purpose, ground, clerk),
        )
        return Asked(number, leg, attempt, inputs, Reason(clerk, number, (leg.purpose,), ground), message_id)

    def receive(self, tx: Connection, asked: Asked, reply: Reply, sent: Sent) -> Moved:
        """Note what became of a question and move the case on."""
        outcome = reply.fault.kind.value if reply.fault is not None else reply.state.value
        store.end_exchange(tx, asked.message_id, outcome, sent.ended_at if reply.is_answered else None, sent.at)
        case = self.load(tx, asked.number)
        if case is None or case.stored.status.is_closed:
            return Moved()
        leg_id = asked.leg.id
        before = case.legs[leg_id]
        if before.answer.message_id != asked.message_id:  # it was asked anew meanwhile
            return Moved()
        after = self._after(asked, reply, before, sent)
        self._set(tx, case, after)
        if reply.fault is not None and reply.fault.kind is FaultKind.GIVEN_ALREADY:
            self._resubmit(tx, case, asked.leg, after)
        elif reply.state is LegState.ANSWERED and before.answer.values and before.answer.values != reply.values:
            self.reset(tx, case, plan.dependants(case.recipe, frozenset((leg_id,))) - {leg_id})
        return self.move(tx, case)

    def _after(self, asked: Asked, reply: Reply, before: StoredLeg, sent: Sent) -> StoredLeg:
        answer = replace(
            before.answer,
            state=reply.state,
            asked_at=sent.at,
            took_ms=sent.took_ms,
            values=reply.values,
            fault=reply.fault,
            next_at=None,
        )
        if reply.state is not LegState.PARKED:
            return StoredLeg(answer)
        if reply.fault is not None and reply.fault.kind is FaultKind.PENDING:
            earliest = self._clock.now() + timedelta(seconds=self._retry.poll_s)
            return StoredLeg(replace(answer, next_at=max(earliest, reply.ready_at or earliest)), before.failures)
        pause = self._pause(before.failures, asked.message_id)
        if pause is None:
            return StoredLeg(replace(answer, state=LegState.FAILED), before.failures + 1)
        return StoredLeg(replace(answer, next_at=self._clock.now() + timedelta(seconds=pause)), before.failures + 1)

    def _pause(self, failures: int, message_id: str) -> float | None:
        """Return how long to wait after one more failure; None when there were enough of them."""
        retry = self._retry
        pauses = [min(retry.longest_s, retry.first_s * 2.0 ** min(n, 60)) for n in range(min(failures + 1, 100_000))]
        if sum(pauses[:-1]) >= retry.give_up_s:
            return None
        share = zlib.crc32(message_id.encode()) / 2**32
        return pauses[-1] * (1 - JITTER + 2 * JITTER * share)

    def _resubmit(self, tx: Connection, case: Loaded, leg: Leg, after: StoredLeg) -> None:
        """Have the answer that is gone prepared once more: the leg that hands the question in waits its pause."""
        assert leg.poll is not None
        if leg.poll.resubmit is None or after.answer.state is LegState.FAILED:
            self._set(tx, case, replace(after, answer=replace(after.answer, state=LegState.FAILED, next_at=None)))
            return
        first = case.legs[leg.poll.resubmit].answer
        again = replace(first, state=LegState.PARKED, fault=after.answer.fault, next_at=after.answer.next_at, values={})
        self._set(tx, case, StoredLeg(again))
        waiting = replace(after.answer, state=LegState.WAITING, fault=None, next_at=None)
        self._set(tx, case, StoredLeg(waiting, after.failures))

    def interrupt(self, tx: Connection, number: str) -> Moved:
        """Ask again what was under way when the program ended; the old questions stay on the receipt."""
        case = self.load(tx, number)
        if case is None:
            return Moved()
        cut = frozenset(leg for leg, stored in case.legs.items() if stored.answer.state is LegState.ASKING)
        return self.move(tx, case, again=cut)

    def come_due(self, tx: Connection, number: str, leg: str) -> Moved:
        """Ask a parked leg again if its time has come."""
        case = self.load(tx, number)
        if case is None or leg not in case.legs:
            return Moved()
        answer = case.legs[leg].answer
        if answer.state is not LegState.PARKED or answer.next_at is None:
            return Moved()
        if answer.next_at > self._clock.now():
            return Moved(parked={leg: answer.next_at})
        waiting = replace(answer, state=LegState.WAITING, fault=None, next_at=None)
        self._set(tx, case, StoredLeg(waiting, case.legs[leg].failures))
        return self.move(tx, case)

    def reset(self, tx: Connection, case: Loaded, legs: frozenset[str]) -> None:
        """Have legs asked anew once their inputs are there."""
        for leg in legs:
            answer = case.legs[leg].answer
            self._cut(tx, answer)
            self._set(tx, case, StoredLeg(LegAnswer(leg, LegState.WAITING, answer.attempt)))

    @staticmethod
    def _cut(tx: Connection, answer: LegAnswer) -> None:
        """Note that nobody waits for an answer any more; if it comes all the same, the receipt says what it was."""
        if answer.state is LegState.ASKING and answer.message_id is not None:
            store.end_exchange(tx, answer.message_id, FaultKind.INTERRUPTED.value, None)

    def take_paper(self, tx: Connection, case: Loaded, leg: str) -> None:
        """Note that a leg is not asked any more."""
        self.reset(tx, case, frozenset((leg,)))
        attempt = case.legs[leg].answer.attempt
        self._set(tx, case, StoredLeg(LegAnswer(leg, LegState.SKIPPED, attempt, fault=Fault(FaultKind.PAPER))))

    def _set(self, tx: Connection, case: Loaded, leg: StoredLeg) -> None:
        case.legs[leg.answer.leg] = leg
        if leg.answer.state is LegState.PARKED and leg.answer.next_at is not None:
            case.parked[leg.answer.leg] = leg.answer.next_at
        else:
            case.parked.pop(leg.answer.leg, None)
        store.set_leg(tx, case.stored.number, leg)

    def _set_status(self, tx: Connection, case: Loaded) -> None:
        now = self._clock.now()
        status = plan.status_of(case.recipe, case.facts.answers)
        if status is not case.stored.status and status in (CaseStatus.READY, CaseStatus.PARKED):
            store.add_event(tx, case.stored.number, Event(now, "", status.value))
        if status is not CaseStatus.GATHERING:
            store.set_subjects(tx, case.stored.number, plan.keys_of(case.recipe, case.facts))
        store.set_case(tx, case.stored.number, now, status=status)
        case.stored = replace(case.stored, status=status)


def _new(leg: str) -> StoredLeg:
    return StoredLeg(LegAnswer(leg, LegState.WAITING))

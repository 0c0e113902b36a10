"""The cross-check service, declared: one operation that compares, one for the flag that comes later."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from registry_adapters.crosscheck import comparing, incomes
from registry_adapters.crosscheck.asking import Leg, Registries
from registry_adapters.crosscheck.attempts import give_back, take_attempts
from registry_adapters.crosscheck.comparing import TOLERANCES, Person
from registry_adapters.crosscheck.model import (
    CheckAnswer,
    CheckQuestion,
    Flag,
    Outcome,
    PendingAnswer,
    PendingQuestion,
)
from registry_adapters.sdk.access_log import Look
from registry_adapters.sdk.access_log import Outcome as Seen
from registry_adapters.sdk.contract_questions import sampled
from registry_adapters.sdk.errors import RefusedError, RequestError
from registry_adapters.sdk.fields import describe
from registry_adapters.sdk.matching import ByDocument, question_of
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.purposes import EVERY_FIELD
from registry_adapters.sdk.registry import Registry
from registry_adapters.settings import CrossCheckSettings


def declare(settings: CrossCheckSettings) -> Registry:
    """Return the service; the settings say through which security server it asks."""
    registry = Registry(
        "crosscheck",
        title="Cross-check of declared values",
        doc="Compares what people declare with what registries hold and answers flags only, never the data.",
        service_name="CrossCheck",
        migrations="registry_adapters.migrations.crosscheck",
        subjects_of=subjects_of,
        purposes="registry_adapters.crosscheck:purposes.toml",
    )

    registries = Registries(settings)
    weakref.finalize(registry, registries.client.close)

    @registry.operation("Check", "POST /checks")
    @sampled()  # asks other registries
    def check(asked: CheckQuestion, call: Call) -> CheckAnswer:
        """Compare declared values with registered ones.

        What a registry that is silent would have said is unknown. Incomes come later: ask by `check`, from
        `ready_at` on. Only a few differing attempts are answered per person and day.
        """
        return compare(registries, settings.max_differing, _covered(registry, asked, call), call)

    @registry.operation("GetCheck", "GET /checks/{check}")
    @sampled()  # needs a check that is pending
    def get_check(asked: PendingQuestion, call: Call) -> PendingAnswer:
        """Tell the flag that was pending."""
        return incomes.tell(registries, call, asked.check)

    return registry


def compare(registries: Registries, max_differing: int, asked: CheckQuestion, call: Call) -> CheckAnswer:
    """Return a flag for each declared value. Raises RequestError, RefusedError."""
    person = _person(asked)
    submission = incomes.Submission()
    legs = _legs(asked, person, submission, call)
    if not legs:
        raise RequestError("registry.nothing_declared")
    subject = person.rnokpp or person.document or ""
    attempts = take_attempts(call, subject, legs, max_differing)
    flags = registries.ask_all(call.context, legs)
    kept = {kind for kind, flag in flags.items() if flag.outcome in (Outcome.DIFFERS, Outcome.PENDING)}
    give_back(call, [number for kind, number in attempts.items() if kind not in kept])
    call.note(Look(Seen.FOUND, "rnokpp" if person.rnokpp else "document", subject))
    told: dict[str, Any] = {
        kind: Flag(flag.outcome, flag.reason, TOLERANCES.get(kind), flag.exchanges) for kind, flag in flags.items()
    }
    if asked.income is None or flags["income"].outcome is not Outcome.PENDING:
        return CheckAnswer(**told)
    number = incomes.keep(call, person, attempts["income"], asked.income, submission, flags["income"])
    return CheckAnswer(number, submission.ready_at, **told)


def subjects_of(_connection: Connection, code: str) -> Sequence[str]:
    """Return the text under which the access log knows a person: the number the check was about."""
    return (code,)


def _person(asked: CheckQuestion) -> Person:
    criterion = question_of(rnokpp=asked.rnokpp, document=asked.document).criterion
    return Person(asked.rnokpp, criterion.number if isinstance(criterion, ByDocument) else None)


def _covered(registry: Registry, asked: CheckQuestion, call: Call) -> CheckQuestion:
    """Return the question without the values whose flags would be withheld: nobody is asked about those."""
    if registry.rules is None:
        return asked
    allowed = registry.rules.allow("Check", call.context).paths
    kinds = {spec.name for spec in describe(CheckQuestion).fields} - {"rnokpp", "document"}
    kept = kinds if EVERY_FIELD in allowed else kinds & allowed
    declared = {kind for kind in kinds if getattr(asked, kind) is not None}
    if declared and not declared & kept:
        raise RefusedError("registry.purpose_operation", purpose=", ".join(call.context.purposes), operation="Check")
    return replace(asked, **dict.fromkeys(kinds - kept))


def _legs(asked: CheckQuestion, person: Person, submission: incomes.Submission, call: Call) -> dict[str, Leg]:
    """Return what is to be done for each declared value."""
    today = call.clock.now().date()
    legs: dict[str, tuple[Any, Any]] = {
        "income": (submission.submit, asked.income),
        "address": (comparing.compare_address, asked.address),
        "marital_status": (comparing.compare_marital_status, asked.marital_status),
        "children": (partial(comparing.compare_children, today=today), asked.children),
        "ownership": (comparing.compare_ownership, asked.ownership),
        "displaced": (comparing.compare_displaced, asked.displaced),
        "sole_trader": (comparing.compare_sole_trader, asked.sole_trader),
    }
    return {
        kind: partial(_run, leg, person, declared) for kind, (leg, declared) in legs.items() if declared is not None
    }


def _run(leg: Any, person: Person, declared: Any, ask: Any) -> Outcome:
    outcome: Outcome = leg(ask, person, declared)
    return outcome

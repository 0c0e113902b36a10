"""Queries of a simulator: keys in, records out; what was seen goes to the access log on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, bindparam, insert, select

from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import from_json, to_json
from registry_adapters.sdk.matching import ByDocument, Match, Question, match_of
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.persons import PersonCriterion, question_of_person
from registry_adapters.simulators.persons import Key, code_asked_for, keys_for
from registry_adapters.simulators.tables import record, record_key

T = TypeVar("T")

MAX_RECORDS: Final = 200  # behind one key; more are not told

_BY_KEYS: Final = (
    select(record.c.id, record.c.body, record.c.subjects, record_key.c.key, record_key.c.subject)
    .join(record, record.c.id == record_key.c.record)
    .where(record_key.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(record.c.id)
    .limit(MAX_RECORDS)
)
_SUBJECTS: Final = (
    select(record_key.c.subject).distinct().where(record_key.c.key.in_(bindparam("keys", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record, and the codes of the natural persons it tells of."""

    told: T
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfPerson(Generic[T]):
    """What a registry holds about the one person asked for; nothing when several persons fit."""

    question: Question
    match: Match[str]
    records: list[T]

    @property
    def head(self) -> dict[str, Any]:
        """The fields with which every answer about one person begins, except how much was found."""
        return {
            "matched_by": self.match.matched_by,
            "ambiguous": self.match.count > 1,
            "confidence": self.match.confidence,
            "warnings": self.question.warnings,
        }


def records_of_person(
    call: Call, kind: type[T], asked: PersonCriterion, wanted: Callable[[T], bool] = lambda _: True
) -> OfPerson[T]:
    """Return the wanted records of the person a criterion means, and note the looks.

    Raises RequestError when there is not exactly one criterion.
    """
    question = question_of_person(asked)
    criterion = question.criterion
    rows = call.connection.execute(_BY_KEYS, {"keys": keys_for(criterion)}).all()
    in_force = not isinstance(criterion, ByDocument) or any(row.key.startswith("document:") for row in rows)
    match = match_of(criterion, sorted({row.subject for row in rows}), document_in_force=in_force)
    stored = [one for one in _stored(kind, rows) if wanted(one.told)] if match.count == 1 else []
    if stored:
        _note(call, stored, criterion.matched_by.value)
    elif match.count > 1:
        call.note(match.look(None))
    else:
        subject = match.found or code_asked_for(criterion)
        call.note(Look(Outcome.NOT_FOUND, criterion.matched_by.value, subject))
    return OfPerson(question, match, [one.told for one in stored])


def records_by_key(
    call: Call,
    kind: type[T],
    *keys: str,
    subject: str | None = None,
    tells_persons: Callable[[T], bool] = lambda _: True,
) -> list[T]:
    """Return the records behind any of some keys and note the looks; `subject` is whom the question was about.

    The part of a key before its colon is what the access log says it was found by. `tells_persons` is false for
    a record of whose persons the answer says nothing.
    """
    stored = _stored(kind, call.connection.execute(_BY_KEYS, {"keys": keys}).all())
    matched_by = keys[0].partition(":")[0]
    if stored:
        _note(call, [one if tells_persons(one.told) else replace(one, subjects=()) for one in stored], matched_by)
    else:
        call.note(Look(Outcome.NOT_FOUND, matched_by, subject))
    return [one.told for one in stored]


def subjects_of(connection: Connection, code: str) -> Sequence[str]:
    """Return the codes under which the access log may know the person with an RNOKPP or UNZR."""
    known = connection.execute(_SUBJECTS, {"keys": (f"rnokpp:{code}", f"unzr:{code}")}).scalars()
    return sorted({code, *filter(None, known)})


def one_of(**given: object) -> str:
    """Return the name of the one value that is given. Raises RequestError when there is not exactly one."""
    names = [name for name, value in given.items() if value]
    if len(names) != 1:
        raise RequestError("registry.one_of", fields=", ".join(given), given=", ".join(names) or "-")
    return names[0]


def add_records(connection: Connection, rows: Iterable[tuple[int, Any, Sequence[str], Iterable[Key]]]) -> None:
    """Add records: id, what is told, the persons it tells of, the keys it is found by."""
    records: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    for number, told, subjects, found_by in rows:
        body = json.dumps(to_json(told), ensure_ascii=False, separators=(",", ":"))
        records.append({"id": number, "body": body, "subjects": "\n".join(subjects)})
        keys += [{"key": key, "record": number, "subject": subject} for key, subject in sorted(set(found_by))]
    if records:
        connection.execute(insert(record), records)
        connection.execute(insert(record_key), sorted(keys, key=lambda row: row["key"]))


def _stored(kind: type[T], rows: Sequence[Any]) -> list[Stored[T]]:
    by_id = {row.id: row for row in rows}  # several keys may lead to the same record
    return [
        Stored(from_json(kind, json.loads(row.body)), tuple(row.subjects.split("\n")) if row.subjects else ())
        for row in by_id.values()
    ]


def _note(call: Call, stored: Sequence[Stored[T]], matched_by: str) -> None:
    subjects = {subject for one in stored for subject in one.subjects}
    for subject in sorted(subjects) or (None,):
        call.note(Look(Outcome.FOUND, matched_by, subject))

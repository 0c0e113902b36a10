"""Operations over a source in a line each: look one record up, or search page by page.

    kennels = TableFile("kennels.csv", key="number")
    lookup(registry, "GetKennel", kennels, by="number", path="GET /kennels/{number}")
    search(registry, "FindKennels", kennels, by=("owner_rnokpp", "city"), path="GET /kennels")

Question and answer are dataclasses made of the source's fields, so the descriptions tell their types.
Each record that is shown is a look in the access log: under the code of the person whose record it is,
where `person` names that field, else under the record's key. A lookup that fits several records shows
none and says so; a search names at least one value, since nobody leafs through a whole register.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from registry_adapters.sdk.access_log import Look, Outcome
from registry_adapters.sdk.errors import RequestError
from registry_adapters.sdk.fields import Declared, describe, show_text
from registry_adapters.sdk.operations import Call
from registry_adapters.sdk.registry import Registry
from registry_adapters.sdk.sources.base import Source, SourceError

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100
SUBJECT_LENGTH: Final = 64  # of the access log's column
MATCHED_BY_LENGTH: Final = 32
SAMPLES: Final = 3
_EMPTY: Final[Mapping[str, Any]] = {"record": None, "records": (), "withheld": ()}

Subject = Callable[[Any], str]


def lookup(
    registry: Registry,
    name: str,
    source: Source,
    *,
    by: str | Sequence[str],
    path: str,
    person: str | None = None,
    doc: str = "",
) -> None:
    """Declare the operation `name`: the one record with these values of the fields `by`."""
    fields = _fields(source, by, person)
    question = _question(name, source, fields, optional=())
    answer = _answer(f"{name}Answer", {
        "found": (bool, "Whether there is such a record."),
        "count": (int, "How many records there are."),
        "ambiguous": (bool, "Whether several fit, so that none is shown."),
        "record": (source.record | None, "The record."),
        "withheld": (tuple[str, ...], "Fields that the purpose does not allow."),
    })  # fmt: skip
    subject, matched_by = _subject(source, person), "+".join(fields)[:MATCHED_BY_LENGTH]

    def answer_lookup(asked: Any, call: Call) -> Any:
        page = source.find({field: getattr(asked, field) for field in fields}, limit=2)
        record = page.records[0] if page.count == 1 else None
        if record is not None:
            call.note(Look(Outcome.FOUND, matched_by, subject(record)))
        else:
            call.note(Look(Outcome.AMBIGUOUS if page.count else Outcome.NOT_FOUND, matched_by))
        return answer(found=record is not None, count=page.count, ambiguous=page.count > 1, record=record)

    def samples() -> list[Any]:
        return [question(**_values(record, fields)) for record in _complete(source, fields)]

    title = f"Get a record of {registry.title} by {', '.join(fields)}."
    _declare(registry, name, path, answer_lookup, question, answer, doc or title, samples)
    _tell_persons(registry, person)


def search(
    registry: Registry,
    name: str,
    source: Source,
    *,
    by: str | Sequence[str],
    path: str,
    person: str | None = None,
    doc: str = "",
) -> None:
    """Declare the operation `name`: records with the values that are given of the fields `by`, page by page."""
    fields = _fields(source, by, person)
    page_fields = {
        "limit": (int, DEFAULT_PAGE, f"How many records at once, at most {MAX_PAGE}."),
        "offset": (int, 0, "How many records to leave out."),
    }
    question = _question(name, source, fields, optional=fields, more=page_fields)
    answer = _answer(f"{name}Answer", {
        "count": (int, "How many records there are in all."),
        "limit": (int, "How many records at once."),
        "offset": (int, "How many records were left out."),
        "records": (tuple[source.record, ...], "The records."),  # type: ignore[name-defined]
        "withheld": (tuple[str, ...], "Fields that the purpose does not allow."),
    })  # fmt: skip
    subject = _subject(source, person)

    def answer_search(asked: Any, call: Call) -> Any:
        wanted = {field: value for field in fields if (value := getattr(asked, field)) is not None}
        if not wanted:
            raise RequestError("registry.nothing_to_search_by", fields=", ".join(fields))
        if not (1 <= asked.limit <= MAX_PAGE and asked.offset >= 0):
            raise RequestError("registry.page_invalid", limit=MAX_PAGE)
        page = source.find(wanted, limit=asked.limit, offset=asked.offset)
        matched_by = "+".join(wanted)[:MATCHED_BY_LENGTH]
        for record in page.records:
            call.note(Look(Outcome.FOUND, matched_by, subject(record)))
        if not page.count:
            call.note(Look(Outcome.NOT_FOUND, matched_by))
        return answer(count=page.count, limit=asked.limit, offset=asked.offset, records=page.records)

    def samples() -> list[Any]:
        return [question(**_values(record, [field])) for field in fields for record in _complete(source, [field])]

    title = f"Find records of {registry.title} by {', '.join(fields)}."
    _declare(registry, name, path, answer_search, question, answer, doc or title, samples)
    _tell_persons(registry, person)


def _fields(source: Source, by: str | Sequence[str], person: str | None) -> tuple[str, ...]:
    fields = (by,) if isinstance(by, str) else tuple(by)
    known = describe(source.record).by_name
    for field in (*fields, *((person,) if person else ())):
        if field not in known:
            raise SourceError(f"there is no field {field}; there are {', '.join(known)}")
    if not fields:
        raise SourceError(f"say by which fields to search; there are {', '.join(known)}")
    return fields


def _question(
    name: str,
    source: Source,
    fields: Sequence[str],
    *,
    optional: Sequence[str],
    more: Mapping[str, tuple[Any, Any, str]] | None = None,
) -> type:
    known = describe(source.record).by_name
    made: list[Any] = []
    for field in fields:
        spec = known[field]
        if field in optional:
            made.append((field, Annotated[spec.type | None, spec.declaration], dataclasses.field(default=None)))
        else:
            made.append((field, Annotated[spec.type, spec.declaration]))
    for field, (kind, default, text) in dict(more or {}).items():
        made.append((field, Annotated[kind, Declared(text)], dataclasses.field(default=default)))
    return _made(f"{name}Question", made)


def _answer(name: str, fields: Mapping[str, tuple[Any, str]]) -> type:
    made: list[Any] = []
    for field, (kind, doc) in fields.items():
        annotated = Annotated[kind, Declared(doc)]  # type: ignore[valid-type]
        default = dataclasses.field(default=_EMPTY[field]) if field in _EMPTY else dataclasses.field()
        made.append((field, annotated, default))
    return _made(name, made)


def _made(name: str, fields: list[Any]) -> type:
    made = dataclasses.make_dataclass(name, fields, frozen=True, slots=True, kw_only=True)
    made.__doc__ = ""
    return made


def _declare(
    registry: Registry,
    name: str,
    path: str,
    function: Callable[[Any, Call], Any],
    question: type,
    answer: type,
    doc: str,
    samples: Callable[[], list[Any]],
) -> None:
    function.__name__ = name[:1].lower() + name[1:]  # OpenAPI's operationId
    function.__doc__ = doc
    function.__annotations__ = {"asked": question, "call": Call, "return": answer}
    function.samples = samples  # type: ignore[attr-defined]  # the contract tests ask it
    registry.operation(name, path)(function)


def _subject(source: Source, person: str | None) -> Subject:
    """Return how a record is called in the access log."""
    specs = describe(source.record).by_name
    key = specs[source.key]

    def subject(record: Any) -> str:
        whose = getattr(record, person) if person else None
        text = show_text(specs[person], whose) if person and whose else show_text(key, getattr(record, source.key))
        if len(text) <= SUBJECT_LENGTH:
            return text
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"[:SUBJECT_LENGTH]

    return subject


def _tell_persons(registry: Registry, person: str | None) -> None:
    """Let citizens be told of the looks that are noted under their code."""
    if person and registry.subjects_of is None:
        registry.subjects_of = lambda _connection, code: (code,)


def _complete(source: Source, fields: Sequence[str]) -> list[Any]:
    """Return some records that have all these fields."""
    records = source.samples(SAMPLES * 10)
    return [record for record in records if all(getattr(record, field) not in (None, "") for field in fields)][:SAMPLES]


def _values(record: Any, fields: Sequence[str]) -> dict[str, Any]:
    return {field: getattr(record, field) for field in fields}

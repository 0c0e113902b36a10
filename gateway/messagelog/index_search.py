"""Questions to the search index: which exchanges, how many, newest or oldest first, and for whose eyes.

A search is planned before it is run, because the first page of a million rows must be as quick as that
of ten: (1) texts become numbers of terms, and a text that nobody has ends the search; (2) a period
becomes a range of ids; (3) the index of one condition alone is read in its order; (4) of several it is
counted, up to a bound, how many rows the index of each holds, and the shortest list is read whole;
(5) where all are long, rows are read in the order of their ids until the page is full.

What lies outside of the scope is a condition like any other, and stands in every statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from gateway.auditing.model import Count, Exchange, Outcome, Page, Query, Scope
from gateway.messagelog.index_database import asking, run
from gateway.messagelog.index_facts import bounded, clean
from gateway.messagelog.index_tables import OUTCOMES, SIDES, ZONE_IDS, Kind, index_name
from gateway.runtime.clock import epoch_ms, from_epoch_ms
from gateway.runtime.database import Database

MAX_PAGE: Final = 1000
MAX_RELATED: Final = 100
WALK_STEP: Final = 1000

# A list of rows shorter than the first is taken at once; one shorter than the second when there is none such.
LISTS: Final = (2_000, 50_000)
_MAX_INLINE_TERMS: Final = 5_000

_COLUMNS: Final = (
    "id", "time_ms", "side", "outcome", "party", "client", "provider", "service", "purpose", "fault_code",
    "represented_party", "times", "request", "response", "refusal", "query_id", "x_request_id", "issue", "user_id",
)  # fmt: skip
_SELECTED: Final = ", ".join(f"e.{column}" for column in _COLUMNS)
_TERM_COLUMNS: Final = (
    ("client", Kind.PARTY),
    ("service", Kind.SERVICE),
    ("purpose", Kind.PURPOSES),
    ("fault_code", Kind.FAULT),
    ("represented_party", Kind.REPRESENTED),
)
_TERM_PLACES: Final = [_COLUMNS.index(column) for column in ("party", "provider", *(name for name, _ in _TERM_COLUMNS))]
_TEXT_COLUMNS: Final = ("query_id", "x_request_id", "issue", "user_id")
_NOTHING: Final = "1 = 0"


@dataclass(frozen=True, slots=True)
class _Condition:
    """One condition on `column`; `sql` has a `?` for each value."""

    column: str
    sql: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a search is run: conditions within a range of ids, and which of them is read from its index."""

    conditions: tuple[_Condition, ...]
    first: int
    last: int
    list_of: _Condition | None = None
    order_of: _Condition | None = None


def search(
    database: Database,
    query: Query,
    scope: Scope,
    *,
    before: int | None = None,
    limit: int = 50,
    lists: Sequence[int] = LISTS,
) -> Page:
    """Return exchanges newest first, those with an id below `before`."""
    limit = max(1, min(limit, MAX_PAGE))
    with asking(database) as connection:
        plan = _plan(connection, query, scope, lists, before=before)
        found = [] if plan is None else _run(connection, plan, "DESC", limit + 1)
        more = len(found) > limit
        shown = _exchanges_of(connection, found[:limit])
    return Page(tuple(shown), shown[-1].id if more else None)


def count(database: Database, query: Query, scope: Scope, *, at_most: int, lists: Sequence[int] = LISTS) -> Count:
    """Return how many exchanges there are, counted up to a bound."""
    with asking(database) as connection:
        plan = _plan(connection, query, scope, lists)
        if plan is None:
            return Count(0, True)
        statement, values = _statement(connection, plan, "e.id", None)
        statement = f"SELECT count(*) FROM ({statement} LIMIT ?) AS counted"  # noqa: S608
        number = int(run(connection, statement, (*values, at_most + 1)).scalar() or 0)
    return Count(min(number, at_most), number <= at_most)


def walk(
    database: Database, query: Query, scope: Scope, *, step: int = WALK_STEP, lists: Sequence[int] = LISTS
) -> Iterator[Exchange]:
    """Yield every exchange that there is now, oldest first, in bounded memory."""
    after, through = 0, None
    while True:
        with asking(database) as connection:
            if through is None:
                through = int(run(connection, "SELECT max(id) FROM exchanges").scalar() or 0)
            plan = _plan(connection, query, scope, lists, after=after, before=through + 1)
            found = [] if plan is None else _run(connection, plan, "ASC", step)
            exchanges = _exchanges_of(connection, found)
        yield from exchanges
        if len(exchanges) < step:
            return
        after = exchanges[-1].id


def find(database: Database, exchange_id: int, scope: Scope) -> Exchange | None:
    """Return one exchange."""
    with asking(database) as connection:
        whose = _within(connection, scope)
        conditions = [_Condition("id", "id = ?", (exchange_id,)), *([whose] if whose else [])]
        found = _select(connection, conditions, 1)
    return found[0] if found else None


def find_of_entry(database: Database, sequence: int, scope: Scope) -> Exchange | None:
    """Return the exchange that an entry belongs to."""
    with asking(database) as connection:
        whose = _within(connection, scope)
        for column in ("id", "response", "refusal"):
            conditions = [_Condition(column, f"{column} = ?", (sequence,)), *([whose] if whose else [])]
            found = _select(connection, conditions, 1)
            if found:
                return found[0]
    return None


def find_related(database: Database, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
    """Return the other exchanges with the same request or query id, oldest first; the newest of too many."""
    found: dict[int, Exchange] = {}
    with asking(database) as connection:
        whose = _within(connection, scope)
        for column in ("x_request_id", "query_id"):
            value = getattr(exchange, column)
            if value:
                same = _Condition(column, f"{column} = ?", (bounded(value),))
                rows = _select(connection, [same, *([whose] if whose else [])], MAX_RELATED + 1)
                found |= {row.id: row for row in rows}
    found.pop(exchange.id, None)
    return tuple(found[number] for number in sorted(found)[-MAX_RELATED:])


# What is asked for


def _plan(
    connection: Connection,
    query: Query,
    scope: Scope,
    lists: Sequence[int],
    *,
    after: int = 0,
    before: int | None = None,
) -> _Plan | None:
    """Return how to search; None when nothing can be found."""
    period = _period(connection, query.since, query.until)
    if period is None:
        return None
    first, last = max(period[0], after + 1), period[1] if before is None else min(period[1], before - 1)
    whose = _within(connection, scope)
    conditions = [*([] if whose is None else [whose]), *_conditions(connection, query)]
    if first > last or any(condition.sql == _NOTHING for condition in conditions):
        return None
    times = tuple(_times(query))
    if not conditions:
        return _Plan(times, first, last)
    if len(conditions) == 1 and conditions[0].sql.endswith("= ?"):
        return _Plan(times, first, last, order_of=conditions[0])
    for bound in lists:
        lengths = [(_length(connection, condition, first, last, bound), condition) for condition in conditions]
        shortest, condition = min(lengths, key=lambda pair: pair[0])
        if shortest < bound:
            rest = tuple(other for other in conditions if other is not condition)
            return _Plan((*rest, *times), first, last, list_of=condition) if shortest else None
    return _Plan((*conditions, *times), first, last)


def _conditions(connection: Connection, query: Query) -> Iterator[_Condition]:
    for column, kind in _TERM_COLUMNS:
        text = getattr(query, column)
        if text is not None:
            yield _of_term(connection, column, kind, text)
    for column in _TEXT_COLUMNS:
        text = getattr(query, column)
        if text is not None:
            yield _of_text(column, text)
    if query.outcome is not None:
        yield _Condition("outcome", "outcome = ?", (OUTCOMES.index(query.outcome),))
    if query.side is not None:
        yield _Condition("side", "side = ?", (SIDES.index(query.side),))


def _within(connection: Connection, scope: Scope) -> _Condition | None:
    """Return the condition that keeps what may be seen; None when that is everything."""
    if scope.is_everything:
        return None
    wanted = ", ".join("?" * len(scope.names))
    if not scope.names:
        return _Condition("party", _NOTHING)
    statement = f"SELECT term FROM term_names WHERE kind = ? AND name IN ({wanted})"  # noqa: S608
    values = (int(Kind.PARTY), *sorted(map(bounded, scope.names)))
    return _among(connection, "party", statement, values)


def _of_term(connection: Connection, column: str, kind: Kind, text: str) -> _Condition:
    test, values = _comparison("name", text)
    statement = f"SELECT term FROM term_names WHERE kind = ? AND {test}"  # noqa: S608
    return _among(connection, column, statement, (int(kind), *values))


def _of_text(column: str, text: str) -> _Condition:
    test, values = _comparison(column, text)
    return _Condition(column, test, values)


def _among(connection: Connection, column: str, statement: str, values: tuple[Any, ...]) -> _Condition:
    """Return the condition that the column is one of the terms that the statement finds."""
    rows = run(connection, f"{statement} LIMIT ?", (*values, _MAX_INLINE_TERMS + 1)).all()
    numbers = sorted({int(number) for (number,) in rows})
    if len(numbers) > _MAX_INLINE_TERMS:
        return _Condition(column, f"{column} IN ({statement})", values)
    if not numbers:
        return _Condition(column, _NOTHING)
    if len(numbers) == 1:
        return _Condition(column, f"{column} = ?", (numbers[0],))
    return _Condition(column, f"{column} IN ({', '.join(map(str, numbers))})")


def _comparison(column: str, text: str) -> tuple[str, tuple[str, ...]]:
    """Return the test for a text, or for its beginning when it ends in `*`."""
    if not text.endswith("*"):
        return f"{column} = ?", (bounded(text),)
    beginning = clean(text[:-1])
    end = _after(beginning)
    if end is None:
        return f"{column} >= ?", (beginning,)
    return f"{column} >= ? AND {column} < ?", (beginning, end)


def _after(beginning: str) -> str | None:
    """Return the first text behind all that begin so, in the order of code points; None when there is none."""
    letters = list(beginning)
    while letters:
        code = ord(letters.pop()) + 1
        if 0xD800 <= code <= 0xDFFF:
            code = 0xE000  # what lies between are halves of characters
        if code <= 0x10FFFF:
            return "".join((*letters, chr(code)))
    return None


def _times(query: Query) -> Iterator[_Condition]:
    if query.since is not None:
        yield _Condition("time_ms", "time_ms >= ?", (epoch_ms(query.since),))
    if query.until is not None:
        yield _Condition("time_ms", "time_ms < ?", (epoch_ms(query.until),))


def _period(connection: Connection, since: datetime | None, until: datetime | None) -> tuple[int, int] | None:
    """Return the ids between which a period lies, roughly; clocks are set back at times, so zones may overlap."""
    if since is None and until is None:
        return 1, 2**62
    tests = [("last_ms >= ?", since), ("first_ms < ?", until)]
    given = [(test, epoch_ms(at)) for test, at in tests if at is not None]
    where = " AND ".join(test for test, _ in given)
    statement = f"SELECT min(zone), max(zone) FROM zones WHERE {where}"  # noqa: S608
    first, last = run(connection, statement, tuple(ms for _, ms in given)).one()
    return None if first is None else (int(first) * ZONE_IDS, (int(last) + 1) * ZONE_IDS - 1)


# How it is asked


def _length(connection: Connection, condition: _Condition, first: int, last: int, bound: int) -> int:
    """Return how many rows a condition alone finds, counted in its index up to `bound`."""
    hint = _hint(connection, condition)
    statement = (
        f"SELECT count(*) FROM (SELECT 1 FROM exchanges {hint}"  # noqa: S608
        f" WHERE {condition.sql} AND id BETWEEN ? AND ? LIMIT ?) AS counted"
    )
    return int(run(connection, statement, (*condition.values, first, last, bound)).scalar() or 0)


def _run(connection: Connection, plan: _Plan, order: str, limit: int) -> Sequence[Any]:
    statement, values = _statement(connection, plan, _SELECTED, order)
    rows: Sequence[Any] = run(connection, f"{statement} LIMIT ?", (*values, limit)).all()
    return rows


def _statement(connection: Connection, plan: _Plan, what: str, order: str | None) -> tuple[str, tuple[Any, ...]]:
    if plan.list_of is not None:
        return _listed(connection, plan, plan.list_of, what, order)
    hint = "NOT INDEXED" if connection.dialect.name == "sqlite" else ""  # in order, and by no list that is long
    conditions = plan.conditions
    if plan.order_of is not None:
        hint, conditions = _hint(connection, plan.order_of), (plan.order_of, *conditions)
    tests = "".join(f"({condition.sql}) AND " for condition in conditions)
    values = [value for condition in conditions for value in condition.values]
    ordered = "" if order is None else f" ORDER BY e.id {order}"
    statement = f"SELECT {what} FROM exchanges AS e {hint} WHERE {tests}e.id BETWEEN ? AND ?{ordered}"  # noqa: S608
    return statement, (*values, plan.first, plan.last)


def _listed(
    connection: Connection, plan: _Plan, listed: _Condition, what: str, order: str | None
) -> tuple[str, tuple[Any, ...]]:
    """Return the statement that goes through a list in its order, so that a full page ends it."""
    hint = _hint(connection, listed)
    numbers = f"SELECT id FROM exchanges {hint} WHERE {listed.sql} AND id BETWEEN ? AND ?"  # noqa: S608
    of_list = (*listed.values, plan.first, plan.last)
    tests = "".join(f" AND ({condition.sql})" for condition in plan.conditions)
    values = tuple(value for condition in plan.conditions for value in condition.values)
    if connection.dialect.name == "sqlite":
        ordered = "" if order is None else f" ORDER BY e.id {order}"
        statement = f"SELECT {what} FROM exchanges AS e NOT INDEXED WHERE e.id IN ({numbers}){tests}{ordered}"  # noqa: S608
        return statement, (*of_list, *values)
    # OFFSET 0: each number is looked up by itself. PostgreSQL likes better to read all exchanges beside the list.
    ordered = "" if order is None else f" ORDER BY listed.id {order}"
    statement = (
        f"WITH found AS MATERIALIZED ({numbers})"  # noqa: S608
        f" SELECT {what} FROM (SELECT id FROM found{ordered.replace('listed.', '')}) AS listed"
        f" CROSS JOIN LATERAL (SELECT * FROM exchanges WHERE id = listed.id{tests} OFFSET 0) AS e{ordered}"
    )
    return statement, (*of_list, *values)


def _hint(connection: Connection, condition: _Condition) -> str:
    return f"INDEXED BY {index_name(condition.column)}" if connection.dialect.name == "sqlite" else ""


def _select(connection: Connection, conditions: Iterable[_Condition], limit: int) -> list[Exchange]:
    listed = list(conditions)
    where = " AND ".join(condition.sql for condition in listed)
    statement = f"SELECT {_SELECTED} FROM exchanges AS e WHERE {where} ORDER BY e.id DESC LIMIT ?"  # noqa: S608
    values = [value for condition in listed for value in condition.values]
    return _exchanges_of(connection, run(connection, statement, (*values, limit)).all())


# What is answered


def _exchanges_of(connection: Connection, rows: Sequence[Any]) -> list[Exchange]:
    texts = _texts_of(connection, {row[place] for row in rows for place in _TERM_PLACES if row[place]})
    return [_exchange_of(row, texts) for row in rows]


def _texts_of(connection: Connection, numbers: set[int]) -> dict[int | None, str]:
    found: dict[int | None, str] = {}
    listed = sorted(numbers)
    for start in range(0, len(listed), MAX_PAGE):
        step = ", ".join(map(str, listed[start : start + MAX_PAGE]))
        rows = run(connection, f"SELECT id, text FROM terms WHERE id IN ({step})")  # noqa: S608
        found |= {int(number): text for number, text in rows}
    return found


def _exchange_of(row: Any, texts: dict[int | None, str]) -> Exchange:
    provider, service = texts.get(row.provider), texts.get(row.service)
    return Exchange(
        id=row.id,
        time=from_epoch_ms(row.time_ms),
        side=SIDES[row.side],
        party=texts.get(row.party, ""),
        client=texts.get(row.client),
        provider=provider,
        service=None if service == provider else service,
        query_id=row.query_id,
        x_request_id=row.x_request_id,
        issue=row.issue,
        purpose=texts.get(row.purpose),
        user_id=row.user_id,
        outcome=Outcome(OUTCOMES[row.outcome]),
        fault_code=texts.get(row.fault_code),
        count=row.times,
        request=row.request,
        response=row.response,
        refusal=row.refusal,
        represented_party=texts.get(row.represented_party),
    )

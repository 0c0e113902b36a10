"""How a search is run: texts into numbers, periods into ranges, and which index is read.

The first page of a million rows must be as quick as that of ten, so a search is planned: (1) texts become
numbers of terms, and a text that nobody has ends the search; (2) a period becomes a range of ids; (3) the
index of one condition alone is read in its order; (4) of several it is counted, up to a bound, how many
rows the index of each holds, and the shortest list is read; (5) where all are long, rows are read in the
order of their ids until the page is full.

What lies outside of the scope is a condition like any other, and stands in every statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from gateway.auditing.model import Query, Scope
from gateway.messagelog.index_database import run
from gateway.messagelog.index_facts import bounded, clean
from gateway.messagelog.index_tables import OUTCOMES, SIDES, ZONE_IDS, Kind, index_name
from gateway.runtime.clock import epoch_ms

# A list of rows shorter than the first is taken at once; one shorter than the second when there is none such.
LISTS: Final = (2_000, 50_000)
LAST_ID: Final = 2**62
_MAX_INLINE_TERMS: Final = 5_000

TERM_COLUMNS: Final = (
    ("client", Kind.PARTY),
    ("service", Kind.SERVICE),
    ("purpose", Kind.PURPOSES),
    ("fault_code", Kind.FAULT),
    ("represented_party", Kind.REPRESENTED),
)
_TEXT_COLUMNS: Final = ("query_id", "x_request_id", "issue", "user_id")
_NOTHING: Final = "1 = 0"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on `column`; `sql` has a `?` for each value."""

    column: str
    sql: str
    values: tuple[Any, ...] = ()

    @property
    def is_equality(self) -> bool:
        """Whether its rows lie in the index in the order of their ids."""
        return self.sql == f"{self.column} = ?"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a search is run: conditions within a range of ids, and which of them is read from its index."""

    conditions: tuple[Condition, ...]
    first: int
    last: int
    list_of: Condition | None = None
    order_of: Condition | None = None


def plan_search(
    connection: Connection,
    query: Query,
    scope: Scope,
    lists: Sequence[int],
    *,
    after: int = 0,
    before: int | None = None,
) -> Plan | None:
    """Return how to search; None when nothing can be found."""
    period = _period(connection, query.since, query.until)
    if period is None:
        return None
    first, last = max(period[0], after + 1), period[1] if before is None else min(period[1], before - 1)
    whose = within(connection, scope)
    conditions = [*([] if whose is None else [whose]), *_conditions(connection, query)]
    if first > last or any(condition.sql == _NOTHING for condition in conditions):
        return None
    times = tuple(_times(query))
    if not conditions:
        return Plan(times, first, last)
    if len(conditions) == 1 and conditions[0].is_equality:
        return Plan(times, first, last, order_of=conditions[0])
    for bound in lists:
        lengths = [(_length(connection, condition, first, last, bound), condition) for condition in conditions]
        shortest, condition = min(lengths, key=lambda pair: pair[0])
        if shortest < bound:
            rest = tuple(other for other in conditions if other is not condition)
            return Plan((*rest, *times), first, last, list_of=condition) if shortest else None
    return Plan((*conditions, *times), first, last)


def _conditions(connection: Connection, query: Query) -> Iterator[Condition]:
    for column, kind in TERM_COLUMNS:
        text = getattr(query, column)
        if text is not None:
            yield _of_term(connection, column, kind, text)
    for column in _TEXT_COLUMNS:
        text = getattr(query, column)
        if text is not None:
            yield _of_text(column, text)
    if query.outcome is not None:
        yield Condition("outcome", "outcome = ?", (OUTCOMES.index(query.outcome),))
    if query.side is not None:
        yield Condition("side", "side = ?", (SIDES.index(query.side),))


def within(connection: Connection, scope: Scope) -> Condition | None:
    """Return the condition that keeps what may be seen; None when that is everything."""
    if scope.is_everything:
        return None
    wanted = ", ".join("?" * len(scope.names))
    if not scope.names:
        return Condition("party", _NOTHING)
    statement = f"SELECT term FROM term_names WHERE kind = ? AND name IN ({wanted})"  # noqa: S608
    values = (int(Kind.PARTY), *sorted(map(bounded, scope.names)))
    return _among(connection, "party", statement, values)


def _of_term(connection: Connection, column: str, kind: Kind, text: str) -> Condition:
    test, values = _comparison("name", text)
    statement = f"SELECT term FROM term_names WHERE kind = ? AND {test}"  # noqa: S608
    return _among(connection, column, statement, (int(kind), *values))


def _of_text(column: str, text: str) -> Condition:
    test, values = _comparison(column, text)
    return Condition(column, test, values)


def _among(connection: Connection, column: str, statement: str, values: tuple[Any, ...]) -> Condition:
    """Return the condition that the column is one of the terms that the statement finds."""
    rows = run(connection, f"{statement} LIMIT ?", (*values, _MAX_INLINE_TERMS + 1)).all()
    numbers = sorted({int(number) for (number,) in rows})
    if len(numbers) > _MAX_INLINE_TERMS:
        return Condition(column, f"{column} IN ({statement})", values)
    if not numbers:
        return Condition(column, _NOTHING)
    if len(numbers) == 1:
        return Condition(column, f"{column} = ?", (numbers[0],))
    return Condition(column, f"{column} IN ({', '.join(map(str, numbers))})")


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


def _times(query: Query) -> Iterator[Condition]:
    if query.since is not None:
        yield Condition("time_ms", "time_ms >= ?", (epoch_ms(query.since),))
    if query.until is not None:
        yield Condition("time_ms", "time_ms < ?", (epoch_ms(query.until),))


def _period(connection: Connection, since: datetime | None, until: datetime | None) -> tuple[int, int] | None:
    """Return the ids between which a period lies, roughly; clocks are set back at times, so zones may overlap."""
    if since is None and until is None:
        return 1, LAST_ID
    tests = [("last_ms >= ?", since), ("first_ms < ?", until)]
    given = [(test, epoch_ms(at)) for test, at in tests if at is not None]
    where = " AND ".join(test for test, _ in given)
    statement = f"SELECT min(zone), max(zone) FROM zones WHERE {where}"  # noqa: S608
    first, last = run(connection, statement, tuple(ms for _, ms in given)).one()
    return None if first is None else (int(first) * ZONE_IDS, (int(last) + 1) * ZONE_IDS - 1)


def _length(connection: Connection, condition: Condition, first: int, last: int, bound: int) -> int:
    """Return how many rows a condition alone finds, counted in its index up to `bound`."""
    hint = _hint(connection, condition)
    statement = (
        f"SELECT count(*) FROM (SELECT 1 FROM exchanges {hint}"  # noqa: S608
        f" WHERE {condition.sql} AND id BETWEEN ? AND ? LIMIT ?) AS counted"
    )
    return int(run(connection, statement, (*condition.values, first, last, bound)).scalar() or 0)


def statement_of(connection: Connection, plan: Plan, what: str, order: str | None) -> tuple[str, tuple[Any, ...]]:
    """Return a statement, without its limit, for what is to be known of the rows that a plan finds."""
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
    connection: Connection, plan: Plan, listed: Condition, what: str, order: str | None
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


def _hint(connection: Connection, condition: Condition) -> str:
    return f"INDEXED BY {index_name(condition.column)}" if connection.dialect.name == "sqlite" else ""

"""Questions to the search index: which exchanges, how many, newest or oldest first, and for whose eyes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from gateway.auditing.model import Count, Exchange, Outcome, Page, Query, Scope
from gateway.messagelog.index_database import asking, run
from gateway.messagelog.index_facts import bounded
from gateway.messagelog.index_plan import (
    LAST_ID,
    LISTS,
    TERM_COLUMNS,
    Condition,
    Plan,
    plan_search,
    statement_of,
    within,
)
from gateway.messagelog.index_tables import OUTCOMES, SIDES
from gateway.runtime.clock import from_epoch_ms
from gateway.runtime.database import Database

MAX_PAGE: Final = 1000
MAX_RELATED: Final = 100
WALK_STEP: Final = 1000

_COLUMNS: Final = (
    "id", "time_ms", "side", "outcome", "party", "client", "provider", "service", "purpose", "fault_code",
    "represented_party", "times", "request", "response", "refusal", "query_id", "x_request_id", "issue", "user_id",
)  # fmt: skip
_SELECTED: Final = ", ".join(f"e.{column}" for column in _COLUMNS)
_TERM_PLACES: Final = [_COLUMNS.index(column) for column in ("party", "provider", *(name for name, _ in TERM_COLUMNS))]


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
        plan = plan_search(connection, query, scope, lists, before=before)
        found = [] if plan is None else _run(connection, plan, "DESC", limit + 1)
        more = len(found) > limit
        shown = _exchanges_of(connection, found[:limit])
    return Page(tuple(shown), shown[-1].id if more else None)


def count(database: Database, query: Query, scope: Scope, *, at_most: int, lists: Sequence[int] = LISTS) -> Count:
    """Return how many exchanges there are, counted up to a bound."""
    with asking(database) as connection:
        plan = plan_search(connection, query, scope, lists)
        if plan is None:
            return Count(0, True)
        statement, values = statement_of(connection, plan, "e.id", None)
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
            plan = plan_search(connection, query, scope, lists, after=after, before=through + 1)
            found = [] if plan is None else _run(connection, plan, "ASC", step)
            exchanges = _exchanges_of(connection, found)
        yield from exchanges
        if len(exchanges) < step:
            return
        after = exchanges[-1].id


def find(database: Database, exchange_id: int, scope: Scope) -> Exchange | None:
    """Return one exchange."""
    with asking(database) as connection:
        whose = within(connection, scope)
        conditions = [Condition("id", "id = ?", (min(exchange_id, LAST_ID),)), *([whose] if whose else [])]
        found = _select(connection, conditions, 1)
    return found[0] if found else None


def find_of_entry(database: Database, sequence: int, scope: Scope) -> Exchange | None:
    """Return the exchange that an entry belongs to."""
    with asking(database) as connection:
        whose = within(connection, scope)
        for column in ("id", "response", "refusal"):
            conditions = [Condition(column, f"{column} = ?", (min(sequence, LAST_ID),)), *([whose] if whose else [])]
            found = _select(connection, conditions, 1)
            if found:
                return found[0]
    return None


def find_related(database: Database, exchange: Exchange, scope: Scope) -> tuple[Exchange, ...]:
    """Return the other exchanges with the same request or query id, oldest first; the newest of too many."""
    found: dict[int, Exchange] = {}
    with asking(database) as connection:
        whose = within(connection, scope)
        for column in ("x_request_id", "query_id"):
            value = getattr(exchange, column)
            if value:
                same = Condition(column, f"{column} = ?", (bounded(value),))
                rows = _select(connection, [same, *([whose] if whose else [])], MAX_RELATED + 1)
                found |= {row.id: row for row in rows}
    found.pop(exchange.id, None)
    return tuple(found[number] for number in sorted(found)[-MAX_RELATED:])


def _run(connection: Connection, plan: Plan, order: str, limit: int) -> Sequence[Any]:
    statement, values = statement_of(connection, plan, _SELECTED, order)
    rows: Sequence[Any] = run(connection, f"{statement} LIMIT ?", (*values, limit)).all()
    return rows


def _select(connection: Connection, conditions: Iterable[Condition], limit: int) -> list[Exchange]:
    listed = list(conditions)
    where = " AND ".join(condition.sql for condition in listed)
    statement = f"SELECT {_SELECTED} FROM exchanges AS e WHERE {where} ORDER BY e.id DESC LIMIT ?"  # noqa: S608
    values = [value for condition in listed for value in condition.values]
    return _exchanges_of(connection, run(connection, statement, (*values, limit)).all())


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

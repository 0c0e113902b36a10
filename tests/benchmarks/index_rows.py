"""The search index at a million exchanges: rows written straight into its tables, and how long each search takes.

`python -m tests.benchmarks.index_rows [--database URL] [--rows N]`. The rows are skewed as traffic is:
few clients ask much, some issues come back, clocks are set back now and then, and a part of the
members has long left. Every search is asked at many places, cold pages included, within all scopes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from gateway.auditing.model import Outcome, Query, Scope
from gateway.messagelog import index_search
from gateway.messagelog.index_database import SCRIPTS, open_index, run_many
from gateway.messagelog.index_tables import OUTCOMES, ZONE_IDS, Kind, exchanges
from gateway.messagelog.index_writer import Terms
from gateway.messagelog.model import Side
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database, migrate
from tests.benchmarks.report import Report, Row, Section, show

ROWS: Final = 1_000_000
BEGINNING: Final = datetime(2023, 1, 1, tzinfo=UTC)
YEARS: Final = 3
STEP: Final = 20_000
QUESTIONS: Final = 60

_COLUMNS: Final = tuple(column.name for column in exchanges.columns)
_INSERT: Final = f"INSERT INTO exchanges ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"

MEMBERS: Final = tuple(f"UA-DEMO/GOV/1000{number:04d}" for number in range(60))
CLIENTS: Final = tuple(f"{member}/SUB{number}" for member in MEMBERS for number in range(4))
SERVICES: Final = tuple(
    f"UA-DEMO/GOV/2000{number:04d}/REGISTRY/getData{code}/v1" for number in range(12) for code in range(12)
)
FAULTS: Final = tuple(f"server.server_proxy.reason_{number}" for number in range(24))
PURPOSES: Final = tuple(f"9K9J65I75ILCLMP{number:05d}" for number in range(300))


class Made:
    """What an exchange of this number says; the same for the same number."""

    def __init__(self, number: int, rows: int) -> None:
        chance = random.Random(number)
        age = number / rows
        self.id = 2 * number + 1
        late = timedelta(minutes=-chance.randrange(30)) if chance.random() < 0.001 else timedelta()
        self.time = BEGINNING + timedelta(days=365 * YEARS) * age + late
        # The last tenth of the members stopped asking after the first third.
        active = len(CLIENTS) if age < 1 / 3 else len(CLIENTS) * 9 // 10
        self.client = CLIENTS[int(active * chance.random() ** 2) % active]
        self.service = SERVICES[int(len(SERVICES) * chance.random() ** 2)]
        self.provider = self.service.rsplit("/", 2)[0]
        self.side = Side.CONSUMER if chance.random() < 0.7 else Side.PROVIDER
        self.user_id = f"clerk-{int(6000 * chance.random() ** 2):05d}"
        self.issue = f"case-{number // 3:08d}" if chance.random() < 0.8 else None
        self.purpose = chance.choice(PURPOSES) if chance.random() < 0.4 else None
        self.represented = f"COM/{chance.randrange(500):08d}" if chance.random() < 0.02 else None
        self.query_id = f"query-{number:08d}"
        self.x_request_id = f"{chance.getrandbits(128):032x}"
        rest = chance.random()
        self.outcome = Outcome.ANSWERED
        if rest < 0.04:
            self.outcome = Outcome.REFUSED if rest < 0.02 else Outcome.FAILED if rest < 0.035 else Outcome.OPEN
        refused = self.outcome in (Outcome.REFUSED, Outcome.FAILED)
        self.fault_code = chance.choice(FAULTS) if refused else None


def fill(database: Database, rows: int) -> None:
    """Write so many exchanges."""
    migrate(database, SCRIPTS)
    terms = Terms()
    for start in range(0, rows, STEP):
        made = [Made(number, rows) for number in range(start, min(start + STEP, rows))]
        with database.transaction() as connection:

            def number_of(kind: Kind, text: str | None) -> int | None:
                return None if text is None else terms.number_of(connection, (kind, text))

            run_many(connection, _INSERT, [_row(one, number_of) for one in made])
            zones: dict[int, list[int]] = {}
            for one in made:
                zones.setdefault(one.id // ZONE_IDS, []).append(epoch_ms(one.time))
            run_many(
                connection,
                "INSERT INTO zones (zone, first_ms, last_ms) VALUES (?, ?, ?) ON CONFLICT (zone)"
                " DO UPDATE SET last_ms = excluded.last_ms",
                [(zone, min(times), max(times)) for zone, times in zones.items()],
            )
    if not database.is_sqlite:
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _row(one: Made, number_of: Callable[[Kind, str | None], int | None]) -> tuple[Any, ...]:
    party = one.client if one.side is Side.CONSUMER else one.provider
    answered, refused = one.outcome is Outcome.ANSWERED, one.fault_code is not None
    values = {
        "id": one.id,
        "time_ms": epoch_ms(one.time),
        "side": 0 if one.side is Side.CONSUMER else 1,
        "outcome": OUTCOMES.index(one.outcome),
        "party": number_of(Kind.PARTY, party),
        "client": number_of(Kind.PARTY, one.client),
        "provider": number_of(Kind.PARTY, one.provider),
        "service": number_of(Kind.SERVICE, one.service),
        "purpose": number_of(Kind.PURPOSES, one.purpose),
        "fault_code": number_of(Kind.FAULT, one.fault_code),
        "represented_party": number_of(Kind.REPRESENTED, one.represented),
        "times": 1,
        "request": one.id,
        "response": one.id + 1 if answered else None,
        "refusal": one.id + 1 if refused else None,
        "query_id": one.query_id,
        "x_request_id": one.x_request_id,
        "issue": one.issue,
        "user_id": one.user_id,
        "open_key": None,
    }
    return tuple(values[column] for column in _COLUMNS)


def questions(rows: int, chance: random.Random) -> Iterator[tuple[str, Query]]:
    """Yield searches by every field, some exact, some by their beginning, and free combinations of them."""

    def some() -> Made:
        return Made(chance.randrange(rows), rows)

    one = some()
    month = {"since": one.time - timedelta(days=15), "until": one.time + timedelta(days=15)}
    yield "everything", Query()
    yield "period: an hour", Query(since=one.time, until=one.time + timedelta(hours=1))
    yield "period: a month", Query(**month)
    yield "client", Query(client=some().client)
    yield "client: a member", Query(client=some().client.rpartition("/")[0])
    yield "client: begins with", Query(client=some().client[: chance.randrange(14, 22)] + "*")
    yield "service", Query(service=some().service)
    yield "service: its provider", Query(service=some().provider)
    yield "query id", Query(query_id=some().query_id)
    yield "query id: begins with", Query(query_id=some().query_id[: chance.randrange(7, 14)] + "*")
    yield "x-request-id", Query(x_request_id=some().x_request_id)
    yield "issue", Query(issue=f"case-{chance.randrange(rows) // 3:08d}")
    yield "issue: begins with", Query(issue=f"case-{chance.randrange(rows) // 3:08d}"[: chance.randrange(6, 13)] + "*")
    yield "purpose", Query(purpose=chance.choice(PURPOSES))
    yield "user id", Query(user_id=some().user_id)
    yield "user id: begins with", Query(user_id=some().user_id[: chance.randrange(7, 11)] + "*")
    yield "outcome", Query(outcome=chance.choice(OUTCOMES))
    yield "fault code", Query(fault_code=chance.choice(FAULTS))
    yield "fault code: begins with", Query(fault_code="server.*")
    yield "side", Query(side=chance.choice(tuple(Side)))
    yield "represented party", Query(represented_party=f"COM/{chance.randrange(500):08d}")
    one = some()
    pool = {
        "client": one.client, "service": one.service, "user_id": one.user_id, "purpose": one.purpose,
        "outcome": one.outcome, "side": one.side, **month,
    }  # fmt: skip
    chosen = dict(chance.sample(sorted(pool.items()), chance.randrange(2, 5)))
    yield "combination", Query(**{name: value for name, value in chosen.items() if value is not None})
    other = some()
    mixed: dict[str, Any] = {
        "client": one.client.rpartition("/")[0], "service": other.provider, "user_id": f"{other.user_id[:8]}*",
        "outcome": other.outcome, "side": one.side,
    }  # fmt: skip
    chosen = dict(chance.sample(sorted(mixed.items()), chance.randrange(2, 5)))
    yield "combination that seldom meets", Query(**chosen)


def measure(database: Database, rows: int, *, repeats: int = QUESTIONS) -> list[Row]:
    """Return how long first pages, later pages and counts take, per field and scope."""
    chance = random.Random(7)
    scopes = {
        "everything": lambda: Scope(frozenset({"*"})),
        "one member": lambda: Scope(frozenset({chance.choice(MEMBERS)})),
        "five members": lambda: Scope(frozenset(chance.sample(MEMBERS, 5))),
    }
    times: dict[str, list[float]] = {}
    worst: dict[str, tuple[float, Query]] = {}
    for _ in range(repeats):
        for name, query in questions(rows, chance):
            for whose, scope_of in scopes.items():
                scope = scope_of()
                began = time.perf_counter()
                page = index_search.search(database, query, scope)
                took = (time.perf_counter() - began) * 1000
                times.setdefault(name, []).append(took)
                times.setdefault(f"scope: {whose}", []).append(took)
                worst[name] = max(worst.get(name, (0.0, query)), (took, query), key=lambda pair: pair[0])
                if page.next_before is not None:
                    before = chance.randrange(page.next_before) + 1
                    times.setdefault("a later page", []).append(_timed(database, query, scope, before))
                began = time.perf_counter()
                index_search.count(database, query, scope, at_most=10_000)
                times.setdefault("count up to 10 000", []).append((time.perf_counter() - began) * 1000)
    return [_statistics(name, values) for name, values in times.items()]


def _timed(database: Database, query: Query, scope: Scope, before: int) -> float:
    began = time.perf_counter()
    index_search.search(database, query, scope, before=before)
    return (time.perf_counter() - began) * 1000


def _statistics(name: str, values: list[float]) -> Row:
    cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    return {
        "search by": name,
        "searches": len(values),
        "p50_ms": round(cuts[49], 2),
        "p95_ms": round(cuts[94], 2),
        "max_ms": round(max(values), 1),
    }


def run(url: str | None, rows: int, repeats: int) -> Report:
    """Fill an index and measure it; one that is filled is measured as it is."""
    with tempfile.TemporaryDirectory(prefix="surma-bench-") as name:
        database = open_index(url or f"sqlite:///{Path(name)}/index.db")
        migrate(database, SCRIPTS)
        with database.reading() as connection:
            is_empty = connection.exec_driver_sql("SELECT max(id) FROM exchanges").scalar() is None
        if is_empty:
            fill(database, rows)
        results = measure(database, rows, repeats=repeats)
        size = database.path.stat().st_size if database.path is not None else None
        database.close()
    facts = {"rows": rows, "database_bytes": size, "results": results}
    note = "" if size is None else f"index.db: {size / 1e6:.0f} MB"
    return Report(facts, [Section(f"search among {rows} exchanges", results, [note])])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", metavar="URL")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=QUESTIONS)
    options = parser.parse_args()
    show(run(options.database, options.rows, options.repeats), Console(width=120))

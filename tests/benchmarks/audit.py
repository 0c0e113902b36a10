"""`audit`: what auditors wait for, over a log of a million records: searches, pages, archiving, verification.

Each stage runs in a process of its own, whose peak of memory is that of the stage. `--state DIR` keeps the log
for another run; `--database URL` puts log and index into PostgreSQL.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from gateway.auditing.configurations import Chosen
from gateway.auditing.console.app import audit_pages
from gateway.auditing.deps import AuditDeps
from gateway.auditing.model import AUDITOR, Outcome, Query, Scope
from gateway.auditing.server_source import ServerSource
from gateway.cli.verify_batch import Asked, verify_paths
from gateway.cli.verify_batch import Report as Verified
from gateway.messagelog.archive.archiver import Archiver, Tally
from gateway.messagelog.archive.entries import EntrySource
from gateway.messagelog.archive.journal import Command, change_of
from gateway.messagelog.archive.model import ArchiveSettings
from gateway.messagelog.archive.places import FolderPlace
from gateway.messagelog.index import Indexer
from gateway.messagelog.index_database import open_index
from gateway.messagelog.index_log import LogEntries
from gateway.messagelog.model import MessageLogSettings
from gateway.messagelog.recorder import MessageLog
from gateway.runtime.accounts.model import Principal
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import SystemClock
from gateway.runtime.console.app import Console, console_app, entrance
from gateway.runtime.console.formats import zone_named
from gateway.runtime.console.visitors import OneVisitor
from gateway.runtime.control_server import ControlServer, Listener
from gateway.runtime.database import Database, open_database
from tests.benchmarks import million
from tests.benchmarks.report import Report, Row, Section

EXCHANGES: Final = 500_000
TINY: Final = 144
QUESTIONS: Final = 60
PAGES: Final = 40
SEARCH_LIMIT_MS: Final = 200
PAGE_LIMIT_MS: Final = 500


def run(
    *,
    factor: float = 1.0,
    tiny: bool = False,
    url: str | None = None,
    state: Path | None = None,
    archived: int | None = None,
) -> Report:
    """Measure everything over a log of so many times a million records, and archive all or about so many of them."""
    exchanges = TINY if tiny else int(EXCHANGES * factor)
    million.a_configuration()  # the same keys in every stage
    with ExitStack() as stack:
        folder = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="surma-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        place = _Place(folder, url, exchanges, archived)
        rows: list[Row] = [_stage("generate", _generate, place), _stage("index", _index, place)]
        searches, searched, _ = _in_process(_search, place)
        pages, *_ = _in_process(_pages, place)
        rows += [_stage("archive", _archive, place), _stage("verify archives", _verify, place)]
    notes = [
        f"searches: peak of memory {searched} MB; limits: search {SEARCH_LIMIT_MS} ms, page {PAGE_LIMIT_MS} ms at p95"
    ]
    facts = {"exchanges": exchanges, "stages": rows, "searches": searches, "pages": pages}
    return Report(
        facts,
        [
            Section(f"audit: {2 * exchanges} records", rows),
            Section("audit: searches", searches, notes),
            Section("audit: pages", pages),
        ],
    )


class _Place:
    """Where everything lies."""

    def __init__(self, folder: Path, url: str | None, exchanges: int, archived: int | None) -> None:
        self.folder = folder
        self.exchanges = exchanges
        self.archived = archived
        self.log_url = url or f"sqlite:///{folder}/messagelog.db"
        self.index_url = url or f"sqlite:///{folder}/index.db"
        self.archive = folder / "archive"

    def log(self, database: Database) -> MessageLog:
        """The log, with nobody who stamps."""
        settings = MessageLogSettings(commit_timeout_s=120)
        return MessageLog(database, self.folder / "bodies", settings, SystemClock(), tsa_urls=None)

    def source(self) -> ServerSource:
        """What auditors ask."""
        log = self.log(open_database(self.log_url))
        configuration = Chosen(million.a_configuration(), "benchmark")
        return ServerSource(
            log, open_index(self.index_url), configurations=lambda _: configuration, name=lambda: "bench"
        )


def _stage(name: str, work: Callable[[_Place], int], place: _Place) -> Row:
    began = time.monotonic()
    done, peak_mb, cpu_s = _in_process(work, place)
    took = time.monotonic() - began
    rates = {"per_s": round(done / took), "per_cpu_s": round(done / cpu_s)}
    return {"stage": name, "done": done, "seconds": round(took, 1), **rates, "peak_mb": peak_mb}


def _in_process(work: Callable[[_Place], Any], place: _Place) -> tuple[Any, float, float]:
    """Do it in a child that has this process's keys; return what it gave, its peak of memory in MB, its CPU seconds."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(work, place, sending))
    process.start()
    sending.close()
    try:
        result: tuple[Any, float, float] = receiving.recv()
    except EOFError:
        raise RuntimeError(f"{work.__name__} ended without a result") from None
    finally:
        process.join()
    return result


def _child(work: Callable[[_Place], Any], place: _Place, sending: Any) -> None:
    result = work(place)
    used = resource.getrusage(resource.RUSAGE_SELF)
    sending.send((result, round(used.ru_maxrss / 1024, 1), used.ru_utime + used.ru_stime))


def _generate(place: _Place) -> int:
    database = open_database(place.log_url)
    made = asyncio.run(million.make(database, place.folder / "bodies", place.exchanges))
    database.close()
    return made.records + made.refusals


def _index(place: _Place) -> int:
    database = open_database(place.log_url)
    indexer = Indexer(open_index(place.index_url), LogEntries(database, place.log(database).reader))
    return indexer.catch_up()


def _search(place: _Place) -> list[Row]:
    source, chance = place.source(), random.Random(7)
    rows = []
    for name, ask in _QUESTIONS.items():
        waits, found = [], 0
        for _ in range(QUESTIONS):
            number = chance.randrange(place.exchanges)
            query, scope = ask(number)
            began = time.perf_counter()
            page = source.search(query, scope)
            waits.append((time.perf_counter() - began) * 1000)
            found += len(page.exchanges)
        rows.append({"search": name, **_percentiles(waits), "found": round(found / QUESTIONS, 1)})
    return rows


_ALL: Final = Scope(frozenset({"*"}))


def _within(number: int) -> Scope:
    return Scope(frozenset({million.facts_of(number)["client"]}))


def _fact(name: str) -> Callable[[int], tuple[Query, Scope]]:
    return lambda number: (Query(**{name: million.facts_of(number)[name]}), _ALL)  # type: ignore[arg-type]


def _hour(number: int) -> dict[str, Any]:
    since = million.BEGINNING + timedelta(hours=number % million.HOURS)
    return {"since": since, "until": since + timedelta(hours=6)}


_QUESTIONS: Final[dict[str, Callable[[int], tuple[Query, Scope]]]] = {
    "nothing, newest": lambda _: (Query(), _ALL),
    "query id": _fact("query_id"),
    "request id": _fact("x_request_id"),
    "case": _fact("issue"),
    "case, beginning": lambda n: (Query(issue=million.facts_of(n)["issue"][:-2] + "*"), _ALL),
    "user id": _fact("user_id"),
    "client": _fact("client"),
    "service": _fact("service"),
    "period": lambda n: (Query(**_hour(n)), _ALL),
    "outcome": lambda _: (Query(outcome=Outcome.REFUSED), _ALL),
    "period, client, user id": lambda n: (
        Query(client=million.facts_of(n)["client"], user_id=million.facts_of(n)["user_id"], **_hour(n)),
        _ALL,
    ),
    "service, user id": lambda n: (
        Query(service=million.facts_of(n)["service"], user_id=million.facts_of(n + 1)["user_id"]),
        _ALL,
    ),
    "client that never used the service": lambda n: (
        Query(client=million.facts_of(n)["client"], service=million.facts_of(n + 1)["service"]),
        _ALL,
    ),
    "user id within a member": lambda n: (Query(user_id=million.facts_of(n)["user_id"]), _within(n)),
    "outcome within a member": lambda n: (Query(outcome=Outcome.REFUSED), _within(n)),
    "what is not there": lambda n: (Query(issue=f"none-{n}"), _ALL),
}


def _pages(place: _Place) -> list[Row]:
    return asyncio.run(_visit(place))


async def _visit(place: _Place) -> list[Row]:
    source, chance = place.source(), random.Random(11)
    one = OneVisitor(Principal("auditor", frozenset({AUDITOR})))
    with tempfile.TemporaryDirectory(prefix="surma-bench-") as name:
        deps = AuditDeps(source, Trail(Path(name), SystemClock()), SystemClock(), lambda: "bench")
        parts = [audit_pages(deps), entrance(one)]
        console = Console(
            one, lambda: "bench", parts, zone=zone_named("Europe/Kyiv"), secure=False, signs_in=False,
            requests_per_second=0, requests_per_minute=0,
        )  # fmt: skip
        server = ControlServer(Listener(console_app(console)))
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=server.url, timeout=60, follow_redirects=True) as client:
                await client.get("/enter", params={"key": one.key})
                numbers = [chance.randrange(place.exchanges) for _ in range(PAGES)]
                paths = {name: [ask(source, number) for number in numbers] for name, ask in _PAGES.items()}
                return [await _visits(client, name, some) for name, some in paths.items()]
        finally:
            await server.stop()


_PAGES: Final[dict[str, Callable[[ServerSource, int], str]]] = {
    "status": lambda _source, _: "/audit",
    "search, newest": lambda _source, _: "/audit/search?go=1",
    "search by case": lambda _source, n: f"/audit/search?go=1&issue={million.facts_of(n)['issue']}",
    "search by clerk": lambda _source, n: f"/audit/search?go=1&user_id={million.facts_of(n)['user_id']}",
    "an exchange with both verdicts": lambda source, n: f"/audit/exchanges/{_id_of(source, n)}",
}


def _id_of(source: ServerSource, number: int) -> int:
    return source.search(Query(query_id=million.facts_of(number)["query_id"]), _ALL).exchanges[0].id


async def _visits(client: httpx.AsyncClient, name: str, paths: list[str]) -> Row:
    waits = []
    answered: Counter[int] = Counter()
    for path in paths:
        began = time.perf_counter()
        answer = await client.get(path)
        waits.append((time.perf_counter() - began) * 1000)
        answered[answer.status_code] += 1
    return {"page": name, **_percentiles(waits), "answered": " ".join(f"{n}x{s}" for s, n in answered.items())}


def _archive(place: _Place) -> int:
    return asyncio.run(_archived(place))


async def _archived(place: _Place) -> int:
    database = open_database(place.log_url)
    log = place.log(database)
    await log.start()
    loop = asyncio.get_running_loop()

    def carry_out(command: Command) -> None:
        asyncio.run_coroutine_threadsafe(log.submit(change_of(command)), loop).result()

    def check(tally: Tally) -> None:
        if place.archived is not None and tally.entries >= place.archived:
            raise _Enough(tally)

    settings = ArchiveSettings()
    configuration = million.a_configuration()
    scratch = place.folder / "staging"
    shutil.rmtree(scratch, ignore_errors=True)
    entries = EntrySource(database, log.reader, lambda _: configuration, settings.digest_algorithm, place.folder)
    archiver = Archiver(
        database=database,
        entries=entries,
        place=FolderPlace(place.archive),
        staging=scratch,
        settings=settings,
        journal=carry_out,
        clock=SystemClock(),
        progress=check,
    )
    try:
        tally = await asyncio.to_thread(archiver.run)
    except _Enough as enough:
        tally = enough.tally
    finally:
        await log.stop()
    if tally.unverified or tally.left_out or tally.missing:
        raise RuntimeError(f"not everything was archived: {tally}")
    return tally.entries


class _Enough(Exception):  # noqa: N818
    """So much was asked for."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally)
        self.tally = tally


def _verify(place: _Place) -> int:
    configuration = Chosen(million.a_configuration(), "benchmark")
    count = 0
    for found in verify_paths([place.archive], Asked(lambda _: configuration, must_be_first=True)):
        if found.fault is not None:
            raise RuntimeError(f"{found.source}: {found.fault}")
        count += isinstance(found, Verified)
    return count


def _percentiles(waits: list[float]) -> dict[str, float]:
    waits.sort()
    return {
        "p50_ms": round(waits[len(waits) // 2], 1),
        "p95_ms": round(waits[len(waits) * 95 // 100], 1),
        "max_ms": round(waits[-1], 1),
    }

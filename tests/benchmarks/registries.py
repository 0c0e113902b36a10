"""`registries`: the demographic registry with five million persons: how long they take to make, and to be found.

Generation is `surma registry seed` in a process of its own. Each lookup is timed twice: as the operation
alone in its reading transaction, and over HTTP by one caller of `surma registry serve`, access log
included. Who is asked for is drawn by chance from all that there are, so few questions hit the same pages.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sqlalchemy import Column, Connection, func, select

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database
from gateway.xroad.identifiers import MemberId, SubsystemId
from registry_adapters.demographic.model import AddressQuestion, PersonQuestion
from registry_adapters.demographic.registry import get_person, get_residents
from registry_adapters.demographic.tables import building, document, person, temporary_number
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.operations import Call
from tests.benchmarks.report import Report, Row, Section

PERSONS: Final = 5_000_000
LOOKUPS: Final = 1000
TINY_PERSONS: Final = 500
TINY_LOOKUPS: Final = 5
SNAP: Final = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
HEADERS: Final = {"X-Road-Client": str(SNAP), "X-Road-Id": "benchmark", "X-Road-UserId": "clerk"}

Question = PersonQuestion | AddressQuestion


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to ask: a question about a record drawn by chance, the operation and the path that take it."""

    name: str
    draw: Callable[[Connection, random.Random], Question]
    operation: Callable[[Any, Call], Any] = get_person
    path: str = "/persons"


def run(*, factor: float = 1.0, tiny: bool = False, url: str | None = None, state: Path | None = None) -> Report:
    """Make five million persons times `factor` and look some up; a `state` that is filled already is not made again."""
    persons = TINY_PERSONS if tiny else int(PERSONS * factor)
    with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
        place = url or f"sqlite:///{(state or Path(folder)).absolute()}/demographic.db"
        made = generate(place, persons)
        database = open_database(place)
        try:
            found = lookups(database, place, persons, TINY_LOOKUPS if tiny else LOOKUPS)
        finally:
            database.close()
    notes = ["peak: largest resident size of the process that seeds", "http: one caller, access log included"]
    return Report(
        {"generation": made, "lookups": found, "persons": persons},
        [
            Section(f"registries: {persons:,} persons made", [made], notes[:1]),
            Section("registries: one person looked up, ms", found, notes[1:]),
        ],
    )


def generate(place: str, persons: int) -> Row:
    """Run `surma registry seed` and return what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(_command("seed", place, persons), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as output:
        said = output.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"surma registry seed ended with {process.returncode}")
    seconds = time.perf_counter() - started
    added = int(said.split()[2])  # registry demographic: 5000000 persons added, 5000000 wanted
    return {
        "added": added,
        "seconds": round(seconds, 1),
        "per_s": round(added / seconds),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss * 1024 / 1e6, 1),
        "database_mb": _size_mb(place),
    }


def lookups(database: Database, place: str, persons: int, times: int) -> list[Row]:
    """Return the figures of each kind of question."""
    rng = random.Random(1)
    rows = []
    with _served(place, persons) as address:
        for kind in KINDS:
            with database.reading() as connection:
                questions = [kind.draw(connection, rng) for _ in range(times)]
            alone = [_alone(database, kind, asked) for asked in questions]
            by_http = _by_http(address, kind, questions)
            rows.append({"by": kind.name, **_figures("operation", alone), **_figures("http", by_http)})
    return rows


def _alone(database: Database, kind: Kind, asked: Question) -> float:
    context = RequestContext(Dialect.REST, SNAP, "benchmark")
    started = time.perf_counter()
    with database.reading() as connection:
        answer = kind.operation(asked, Call(context, connection, database, SystemClock()))
    elapsed_s = time.perf_counter() - started
    _expect(answer.count > 0, f"nobody found by {kind.name}")
    return elapsed_s


def _by_http(address: str, kind: Kind, questions: Sequence[Question]) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    elapsed_s = []
    for asked in questions:
        target = f"{kind.path}?{urlencode(to_json(asked))}"
        started = time.perf_counter()
        connection.request("GET", target, headers=HEADERS)
        body = connection.getresponse().read()
        elapsed_s.append(time.perf_counter() - started)
        _expect(json.loads(body).get("count", 0) > 0, body[:200].decode(errors="replace"))
    connection.close()
    return elapsed_s


@contextmanager
def _served(place: str, persons: int) -> Iterator[str]:
    command = [*_command("serve", place, persons), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        _expect(words[:2] == ["ready", "registry"], "surma registry serve did not start")
        yield words[-1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _command(verb: str, place: str, persons: int) -> list[str]:
    options = ["--database", place, "--persons", str(persons)]
    return [sys.executable, "-m", "registry_adapters", verb, "demographic", *options]


def _figures(name: str, elapsed_s: Sequence[float]) -> Row:
    ordered = sorted(elapsed_s)
    return {
        f"{name}_{label}": round(ordered[min(len(ordered) * share // 100, len(ordered) - 1)] * 1e3, 2)
        for label, share in (("p50", 50), ("p95", 95), ("p99", 99))
    }


def _size_mb(place: str) -> float | None:
    path = Path(place.removeprefix("sqlite:///"))
    return round(path.stat().st_size / 1e6, 1) if path.is_file() else None


def _by_column(column: Column[Any], field: str) -> Callable[[Connection, random.Random], Question]:
    """Ask by an identifier of the next person who has one."""

    def draw(connection: Connection, rng: random.Random) -> Question:
        row = _next(connection, rng, column)
        return PersonQuestion(**{field: getattr(row, column.name)})

    return draw


def _by_name(connection: Connection, rng: random.Random) -> Question:
    row = _next(connection, rng, person.c.patronymic)
    return PersonQuestion(
        surname=row.surname, given_name=row.given_name, patronymic=row.patronymic, birth_date=row.birth_date
    )


def _by_address(connection: Connection, rng: random.Random) -> Question:
    while True:
        row = _next(connection, rng, person.c.apartment)
        if row.died_on is None:
            break
    home = connection.execute(select(building).where(building.c.id == row.building)).one()
    return AddressQuestion(home.katottg, home.street, home.number, row.apartment)


def _next(connection: Connection, rng: random.Random, column: Column[Any]) -> Any:
    table = column.table
    key = table.c.number if table is person else table.c.person
    last = connection.execute(select(func.max(key))).scalar_one()
    wanted = select(table).where(key >= rng.randint(1, last), column.is_not(None)).order_by(key).limit(1)
    return connection.execute(wanted).first() or _next(connection, rng, column)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


KINDS: Final = (
    Kind("UNZR", _by_column(person.c.unzr, "unzr")),
    Kind("RNOKPP", _by_column(person.c.rnokpp, "rnokpp")),
    Kind("document", _by_column(document.c.number, "document")),
    Kind("name and birth date", _by_name),
    Kind("temporary number", _by_column(temporary_number.c.number, "temporary_number")),
    Kind("address", _by_address, get_residents, "/residents"),
)

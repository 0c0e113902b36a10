"""`registries`: registries with five million persons: how long they take to make, and their records to be found.

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from gateway.runtime.clock import SystemClock
from gateway.runtime.database import Database, open_database
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.operations import Call
from tests.benchmarks.registries_asked import ASKED, CLERK, SNAP, Asked, Kind
from tests.benchmarks.report import Report, Row, Section

PERSONS: Final = 5_000_000
LOOKUPS: Final = 1000
TINY_PERSONS: Final = 500
TINY_LOOKUPS: Final = 5


def run(
    names: Sequence[str] = (),
    *,
    factor: float = 1.0,
    tiny: bool = False,
    url: str | None = None,
    state: Path | None = None,
) -> Report:
    """Make five million persons times `factor` and look some up, registry by registry; no `names` are all.

    What a `state` holds already is not made again. Registries have tables of the same name: `url` is for one.
    """
    measured = [ASKED[name] for name in names or ASKED]
    if url and len(measured) > 1:
        raise SystemExit("--database is for one registry: name it with --registry")
    persons = TINY_PERSONS if tiny else int(PERSONS * factor)
    made: list[Row] = []
    found: list[Row] = []
    for asked in measured:
        with tempfile.TemporaryDirectory(prefix="surma-bench-", ignore_cleanup_errors=True) as folder:
            place = url or f"sqlite:///{(state or Path(folder)).absolute()}/{asked.registry}.db"
            made.append(generate(asked.registry, place, persons))
            with _served(asked.registry, place, persons) as address:
                found += lookups(asked, place, address, TINY_LOOKUPS if tiny else LOOKUPS)
    notes = ["peak: largest resident size of the process that seeds", "http: one caller, access log included"]
    return Report(
        {"generation": made, "lookups": found, "persons": persons},
        [
            Section(f"registries: {persons:,} persons made", made, notes[:1]),
            Section("registries: one lookup, ms", found, notes[1:]),
        ],
    )


def generate(registry: str, place: str, persons: int) -> Row:
    """Run `surma registry seed` and return what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(_command("seed", registry, place, persons), stdout=subprocess.PIPE, text=True)
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
        "registry": registry,
        "added": added,
        "seconds": round(seconds, 1),
        "per_s": round(added / seconds),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss * 1024 / 1e6, 1),
        "database_mb": _size_mb(place),
    }


def lookups(asked: Asked, place: str, address: str, times: int) -> list[Row]:
    """Return the figures of each kind of question a registry takes; it is served at an address."""
    rng = random.Random(1)
    rows = []
    database = open_database(place)
    try:
        for kind in asked.kinds:
            with database.reading() as connection:
                questions = [kind.draw(connection, rng) for _ in range(times)]
            alone = [_alone(database, kind, question) for question in questions]
            by_http = _by_http(address, kind, questions, asked.headers)
            figures = {**_figures("operation", alone), **_figures("http", by_http)}
            rows.append({"registry": asked.registry, "by": kind.name, **figures})
    finally:
        database.close()
    return rows


def _alone(database: Database, kind: Kind, question: Any) -> float:
    context = RequestContext(Dialect.REST, SNAP, "benchmark", user_id=CLERK)
    started = time.perf_counter()
    with database.reading() as connection:
        answer = kind.operation(question, Call(context, connection, database, SystemClock()))
    elapsed_s = time.perf_counter() - started
    _expect(_found(to_json(answer)), f"nothing found by {kind.name}")
    return elapsed_s


def _by_http(address: str, kind: Kind, questions: Sequence[Any], headers: Mapping[str, str]) -> list[float]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    elapsed_s = []
    for question in questions:
        target = _target(kind.path, to_json(question))
        started = time.perf_counter()
        connection.request("GET", target, headers=dict(headers))
        body = connection.getresponse().read()
        elapsed_s.append(time.perf_counter() - started)
        _expect(_found(json.loads(body)), body[:200].decode(errors="replace"))
    connection.close()
    return elapsed_s


def _target(path: str, fields: Mapping[str, Any]) -> str:
    """Return a path with the fields it names in their places, and the others in its query."""
    query = {name: value for name, value in fields.items() if f"{{{name}}}" not in path}
    filled = path.format_map({name: quote(str(value)) for name, value in fields.items()})
    return f"{filled}?{urlencode(query)}" if query else filled


def _found(answer: Mapping[str, Any]) -> bool:
    return bool(answer.get("count") or answer.get("found"))


@contextmanager
def _served(registry: str, place: str, persons: int) -> Iterator[str]:
    command = [*_command("serve", registry, place, persons), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        _expect(words[:2] == ["ready", "registry"], "surma registry serve did not start")
        yield words[-1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _command(verb: str, registry: str, place: str, persons: int) -> list[str]:
    options = ["--database", place, "--persons", str(persons)]
    return [sys.executable, "-m", "registry_adapters", verb, registry, *options]


def _figures(name: str, elapsed_s: Sequence[float]) -> Row:
    ordered = sorted(elapsed_s)
    return {
        f"{name}_{label}": round(ordered[min(len(ordered) * share // 100, len(ordered) - 1)] * 1e3, 2)
        for label, share in (("p50", 50), ("p95", 95), ("p99", 99))
    }


def _size_mb(place: str) -> float | None:
    path = Path(place.removeprefix("sqlite:///"))
    return round(path.stat().st_size / 1e6, 1) if path.is_file() else None


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)

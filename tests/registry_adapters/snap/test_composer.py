from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from gateway.runtime.database import open_database
from registry_adapters.snap.cases import CaseService
from registry_adapters.snap.model import Case, CaseStatus, LegState
from registry_adapters.snap.pool import Pool
from registry_adapters.snap.recipes import load_recipes
from registry_adapters.snap.registries import Asked, Registries, Reply
from registry_adapters.snap.writer import Writer, WriterStoppedError
from tests.registry_adapters.shim import Shim
from tests.registry_adapters.snap.world import CENTRE, QUICK, SNAP, TYPED, Counter, counter

TRADER = TYPED["sole-trader"]
SECRET = "таємниця-якої-ніхто-не-просив"


class Scripted(Registries):
    """Registries whose answers a test decides upon."""

    def __init__(self, answer: Callable[[Asked], Reply]) -> None:
        self._answer = answer

    @property
    def client_id(self) -> Any:
        return SNAP

    def ask(self, asked: Asked) -> Reply:
        return self._answer(asked)


def answered(asked: Asked) -> Reply:
    return Reply(LegState.ANSWERED, {output.name: f"{asked.leg.id}-{output.name}" for output in asked.leg.outputs})


@contextmanager
def scripted(place: Path, answer: Callable[[Asked], Reply]) -> Iterator[CaseService]:
    database = open_database(f"sqlite:///{place}")
    cases = CaseService(database, load_recipes(), Scripted(answer), QUICK)
    cases.go()
    try:
        yield cases
    finally:
        cases.stop(1)
        database.close()


def until(cases: CaseService, number: str, status: CaseStatus) -> Case:
    deadline = time.monotonic() + 20
    while (case := cases.case(number)).status is not status:
        assert time.monotonic() < deadline, case.status
        time.sleep(0.005)
    return case


def test_question_is_durable_before_it_is_sent(tmp_path: Path) -> None:
    place = tmp_path / "snap.db"
    seen: list[tuple[str, str | None, str]] = []

    def answer(asked: Asked) -> Reply:
        other = create_engine(f"sqlite:///{place}")
        with other.connect() as connection:
            row = connection.execute(
                text("SELECT l.state, l.message_id, e.outcome FROM snap_leg l JOIN snap_exchange e USING (message_id)"
                     " WHERE l.number = :number AND l.leg = :leg"),
                {"number": asked.number, "leg": asked.leg.id},
            ).one()  # fmt: skip
            seen.append((row[0], row[1], row[2]))
        other.dispose()
        assert row[1] == asked.message_id
        return answered(asked)

    with scripted(place, answer) as cases:
        until(cases, cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number, CaseStatus.READY)
    assert [(state, outcome) for state, _, outcome in seen] == [("asking", "")] * 5


def test_legs_run_side_by_side_as_soon_as_their_inputs_are_there(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(asked: Asked) -> Reply:
        if asked.leg.id != "applicant":
            assert asked.inputs.values  # what the first leg brought
            together.wait()
        return answered(asked)

    with scripted(tmp_path / "snap.db", answer) as cases:
        number = cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number
        until(cases, number, CaseStatus.READY)


def test_message_identifiers_differ_by_attempt_and_by_installation(tmp_path: Path) -> None:
    ids: list[str] = []

    def answer(asked: Asked) -> Reply:
        ids.append(asked.message_id)
        return answered(asked)

    for name in ("a", "b"):
        with scripted(tmp_path / f"{name}.db", answer) as cases:
            number = cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number
            until(cases, number, CaseStatus.READY)
            cases.retry_leg(number, "arrears", clerk="olena")
            until(cases, number, CaseStatus.READY)
    assert len(ids) == len(set(ids)) == 12


def test_error_nobody_foresaw_fails_one_leg_and_nothing_else(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.leg.id == "arrears":
            raise ZeroDivisionError
        return answered(asked)

    with scripted(tmp_path / "snap.db", answer) as cases:
        number = cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number
        case = until(cases, number, CaseStatus.PARKED)
    assert case.leg("arrears").state is LegState.FAILED
    assert {leg.state for leg in case.legs if leg.leg != "arrears"} == {LegState.ANSWERED}


def test_answer_to_a_question_asked_anew_meanwhile_changes_nothing(tmp_path: Path) -> None:
    gate = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.leg.id == "arrears" and asked.attempt == 1:
            assert gate.wait(10)
            return Reply(LegState.ANSWERED, {"has_arrears": "old"})
        return answered(asked)

    with scripted(tmp_path / "snap.db", answer) as cases:
        number = cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number
        deadline = time.monotonic() + 10
        while cases.case(number).leg("arrears").attempt == 0 and time.monotonic() < deadline:
            time.sleep(0.005)
        cases.retry_leg(number, "arrears", clerk="olena")
        until(cases, number, CaseStatus.READY)
        gate.set()
        while "" in {one.outcome for one in cases.receipt(number).exchanges} and time.monotonic() < deadline:
            time.sleep(0.005)
        case = cases.case(number)
        outcomes = [one.outcome for one in cases.receipt(number).exchanges if one.leg == "arrears"]
    assert case.leg("arrears").values == {"has_arrears": "arrears-has_arrears"}
    assert outcomes[1] == "answered"


@pytest.mark.parametrize("recipe", sorted(TYPED))
def test_nothing_but_declared_outputs_is_ever_stored(shim: Shim, tmp_path: Path, recipe: str) -> None:
    def more(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{name: more(inner) for name, inner in value.items()}, "unasked": SECRET}
        return [more(item) for item in value] if isinstance(value, list) else value

    shim.contradict("GOV", more)
    with counter(shim, tmp_path / "snap.db") as desk:
        case = desk.ready(desk.open(recipe, TYPED[recipe]).number)
        for leg in case.recipe.legs:
            values = case.leg(leg.id).values
            assert set(values) <= {output.name for output in leg.outputs}
            for output in leg.outputs:
                for row in values.get(output.name) or [] if output.columns else []:
                    assert set(row) == {column.rpartition(".")[2] for column in output.columns}
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    escaped = SECRET.encode("unicode_escape")  # as JSON columns hold it
    assert SECRET.encode() not in stored
    assert escaped not in stored


def test_work_that_fails_takes_nothing_of_its_neighbours_along(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/w.db")
    with database.transaction() as tx:
        tx.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))
    writer = Writer(database)
    hold = threading.Event()

    def insert(n: int) -> Callable[[Any], int]:
        def work(tx: Any) -> int:
            hold.wait(5)
            tx.execute(text("INSERT INTO t VALUES (:n)"), {"n": n})
            return n

        return work

    writer.start()
    futures = [writer.submit(insert(n)) for n in (1, 2, 2, 3)]
    hold.set()
    outcomes = [future.exception() for future in futures]
    writer.stop()
    assert [error is None for error in outcomes] == [True, True, False, True]
    with database.reading() as tx:
        assert sorted(tx.scalars(text("SELECT n FROM t"))) == [1, 2, 3]
    with pytest.raises(WriterStoppedError):
        writer.submit(insert(4))
    database.close()


def test_database_that_cannot_be_written_loses_no_answer(tmp_path: Path) -> None:
    place = tmp_path / "snap.db"
    full = "CREATE TRIGGER full BEFORE UPDATE ON snap_leg BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    broken = threading.Event()

    def change(statement: str) -> None:
        other = create_engine(f"sqlite:///{place}", connect_args={"timeout": 10})
        with other.begin() as connection:
            connection.execute(text(statement))
        other.dispose()

    def answer(asked: Asked) -> Reply:
        if asked.leg.id == "applicant":
            change(full)
            broken.set()
        return answered(asked)

    with scripted(place, answer) as cases:
        number = cases.open_case("sole-trader", TRADER, clerk="olena", centre=CENTRE).number
        assert broken.wait(10)
        with pytest.raises(DBAPIError):
            cases.retry_leg(number, "applicant", clerk="olena")
        assert cases.case(number).leg("applicant").state in (LegState.ASKING, LegState.SLOW)
        change("DROP TRIGGER full")
        case = until(cases, number, CaseStatus.READY)
        assert case.leg("applicant").attempt == 1


def test_slow_service_leaves_threads_to_the_others() -> None:
    pool, gate = Pool(4, 2), threading.Event()
    done: list[str] = []

    def wait() -> None:
        gate.wait(10)
        done.append("slow")

    for _ in range(6):
        pool.submit("slow", wait)
    quick = threading.Event()
    pool.submit("quick", quick.set)
    assert quick.wait(5)
    assert done == []
    gate.set()
    deadline = time.monotonic() + 5
    while len(done) < 6 and time.monotonic() < deadline:
        time.sleep(0.005)
    pool.stop(5)
    assert done == ["slow"] * 6


def test_pool_that_is_stopped_begins_nothing_more() -> None:
    pool = Pool(1, 1)
    pool.stop(1)
    pool.submit("a", lambda: pytest.fail("it ran"))


def test_counter_gives_the_same_case_to_everybody_who_reads_it(desk: Counter) -> None:
    case = desk.ready(desk.open("sole-trader", TRADER).number)
    assert desk.cases.case(case.number) == case

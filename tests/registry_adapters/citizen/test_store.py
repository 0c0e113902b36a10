"""What the site keeps: the schema the migrations make, on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, select

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from registry_adapters.citizen import store
from registry_adapters.citizen import tables as t
from registry_adapters.citizen.corrections import AnsweredError, Corrections, TooManyError
from registry_adapters.citizen.model import ONESELF, Citizen, Source, State, Subject, Wish
from registry_adapters.citizen.settings import DEMO_REGISTRIES, CorrectionSettings
from registry_adapters.citizen.store import prepare

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MARIANA = Subject(ONESELF, "3347300028", "Мар'яна")
SOFIIA = Subject(1, "4541200105", "Софія", Source.CIVIL_STATUS)
WISH = Wish("tax", "surname", "x", "y", "z")


@pytest.fixture(autouse=True)
def _prepared(database: Database) -> None:
    prepare(database)
    prepare(database)  # a second start finds the work done


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.reading() as tx:
        found = inspect(tx)
        for table in t.metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert columns == {column.name: column.nullable for column in table.columns}, table.name
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert {index.name for index in table.indexes} <= indexes, table.name


def test_sign_ins_come_back_once_and_the_old_are_forgotten(database: Database) -> None:
    begun = store.BegunSignIn("b", "n", "v", "/mine", NOW)
    with database.transaction() as tx:
        store.add_sign_in(tx, "new", begun)
        store.add_sign_in(tx, "old", begun._replace(begun_at=NOW - timedelta(hours=1)))
        store.forget_sign_ins(tx, begun_before=NOW - timedelta(minutes=10))
        assert store.take_sign_in(tx, "old") is None
        assert store.take_sign_in(tx, "new") == begun
        assert store.take_sign_in(tx, "new") is None


def test_a_session_ends_with_all_whom_it_speaks_for(database: Database) -> None:
    with database.transaction() as tx:
        store.add_session(tx, "token", NOW, [MARIANA, SOFIIA])
        found = store.find_session(tx, "token")
        assert found == (store.Seen(NOW, NOW), Citizen("token", (MARIANA, SOFIIA)))
        store.end_session(tx, "token")
        assert store.find_session(tx, "token") is None
        assert tx.execute(select(t.subjects)).all() == []


def test_a_request_is_kept_with_its_history_and_answered_once(database: Database) -> None:
    settings = CorrectionSettings(open_at_once=1)
    corrections = Corrections(database, FixedClock(NOW), UTC, settings)
    citizen, registry = Citizen("token", (MARIANA, SOFIIA)), DEMO_REGISTRIES[2]
    asked = corrections.open(citizen, SOFIIA, registry, WISH)
    with pytest.raises(TooManyError):
        corrections.open(citizen, MARIANA, registry, WISH)
    assert corrections.queue(["UA-DEMO/GOV/10000004"], waiting=True) == [asked]
    assert corrections.queue(["UA-DEMO/GOV/1000000", "UA-DEMO/GOV/1000000_"], waiting=True) == []
    assert corrections.queue([], waiting=True) == []
    corrections.answer(asked, State.REFUSED, "oksana", "ні")
    with pytest.raises(AnsweredError):
        corrections.answer(asked, State.ACCEPTED, "bohdan", "")
    assert [(step.state, step.by) for step in corrections.history(asked)] == [
        (State.WAITING, "Мар'яна"), (State.REFUSED, "oksana")]  # fmt: skip
    assert corrections.queue(["*"], waiting=True) == []
    corrections.open(citizen, MARIANA, registry, WISH)  # there is room again

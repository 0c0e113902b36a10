from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, func, select

from gateway.runtime.database import Database, open_database
from registry_adapters.sdk.access_log import AccessLog, Entry, Look, Outcome, access_log_table
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.errors import UnavailableError
from tests.factories.registry import GET_PERSON, SNAP

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
CONTEXT = RequestContext(
    Dialect.SOAP, SNAP, "m-1", GET_PERSON, user_id="clerk", issue="case-7", purposes=("P1", "P2"), legal_ground="закон"
)


def an_entry(subject: str | None = "17") -> Entry:
    outcome = Outcome.FOUND if subject else Outcome.NOT_FOUND
    return Entry(NOON, "GetPerson", CONTEXT, Look(outcome, "unzr", subject))


@pytest.fixture
def log(database: Database) -> AccessLog:
    metadata = MetaData()
    table = access_log_table(metadata)
    metadata.create_all(database.engine)
    return AccessLog(database, table)


@pytest.fixture
def log_without_table(tmp_path: Path) -> Iterator[AccessLog]:
    database = open_database(f"sqlite:///{tmp_path}/empty.db")
    yield AccessLog(database, access_log_table(MetaData()))
    database.close()


def test_look_is_kept_with_who_when_why(log: AccessLog) -> None:
    log.note([an_entry()])
    (kept,) = log.looks_at("17")
    assert (kept["client"], kept["user_id"], kept["issue"]) == (str(SNAP), "clerk", "case-7")
    assert (kept["service"], kept["purposes"], kept["legal_ground"]) == (str(GET_PERSON), "P1,P2", "закон")
    assert (kept["operation"], kept["outcome"], kept["matched_by"]) == ("GetPerson", "found", "unzr")
    assert kept["noted_at"].replace(tzinfo=UTC) == NOON


def test_looks_of_many_threads_are_each_kept_once(log: AccessLog) -> None:
    threads = [threading.Thread(target=log.note, args=([an_entry(str(n))],)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with log.database.reading() as connection:
        subjects = connection.execute(select(log.table.c.subject, func.count()).group_by(log.table.c.subject)).all()
    assert sorted((int(subject), count) for subject, count in subjects) == [(n, 1) for n in range(24)]


def test_newest_look_comes_first(log: AccessLog) -> None:
    log.note([an_entry()])
    log.note([Entry(NOON, "second", CONTEXT, Look(Outcome.FOUND, "document", "17"))])
    assert [entry["operation"] for entry in log.looks_at("17")] == ["second", "GetPerson"]


def test_look_that_cannot_be_kept_is_an_error(log_without_table: AccessLog) -> None:
    with pytest.raises(UnavailableError):
        log_without_table.note([an_entry()])


def test_look_that_cannot_be_written_takes_no_neighbour_for_written(log: AccessLog) -> None:
    ended: dict[str, BaseException | None] = {}

    def note(subject: str) -> None:
        try:
            log.note([an_entry(subject)])
            ended[subject] = None
        except Exception as cause:
            ended[subject] = cause

    threads = [threading.Thread(target=note, args=(subject,)) for subject in ("\ud800", "17")]  # no UTF-8 has the first
    with log._writing:  # both wait for one transaction
        for thread in threads:
            thread.start()
        while len(log._waiting) < len(threads):
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert log.looks_at("17") or isinstance(ended["17"], UnavailableError)
    assert isinstance(ended["\ud800"], UnavailableError)

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import MetaData, text

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from gateway.xroad.faults import MalformedMessage
from registry_adapters.sdk.access_log import AccessLog, Look, Outcome, access_log_table
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.errors import InternalError, RequestError, UnavailableError
from registry_adapters.sdk.operations import Call, Runner, as_registry_error, operation_of
from tests.factories.registry import SNAP

CONTEXT = RequestContext(Dialect.REST, SNAP, "m-1")
LOOK = Look(Outcome.FOUND, "unzr", "17")


@dataclass
class Asked:
    text: str


@dataclass
class Answered:
    text: str


@pytest.fixture
def runner(sqlite_database: Database) -> Runner:
    metadata = MetaData()
    table = access_log_table(metadata)
    metadata.create_all(sqlite_database.engine)
    log = AccessLog(sqlite_database, table)
    return Runner(sqlite_database, log, FixedClock(datetime(2026, 1, 5, tzinfo=UTC)))


def test_operation_takes_its_types_and_texts_from_the_function() -> None:
    def echo(asked: Asked, call: Call) -> Answered:
        """Say it again.

        Word by
        word.
        """
        return Answered(asked.text)

    operation = operation_of("Echo", echo)
    assert (operation.request, operation.response) == (Asked, Answered)
    assert (operation.title, operation.doc) == ("Say it again.", "Word by word.")


def test_function_without_annotations_is_a_programming_error() -> None:
    def bare(asked, call):  # type: ignore[no-untyped-def]
        return asked

    with pytest.raises(TypeError):
        operation_of("Bare", bare)


def test_same_look_twice_in_one_call_is_noted_once(runner: Runner) -> None:
    def look(asked: Asked, call: Call) -> Answered:
        call.note(LOOK)
        call.note(LOOK)
        return Answered("")

    runner.run(operation_of("Look", look), Asked(""), CONTEXT)
    assert len(runner.access_log.looks_at("17")) == 1


def test_refused_call_leaves_no_look(runner: Runner) -> None:
    def refuse(asked: Asked, call: Call) -> Answered:
        call.note(LOOK)
        raise RequestError("registry.no_criterion")

    with pytest.raises(RequestError):
        runner.run(operation_of("Refuse", refuse), Asked(""), CONTEXT)
    assert runner.access_log.looks_at("17") == []


def test_failing_database_asks_to_come_again(runner: Runner) -> None:
    def fail(asked: Asked, call: Call) -> Answered:
        call.connection.execute(text("SELECT * FROM nowhere"))
        return Answered("")

    with pytest.raises(UnavailableError):
        runner.run(operation_of("Fail", fail), Asked(""), CONTEXT)


@pytest.mark.parametrize(
    ("cause", "kind", "name"),
    [
        (RequestError("registry.no_criterion"), RequestError, "no_criterion"),
        (MalformedMessage("invalid_soap", "xml.doctype"), RequestError, "invalid_soap"),
        (ZeroDivisionError("secret"), InternalError, "internal_error"),
    ],
)
def test_every_exception_has_a_meaning_to_the_asker(cause: Exception, kind: Any, name: str) -> None:
    error = as_registry_error(cause)
    assert (type(error), error.name) == (kind, name)

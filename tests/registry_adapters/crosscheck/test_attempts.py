"""Attempts are counted alike on either kind of database, also when many are taken at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database, migrate
from registry_adapters.crosscheck.attempts import give_back, take_attempts
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.errors import RefusedError
from registry_adapters.sdk.operations import Call
from tests.registry_adapters.crosscheck.conftest import NOW
from tests.registry_adapters.world import SNAP, a_client


@pytest.fixture
def prepared(database: Database) -> Database:
    migrate(database, "registry_adapters.migrations.crosscheck")
    return database


def take(database: Database, *kinds: str) -> dict[str, str]:
    """Take an attempt of each kind."""
    with database.reading() as connection:
        call = Call(RequestContext(Dialect.REST, a_client(SNAP), "m"), connection, database, FixedClock(NOW))
        return take_attempts(call, "3347300028", kinds, 3)


def succeeds(database: Database) -> bool:
    try:
        take(database, "income")
    except RefusedError:
        return False
    return True


def test_of_many_at_once_three_are_taken(prepared: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(succeeds, [prepared] * 16)) == 3


def test_attempt_given_back_can_be_taken_again(prepared: Database) -> None:
    taken = [take(prepared, "income", "address") for _ in range(3)]
    assert not succeeds(prepared)
    with prepared.reading() as connection:
        call = Call(RequestContext(Dialect.REST, a_client(SNAP), "m"), connection, prepared, FixedClock(NOW))
        give_back(call, [taken[0]["income"]])
        give_back(call, [])
    assert succeeds(prepared)
    with pytest.raises(RefusedError):
        take(prepared, "children", "address")
    assert take(prepared, "children").keys() == {"children"}  # what was refused has taken nothing

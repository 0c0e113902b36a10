"""Accounts with one user in them, and a clock that stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.runtime.accounts import store, store_users
from gateway.runtime.accounts.model import AccountSettings, Grant
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import SignIn
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
PASSWORD = "потяг до Ковеля о шостій"
QUICK = Passwords(memory_kib=64, passes=1, lanes=1)


def furnish(database: Database) -> Database:
    """Make the tables of accounts and the user olena, a reader of everything."""
    store.migrate_accounts(database)
    with database.transaction() as tx:
        user_id = store_users.add_user(tx, "olena", QUICK.hash(PASSWORD), AT)
        store_users.add_grant(tx, user_id, Grant("READER"))
    return database


@pytest.fixture
def accounts(sqlite_database: Database) -> Database:
    """A database with olena in it."""
    return furnish(sqlite_database)


@pytest.fixture
def either_accounts(database: Database) -> Database:
    """The same, once of each kind."""
    return furnish(database)


@pytest.fixture
def clock() -> FixedClock:
    """Nine in the morning."""
    return FixedClock(AT)


@pytest.fixture
def door(accounts: Database, clock: FixedClock) -> SignIn:
    """Signing in with the settings that ship."""
    return SignIn(accounts, clock, QUICK, AccountSettings())

"""API keys: shown once, kept as a hash, found by equality, on both kinds of database."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from gateway.runtime.accounts import api_keys, store, tables
from gateway.runtime.accounts.model import EVERYTHING
from gateway.runtime.database import Database

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def accounts(database: Database) -> Database:
    """A database with the tables of accounts."""
    store.migrate_accounts(database)
    return database


def test_a_key_authenticates_with_its_roles(accounts: Database) -> None:
    with accounts.transaction() as tx:
        made, secret = api_keys.create(tx, ["A", "B"], AT)
    with accounts.reading() as tx:
        principal = api_keys.authenticate(tx, secret)
    assert principal is not None
    assert (principal.roles, principal.scope, principal.api_key_id) == ({"A", "B"}, EVERYTHING, made.id)


def test_another_secret_is_nobody(accounts: Database) -> None:
    with accounts.transaction() as tx:
        _, secret = api_keys.create(tx, ["A"], AT)
        assert api_keys.authenticate(tx, secret[:-1]) is None
        assert api_keys.authenticate(tx, secret.upper() + "\udcff") is None


def test_the_secret_is_nowhere_in_the_database(accounts: Database) -> None:
    with accounts.transaction() as tx:
        _, secret = api_keys.create(tx, ["A"], AT)
        row = tx.execute(select(tables.api_keys)).one()
    assert secret not in map(str, row)


def test_changed_roles_hold_at_once(accounts: Database) -> None:
    with accounts.transaction() as tx:
        made, secret = api_keys.create(tx, ["A"], AT)
        store.set_roles(tx, made.id, ["B"])
        principal = api_keys.authenticate(tx, secret)
    assert principal is not None
    assert principal.roles == {"B"}


def test_a_deleted_key_is_nobody(accounts: Database) -> None:
    with accounts.transaction() as tx:
        made, secret = api_keys.create(tx, ["A"], AT)
        store.delete_api_key(tx, made.id)
        assert api_keys.authenticate(tx, secret) is None
        assert store.api_keys(tx) == ()


def test_keys_are_listed_with_roles_and_time(accounts: Database) -> None:
    with accounts.transaction() as tx:
        api_keys.create(tx, ["B", "A"], AT)
        api_keys.create(tx, ["C"], AT, scope="UA/GOV/1")
        first, second = store.api_keys(tx)
    assert (first.roles, first.created_at, second.scope) == (("A", "B"), AT, "UA/GOV/1")


def test_migrating_twice_changes_nothing(accounts: Database) -> None:
    with accounts.transaction() as tx:
        api_keys.create(tx, ["A"], AT)
    store.migrate_accounts(accounts)
    with accounts.reading() as tx:
        assert len(store.api_keys(tx)) == 1

from __future__ import annotations

from importlib import resources

import alembic.command
import alembic.config
import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from gateway.runtime.accounts import api_keys, sessions, store, tables
from gateway.runtime.accounts import store_users as users
from gateway.runtime.accounts.model import AccountSettings, Grant, User
from gateway.runtime.database import Database, migrate
from tests.gateway.runtime.accounts.conftest import AT, PASSWORD


def olena(tx: Connection) -> User:
    found = users.find_user(tx, "olena")
    assert found is not None
    return found


def test_user_has_several_grants(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        user = olena(tx)
        assert users.add_grant(tx, user.id, Grant("READER", "UA/GOV/1"))
        assert users.add_grant(tx, user.id, Grant("WRITER"))
        assert olena(tx).grants == {Grant("READER"), Grant("READER", "UA/GOV/1"), Grant("WRITER")}


def test_grant_is_given_once_and_taken_once(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        user, grant = olena(tx), Grant("WRITER", "UA/GOV/1")
        assert [users.add_grant(tx, user.id, grant) for _ in range(2)] == [True, False]
        assert [users.remove_grant(tx, user.id, grant) for _ in range(2)] == [True, False]
        assert olena(tx).grants == {Grant("READER")}


def test_name_is_taken_once(either_accounts: Database) -> None:
    with pytest.raises(IntegrityError), either_accounts.transaction() as tx:
        users.add_user(tx, "olena", None, AT)


def test_users_are_listed_by_name_with_their_own_grants(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        other = users.add_user(tx, "andrii", None, AT)
        users.add_grant(tx, other, Grant("WRITER", "UA/GOV/2"))
        listed = users.users(tx)
    assert [(user.name, user.has_password, user.created_at, user.grants) for user in listed] == [
        ("andrii", False, AT, {Grant("WRITER", "UA/GOV/2")}),
        ("olena", True, AT, {Grant("READER")}),
    ]


def test_removed_user_leaves_nothing_behind(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        user = olena(tx)
        sessions.begin(tx, user.id, AT, AccountSettings())
        api_keys.create_for_user(tx, user.id, AT)
        api_keys.create(tx, ["OTHER"], AT)
        users.delete_user(tx, user.id)
        left = [
            tx.scalar(select(func.count()).select_from(table))
            for table in (tables.users, tables.user_grants, tables.user_sessions, tables.user_api_keys, tables.api_keys)
        ]
    assert left == [0, 0, 0, 0, 1]


def test_password_is_nowhere_in_the_database(either_accounts: Database) -> None:
    with either_accounts.reading() as tx:
        row = tx.execute(select(tables.users)).one()
    assert PASSWORD not in map(str, row)


def test_key_of_a_user_has_the_grants_of_the_moment(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        _, secret = api_keys.create_for_user(tx, olena(tx).id, AT)
        users.add_grant(tx, olena(tx).id, Grant("READER", "UA/GOV/1"))
        users.remove_grant(tx, olena(tx).id, Grant("READER"))
        principal = api_keys.authenticate(tx, secret)
    assert principal is not None
    assert (principal.name, principal.scopes_of("READER"), principal.scopes_of("WRITER")) == (
        "olena",
        {"UA/GOV/1"},
        frozenset(),
    )


def test_key_of_a_locked_user_is_nobody(either_accounts: Database) -> None:
    with either_accounts.transaction() as tx:
        _, secret = api_keys.create_for_user(tx, olena(tx).id, AT)
        users.set_locked(tx, olena(tx).id, locked=True)
        assert api_keys.authenticate(tx, secret) is None
        users.set_locked(tx, olena(tx).id, locked=False)
        assert api_keys.authenticate(tx, secret) is not None


def test_older_database_gains_the_tables_and_keeps_its_keys(database: Database) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(resources.files(store.MIGRATIONS)))
    with database.transaction() as connection:
        config.attributes |= {"connection": connection, "version_table": "alembic_version_accounts"}
        alembic.command.upgrade(config, "0001")
        connection.execute(tables.api_keys.insert().values(key_sha256="a" * 64, scope="*", created_at=AT))
        connection.execute(tables.api_key_roles.insert().values(api_key_id=1, role="A"))
    migrate(database, store.MIGRATIONS)
    with database.reading() as tx:
        assert [(key.roles, key.user_id) for key in store.api_keys(tx)] == [(("A",), None)]

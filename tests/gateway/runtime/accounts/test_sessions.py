from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway.runtime.accounts import sessions, tables
from gateway.runtime.accounts import store_users as users
from gateway.runtime.accounts.model import AccountSettings, Grant, Principal, Session
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from tests.gateway.runtime.accounts.conftest import AT

SETTINGS = AccountSettings(session_idle_s=1800, session_lifetime_s=7200)


@pytest.fixture
def token(accounts: Database) -> str:
    """A session of olena's that begins at nine."""
    with accounts.transaction() as tx:
        return sessions.begin(tx, user_id_of(accounts), AT, SETTINGS)


def user_id_of(accounts: Database) -> int:
    with accounts.reading() as tx:
        user = users.find_user(tx, "olena")
    assert user is not None
    return user.id


def find(accounts: Database, token: str, clock: FixedClock) -> Principal | None:
    return sessions.find(accounts, token, clock.now(), SETTINGS)


def test_token_finds_its_user_with_grants(accounts: Database, token: str, clock: FixedClock) -> None:
    found = find(accounts, token, clock)
    assert found is not None
    assert (found.name, found.grants, found.roles) == ("olena", {Grant("READER")}, {"READER"})


def test_token_is_kept_as_a_hash(accounts: Database, token: str) -> None:
    with accounts.reading() as tx:
        kept = tx.scalars(select(tables.user_sessions.c.token_sha256)).one()
    assert kept == sessions.hash_of(token) != token
    assert len(token) >= 43  # 256 bits


@given(st.text(max_size=80))
def test_another_token_finds_nobody(text: str) -> None:
    assert sessions.hash_of(text) != sessions.hash_of(text + "x")


def test_idle_session_ends(accounts: Database, token: str, clock: FixedClock) -> None:
    clock.advance(seconds=SETTINGS.session_idle_s + 61)
    assert find(accounts, token, clock) is None


def test_session_that_is_used_lives_on_until_its_last_hour(accounts: Database, token: str, clock: FixedClock) -> None:
    for _ in range(5):
        clock.advance(minutes=24)
        assert find(accounts, token, clock) is not None
    clock.advance(seconds=1)
    assert find(accounts, token, clock) is None


def test_ended_session_finds_nobody(accounts: Database, token: str, clock: FixedClock) -> None:
    with accounts.transaction() as tx:
        assert [sessions.end(tx, token) for _ in range(2)] == [True, False]
    assert find(accounts, token, clock) is None


def test_session_of_a_locked_user_finds_nobody(accounts: Database, token: str, clock: FixedClock) -> None:
    with accounts.transaction() as tx:
        users.set_locked(tx, user_id_of(accounts), locked=True)
    assert find(accounts, token, clock) is None


def test_taken_grant_is_gone_with_the_next_request(accounts: Database, token: str, clock: FixedClock) -> None:
    with accounts.transaction() as tx:
        users.remove_grant(tx, user_id_of(accounts), Grant("READER"))
    found = find(accounts, token, clock)
    assert found is not None
    assert not found.roles
    assert found.scopes_of("READER") == frozenset()


def test_reading_within_a_minute_writes_nothing(accounts: Database, token: str, clock: FixedClock) -> None:
    clock.advance(seconds=59)
    find(accounts, token, clock)
    with accounts.reading() as tx:
        kept = users.find_session(tx, sessions.hash_of(token))
    assert kept is not None
    assert kept.seen_at == AT


def test_sessions_that_ended_by_themselves_are_swept(accounts: Database, token: str, clock: FixedClock) -> None:
    clock.advance(hours=3)
    with accounts.transaction() as tx:
        sessions.begin(tx, user_id_of(accounts), clock.now(), SETTINGS)
        assert tx.scalar(select(func.count()).select_from(tables.user_sessions)) == 1


def test_end_is_a_matter_of_idleness_and_of_age() -> None:
    begun = Session(1, AT, AT + timedelta(hours=1))
    assert not sessions.has_ended(begun, AT + timedelta(hours=1, minutes=30), SETTINGS)
    assert sessions.has_ended(begun, AT + timedelta(hours=1, minutes=32), SETTINGS)
    assert sessions.has_ended(Session(1, AT, AT + timedelta(hours=2)), AT + timedelta(hours=2, seconds=1), SETTINGS)

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway.runtime.accounts import store_users as users
from gateway.runtime.accounts import tables
from gateway.runtime.accounts.model import AccountSettings
from gateway.runtime.accounts.passwords import Passwords
from gateway.runtime.accounts.sign_in import Refusal, SignIn, SignInRefused, user_name
from gateway.runtime.clock import FixedClock
from gateway.runtime.database import Database
from tests.gateway.runtime.accounts.conftest import AT, PASSWORD, QUICK

HOME = "192.0.2.1"
SETTINGS = AccountSettings()


def refusal_of(door: SignIn, name: str = "olena", password: str = "wrong", address: str = HOME) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        door.sign_in(name, password, address)
    return caught.value


def test_right_password_begins_a_session(door: SignIn) -> None:
    done = door.sign_in("olena", PASSWORD, HOME)
    assert done.principal.name == "olena"
    assert door.find(done.token) == done.principal


def test_every_sign_in_has_a_session_of_its_own(door: SignIn) -> None:
    first, second = (door.sign_in("olena", PASSWORD, HOME).token for _ in range(2))
    assert first != second
    door.sign_out(first)
    assert door.find(first) is None
    assert door.find(second) is not None


def test_name_is_typed_in_any_case(door: SignIn) -> None:
    assert door.sign_in(" Olena ", PASSWORD, HOME).principal.name == "olena"


@pytest.mark.parametrize("name", ["olena", "nobody", "", "no name / at all", "\udcff", "x" * 5000])
def test_refusal_tells_no_names_apart(door: SignIn, name: str) -> None:
    refusals = [refusal_of(door, name) for _ in range(SETTINGS.failures_of_user + 1)]
    assert [refusal.paused_until for refusal in refusals] == [None] * 4 + [AT + timedelta(seconds=30)] * 2
    assert refusals[-1].reason is Refusal.PAUSED


def test_record_is_told_the_true_reason(door: SignIn, accounts: Database) -> None:
    assert (refusal_of(door, "ghost").reason, refusal_of(door, "ghost").user) == (Refusal.UNKNOWN_USER, None)
    assert (refusal_of(door).reason, refusal_of(door).user) == (Refusal.WRONG_PASSWORD, "olena")
    with accounts.transaction() as tx:
        user = users.find_user(tx, "olena")
        assert user is not None
        users.set_locked(tx, user.id, locked=True)
    assert refusal_of(door, password=PASSWORD).reason is Refusal.LOCKED


def test_not_even_the_right_password_counts_within_a_pause(door: SignIn, clock: FixedClock) -> None:
    for _ in range(SETTINGS.failures_of_user):
        refusal_of(door)
    assert refusal_of(door, password=PASSWORD).reason is Refusal.PAUSED
    clock.advance(seconds=31)
    assert door.sign_in("olena", PASSWORD, HOME)


def test_pauses_grow_to_their_bound(door: SignIn, clock: FixedClock) -> None:
    pauses = []
    for _ in range(SETTINGS.failures_of_user + 9):
        until = refusal_of(door).paused_until
        if until is not None:
            pauses.append((until - clock.now()).total_seconds())
            clock.set(until + timedelta(seconds=1))
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800, 1800]


def test_success_forgets_the_failures_of_the_name(door: SignIn) -> None:
    for _ in range(3):
        for _ in range(SETTINGS.failures_of_user - 1):
            refusal_of(door)
        door.sign_in("olena", PASSWORD, HOME)


def test_failures_are_forgotten_after_a_day(door: SignIn, clock: FixedClock, accounts: Database) -> None:
    for _ in range(SETTINGS.failures_of_user - 1):
        refusal_of(door)
    clock.advance(days=1, seconds=1)
    assert refusal_of(door, "other").paused_until is None
    with accounts.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(tables.failed_attempts)) == 2  # the address and "other"


def test_address_that_tries_many_names_has_to_wait(door: SignIn) -> None:
    for number in range(SETTINGS.failures_of_address):
        refusal_of(door, f"user{number}")
    assert refusal_of(door, password=PASSWORD).reason is Refusal.PAUSED
    assert door.sign_in("olena", PASSWORD, "192.0.2.2")


def test_own_success_does_not_wash_an_address_clean(door: SignIn) -> None:
    for number in range(SETTINGS.failures_of_address - 1):
        refusal_of(door, f"user{number}")
    door.sign_in("olena", PASSWORD, HOME)
    assert refusal_of(door, "user99").paused_until is not None


def test_names_tried_from_an_address_that_has_to_wait_leave_no_rows(door: SignIn, accounts: Database) -> None:
    for number in range(SETTINGS.failures_of_address + 20):
        refusal_of(door, f"user{number}")
    with accounts.reading() as tx:
        rows = tx.scalar(select(func.count()).select_from(tables.failed_attempts))
    assert rows == SETTINGS.failures_of_address + 1


def test_attempts_at_the_same_time_are_all_counted(either_accounts: Database, clock: FixedClock) -> None:
    door = SignIn(either_accounts, clock, QUICK, SETTINGS)
    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(lambda _: refusal_of(door), range(16)))
    looked_at = [refusal for refusal in refusals if refusal.reason is Refusal.WRONG_PASSWORD]
    assert len(looked_at) == SETTINGS.failures_of_user


def test_outdated_hash_is_made_anew_by_its_owner(accounts: Database, clock: FixedClock) -> None:
    stronger = SignIn(accounts, clock, Passwords(memory_kib=128, passes=1, lanes=1), SETTINGS)
    stronger.sign_in("olena", PASSWORD, HOME)
    with accounts.reading() as tx:
        user = users.find_user(tx, "olena")
        assert user is not None
        assert "m=128," in (users.password_hash_of(tx, user.id) or "")


def test_user_without_password_cannot_sign_in(door: SignIn, accounts: Database) -> None:
    with accounts.transaction() as tx:
        users.add_user(tx, "service", None, AT)
    assert refusal_of(door, "service", "").reason is Refusal.WRONG_PASSWORD


def test_changed_password_ends_every_session_but_the_new_one(door: SignIn) -> None:
    old = door.sign_in("olena", PASSWORD, HOME)
    assert old.principal.user_id is not None
    new = door.change_password(old.principal.user_id, PASSWORD, "інший потяг о сьомій", HOME)
    assert door.find(old.token) is None
    assert door.find(new.token) is not None
    assert refusal_of(door, password=PASSWORD).reason is Refusal.WRONG_PASSWORD
    assert door.sign_in("olena", "інший потяг о сьомій", HOME)


def test_password_is_not_changed_without_the_old_one(door: SignIn) -> None:
    done = door.sign_in("olena", PASSWORD, HOME)
    assert done.principal.user_id is not None
    for _ in range(SETTINGS.failures_of_user):
        with pytest.raises(SignInRefused):
            door.change_password(done.principal.user_id, "guess", "інший потяг о сьомій", HOME)
    with pytest.raises(SignInRefused) as refusal:
        door.change_password(done.principal.user_id, PASSWORD, "інший потяг о сьомій", HOME)
    assert refusal.value.reason is Refusal.PAUSED


@given(st.text(max_size=80))
def test_any_text_is_a_name_in_one_form_or_refused(text: str) -> None:
    try:
        name = user_name(text)
    except ValueError:
        return
    assert user_name(name) == name == user_name(f" {name} ")
    assert 1 <= len(name) <= 64

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.accounts import passwords as p
from gateway.runtime.accounts.passwords import Passwords, WeakPassword, check_password, generate_password

GOOD = "потяг до Ковеля о шостій"
QUICK = Passwords(memory_kib=64, passes=1, lanes=1)


def test_password_matches_its_own_hash_only() -> None:
    stored = QUICK.hash(GOOD)
    assert QUICK.verify(stored, GOOD).matches
    assert not QUICK.verify(stored, GOOD + " ").matches
    assert not QUICK.verify(stored, "").matches


def test_hash_is_argon2id_with_the_named_parameters() -> None:
    stored = Passwords().hash(GOOD)
    assert stored.startswith(f"$argon2id$v=19$m={p.MEMORY_KIB},t={p.PASSES},p={p.LANES}$")
    assert GOOD not in stored


def test_hash_of_other_parameters_is_to_be_made_anew() -> None:
    stored = QUICK.hash(GOOD)
    assert not QUICK.verify(stored, GOOD).is_outdated
    assert Passwords(memory_kib=128, passes=1, lanes=1).verify(stored, GOOD).is_outdated


def test_nobody_has_no_password() -> None:
    assert not QUICK.verify(None, GOOD).matches
    assert not QUICK.verify(None, "").matches


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_hash_of_another_kind_matches_nothing(stored: str) -> None:
    assert not QUICK.verify(stored, GOOD).matches


def test_one_password_typed_in_two_ways_is_one_password() -> None:
    composed, decomposed = (
        unicodedata.normalize("NFC", "їжак їсть яблука"),
        unicodedata.normalize("NFD", "їжак їсть яблука"),
    )
    assert composed != decomposed
    assert QUICK.verify(QUICK.hash(composed), decomposed).matches


@pytest.mark.parametrize(
    ("password", "text_id"),
    [
        ("short", "accounts.password_short"),
        ("x" * 201, "accounts.password_long"),
        ("my name is Olena!", "accounts.password_holds_name"),
        ("Password1234", "accounts.password_common"),
        ("ЙЦУКЕНГШЩЗХЇ", "accounts.password_common"),
        ("aaaaaaaaaaaaaaaa", "accounts.password_common"),
        ("abababababababab", "accounts.password_common"),
        ("tab\tin the middle", "accounts.password_signs"),
        ("half of a pair \ud83d", "accounts.password_signs"),
    ],
)
def test_weak_password_is_refused_with_its_reason(password: str, text_id: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        check_password(password, "olena")
    assert refusal.value.text_id == text_id


@pytest.mark.parametrize("password", [GOOD, "correct horse battery staple?", "n7ffp-gq5j5-nk3ea-mugbj-757td"])
def test_long_password_of_any_alphabet_may_be_chosen(password: str) -> None:
    assert check_password(password, "olena") == password


@given(st.text(max_size=300), st.text(max_size=70))
def test_any_text_is_a_password_or_refused(text: str, name: str) -> None:
    try:
        chosen = check_password(text, name)
    except WeakPassword:
        return
    assert chosen == unicodedata.normalize("NFC", text)


def test_generated_passwords_differ_and_may_be_chosen() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(check_password(one, "auditor") == one for one in made)

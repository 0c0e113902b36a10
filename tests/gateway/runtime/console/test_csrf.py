from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.console import csrf

SECRET = csrf.new_secret()


def test_token_belongs_to_one_secret() -> None:
    assert csrf.matches(SECRET, csrf.token_of(SECRET))
    assert not csrf.matches(SECRET, csrf.token_of(csrf.new_secret()))


@given(st.text(max_size=80))
def test_no_other_text_is_the_token(text: str) -> None:
    assert not csrf.matches(SECRET, text)


def test_token_does_not_give_the_secret_away() -> None:
    assert SECRET not in csrf.token_of(SECRET)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "expected"),
    [
        ("https://ss.test:4000", None, True),
        ("https://ss.test:4000", "same-origin", True),
        (None, "same-origin", True),
        (None, "none", True),
        (None, None, True),
        ("https://ss.test", None, False),
        ("https://evil.test", None, False),
        ("https://ss.test:4000.evil.test", None, False),
        ("null", None, False),
        ("", None, False),
        ("file://ss.test:4000", None, False),
        (None, "cross-site", False),
        (None, "same-site", False),
    ],
)
def test_form_of_another_origin_is_known(origin: str | None, fetch_site: str | None, expected: bool) -> None:
    assert csrf.is_own_origin(host="ss.test:4000", origin=origin, fetch_site=fetch_site) is expected


def test_request_without_host_has_no_origin_of_its_own() -> None:
    assert not csrf.is_own_origin(host=None, origin="https://None", fetch_site=None)

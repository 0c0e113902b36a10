from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.console.cookies import cookie_name, delete_cookie, read_cookies, set_cookie

NAMES = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=20)
VALUES = st.text(string.ascii_letters + string.digits + "-_.~", min_size=1, max_size=60)


def header(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"Cookie", text.encode("latin-1"))]


@given(st.dictionaries(NAMES, VALUES, max_size=20))
def test_cookies_that_were_sent_are_read(sent: dict[str, str]) -> None:
    assert read_cookies(header("; ".join(f"{name}={value}" for name, value in sent.items()))) == sent


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=300)), max_size=5))
def test_any_headers_give_cookies_of_our_alphabet(headers: list[tuple[bytes, bytes]]) -> None:
    found = read_cookies([*headers, (b"cookie", b"a=b;" + b"".join(value for _, value in headers))])
    assert all(value.isascii() and value.isprintable() and ";" not in value for value in found.values())
    assert len(found) <= 50


@pytest.mark.parametrize("text", ["a", "=b", "a=", "a=b c", 'a="b"', "a=b\x00", "a=" + "x" * 3000, "a=\xff"])
def test_what_is_no_cookie_of_ours_is_not_there(text: str) -> None:
    assert "a" not in read_cookies(header(text))


def test_first_of_two_with_one_name_counts() -> None:
    assert read_cookies([*header("a=first; a=second"), *header("a=third")]) == {"a": "first"}


def test_cookie_over_https_stays_with_this_host_and_out_of_reach_of_scripts() -> None:
    name, value = set_cookie("session", "abc", secure=True)
    assert name == b"set-cookie"
    assert value == b"__Host-surma-session=abc; Path=/; HttpOnly; SameSite=Strict; Secure"


def test_cookie_on_a_loopback_console_needs_no_https() -> None:
    assert b"Secure" not in set_cookie("session", "abc", secure=False)[1]
    assert cookie_name("session", secure=False) == "surma-session"


def test_deleted_cookie_is_over_at_once() -> None:
    assert b"Max-Age=0" in delete_cookie("session", secure=True)[1]


@pytest.mark.parametrize("value", ["", "a b", "a;b", "a\r\nSet-Cookie: x=y", "ї"])
def test_value_that_could_break_out_is_never_set(value: str) -> None:
    with pytest.raises(ValueError, match="session"):
        set_cookie("session", value, secure=True)

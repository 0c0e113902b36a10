from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.console.pages import open_flash, safe_path, seal_flash


@pytest.mark.parametrize(
    "target",
    ["//evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test", "evil", "", "javascript:alert(1)",
     "/a\r\nLocation: //evil", "/\t/evil.test", "/a\\b", " /a", "http:/a", "///evil.test"],
)  # fmt: skip
def test_redirection_never_leaves_this_server(target: str) -> None:
    assert safe_path(target, "/start") == "/start"


@pytest.mark.parametrize("target", ["/", "/audit?since=1&x=%D0%84", "/audit/4#part", "/a/b//c"])
def test_path_of_ours_is_kept(target: str) -> None:
    assert safe_path(target) == target


@given(st.text(max_size=60))
def test_any_text_leads_to_a_path_here(text: str) -> None:
    found = safe_path(text)
    parts = urlsplit(found)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert found.startswith("/")
    assert not found.startswith("//")
    assert found.isascii()


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=40) | st.integers(), max_size=3))
def test_flash_is_opened_by_its_own_secret_only(facts: dict[str, object]) -> None:
    sealed = seal_flash("secret", "console.name", facts)
    assert open_flash("secret", sealed, "en") == "Surma gateway"
    assert open_flash("other", sealed, "en") is None


@given(st.text("abcDEF012._-~", max_size=60))
def test_any_cookie_is_a_flash_or_none(value: str) -> None:
    assert open_flash("secret", value, "en") is None


def test_long_flash_keeps_its_sentence_and_loses_its_facts() -> None:
    sealed = seal_flash("secret", "console.name", {"text": "x" * 5000})
    assert len(sealed) < 500
    assert open_flash("secret", sealed, "uk") == "Шлюз «Сурма»"

"""Limits that hold, and problems that can be explained in both languages."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import gateway.runtime
from gateway.runtime import texts
from gateway.runtime.http.model import ClientLimits, HttpLimits, header_of
from gateway.runtime.http.problems import ConnectFailed, HttpTimeout

RUNTIME = Path(gateway.runtime.__file__).parent


@pytest.mark.parametrize(
    ("name", "value"), [("max_headers", 0), ("header_timeout_s", 0), ("header_timeout_s", float("inf")),
                        ("max_connections", -1), ("min_body_rate", -1), ("keep_alive_timeout_s", float("nan"))],
)  # fmt: skip
def test_limit_that_would_switch_a_protection_off_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        HttpLimits(**{name: value})  # type: ignore[arg-type]


def test_defaults_are_within_their_own_bounds() -> None:
    assert HttpLimits()
    assert ClientLimits()


def test_header_is_found_whatever_its_case() -> None:
    assert header_of([("a", "1"), ("X-B", "2"), ("x-b", "3")], "x-B") == "2"
    assert header_of([], "x") is None


def text_ids_in_the_sources() -> set[str]:
    found: set[str] = set()
    for path in [*(RUNTIME / "http").glob("*.py"), RUNTIME / "tls.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.findall(r"^http\.[a-z_0-9]+$", node.value))
    stages = {f"http.timeout_{stage}" for stage in ("header", "body", "sending", "response", "response_body")}
    lost = {f"http.lost_{stage}" for stage in ("request", "request_body", "response", "response_body")}
    return (found - {"http.timeout_", "http.lost_"}) | stages | lost


def test_every_problem_has_its_sentence_in_both_languages() -> None:
    catalogue = texts.catalogue()
    for text_id in text_ids_in_the_sources():
        assert set(catalogue[text_id]) == {"en", "uk"}, text_id


def test_no_sentence_is_left_over() -> None:
    ours = {text_id for text_id in texts.catalogue() if text_id.startswith("http.")}
    assert ours == text_ids_in_the_sources()


def test_sentence_holds_the_facts() -> None:
    problem = ConnectFailed("ss2.example.org", 5500, "Connection refused")
    assert "ss2.example.org:5500 (Connection refused)" in texts.render(problem.text_id, problem.facts, "uk")
    assert "30" in texts.render("http.timeout_header", HttpTimeout("header", seconds=30).facts, "en")

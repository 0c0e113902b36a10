from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gateway.runtime.texts import LANGUAGES, catalogue
from gateway.xroad.soap.faults import parse_fault
from registry_adapters.sdk.errors import Problem, RequestError, UnavailableError

PACKAGE = Path(__file__).parents[3] / "registry_adapters"


def text_ids() -> set[str]:
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("registry."):
                found.add(node.value)
    named = {name for name in found if name != "registry." and not name.endswith(".py")}
    return named | {"registry.unzr_invalid", "registry.rnokpp_invalid"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_has_a_sentence_in_both_languages(language: str) -> None:
    assert [text_id for text_id in sorted(text_ids()) if language not in catalogue().get(text_id, {})] == []


def test_no_sentence_is_left_over() -> None:
    assert {name for name in catalogue() if name.startswith("registry.")} - text_ids() == set()


def test_soap_fault_says_whose_mistake_it_is() -> None:
    problem = Problem(RequestError("registry.no_criterion"), "uk")
    fault = parse_fault(problem.as_soap_fault())
    assert (fault.code, fault.detail) == ("Client.no_criterion", problem.id)
    assert fault.text.startswith("У запиті")


def test_problem_document_says_what_to_do_next() -> None:
    document = Problem(UnavailableError("registry.database_unavailable"), "en").as_document()
    assert (document["status"], document["action"]) == (503, "retry")
    assert document["type"] == "urn:surma:registry:database_unavailable"

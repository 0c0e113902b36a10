"""Which fields leave for which purpose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xroad.identifiers import client_of
from registry_adapters.sdk.context import Dialect, RequestContext
from registry_adapters.sdk.errors import RefusedError
from registry_adapters.sdk.fields import describe, to_json
from registry_adapters.sdk.purposes import (
    ALWAYS_TOLD,
    PurposesError,
    check_purposes,
    field_paths,
    load_purposes,
    read_purposes,
)


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody lives."""

    settlement: str
    street: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """A document."""

    number: str
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person."""

    surname: str
    rnokpp: str | None = None
    refused: bool = False
    home: Home | None = None
    papers: tuple[Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer."""

    found: bool
    somebody: Somebody | None = None
    note: str | None = None
    warnings: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


FULL = Answer(
    True,
    Somebody("Коваль", "3347300028", True, Home("Київ", "вул. Садова", datetime(2020, 1, 1, tzinfo=UTC)),
             (Paper("1", "8021"), Paper("2", "8022"))),
    "note",
    ("odd",),
)  # fmt: skip
PATHS = sorted(set(field_paths(describe(Answer))) - ALWAYS_TOLD)
RULES = """
[[purpose]]
id = "SUBSIDY"
title_en = "Subsidy"
clients = ["GOV/1/SNAP"]
[purpose.operations]
Get = ["somebody.home"]
[[purpose]]
id = "CASE"
sealed = true
[purpose.operations]
Get = ["somebody.rnokpp", "somebody.papers.issuer"]
"""


def asking(*purposes: str, client: str = "UA/GOV/1/SNAP") -> RequestContext:
    return RequestContext(Dialect.REST, client_of(client.split("/")), "id", purposes=purposes)


def told(value: object) -> set[str]:
    """The paths of everything an answer tells."""

    def walk(data: object, path: str) -> set[str]:
        if isinstance(data, dict):
            return {found for key, inner in data.items() for found in walk(inner, f"{path}.{key}" if path else key)}
        if isinstance(data, list):
            return {found for inner in data for found in walk(inner, path)}
        return set() if data in (None, False) else {path}

    return walk(to_json(value), "")


def test_only_what_the_purpose_needs_leaves_and_the_rest_is_named() -> None:
    answer = read_purposes(RULES).allow("Get", asking("SUBSIDY")).minimise(FULL)
    assert answer.somebody == Somebody("Коваль", home=FULL.somebody.home)
    assert (answer.note, answer.warnings) == (None, ("odd",))
    assert answer.withheld == ("somebody.rnokpp", "somebody.refused", "somebody.papers", "note")


def test_part_of_a_repeated_record_leaves_with_what_it_cannot_do_without() -> None:
    answer = read_purposes(RULES).allow("Get", asking("CASE")).minimise(FULL)
    assert answer.somebody == Somebody("Коваль", "3347300028", papers=(Paper("1", "8021"), Paper("2", "8022")))


def test_names_of_withheld_fields_do_not_tell_whether_there_was_a_value() -> None:
    allowance = read_purposes(RULES).allow("Get", asking("SUBSIDY"))
    assert allowance.minimise(Answer(found=False)).withheld == allowance.minimise(FULL).withheld


def test_purpose_nobody_declared_is_treated_as_any_other_where_there_is_such_a_rule() -> None:
    rules = read_purposes(RULES + '[[purpose]]\nid = "*"\n[purpose.operations]\nGet = ["note"]')
    assert rules.allow("Get", asking("OTHER")).minimise(FULL).note == "note"
    with pytest.raises(RefusedError, match="purpose_missing"):
        rules.allow("Get", asking())


def test_several_purposes_allow_what_any_of_them_does_and_one_sealed_seals() -> None:
    allowance = read_purposes(RULES).allow("Get", asking("SUBSIDY", "CASE"))
    assert allowance.sealed
    assert allowance.minimise(FULL).somebody.rnokpp == "3347300028"
    assert allowance.minimise(FULL).somebody.home == FULL.somebody.home


@pytest.mark.parametrize(
    ("context", "operation", "text_id"),
    [
        (asking(), "Get", "registry.purpose_missing"),
        (asking("OTHER"), "Get", "registry.purpose_unknown"),
        (asking("CASE", "OTHER"), "Get", "registry.purpose_unknown"),
        (asking("SUBSIDY", client="UA/GOV/2/SNAP"), "Get", "registry.purpose_client"),
        (asking("SUBSIDY"), "Find", "registry.purpose_operation"),
    ],
)
def test_request_outside_its_purpose_is_refused(context: RequestContext, operation: str, text_id: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_purposes(RULES).allow(operation, context)
    assert refusal.value.text_id == text_id


@given(st.sets(st.sampled_from(PATHS)))
def test_no_field_leaves_that_is_not_allowed_or_bound_to_one_that_is(allowed: set[str]) -> None:
    listed = ", ".join(f'"{path}"' for path in sorted(allowed))
    rules = read_purposes(f'[[purpose]]\nid = "P"\n[purpose.operations]\nGet = [{listed}]')
    answer = rules.allow("Get", asking("P")).minimise(FULL)
    required = {"somebody.surname", "somebody.home.settlement", "somebody.papers.number"}
    for path in told(answer) - {"found", "warnings", "withheld"}:
        above = {path.rsplit(".", depth)[0] for depth in range(path.count(".") + 1)}
        bound = path in required and any(one.startswith(path.rsplit(".", 1)[0] + ".") for one in allowed)
        assert above & allowed or bound, path
    assert {path for path in allowed if path in told(FULL)} <= told(answer)


@pytest.mark.parametrize(
    "text",
    [
        "purpose = 1",
        "[[purpose]]\nid = 'A'",
        "[[purpose]]\nid = 1\noperations = {}",
        "[[purpose]]\nid = 'A'\noperations = {Get = 'x'}",
        "[[purpose]]\nid = 'A'\noperations = {}\nclients = 'x'",
        "[[purpose]]\nid = 'A'\noperations = {}\nsealed = 1",
        "[[purpose]]\nid = 'A'\noperations = {}\nopertions = {}",
        "[[purpose]]\nid = 'A'\noperations = {}\n[[purpose]]\nid = 'A'\noperations = {}",
        "[[purpose",
    ],
)
def test_flawed_file_is_refused(text: str) -> None:
    with pytest.raises(PurposesError):
        read_purposes(text)


def test_missing_file_is_named() -> None:
    with pytest.raises(PurposesError, match=r"nowhere\.toml"):
        load_purposes("nowhere.toml")


@pytest.mark.parametrize("operations", ["Git = []", 'Get = ["somebody.hone"]'])
def test_rule_for_what_there_is_not_is_refused(operations: str) -> None:
    rules = read_purposes(f"[[purpose]]\nid = 'A'\n[purpose.operations]\n{operations}")
    with pytest.raises(PurposesError):
        check_purposes(rules, {"Get": Answer})

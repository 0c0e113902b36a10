from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from registry_adapters.sdk import Call, Declared, Registry, sampled
from registry_adapters.sdk.contract import Result, check_registry
from registry_adapters.sdk.contract_questions import samples_of

ALIKE, REFUSED = "both forms answer alike", "wrong questions are refused alike"
PURPOSE = "unknown purpose is refused"


@dataclass(frozen=True, slots=True)
class Question:
    """A question."""

    number: Annotated[str, Declared(max_length=4, pattern="[0-9]+", example="7")]
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Bare:
    """A question without an example."""

    number: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer."""

    name: Annotated[str | None, Declared(max_length=5)] = None
    withheld: tuple[str, ...] = ()


def a_registry(purposes: Path | None = None) -> Registry:
    return Registry("dogs", title="Dogs", purposes=str(purposes) if purposes else None)


def of(results: list[Result], check: str) -> Result:
    (found,) = [result for result in results if result.check == check]
    return found


def test_registry_that_keeps_its_word_has_no_problems() -> None:
    registry = a_registry()

    @registry.operation("GetDog", "GET /dogs/{number}", "POST /dogs")
    def get_dog(asked: Question, call: Call) -> Answer:
        return Answer(name="rex")

    results = check_registry(registry)
    assert [str(result) for result in results if result.problems] == []
    assert (of(results, ALIKE).tried, of(results, REFUSED).tried >= 10) == (3, True)


def test_answers_that_differ_are_found() -> None:
    registry, calls = a_registry(), []

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(asked: Question, call: Call) -> Answer:
        calls.append(asked)
        return Answer(name=f"rex{len(calls)}")

    assert of(check_registry(registry), ALIKE).problems == ("the forms answer differently",)


def test_answers_that_may_differ_are_not_compared() -> None:
    registry, calls = a_registry(), []

    @registry.operation("TakeTicket", "POST /tickets")
    @sampled(Question("7"), repeatable=False)
    def take_ticket(asked: Question, call: Call) -> Answer:
        calls.append(asked)
        return Answer(name=f"t{len(calls)}")

    assert of(check_registry(registry), ALIKE).problems == ()


def test_answer_that_is_not_as_described_is_found_in_each_form() -> None:
    registry = a_registry()

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(asked: Question, call: Call) -> Answer:
        return Answer(name="much longer")

    soap, rest = of(check_registry(registry), ALIKE).problems
    assert soap.startswith("SOAP: ")
    assert rest == "GET /dogs/{number}: answer.name is longer than 5"


def test_failure_is_found_by_its_name() -> None:
    registry = a_registry()

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(asked: Question, call: Call) -> Answer:
        raise ZeroDivisionError

    assert of(check_registry(registry), ALIKE).problems == (
        "SOAP: 500 internal_error",
        "GET /dogs/{number}: 500 internal_error",
    )


def test_refusal_of_another_name_is_found() -> None:
    registry = a_registry()

    @registry.rest_form("GetDog", "GET /dogs/{number}")
    def get_dog_loosely(asked: Bare, call: Call) -> Answer:
        return Answer(name="rex")

    @registry.operation("GetDog")
    def get_dog(asked: Question, call: Call) -> Answer:
        return Answer(name="rex")

    problems = of(check_registry(registry), REFUSED).problems
    assert "GET /dogs/{number}: too long number gave 200, not field_too_long" in problems


def test_operation_without_a_question_to_try_is_told_as_not_tried() -> None:
    registry = a_registry()

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(asked: Bare, call: Call) -> Answer:
        return Answer()

    result = of(check_registry(registry), ALIKE)
    assert (result.problems, "@sampled" in result.skipped) == ((), True)


def test_path_that_names_no_field_is_found() -> None:
    registry = a_registry()

    def get_dog(asked: Question, call: Call) -> Answer:
        return Answer()

    registry.operation("GetDog", "GET /dogs/{nmuber}")(get_dog)
    assert any("nmuber is not both" in problem for problem in of(check_registry(registry), "OpenAPI is right").problems)


@pytest.fixture
def purposes(tmp_path: Path) -> Path:
    path = tmp_path / "purposes.toml"
    path.write_text(
        '[[purpose]]\nid = "CARE"\nclients = ["GOV/10000009/VET"]\n[purpose.operations]\nGetDog = ["*"]\n',
        encoding="utf-8",
    )
    return path


def test_registry_with_purposes_is_asked_for_one_of_them_by_who_may(purposes: Path) -> None:
    registry = a_registry(purposes)
    asked = []

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(question: Question, call: Call) -> Answer:
        asked.append((str(call.context.client), call.context.purposes))
        return Answer(name="rex")

    results = check_registry(registry)
    assert [str(result) for result in results if result.problems] == []
    assert (of(results, PURPOSE).tried, of(results, PURPOSE).skipped) == (2, "")
    assert set(asked) == {("CONTRACT/GOV/10000009/VET", ("CARE",))}


def test_registry_that_takes_any_purpose_is_not_asked_to_refuse_one(purposes: Path) -> None:
    text = purposes.read_text()
    purposes.write_text(text + text.replace('"CARE"', '"*"'))
    registry = a_registry(purposes)

    @registry.operation("GetDog", "GET /dogs/{number}")
    def get_dog(question: Question, call: Call) -> Answer:
        assert call.context.purposes == ("CARE",)
        return Answer(name="rex")

    results = check_registry(registry)
    assert [str(result) for result in results if result.problems] == []
    assert of(results, PURPOSE).skipped == "the registry takes any purpose"


def test_examples_make_questions() -> None:
    registry = a_registry()

    @dataclass(frozen=True, slots=True)
    class Either:
        number: Annotated[str | None, Declared(example="7")] = None
        chip: Annotated[str | None, Declared(example="8")] = None
        age: int | None = None

    def get(asked: Either, call: Call) -> Answer:
        return Answer()

    get.__annotations__ = {"asked": Either, "call": Call, "return": Answer}
    registry.operation("GetDog", "GET /dogs")(get)
    assert samples_of(registry.soap.operations["GetDog"]).requests == (Either(number="7"), Either(chip="8"))


def test_result_says_what_it_is_about() -> None:
    assert str(Result("health", "dogs", ("status 503",))) == "dogs: health: status 503"
    assert str(Result("health", "dogs")) == "dogs: health: ok"

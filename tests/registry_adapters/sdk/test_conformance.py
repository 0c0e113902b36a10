from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from lxml import etree

from gateway.xroad.xml import parse_xml
from registry_adapters.sdk import Call, Declared, Registry
from registry_adapters.sdk.conformance import body_problems, json_problems, openapi_problems, schema_of, wsdl_problems
from registry_adapters.sdk.openapi import build_openapi
from registry_adapters.sdk.wsdl import NS_WSDL, build_wsdl


@dataclass(frozen=True, slots=True)
class Question:
    """A question."""

    number: Annotated[str, Declared(max_length=4)]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer."""

    name: Annotated[str, Declared(max_length=5, pattern="[a-z]+")]
    born_on: date | None = None
    tags: tuple[str, ...] = ()


@pytest.fixture
def registry() -> Registry:
    made = Registry("dogs", title="Dogs")

    @made.operation("GetDog", "GET /dogs/{number}")
    def get_dog(asked: Question, call: Call) -> Answer:
        """Get a dog."""
        return Answer("rex")

    return made


@pytest.fixture
def document(registry: Registry) -> dict[str, Any]:
    return copy.deepcopy(build_openapi(registry.rest, "http://registry"))


def operation(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/dogs/{number}"]["get"]  # type: ignore[no-any-return]


def answer(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]["Answer"]  # type: ignore[no-any-return]


def again(document: dict[str, Any]) -> dict[str, Any]:
    return {"/x": {"get": {**operation(document), "parameters": []}}}


def test_what_we_describe_is_right(registry: Registry, document: dict[str, Any]) -> None:
    assert openapi_problems(document) == []
    assert wsdl_problems(build_wsdl(registry.soap, "http://registry/soap")) == []


BREAKS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("no version", lambda doc: doc.pop("openapi"), "no OpenAPI 3.0"),
    ("no paths", lambda doc: doc.pop("paths"), "paths is missing"),
    ("no title", lambda doc: doc["info"].pop("title"), "info.title"),
    ("two servers", lambda doc: doc["servers"].append({"url": "http://x"}), "servers"),
    ("relative server", lambda doc: doc["servers"][0].update(url="/"), "servers"),
    ("dangling reference", lambda doc: doc["components"]["schemas"].pop("Answer"), "Answer leads nowhere"),
    ("foreign reference", lambda doc: answer(doc).update({"$ref": "http://x"}), "leads nowhere"),
    ("no operationId", lambda doc: operation(doc).pop("operationId"), "operationId None"),
    ("repeated operationId", lambda doc: doc["paths"].update(again(doc)), "2 times"),
    ("optional in path", lambda doc: operation(doc)["parameters"][0].update(required=False), "number is not required"),
    ("undeclared in path", lambda doc: operation(doc)["parameters"].clear(), "number is not both"),
    ("not in path", lambda doc: doc["paths"].update({"/d": doc["paths"].pop("/dogs/{number}")}), "not both"),
    ("twice", lambda doc: operation(doc)["parameters"].append(operation(doc)["parameters"][0]), "declared twice"),
    ("no place", lambda doc: operation(doc)["parameters"][0].pop("in"), "in None is wrong"),
    ("no schema", lambda doc: operation(doc)["parameters"][0].pop("schema"), "a schema is missing"),
    ("odd method", lambda doc: doc["paths"].update({"/dogs/{number}": {"fetch": operation(doc)}}), "no such method"),
    ("body of get", lambda doc: operation(doc).update(requestBody={"content": {}}), "has no body"),
    ("no responses", lambda doc: operation(doc).pop("responses"), "has no responses"),
    ("odd type", lambda doc: answer(doc).update(type="date"), "type date is unknown"),
    ("empty enum", lambda doc: operation(doc)["parameters"][0]["schema"].update(enum=[]), "an enum is empty"),
    ("list of nothing", lambda doc: answer(doc)["properties"]["tags"].pop("items"), "is missing"),
    ("odd required", lambda doc: answer(doc)["required"].append("age"), "age is required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "said"), [(one, said) for _, one, said in BREAKS], ids=[name for name, *_ in BREAKS]
)
def test_wrong_description_is_found(
    document: dict[str, Any], break_it: Callable[[dict[str, Any]], Any], said: str
) -> None:
    break_it(document)
    assert any(said in problem for problem in openapi_problems(document)), openapi_problems(document)


@pytest.mark.parametrize("nothing", [None, [], "x", {}, {"openapi": "3.1.0"}])
def test_what_is_no_description_is_said(nothing: Any) -> None:
    assert openapi_problems(nothing) == ["it is no OpenAPI 3.0 document"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "rex", "born_on": "2024-05-01", "tags": ["a"]}, None),
        ({}, "answer.name is missing"),
        ({"name": 5}, "answer.name is no string"),
        ({"name": "rexrex"}, "longer than 5"),
        ({"name": "Rex"}, "does not fit its pattern"),
        ({"name": "rex", "born_on": "May"}, "answer.born_on is no date"),
        ({"name": "rex", "tags": "a"}, "answer.tags is no array"),
        ({"name": "rex", "tags": ["a", 1]}, r"answer.tags[1] is no string"),
        ({"name": "rex", "age": 3}, "answer.age is not declared"),
        ([], "answer is no object"),
    ],
)
def test_answer_is_held_against_its_schema(document: dict[str, Any], given: Any, said: str | None) -> None:
    problems = json_problems(given, {"$ref": "#/components/schemas/Answer"}, document)
    assert [str(said) in problem for problem in problems] == ([True] if said else [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("portType/operation", "not both declared and bound"),
        ("types", "no schema"),
        ("service/port", "no address"),
        ("binding/operation/version", "no xrd:version"),
    ],
)
def test_part_that_a_wsdl_lacks_is_found(registry: Registry, path: str, said: str) -> None:
    root = parse_xml(build_wsdl(registry.soap, "http://registry/soap"))
    element = root
    for step in path.split("/"):
        element = element.find(f"{{*}}{step}")  # type: ignore[assignment]
    element.getparent().remove(element)  # type: ignore[union-attr]
    assert any(said in problem for problem in wsdl_problems(etree.tostring(root)))


def test_message_of_an_unknown_element_is_found(registry: Registry) -> None:
    root = parse_xml(build_wsdl(registry.soap, "http://registry/soap"))
    root.findall(f"{{{NS_WSDL}}}message/{{{NS_WSDL}}}part")[-1].set("element", "tns:GetCat")
    assert any("tns:GetCat" in problem for problem in wsdl_problems(etree.tostring(root)))


def test_schema_that_does_not_compile_is_found(registry: Registry) -> None:
    wsdl = build_wsdl(registry.soap, "http://registry/soap").replace(b'type="xs:date"', b'type="xs:day"')
    assert "cannot be compiled" in wsdl_problems(wsdl)[0]


def test_what_is_no_xml_is_said() -> None:
    assert "not well-formed" in wsdl_problems(b"<definitions>")[0]


def test_body_is_held_against_the_schema_and_no_value_is_told(registry: Registry) -> None:
    schema = schema_of(parse_xml(build_wsdl(registry.soap, "http://registry/soap")))
    assert schema is not None
    namespace = registry.soap.namespace
    good = etree.fromstring(f'<GetDogResponse xmlns="{namespace}"><name>rex</name></GetDogResponse>')
    wrong = etree.fromstring(f'<GetDogResponse xmlns="{namespace}"><name>Secret</name></GetDogResponse>')
    assert body_problems(good, schema) == []
    assert body_problems(wrong, schema)
    assert "Secret" not in str(body_problems(wrong, schema))

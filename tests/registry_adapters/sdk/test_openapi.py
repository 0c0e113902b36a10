from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from registry_adapters.demographic.model import MatchedBy, PersonAnswer
from registry_adapters.demographic.registry import registry
from registry_adapters.sdk.fields import to_json
from registry_adapters.sdk.matching import Confidence
from registry_adapters.sdk.openapi import build_openapi
from tests.factories.registry import persons_told


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_openapi(registry.rest, "http://registry.example")


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = document
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """A small reading of JSON Schema: the keywords we write."""
    schema = resolve(document, schema)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert isinstance(value, kinds[schema["type"]])
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"])
        for name, inner in value.items():
            check(document, schema["properties"][name], inner)
    elif isinstance(value, list):
        for inner in value:
            check(document, schema["items"], inner)
    elif isinstance(value, str):
        assert value in schema.get("enum", [value])
        assert len(value) <= schema.get("maxLength", len(value))


def test_version_is_one_that_security_servers_read(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.")


def test_document_says_title_version_and_one_address(document: dict[str, Any]) -> None:
    assert document["info"]["title"]
    assert document["info"]["version"]
    assert document["servers"] == [{"url": "http://registry.example"}]


def test_every_route_is_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    persons = {("GET", "/persons"), ("POST", "/persons/search"), ("GET", "/persons/{unzr}")}
    assert described == {*persons, ("GET", "/residents")}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for node in nodes(document):
        if "$ref" in node:
            assert resolve(document, node)["type"] == "object"


def test_operation_ids_are_different(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(ids)) == len(ids)


def test_every_parameter_in_braces_is_a_required_path_parameter(document: dict[str, Any]) -> None:
    (parameter,) = document["paths"]["/persons/{unzr}"]["get"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == ("unzr", "path", True)


def test_body_is_described_where_there_is_one(document: dict[str, Any]) -> None:
    assert "requestBody" in document["paths"]["/persons/search"]["post"]
    assert "requestBody" not in document["paths"]["/persons"]["get"]


def test_every_operation_describes_its_problem(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_answers_are_as_described(document: dict[str, Any]) -> None:
    for person in persons_told():
        answer = PersonAnswer(True, MatchedBy.UNZR, 1, False, Confidence.EXACT, ("unzr_date",), person)
        check(document, {"$ref": "#/components/schemas/PersonAnswer"}, to_json(answer))


def test_yaml_and_json_are_the_same_document(document: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml.safe_dump(document, allow_unicode=True, sort_keys=False)) == document

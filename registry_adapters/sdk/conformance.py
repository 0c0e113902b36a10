"""What is wrong with a description, and with an answer by its description: lists of sentences, empty when nothing is.

OpenAPI 3.0.3 is checked as far as our descriptions and a security server's import use it; of WSDL, that
each operation has all its parts and that the inline schema is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from lxml import etree

from gateway.xroad.faults import XRoadFault
from gateway.xroad.xml import NS_XROAD, parse_xml
from registry_adapters.sdk.wsdl import NS_WSDL, NS_WSDL_SOAP, NS_XSD

METHODS: Final = frozenset(("get", "put", "post", "delete", "options", "head", "patch", "trace"))
TYPES: Final = frozenset(("object", "array", "string", "integer", "number", "boolean"))
_BODY_METHODS: Final = frozenset(("post", "put", "patch"))
_IN_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_WSDL: Final = f"{{{NS_WSDL}}}"
_XSD: Final = f"{{{NS_XSD}}}"

Json = Mapping[str, Any]


def openapi_problems(document: Any) -> list[str]:
    """Return what is wrong with an OpenAPI document."""
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3.0."):
        return ["it is no OpenAPI 3.0 document"]
    problems = [f"{name} is missing" for name in ("info", "paths") if not isinstance(document.get(name), dict)]
    if problems:
        return problems
    problems += [f"info.{name} is missing" for name in ("title", "version") if not document["info"].get(name)]
    servers = document.get("servers") or []
    if len(servers) != 1 or not re.match(r"https?://", str(servers[0].get("url", ""))):
        problems.append("servers must name one address")
    problems += _reference_problems(document, document)
    named = Counter(operation.get("operationId") for _, _, operation in _operations(document))
    problems += [
        f"operationId {name} is missing or used {times} times" for name, times in named.items() if _bad(name, times)
    ]
    for path, method, operation in _operations(document):
        problems += [f"{method.upper()} {path}: {problem}" for problem in _operation_problems(path, method, operation)]
    for name, schema in (document.get("components", {}).get("schemas") or {}).items():
        problems += [f"schema {name}: {problem}" for problem in _schema_problems(schema)]
    return problems


def _bad(name: str | None, times: int) -> bool:
    return not name or times > 1


def _operations(document: Json) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _reference_problems(node: Any, document: Json) -> list[str]:
    if isinstance(node, list):
        return [problem for item in node for problem in _reference_problems(item, document)]
    if not isinstance(node, dict):
        return []
    reference = node.get("$ref")
    problems = [] if reference is None or resolve(reference, document) is not None else [f"{reference} leads nowhere"]
    return problems + [problem for item in node.values() for problem in _reference_problems(item, document)]


def resolve(reference: Any, document: Json) -> Any:
    """Return what a local reference leads to; None for nothing."""
    node: Any = document
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    for step in reference[2:].split("/"):
        node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node


def _operation_problems(path: str, method: str, operation: Json) -> Iterator[str]:
    if method not in METHODS:
        yield "there is no such method"
    if not operation.get("responses"):
        yield "it has no responses"
    if "requestBody" in operation and method not in _BODY_METHODS:
        yield "this method has no body"
    parameters = operation.get("parameters", [])
    for (name, place), times in Counter((one.get("name"), one.get("in")) for one in parameters).items():
        if times > 1 or not name or place not in ("path", "query", "header", "cookie"):
            yield f"parameter {name} in {place} is wrong or declared twice"
    for parameter in parameters:
        if parameter.get("in") == "path" and parameter.get("required") is not True:
            yield f"path parameter {parameter.get('name')} is not required"
        yield from _schema_problems(parameter.get("schema"))
    declared = {one.get("name") for one in parameters if one.get("in") == "path"}
    for name in sorted(declared ^ set(_IN_BRACES.findall(path)), key=str):
        yield f"{name} is not both in the path and among its parameters"


def _schema_problems(schema: Any) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield "a schema is missing"
        return
    if "$ref" in schema:
        return
    if schema.get("type") not in TYPES:
        yield f"type {schema.get('type')} is unknown"
    if "enum" in schema and not schema["enum"]:
        yield "an enum is empty"
    if schema.get("type") == "array":
        yield from _schema_problems(schema.get("items"))
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in properties:
            yield f"{name} is required and not declared"
    for one in properties.values():
        yield from _schema_problems(one)


def json_problems(value: Any, schema: Json, document: Json, where: str = "answer") -> list[str]:
    """Return what of a JSON value is not as its schema says."""
    if "$ref" in schema:
        return json_problems(value, resolve(schema["$ref"], document) or {}, document, where)
    kind = schema.get("type", "")
    if not _IS.get(kind, lambda _: False)(value):
        return [f"{where} is no {kind or 'known type'}"]
    if kind == "array":
        items = schema["items"]
        return [
            one for place, item in enumerate(value) for one in json_problems(item, items, document, f"{where}[{place}]")
        ]
    if kind == "object":
        return _object_problems(value, schema, document, where)
    return [f"{where} {said}" for said in _text_problems(value, schema)] if kind == "string" else []


def _object_problems(value: Json, schema: Json, document: Json, where: str) -> list[str]:
    properties = schema.get("properties", {})
    problems = [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
    for name, held in value.items():
        if name in properties:
            problems += json_problems(held, properties[name], document, f"{where}.{name}")
        elif schema.get("additionalProperties") is False:
            problems.append(f"{where}.{name} is not declared")
    return problems


def _text_problems(text: str, schema: Json) -> Iterator[str]:
    if "enum" in schema and text not in schema["enum"]:
        yield "is none of its enum"
    if len(text) > schema.get("maxLength", len(text)):
        yield f"is longer than {schema['maxLength']}"
    if "pattern" in schema and not re.search(schema["pattern"], text):
        yield "does not fit its pattern"
    read = _FORMATS.get(schema.get("format", ""))
    try:
        if read:
            read(text)
    except (ValueError, InvalidOperation):
        yield f"is no {schema['format']}"


_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_FORMATS: Final[Mapping[str, Callable[[str], Any]]] = {
    "date": date.fromisoformat,
    "date-time": datetime.fromisoformat,
    "decimal": Decimal,
}


def wsdl_problems(document: bytes) -> list[str]:
    """Return what is wrong with a WSDL of one service."""
    try:
        root = parse_xml(document)
    except XRoadFault as cause:
        return [f"it is not well-formed XML: {cause}"]
    namespace = root.get("targetNamespace", "")
    try:
        schema = schema_of(root)
    except etree.XMLSchemaParseError as cause:
        return [f"its schema cannot be compiled: {cause}"]
    if schema is None:
        return ["it holds no schema of its namespace"]
    elements = {element.get("name") for element in root.iterfind(f"{_WSDL}types/{_XSD}schema/{_XSD}element")}
    declared = {operation.get("name", "") for operation in root.iterfind(f"{_WSDL}portType/{_WSDL}operation")}
    bound = {operation.get("name", "") for operation in root.iterfind(f"{_WSDL}binding/{_WSDL}operation")}
    problems = [f"operation {name} is not both declared and bound" for name in sorted(declared ^ bound)]
    problems += [] if declared else ["it has no operations"]
    for part in root.iterfind(f"{_WSDL}message/{_WSDL}part"):
        prefix, _, name = part.get("element", "").rpartition(":")
        if name not in elements or part.nsmap.get(prefix or None) is None:
            problems.append(f"a message names the element {part.get('element')}, which is not declared")
    for operation in root.iterfind(f"{_WSDL}binding/{_WSDL}operation"):
        if not operation.findtext(f"{{{NS_XROAD}}}version"):
            problems.append(f"operation {operation.get('name')} has no xrd:version")
    if root.find(f"{_WSDL}service/{_WSDL}port/{{{NS_WSDL_SOAP}}}address[@location]") is None or not namespace:
        problems.append("it names no address or no namespace")
    return problems


def schema_of(root: etree._Element) -> etree.XMLSchema | None:
    """Return the compiled schema of a WSDL's own namespace, by which bodies are checked."""
    for schema in root.iterfind(f"{_WSDL}types/{_XSD}schema"):
        if schema.get("targetNamespace") == root.get("targetNamespace"):
            return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))
    return None


def body_problems(body: etree._Element, schema: etree.XMLSchema) -> list[str]:
    """Return what of a body is not as the schema says; element names only, no values."""
    schema.validate(etree.fromstring(etree.tostring(body)))
    return [f"{etree.QName(body).localname}: {error.type_name} at {error.path}" for error in schema.error_log]  # type: ignore[attr-defined]

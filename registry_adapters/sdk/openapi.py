"""OpenAPI 3.0 description of a REST service, from its declarations.

The version is 3.0.3, which every security server's import reads; `servers` names one address.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from registry_adapters.sdk.fields import MAX_LENGTH, FieldSpec, RecordSpec, describe
from registry_adapters.sdk.rest_service import RestService, Route

OPENAPI_VERSION: Final = "3.0.3"
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why there is no answer (RFC 9457), and what the asker can do about it.",
    "required": ["type", "title", "status", "detail", "instance", "action"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "action": {"type": "string", "enum": ["ask_differently", "refused", "retry", "report"]},
    },
}


def build_openapi(service: RestService, address: str) -> dict[str, Any]:
    """Return the document of `service` at the URL `address`."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    names: Counter[str] = Counter()
    for route in service.routes:
        name = route.operation.function.__name__
        names[name] += 1
        operation_id = name if names[name] == 1 else f"{name}_{names[name]}"  # one function may have several routes
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, operation_id, schemas)
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": service.title, "version": service.version, "description": service.doc},
        "servers": [{"url": address}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Route, operation_id: str, schemas: dict[str, Any]) -> dict[str, Any]:
    operation, request = route.operation, describe(route.operation.request)
    described: dict[str, Any] = {
        "operationId": operation_id,
        "summary": operation.title,
        "parameters": [_parameter(spec, route) for spec in request.fields if _is_parameter(spec, route)],
        "responses": {
            "200": {"description": "The answer.", "content": _json(_reference(operation.response, schemas))},
            "default": {
                "description": "No answer.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if operation.doc:
        described["description"] = operation.doc
    if route.has_body:
        described["requestBody"] = {"required": True, "content": _json(_reference(operation.request, schemas))}
    return described


def _is_parameter(spec: FieldSpec, route: Route) -> bool:
    return spec.json in route.path_parameters or not route.has_body


def _parameter(spec: FieldSpec, route: Route) -> dict[str, Any]:
    in_path = spec.json in route.path_parameters
    parameter: dict[str, Any] = {
        "name": spec.json,
        "in": "path" if in_path else "query",
        "required": in_path or spec.required,
        "schema": _schema(spec, {}),
    }
    if spec.declaration.doc:
        parameter["description"] = spec.declaration.doc
    if spec.declaration.example:
        parameter["example"] = spec.declaration.example
    return parameter


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _reference(record: type, schemas: dict[str, Any]) -> dict[str, Any]:
    spec = describe(record)
    if spec.name not in schemas:
        schemas[spec.name] = {}  # holds its place among the names while its own fields are described
        schemas[spec.name] = _object(spec, schemas)
    return {"$ref": f"#/components/schemas/{spec.name}"}


def _object(record: RecordSpec, schemas: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for spec in record.fields:
        schema = _schema(spec, schemas)
        properties[spec.json] = {"type": "array", "items": schema} if spec.many else schema
    described: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [spec.json for spec in record.fields if spec.required]
    if required:
        described["required"] = required
    if record.doc:
        described["description"] = record.doc
    return described


def _schema(spec: FieldSpec, schemas: dict[str, Any]) -> dict[str, Any]:
    if spec.record:
        return _reference(spec.record.type, schemas)
    if spec.scalar is None:
        return {"type": "string", "enum": list(spec.choices or ())}
    schema: dict[str, Any] = dict(spec.scalar.json)
    if spec.declaration.pattern:
        schema["pattern"] = f"^(?:{spec.declaration.pattern})$"
    if spec.type is str and spec.declaration.max_length != MAX_LENGTH:
        schema["maxLength"] = spec.declaration.max_length
    if spec.declaration.doc:
        schema["description"] = spec.declaration.doc
    if spec.declaration.example:
        schema["example"] = spec.declaration.example
    return schema

"""REST service over X-Road (PR-REST): the same functions, by method and path.

A request's fields come from the path and the query, with POST and PUT from the path and a JSON body.
A parameter nobody declared is refused: a misspelt criterion must not widen a question silently.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from registry_adapters.sdk.errors import RequestError, UnsupportedFormError
from registry_adapters.sdk.fields import from_json, from_parameters
from registry_adapters.sdk.operations import Function, Operation, operation_of

F = TypeVar("F", bound=Function)

BODY_METHODS: Final = frozenset({"POST", "PUT", "PATCH"})
MAX_PARAMETERS: Final = 100
# Parameters in which Trembita's clients carry ids; the gateway leaves them in the query (UXP).
UXP_PARAMETERS: Final = frozenset({"queryId", "userId"})
_PATH_PARAMETER: Final = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path with its operation."""

    method: str
    path: str
    operation: Operation

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in braces."""
        return tuple(_PATH_PARAMETER.findall(self.path))

    @property
    def has_body(self) -> bool:
        """Whether the fields that are not in the path come in a JSON body."""
        return self.method in BODY_METHODS


@dataclass(frozen=True, slots=True)
class RestService:
    """A named set of routes of one version."""

    name: str
    version: str
    title: str
    doc: str = ""
    routes: list[Route] = field(default_factory=list)

    def get(self, path: str) -> Callable[[F], F]:
        """Declare the decorated function as the answer to GET."""
        return self.route("GET", path)

    def post(self, path: str) -> Callable[[F], F]:
        """Declare the decorated function as the answer to POST with a JSON body."""
        return self.route("POST", path)

    def route(self, method: str, path: str) -> Callable[[F], F]:
        """Declare the decorated function for a method and a path such as `/persons/{unzr}`."""

        def declare(function: F) -> F:
            self.add(method, path, operation_of(f"{method} {path}", function))
            return function

        return declare

    def add(self, method: str, path: str, operation: Operation) -> None:
        """Declare an operation as the answer to a method and path."""
        self.routes.append(Route(method, path, operation))


def read_query(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters of a raw query string; RequestError when it is not UTF-8 or too long."""
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as cause:
        raise RequestError("registry.query_invalid") from cause


def read_request(
    route: Route,
    path: Sequence[tuple[str, str]],
    query: Sequence[tuple[str, str]],
    body: bytes,
    content_type: str,
) -> Any:
    """Return the declared request of an HTTP request. Raises RequestError."""
    asked = [(name, value) for name, value in query if name not in UXP_PARAMETERS]
    if not route.has_body:
        return from_parameters(route.operation.request, [*path, *asked])
    if asked:
        raise RequestError("registry.field_unknown", field=asked[0][0][:100])
    data = _read_json(body, content_type)
    if isinstance(data, dict):
        data.update(path)
    return from_json(route.operation.request, data)


def _read_json(body: bytes, content_type: str) -> Any:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedFormError("registry.content_type", expected="application/json")
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as cause:
        raise RequestError("registry.json_invalid") from cause


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise RequestError("registry.json_repeated")
    return result

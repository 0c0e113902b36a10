"""Questions that the contract tests ask an operation: right ones, and each with one thing wrong.

Right ones are given by `sampled`, come from the source of a lookup, or are made of the examples in the
declarations: the required fields together, or where none is required each field alone. A question is a
JSON object here, since both forms can be written from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from lxml import etree

from registry_adapters.sdk.errors import RegistryError
from registry_adapters.sdk.fields import MAX_LENGTH, FieldSpec, describe, read_text, to_json
from registry_adapters.sdk.operations import Function, Operation
from registry_adapters.sdk.rest_service import Route

F = TypeVar("F", bound=Function)

UNKNOWN_FIELD: Final = "no_such_field"
_WRONG: Final = "?"  # is no number, date, boolean or moment


@dataclass(frozen=True, slots=True)
class Samples:
    """Questions to try an operation with; `repeatable` says that the same one gets the same answer."""

    requests: tuple[Any, ...]
    repeatable: bool = True


def sampled(*requests: Any, repeatable: bool = True) -> Callable[[F], F]:
    """Give the decorated function the questions that the contract tests ask it."""

    def keep(function: F) -> F:
        function.samples = Samples(requests, repeatable)  # type: ignore[attr-defined]
        return function

    return keep


def samples_of(operation: Operation) -> Samples:
    """Return the questions to try an operation with; none when nothing tells any."""
    given = getattr(operation.function, "samples", None)
    if isinstance(given, Samples):
        return given
    if given is not None:
        return Samples(tuple(given()))
    fields = [spec for spec in describe(operation.request).fields if spec.declaration.example and not spec.record]
    required = [spec for spec in fields if spec.required]
    chosen = [required] if required else [[spec] for spec in fields]
    try:
        return Samples(tuple(operation.request(**{spec.name: _example(spec) for spec in each}) for each in chosen))
    except (TypeError, RegistryError):  # a required field has no example, or one that is wrong
        return Samples(())


def _example(spec: FieldSpec) -> Any:
    return read_text(spec, spec.declaration.example or "", spec.name)


def flawed(operation: Operation, request: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield wrong questions: what is wrong, the name of the refusal, the fields by their names in JSON."""
    good = to_json(request)
    yield "an unknown field", "field_unknown", {**good, UNKNOWN_FIELD: "1"}
    for spec in describe(operation.request).fields:
        if spec.record or spec.many:
            continue
        if spec.required:
            yield f"no {spec.json}", "field_missing", {name: value for name, value in good.items() if name != spec.json}
        if spec.type is str:
            limit = spec.declaration.max_length
            if limit <= MAX_LENGTH:
                yield f"too long {spec.json}", "field_too_long", {**good, spec.json: "1" * (limit + 1)}
            if spec.pattern and not spec.pattern.fullmatch(_WRONG):
                yield f"{spec.json} in a wrong form", "field_invalid", {**good, spec.json: _WRONG}
        else:
            yield f"{spec.json} of another type", "field_invalid", {**good, spec.json: _WRONG}


def can_carry(route: Route, data: dict[str, Any]) -> bool:
    """Tell whether a route can ask this: it takes the fields and its path has what it needs."""
    known = {*describe(route.operation.request).by_json, UNKNOWN_FIELD}
    flat = route.has_body or not any(isinstance(value, dict) for value in data.values())
    return set(data) <= known and flat and all(name in data for name in route.path_parameters)


def element_of(operation: Operation, namespace: str, data: dict[str, Any]) -> etree._Element:
    """Return a question with whatever fields, as the operation's element."""
    element = etree.Element(f"{{{namespace}}}{operation.name}")
    _write(element, namespace, data, describe(operation.request).by_json)
    return element


def _write(parent: etree._Element, namespace: str, data: dict[str, Any], known: Mapping[str, FieldSpec]) -> None:
    for name, held in data.items():
        spec = known.get(name)
        for one in held if isinstance(held, list) else [held]:
            child = etree.SubElement(parent, f"{{{namespace}}}{spec.element if spec else name}")
            if isinstance(one, dict) and spec and spec.record:
                _write(child, namespace, one, spec.record.by_json)
            else:
                child.text = shown(one)


def shown(value: Any) -> str:
    """Return a JSON value as queries and XML write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)

"""What a database or a service gave, as declared records: the fields that are declared, and no others.

Each plain value may come in its own type or as a text people would write; an empty text is nothing.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

from registry_adapters.sdk.errors import UnavailableError
from registry_adapters.sdk.fields import FieldSpec, RecordSpec, describe, join
from registry_adapters.sdk.sources.cells import local, read_cell

T = TypeVar("T")

_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def pick(record: type[T], data: Mapping[str, Any], names: Mapping[str, str] | None = None) -> T:
    """Return a declared record of a service's answer; `names` says what the service calls a field.

    A field that the service names by its XML name (camelCase) is found too. Raises UnavailableError when
    what came is not what is declared.
    """
    try:
        return typing.cast("T", _record(describe(record), data, names or {}, ""))
    except ValueError as cause:
        raise UnavailableError("registry.source_unusable") from cause


def _record(record: RecordSpec, data: Any, names: Mapping[str, str], path: str) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"{path or record.name} is no object")
    return record.type(**{spec.name: _field(spec, data, names, join(path, spec.name)) for spec in record.fields})


def _field(spec: FieldSpec, data: Mapping[str, Any], names: Mapping[str, str], path: str) -> Any:
    called = next((name for name in (names.get(path), spec.json, spec.element) if name in data), None)
    held = None if called is None else data[called]
    if not spec.many:
        return _item(spec, held, names, path)
    items = held if isinstance(held, list) else [] if held is None else [held]
    return tuple(_item(spec, item, names, path) for item in items)


def _item(spec: FieldSpec, held: Any, names: Mapping[str, str], path: str) -> Any:
    if spec.record and held is not None:
        return _record(spec.record, held, names, path)
    return value_of(spec, held)


def value_of(spec: FieldSpec, value: Any) -> Any:
    """Return one value as the field's type. Raises ValueError, which does not hold the value."""
    if isinstance(value, str):
        value = _NOT_XML.sub("\ufffd", value.strip()) or None
    if value is None:
        if spec.required:
            raise ValueError(f"{spec.name} is empty")
        return None if spec.default is dataclasses.MISSING else spec.default
    try:
        return _converted(spec, value)
    except (ValueError, KeyError, ArithmeticError, TypeError):
        raise ValueError(f"{spec.name} is no {spec.type.__name__}") from None


def _converted(spec: FieldSpec, value: Any) -> Any:
    if spec.choices:
        return spec.choices[str(value)]
    if spec.type is datetime and isinstance(value, datetime):
        return local(value)
    if spec.type is Decimal and isinstance(value, float | int) and not isinstance(value, bool):
        made = Decimal(str(value))
        if not made.is_finite():
            raise ValueError(value)
        return made
    if spec.type is bool and type(value) is int and value in (0, 1):
        return bool(value)
    if type(value) is spec.type:
        return value
    if isinstance(value, list | dict):
        raise ValueError(value)
    return read_cell(str(value), spec.type)

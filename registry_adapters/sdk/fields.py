"""Message bodies as dataclasses: one declaration, read and written as XML, JSON and query parameters.

A field's type says what it is: text, number, boolean, date, moment, an Enum of texts, another such
dataclass, `X | None` or a default for what may be left out, `tuple[X, ...]` for what may come often. `Declared`
adds what a type cannot say. In JSON and queries a field has its Python name unless declared otherwise, in XML
the same in camelCase (`birth_date`, `birthDate`). All three forms pass the same checks.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, TypeVar

from registry_adapters.sdk.errors import RequestError

T = TypeVar("T")

MAX_LENGTH: Final = 1000  # characters of a text nobody limited otherwise
MAX_ITEMS: Final = 1000  # of one repeated field in a request
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a field's type cannot say: `Annotated[str, Declared("Surname.", max_length=100)]`."""

    doc: str = ""
    max_length: int = MAX_LENGTH
    pattern: str | None = None
    element: str | None = None  # the name in XML, where it is not the camelCase of the field's
    example: str | None = None
    json: str | None = None  # the name in JSON and queries, where a contract of others gives it


@dataclass(frozen=True, slots=True)
class Scalar:
    """How one plain type looks outside: in XML Schema, JSON Schema, as text."""

    xsd: str
    json: Mapping[str, str]
    parse: Callable[[str], Any]
    show: Callable[[Any], str]


def _parse_bool(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text]


def _parse_int(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _parse_date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _parse_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def _parse_decimal(text: str) -> Decimal:
    if len(text) > 40 or not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", text):
        raise ValueError(text)
    return Decimal(text)


def _show_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


SCALARS: Final[Mapping[type, Scalar]] = {
    str: Scalar("string", {"type": "string"}, str, str),
    bool: Scalar("boolean", {"type": "boolean"}, _parse_bool, lambda value: "true" if value else "false"),
    int: Scalar("long", {"type": "integer"}, _parse_int, str),
    Decimal: Scalar("decimal", {"type": "string", "format": "decimal"}, _parse_decimal, lambda value: f"{value:f}"),
    date: Scalar("date", {"type": "string", "format": "date"}, _parse_date, date.isoformat),
    datetime: Scalar("dateTime", {"type": "string", "format": "date-time"}, _parse_moment, _show_moment),
}
_JSON_NATIVE: Final = (bool, int)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field, compiled: exactly one of `scalar`, `choices` and `record` says its kind."""

    name: str
    element: str
    type: Any
    optional: bool
    many: bool
    declaration: Declared
    pattern: re.Pattern[str] | None
    default: Any = dataclasses.MISSING
    scalar: Scalar | None = None
    choices: Mapping[str, Enum] | None = None
    record: RecordSpec | None = None

    @property
    def json(self) -> str:
        """The name in JSON, queries and paths."""
        return self.declaration.json or self.name

    @property
    def required(self) -> bool:
        """Whether a message without it is refused."""
        return not self.optional and not self.many


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """One dataclass, compiled."""

    type: type
    doc: str
    fields: tuple[FieldSpec, ...]
    by_name: Mapping[str, FieldSpec]
    by_element: Mapping[str, FieldSpec]
    by_json: Mapping[str, FieldSpec]

    @property
    def name(self) -> str:
        """The name of its type in WSDL and OpenAPI."""
        return self.type.__name__


def describe(record: type) -> RecordSpec:
    """Return the compiled declaration of a dataclass; TypeError for a type that has no outside form."""
    spec = _COMPILED.get(record)
    if spec is None:
        spec = _COMPILED[record] = _compile_record(record)
    return spec


_COMPILED: Final[dict[type, RecordSpec]] = {}


def _compile_record(record: type) -> RecordSpec:
    hints = typing.get_type_hints(record, include_extras=True)
    specs = tuple(_compile(field, hints[field.name]) for field in dataclasses.fields(record))
    doc = (record.__doc__ or "").split("\n\n")[0].strip()
    return RecordSpec(
        record,
        doc,
        specs,
        by_name={spec.name: spec for spec in specs},
        by_element={spec.element: spec for spec in specs},
        by_json={spec.json: spec for spec in specs},
    )


def _compile(field: dataclasses.Field[Any], hint: Any) -> FieldSpec:
    declaration = Declared()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        declaration = next((extra for extra in extras if isinstance(extra, Declared)), declaration)
    kind, optional, many = _unwrap(hint)
    pattern = re.compile(declaration.pattern) if declaration.pattern else None
    defaulted = field.default is not dataclasses.MISSING
    element = declaration.element or _camel(field.name)
    common = (field.name, element, kind, optional or defaulted, many, declaration, pattern, field.default)
    if dataclasses.is_dataclass(kind):
        return FieldSpec(*common, record=describe(typing.cast("type", kind)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return FieldSpec(*common, choices={str(choice.value): choice for choice in kind})
    if kind in SCALARS:
        return FieldSpec(*common, scalar=SCALARS[kind])
    raise TypeError(f"field {field.name} has type {hint}, which has no form outside Python")


def _unwrap(hint: Any) -> tuple[Any, bool, bool]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [argument for argument in typing.get_args(hint) if argument is not type(None)]
        return inner[0], True, False
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], False, True
    return hint, False, False


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def read_text(spec: FieldSpec, text: str, path: str) -> Any:
    """Return the value a text stands for, or None when it is blank and the field may be left out.

    Raises RequestError naming the field and what was expected, never the value.
    """
    text = text.strip()
    if not text and not spec.many:
        if spec.optional:
            return None
        raise RequestError("registry.field_missing", field=path)
    return read_present(spec, text, path)


def read_present(spec: FieldSpec, text: str, path: str) -> Any:
    """Return the value a stripped text stands for."""
    if len(text) > spec.declaration.max_length:
        raise RequestError("registry.field_too_long", field=path, limit=spec.declaration.max_length)
    if _NOT_XML.search(text) or (spec.pattern and not spec.pattern.fullmatch(text)):
        raise RequestError("registry.field_invalid", field=path, expected=expected_form(spec))
    try:
        return spec.choices[text] if spec.choices else typing.cast("Scalar", spec.scalar).parse(text)
    except (ValueError, KeyError, InvalidOperation, OverflowError) as cause:
        raise RequestError("registry.field_invalid", field=path, expected=expected_form(spec)) from cause


def show_text(spec: FieldSpec, value: Any) -> str:
    """Return the text that stands for a value."""
    return str(value.value) if spec.choices else typing.cast("Scalar", spec.scalar).show(value)


def expected_form(spec: FieldSpec) -> str:
    """Say in a few characters what a field takes: `date`, `male | female`, a pattern."""
    if spec.choices:
        return " | ".join(spec.choices)
    if spec.pattern:
        return spec.pattern.pattern
    return spec.scalar.xsd if spec.scalar else spec.type.__name__


def assemble(record: RecordSpec, values: Mapping[str, list[Any]], path: str) -> Any:
    """Return the dataclass of values collected per field name; a None stands for nothing.

    Raises RequestError for a field that is missing or comes too often.
    """
    arguments: dict[str, Any] = {}
    for spec in record.fields:
        present = [value for value in values.get(spec.name, ()) if value is not None]
        where = join(path, spec.json)
        if spec.many:
            if len(present) > MAX_ITEMS:
                raise RequestError("registry.field_repeated", field=where, limit=MAX_ITEMS)
            arguments[spec.name] = tuple(present)
        elif len(values.get(spec.name, ())) > 1:
            raise RequestError("registry.field_repeated", field=where, limit=1)
        elif present:
            arguments[spec.name] = present[0]
        elif spec.default is not dataclasses.MISSING:
            arguments[spec.name] = spec.default
        elif spec.optional:
            arguments[spec.name] = None
        else:
            raise RequestError("registry.field_missing", field=where)
    return record.type(**arguments)


def from_json(record: type[T], data: Any, path: str = "") -> T:
    """Return the dataclass of a JSON object."""
    compiled = describe(record)
    if not isinstance(data, dict):
        raise RequestError("registry.field_invalid", field=path or "body", expected="object")
    values: dict[str, list[Any]] = {}
    for name, raw in data.items():
        spec = compiled.by_json.get(name)
        if spec is None:
            raise unknown_field(name, path)
        where = join(path, name)
        if spec.many and not isinstance(raw, list | None):
            raise RequestError("registry.field_invalid", field=where, expected="array")
        items: Sequence[Any] = (raw or ()) if spec.many else (raw,)
        values[spec.name] = [_from_json_item(spec, item, where) for item in items]
    return typing.cast("T", assemble(compiled, values, path))


def _from_json_item(spec: FieldSpec, raw: Any, path: str) -> Any:
    if raw is None:
        return None
    if spec.record:
        return from_json(spec.record.type, raw, path)
    if spec.type in _JSON_NATIVE:
        if type(raw) is not spec.type or (spec.type is int and not _INTEGER.fullmatch(str(raw))):
            raise RequestError("registry.field_invalid", field=path, expected=expected_form(spec))
        return raw
    if not isinstance(raw, str):
        raise RequestError("registry.field_invalid", field=path, expected=expected_form(spec))
    return read_text(spec, raw, path)


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON object; what is not there is left out."""
    result: dict[str, Any] = {}
    for spec in describe(type(value)).fields:
        held = getattr(value, spec.name)
        if spec.many:
            result[spec.json] = [_to_json_item(spec, item) for item in held]
        elif held is not None:
            result[spec.json] = _to_json_item(spec, held)
    return result


def _to_json_item(spec: FieldSpec, value: Any) -> Any:
    if spec.record:
        return to_json(value)
    return value if spec.type in _JSON_NATIVE else show_text(spec, value)


def from_parameters(record: type[T], parameters: Sequence[tuple[str, str]]) -> T:
    """Return the dataclass of path and query parameters."""
    compiled = describe(record)
    values: dict[str, list[Any]] = {}
    for name, text in parameters:
        spec = compiled.by_json.get(name)
        if spec is None or spec.record:
            raise unknown_field(name, "")
        values.setdefault(spec.name, []).append(read_text(spec, text, name))
    return typing.cast("T", assemble(compiled, values, ""))


def unknown_field(name: str, path: str) -> RequestError:
    """Return the refusal of a field the service does not take."""
    return RequestError("registry.field_unknown", field=_NOT_XML.sub("\ufffd", join(path, name)[:100]))


def join(path: str, name: str) -> str:
    """Return the path of a field within its message."""
    return f"{path}.{name}" if path else name

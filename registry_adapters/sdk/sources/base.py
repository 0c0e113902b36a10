"""A source: records of one type under a key, found by the values of their fields.

The type is a dataclass that the developer declares, or one made of the source's own columns. Its key
is never left out; every other field of a type that was made may be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Protocol

from registry_adapters.sdk.fields import MAX_LENGTH, Declared, FieldSpec, describe
from registry_adapters.sdk.sources.naming import field_name, type_name

MAX_COLUMNS: Final = 200


class SourceError(ValueError):
    """A source that cannot be used as it is; the text says where it is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the records that fit, in the order of the source, and how many there are in all."""

    count: int
    records: tuple[Any, ...]


class Source(Protocol):
    """What a lookup needs of a source."""

    @property
    def record(self) -> type:
        """The type of its records."""

    @property
    def key(self) -> str:
        """The field that names a record."""

    def find(self, wanted: Mapping[str, Any], *, limit: int, offset: int = 0) -> Page:
        """Return the records whose fields have these values; without any, all. Raises UnavailableError."""

    def samples(self, limit: int) -> Sequence[Any]:
        """Return some records, for the contract tests."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source as a field of its records."""

    said: str  # as the source calls it
    name: str
    kind: type
    doc: str = ""
    max_length: int = MAX_LENGTH
    example: str | None = None


def name_columns(said: Sequence[str], names: Mapping[str, str], where: str) -> list[str]:
    """Return a field name for each column; `names` gives some. Raises SourceError when two would be alike."""
    unknown = sorted(set(names) - set(said))
    if unknown:
        raise SourceError(f"{where}: there is no column {unknown[0]!r}; there are {', '.join(said)}")
    if len(said) > MAX_COLUMNS:
        raise SourceError(f"{where}: more than {MAX_COLUMNS} columns; choose fewer")
    taken: dict[str, str] = {}
    for column in said:
        name = names.get(column) or field_name(column)
        if not name.isidentifier() or field_name(name) != name:
            raise SourceError(f"{where}: column {column!r} makes no field name; give one with names={{{column!r}: …}}")
        compact = name.replace("_", "")  # as far as XML and Python differ
        if compact in taken:
            raise SourceError(f"{where}: columns {taken[compact]!r} and {column!r} are both {name}; use names for one")
        taken[compact] = column
    return [names.get(column) or field_name(column) for column in said]


def make_record(said: str, columns: Sequence[Column], key: str) -> type:
    """Return a dataclass of the columns, named after the source."""
    fields = [
        (column.name, _annotation(column, column.name == key), dataclasses.field(default=None))
        if column.name != key
        else (column.name, _annotation(column, True))
        for column in columns
    ]
    made = dataclasses.make_dataclass(f"{type_name(said)}Record", fields, frozen=True, slots=True, kw_only=True)
    made.__doc__ = f"One record of {said}."
    return made


def _annotation(column: Column, required: bool) -> Any:
    declared = Declared(column.doc, max_length=column.max_length, example=column.example)
    return Annotated[column.kind if required else column.kind | None, declared]


def plain_fields(record: type, where: str) -> tuple[FieldSpec, ...]:
    """Return the fields of a declared record. Raises SourceError for one that is no single plain value."""
    fields = describe(record).fields
    for spec in fields:
        if spec.many or spec.record:
            raise SourceError(f"{where}: field {spec.name} of {record.__name__} is not one plain value")
    return fields


def check_key(key: str, names: Sequence[str], where: str) -> None:
    """Check that the key is a field. Raises SourceError."""
    if key not in names:
        wrong = f"the key {key!r} is no column" if key else "say with key which column names a record"
        raise SourceError(f"{where}: {wrong}; there are {', '.join(names)}")

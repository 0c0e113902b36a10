"""Settings: frozen dataclasses filled from a TOML file, then from the environment.

Defaults stand in the dataclass; the file overrides them; the environment overrides the file
(`GATEWAY_CONSUMER__HTTP_PORT` is `consumer.http_port` for the prefix `GATEWAY`). Keys nobody knows
are refused, with the nearest name that exists, so that a misspelt limit never stays silently at its
default. Lists in the environment are TOML arrays, or words separated by commas.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting cannot be used; the text names its source, its key and what was expected."""


def load(cls: type[T], file: Path | None = None, environ: Mapping[str, str] | None = None, prefix: str = "") -> T:
    """Return an instance of the dataclass `cls` from its defaults, `file` and `environ`.

    Raises SettingsError for a file that cannot be read, an unknown key, a value of the wrong type
    or a missing value without default; the first is enough.
    """
    values = {} if file is None else _read_file(cls, file)
    for name, text in sorted((environ or {}).items()):
        path = _path_of(cls, name, prefix)
        if path is not None:
            _put(values, path, _from_text(_type_at(cls, path), text, f"environment variable {name}"))
    return _build(cls, values, str(file) if file is not None else "settings")


def _read_file(cls: type[Any], file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SettingsError(f"{file}: cannot be read: {cause.strerror}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise SettingsError(f"{file}: is not TOML: {cause}") from cause
    return _checked_table(cls, table, str(file), ())


def _checked_table(cls: type[Any], table: Mapping[str, Any], source: str, path: tuple[str, ...]) -> dict[str, Any]:
    fields = _field_types(cls)
    result: dict[str, Any] = {}
    for key, value in table.items():
        here = (*path, key)
        if key not in fields:
            raise SettingsError(f"{source}: unknown key {'.'.join(here)}{_nearest(key, fields)}")
        nested = _dataclass_in(fields[key])
        if nested is not None:
            if not isinstance(value, dict):
                raise SettingsError(f"{source}: {'.'.join(here)} must be a table, not {_kind(value)}")
            result[key] = _checked_table(nested, value, source, here)
        else:
            result[key] = _convert(fields[key], value, f"{source}: {'.'.join(here)}")
    return result


def _path_of(cls: type[Any], name: str, prefix: str) -> tuple[str, ...] | None:
    """Return the path a variable names, None when it is not for us."""
    start = f"{prefix}_" if prefix else ""
    if not prefix or not name.startswith(start):
        return None
    path = tuple(part.lower() for part in name[len(start) :].split("__"))
    current: type[Any] | None = cls
    for depth, part in enumerate(path):
        if current is None:
            raise SettingsError(f"environment variable {name}: {'.'.join(path[:depth])} has no keys below it")
        fields = _field_types(current)
        if part not in fields:
            raise SettingsError(f"environment variable {name}: unknown key {'.'.join(path)}{_nearest(part, fields)}")
        current = _dataclass_in(fields[part])
    if current is not None:
        raise SettingsError(f"environment variable {name}: {'.'.join(path)} is a table; name a key of it")
    return path


def _type_at(cls: type[Any], path: Sequence[str]) -> Any:
    current: Any = cls
    for part in path:
        current = _field_types(_dataclass_in(current) or current)[part]
    return current


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
    values[path[-1]] = value


def _build(
    cls: type[T], values: Mapping[str, Any], source: str, path: tuple[str, ...] = (), default: T | None = None
) -> T:
    """Return an instance; what `values` does not say is as in `default`, else as the class has it."""
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(cast(Any, cls)):
        if not field.init:
            continue
        here = (*path, field.name)
        nested = _dataclass_in(_field_types(cls)[field.name])
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if nested is not None and (field.name in values or not has_default):
            own = _default_of(field) if default is None else getattr(default, field.name)
            arguments[field.name] = _build(nested, values.get(field.name, {}), source, here, own)
        elif field.name in values:
            arguments[field.name] = values[field.name]
        elif default is not None:
            arguments[field.name] = getattr(default, field.name)
        elif not has_default:
            raise SettingsError(f"{source}: {'.'.join(here)} is missing and has no default")
    try:
        return cls(**arguments)
    except ValueError as cause:  # a dataclass may check its values in __post_init__
        raise SettingsError(f"{source}: {'.'.join(path) or cls.__name__}: {cause}") from cause


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def _field_types(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _dataclass_in(kind: Any) -> type[Any] | None:
    for candidate in _alternatives(kind):
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            return candidate
    return None


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.get_args(kind)
    return (kind,)


def _from_text(kind: Any, text: str, where: str) -> Any:
    """Convert the text of an environment variable: TOML where that is meant, else the plain text."""
    alternatives = _alternatives(kind)
    if any(_is_sequence(a) for a in alternatives) and not text.lstrip().startswith("["):
        return _convert(kind, [word.strip() for word in text.split(",") if word.strip()], where)
    if str in alternatives or Path in alternatives:
        return _convert(kind, text, where)
    if type(None) in alternatives and not text:
        return None
    lowered = text.lower() if text.lower() in ("true", "false") else text
    try:
        value = tomllib.loads(f"value = {lowered}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return _convert(kind, value, where)


def _convert(kind: Any, value: Any, where: str) -> Any:
    """Return `value` as `kind`, or raise SettingsError; booleans never pass for numbers."""
    for candidate in _alternatives(kind):
        matched, result = _try_convert(candidate, value, where)
        if matched:
            return result
    raise SettingsError(f"{where} must be {_describe(kind)}, not {_kind(value)} {_shown(value)}")


def _try_convert(kind: Any, value: Any, where: str) -> tuple[bool, Any]:
    if kind is Any:
        return True, value
    if _is_sequence(kind):
        return _try_sequence(kind, value, where)
    if typing.get_origin(kind) in (dict, Mapping):
        return isinstance(value, dict), value
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind), value
    if not isinstance(kind, type):
        return False, None
    if issubclass(kind, Enum):
        member = next((m for m in kind if value in (m.value, m.name)), None)
        return member is not None, member
    if kind is Path:
        return isinstance(value, str), Path(value) if isinstance(value, str) else None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool), value
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, kind), value


def _is_sequence(kind: Any) -> bool:
    return typing.get_origin(kind) in (tuple, list, frozenset, Sequence)


def _try_sequence(kind: Any, value: Any, where: str) -> tuple[bool, Any]:
    if not isinstance(value, list):
        return False, None
    inner = typing.get_args(kind)[0]
    nested = _dataclass_in(inner)
    items: Iterable[Any]
    if nested is not None:
        checked = [_checked_table(nested, item, where, ()) for item in value if isinstance(item, dict)]
        if len(checked) != len(value):
            return False, None
        items = [_build(nested, item, where) for item in checked]
    else:
        items = [_convert(inner, item, f"{where}[{n}]") for n, item in enumerate(value)]
    origin = typing.get_origin(kind)
    return True, tuple(items) if origin in (tuple, Sequence) else origin(items)


def _nearest(key: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known keys: {', '.join(names)}"


def _describe(kind: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a path"}
    return " or ".join(words.get(k, "nothing" if k is type(None) else _enum_names(k)) for k in _alternatives(kind))


def _enum_names(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(m.value) for m in kind)
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(str(v) for v in typing.get_args(kind))
    return "a list" if _is_sequence(kind) else getattr(kind, "__name__", str(kind))


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "the number", float: "the number", str: "the text", list: "a list"}
    return names.get(type(value), "a table" if isinstance(value, dict) else type(value).__name__)


def _shown(value: Any) -> str:
    return "" if isinstance(value, list | dict) else repr(value)[:60]

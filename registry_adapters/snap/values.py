"""What is taken out of an answer, how two values are compared, and how a line of an application is written.

A path is dotted; after a name `[]` means every item of a list, `[0]` the first, `[status=in_force]` the
first whose `status` is that. `a.b | a.c` is the list of what both lead to. What is not there is None, or an
empty list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from registry_adapters.sdk.matching import name_key
from registry_adapters.snap.model import Leg, Output, Value

MAX_ROWS: Final = 200  # of a list that is kept
MAX_TEXT: Final = 1000
_STEP: Final = re.compile(r"([a-z][a-z0-9_]*)(?:\[(|[0-9]+|[a-z][a-z0-9_.]*=[^\]]*)\])?")
_UNWRITABLE: Final = re.compile("[\x00\ud800-\udfff]")
_REFERENCE: Final = re.compile(r"\{([a-z0-9_]+\.[a-z0-9_]+)\}")


def check_path(path: str) -> str:
    """Return a path. Raises ValueError for what is none."""
    for one in alternatives(path):
        for step in _steps(one):
            if not _STEP.fullmatch(step):
                raise ValueError(f"{path!r} is no path: {step!r}")
    return path


def alternatives(path: str) -> list[str]:
    """Return the paths of which a path is made."""
    return [one.strip() for one in path.split("|")]


def _steps(path: str) -> list[str]:
    return re.split(r"\.(?![^\[]*\])", path)


def take(answer: Any, path: str) -> Any:
    """Return what a path leads to."""
    for position, step in enumerate(steps := _steps(path)):
        name, brackets = _parts(step)
        answer = answer.get(name) if isinstance(answer, Mapping) else None
        if brackets is None:
            continue
        items = answer if isinstance(answer, list) else []
        if brackets == "":
            rest = ".".join(steps[position + 1 :])
            return [value for item in items if (value := take(item, rest) if rest else item) is not None]
        answer = _pick(items, brackets)
    return answer


def _parts(step: str) -> tuple[str, str | None]:
    found = _STEP.fullmatch(step)
    return (found[1], found[2]) if found else (step, None)


def _pick(items: Sequence[Any], brackets: str) -> Any:
    if brackets.isdecimal():
        return items[int(brackets)] if int(brackets) < len(items) else None
    path, _, wanted = brackets.partition("=")
    return next((item for item in items if text_of(take(item, path)) == wanted), None)


def keep(answer: Any, output: Output) -> Value:
    """Return the value of an output: nothing else of the answer goes on from here."""
    paths = alternatives(output.path)
    taken = [take(answer, path) for path in paths]
    found = taken[0] if len(paths) == 1 else [value for value in taken if not is_empty(value)]
    if output.columns:
        rows = found if isinstance(found, list) else [] if found is None else [found]
        return [
            {column.rpartition(".")[2]: _bounded(take(row, column)) for column in output.columns}
            for row in rows[:MAX_ROWS]
        ]
    return [_bounded(item) for item in found[:MAX_ROWS]] if isinstance(found, list) else _bounded(found)


def _bounded(value: Any) -> Value:
    """Return a plain value; a record or list that no path leads into is not kept."""
    if isinstance(value, str):  # JSON can hold halves of characters, which no database and no page takes
        return _UNWRITABLE.sub("\ufffd", value[:MAX_TEXT])
    return value if value is None or isinstance(value, bool | int | float) else None


def picked(answer: Any, leg: Leg, wanted: Mapping[str, str | None]) -> Any:
    """Return the answer with only those of its items that are `wanted`.

    What is wanted of None is not asked; a path after `!` must lead to something else.
    """
    if leg.items is None or not isinstance(answer, Mapping):
        return answer
    listed = answer.get(leg.items)
    items = listed if isinstance(listed, list) else []
    fitting = [item for item in items if all(_fits(item, path, value) for path, value in wanted.items())]
    return {**answer, leg.items: fitting, "count": len(fitting)}


def _fits(item: Any, path: str, wanted: str | None) -> bool:
    is_other = path.startswith("!")
    value = text_of(take(item, path.removeprefix("!")))
    return wanted is None or (name_key(value) == name_key(wanted)) is not is_other


def is_empty(value: Value) -> bool:
    """Tell whether there is nothing to show; False and 0 are something."""
    return value is None or value == "" or value == []


def text_of(value: Value) -> str:
    """Return a value as one line of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(text_of(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(text_of(item) for item in value.values() if not is_empty(item))
    return str(value)


def references(template: str) -> Iterator[str]:
    """Return what a line's template refers to: `leg.output` or `field.name`."""
    yield from _REFERENCE.findall(template)


def filled(template: str, value_of: Callable[[str], Value]) -> Value:
    """Return a template with its references filled in; None when any is empty.

    A template that is one reference keeps the value as it is.
    """
    named = list(references(template))
    values = {name: value_of(name) for name in named}
    if any(is_empty(value) for value in values.values()):
        return None
    if len(named) == 1 and template == f"{{{named[0]}}}":
        return values[named[0]]
    return _REFERENCE.sub(lambda found: text_of(values[found[1]]), template)


def _as_number(value: Value) -> Decimal | str:
    try:
        return Decimal(text_of(value)).normalize()
    except InvalidOperation:
        return text_of(value)


_ADDRESS_NOISE: Final = re.compile(r"[\s.,№]+")
MANNERS: Final[Mapping[str, Callable[[Value], object]]] = {
    "text": lambda value: " ".join(text_of(value).split()),
    "name": lambda value: name_key(text_of(value)),
    "number": _as_number,
    "address": lambda value: _ADDRESS_NOISE.sub(" ", text_of(value)).strip().casefold(),
}


def agree(left: Value, right: Value, manner: str) -> bool:
    """Tell whether two values are the same; with a list, whether the other is among its items."""
    form = MANNERS[manner]
    lefts, rights = (value if isinstance(value, list) else [value] for value in (left, right))
    return bool({form(value) for value in lefts} & {form(value) for value in rights})

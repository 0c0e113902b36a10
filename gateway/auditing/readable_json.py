"""JSON as people read it: indented, in the order and with the numbers as written, what is personal masked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.auditing.masking import Veil

MAX_DEPTH: Final = 100
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_INDENT: Final = "  "
# A key that is no name of a field but a value: a number, an address, a phrase.
VALUE_LIKE: Final = re.compile(r".*(?:[0-9]{4}|[@\s]).*", re.DOTALL)


class _Number(str):
    """A number as it was written: 1.10 is not 1.1 in a document."""

    __slots__ = ()


def print_json(content: bytes, veil: Veil | None) -> str | None:
    """Return a document laid out, masked where there is a veil; None for what is no document."""
    try:
        value = json.loads(
            content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8"),
            object_pairs_hook=tuple,  # its pairs, also those of equal names
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_Number,
        )
        if veil is not None:
            value = _look_again(_mask(value, "", veil, is_hidden=veil.covers("")), veil)
        return "".join(_lay_out(value, "", 0))
    except (ValueError, RecursionError):
        return None


def _mask(value: Any, name: str, veil: Veil, *, is_hidden: bool) -> Any:
    if isinstance(value, tuple):
        pairs = []
        for key, item in value:
            shown = veil.hide(name or "{}", key) if VALUE_LIKE.fullmatch(key) else veil.look(name or "{}", key)
            pairs.append((shown, _mask(item, shown, veil, is_hidden=is_hidden or veil.covers(key))))
        return tuple(pairs)
    if isinstance(value, list):
        return [_mask(item, name, veil, is_hidden=is_hidden) for item in value]
    if not isinstance(value, str):
        return veil.hide(name, json.dumps(value), is_sought=False) if is_hidden and value is not None else value
    masked = veil.hide(name, value) if is_hidden else veil.look(name, value)
    return value if masked == value else masked  # what stays a number is printed as one


def _look_again(value: Any, veil: Veil) -> Any:
    if isinstance(value, tuple):
        return tuple((veil.look_again(key), _look_again(item, veil)) for key, item in value)
    if isinstance(value, list):
        return [_look_again(item, veil) for item in value]
    if not isinstance(value, str):
        return value
    masked = veil.look_again(value)
    return value if masked == value else masked


def _lay_out(value: Any, indent: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ValueError("too deep to be read")
    inner = indent + _INDENT
    if isinstance(value, tuple | list) and not value:
        yield "{}" if isinstance(value, tuple) else "[]"
    elif isinstance(value, tuple):
        yield "{"
        for number, (name, item) in enumerate(value):
            yield f"{',' if number else ''}\n{inner}{_quoted(name)}: "
            yield from _lay_out(item, inner, depth + 1)
        yield f"\n{indent}}}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield f"{',' if number else ''}\n{inner}"
            yield from _lay_out(item, inner, depth + 1)
        yield f"\n{indent}]"
    elif isinstance(value, _Number):
        yield value
    else:
        yield _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    # Halves of characters can be spelled in JSON; nothing else can hold them.
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()

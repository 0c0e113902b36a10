"""Cells of a table as people fill them in, and which type a column of them has.

A type is taken only when every cell of the column has it. Digits that are a code stay text: those
with a zero before them, and those that all have one length of at least eight, as RNOKPP and EDRPOU
have. Dates may be written 2024-05-01 or 01.05.2024, parts of a number after a point or a comma.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

MAX_CELL_LENGTH: Final = 32_767  # what a cell of a spreadsheet can hold
CODE_LENGTH: Final = 8  # digits from which numbers of one length are taken for codes
ZONE: Final = "Europe/Kyiv"  # of moments that name no zone
_YES: Final = frozenset(("true", "yes", "так"))
_NO: Final = frozenset(("false", "no", "ні"))
_INT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:[.,][0-9]{1,9})?")
_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL_DATE: Final = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:.+")


def kind_of(texts: Iterable[str]) -> type:
    """Return the type that all texts have which are not empty; text when there are none."""
    present = [text for text in texts if text]
    if not present:
        return str
    for kind in (bool, int, Decimal, date, datetime):
        if _all_are(kind, present):
            return str if kind in (int, Decimal) and _are_codes(present) else kind
    return str


def _all_are(kind: type, texts: Iterable[str]) -> bool:
    try:
        for text in texts:
            read_cell(text, kind)
    except ValueError:
        return False
    return True


def _are_codes(texts: list[str]) -> bool:
    length = len(texts[0])
    return length >= CODE_LENGTH and all(len(text) == length and text.isdigit() for text in texts)


def read_cell(text: str, kind: type) -> Any:
    """Return the value that a cell's text stands for. Raises ValueError."""
    return _READERS[kind](text)


def local(moment: datetime) -> datetime:
    """Return a moment with its zone; where it names none it was written in Ukraine."""
    return moment if moment.tzinfo else moment.replace(tzinfo=_zone())


@cache
def _zone() -> ZoneInfo:
    return ZoneInfo(ZONE)


def _bool(text: str) -> bool:
    word = text.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(text)


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Decimal(text.replace(",", "."))


def _date(text: str) -> date:
    if _ISO_DATE.fullmatch(text):
        return date.fromisoformat(text)
    if found := _LOCAL_DATE.fullmatch(text):
        return date(int(found[3]), int(found[2]), int(found[1]))
    raise ValueError(text)


def _moment(text: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    return local(datetime.fromisoformat(text))


_READERS: Final[Mapping[type, Callable[[str], Any]]] = {
    str: str, bool: _bool, int: _int, Decimal: _decimal, date: _date, datetime: _moment,
}  # fmt: skip

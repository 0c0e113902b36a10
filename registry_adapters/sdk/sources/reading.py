"""Rows of a CSV or an Excel file as texts, each with its line; nothing larger than stated is read.

CSV is UTF-8 unless said otherwise, and its separator the one that stands most often in the first
line. Of Excel, values are read, not formulas, and a number without a fraction is written without one.
"""

from __future__ import annotations

import csv
import itertools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from registry_adapters.sdk.sources.base import MAX_COLUMNS, SourceError

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_UNPACKED_BYTES: Final = 512 * 1024 * 1024  # of an Excel file, which is a zip
MAX_ROWS: Final = 200_000
SEPARATORS: Final = (",", ";", "\t", "|")
EXCEL: Final = frozenset((".xlsx", ".xlsm"))
FORMULA_ERRORS: Final = frozenset(("#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!"))

Row = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is to be read, where it does not tell by itself."""

    sheet: str | None = None  # of Excel; the first one
    encoding: str = "utf-8-sig"  # of CSV; Excel of a Ukrainian Windows saves cp1251
    separator: str | None = None  # of CSV


def read_rows(path: Path, form: Form) -> Iterator[Row]:
    """Yield the rows that are not empty, the header first. Raises SourceError."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SourceError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MB; put it into a database")
        rows = _excel(path, form) if path.suffix.lower() in EXCEL else _csv(path, form)
        filled = ((line, cells) for line, cells in rows if any(cells))
        for number, row in enumerate(filled):
            if number > MAX_ROWS:
                raise SourceError(f"{path}: more than {MAX_ROWS} rows; put it into a database")
            yield row
    except OSError as cause:
        raise SourceError(f"{path}: {cause.strerror or cause}") from cause


def _csv(path: Path, form: Form) -> Iterator[Row]:
    try:
        with path.open(encoding=form.encoding, newline="") as file:
            separator = form.separator or _separator(file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            for cells in reader:
                yield reader.line_num, [cell.strip() for cell in cells]
    except (UnicodeError, LookupError) as cause:
        raise SourceError(f"{path}: not {form.encoding}; save it as UTF-8 or say encoding='cp1251'") from cause
    except csv.Error as cause:
        raise SourceError(f"{path}, line {reader.line_num}: {cause}") from cause


def _separator(header: str) -> str:
    return max(SEPARATORS, key=header.count)


def _excel(path: Path, form: Form) -> Iterator[Row]:
    from openpyxl import load_workbook  # who has no Excel starts without it

    try:
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > MAX_UNPACKED_BYTES:
                raise SourceError(f"{path}: too large when unpacked; put it into a database")
        book = load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as cause:
        raise cause if isinstance(cause, SourceError) else SourceError(f"{path}: not an Excel file (.xlsx)") from cause
    try:
        if form.sheet is not None and form.sheet not in book.sheetnames:
            raise SourceError(f"{path}: there is no sheet {form.sheet!r}; there are {', '.join(book.sheetnames)}")
        sheet = book[form.sheet or book.sheetnames[0]]
        sheet.reset_dimensions()  # some programs write wrong ones
        for line, cells in enumerate(sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS + 1), start=1):
            yield line, _without_end([_text(cell, path, line) for cell in cells])
    finally:
        book.close()


def _without_end(cells: list[str]) -> list[str]:
    empty = sum(1 for _ in itertools.takewhile(lambda cell: not cell, reversed(cells)))
    return cells[: len(cells) - empty]


def _text(value: Any, path: Path, line: int) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat()
        case date() | time():
            return value.isoformat()
        case str() if value in FORMULA_ERRORS:
            raise SourceError(f"{path}, line {line}: a formula failed ({value})")
    return str(value).strip()

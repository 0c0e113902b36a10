"""A CSV or Excel file as a source: read whole at start, and again whenever the file has changed.

The first line names the columns. A file with a wrong row is refused as a whole, and the row named:
at start that ends the program, later the registry says that it cannot answer until the file is right
again. It never answers from rows that are no longer in the file.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry_adapters.sdk.errors import RequestError, UnavailableError
from registry_adapters.sdk.fields import MAX_LENGTH, FieldSpec, describe, expected_form, read_present
from registry_adapters.sdk.sources.base import (
    Column,
    Page,
    SourceError,
    check_key,
    make_record,
    name_columns,
    plain_fields,
)
from registry_adapters.sdk.sources.cells import MAX_CELL_LENGTH, kind_of, read_cell
from registry_adapters.sdk.sources.reading import Form, Row, read_rows

_log: Final = logging.getLogger(__name__)

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of one state of the file, and where each value of a field stands."""

    stamp: Stamp
    records: tuple[Any, ...]
    places: dict[str, Mapping[Any, list[int]]] = field(default_factory=dict)

    def places_of(self, name: str, value: Any) -> Sequence[int]:
        """Return the positions of the records with this value; the index of a field is made when first used."""
        index = self.places.get(name)
        if index is None:
            made: dict[Any, list[int]] = defaultdict(list)
            for place, record in enumerate(self.records):
                made[getattr(record, name)].append(place)
            index = self.places[name] = dict(made)
        return index.get(value, ())


class TableFile:
    """The records of `kennels.csv` or `kennels.xlsx`.

    `key` is the field that names a record: filled in each row, each time differently. `record` is a
    dataclass whose fields are the columns to show; without it all are shown, with types found in the
    rows, except where `types` says one. `names` gives a column another field name.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        key: str,
        record: type | None = None,
        names: Mapping[str, str] | None = None,
        types: Mapping[str, type] | None = None,
        sheet: str | None = None,
        encoding: str = "utf-8-sig",
        separator: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.key = key
        self._form = Form(sheet, encoding, separator)
        self._names = dict(names or {})
        self._reading = threading.Lock()
        stamp = self._stamp()
        header, rows = self._rows()
        check_key(key, header, str(self.path))
        self.record = record or self._record_of(header, rows, types or {})
        plain_fields(self.record, str(self.path))
        self._table = self._load(stamp, header, rows)

    def find(self, wanted: Mapping[str, Any], *, limit: int, offset: int = 0) -> Page:
        """Return the records whose fields have these values; without any, all."""
        table = self._current()
        found = [table.places_of(name, value) for name, value in wanted.items()]
        if not found:
            return Page(len(table.records), table.records[offset : offset + limit])
        shortest, *others = sorted(found, key=len)
        sets = [frozenset(places) for places in others]
        places = [place for place in shortest if all(place in held for held in sets)]
        return Page(len(places), tuple(table.records[place] for place in places[offset : offset + limit]))

    def samples(self, limit: int) -> Sequence[Any]:
        """Return the first records."""
        return self._current().records[:limit]

    def _current(self) -> _Table:
        try:
            if self._stamp() == self._table.stamp:
                return self._table
            with self._reading:  # who waited finds it read
                stamp = self._stamp()
                if stamp != self._table.stamp:
                    header, rows = self._rows()
                    self._table = self._load(stamp, header, rows)
                    _log.info("the file was read again", extra={"file": str(self.path), "rows": len(rows)})
                return self._table
        except SourceError as cause:
            _log.error("the file cannot be used", extra={"reason": str(cause)})
            raise UnavailableError("registry.source_unusable") from cause

    def _stamp(self) -> Stamp:
        try:
            status = self.path.stat()
        except OSError as cause:
            raise SourceError(f"{self.path}: {cause.strerror or cause}") from cause
        return status.st_mtime_ns, status.st_size

    def _rows(self) -> tuple[list[str], list[Row]]:
        """Return the field names of the header and the rows under it."""
        header, *rows = list(read_rows(self.path, self._form)) or [(1, [])]
        if not header[1]:
            raise SourceError(f"{self.path}: empty; its first line must name the columns")
        unnamed = [number for number, said in enumerate(header[1], start=1) if not said]
        if unnamed:
            raise SourceError(f"{self.path}, line {header[0]}: column {unnamed[0]} has no name")
        names = name_columns(header[1], self._names, str(self.path))
        for line, cells in rows:
            if len(cells) > len(names):
                raise SourceError(f"{self.path}, line {line}: {len(cells)} cells under {len(names)} columns")
            cells.extend([""] * (len(names) - len(cells)))
        return names, rows

    def _record_of(self, header: Sequence[str], rows: Sequence[Row], types: Mapping[str, type]) -> type:
        unknown = sorted(set(types) - set(header))
        if unknown:
            raise SourceError(f"{self.path}: types says {unknown[0]!r}, which is no field of {', '.join(header)}")
        columns = []
        for place, name in enumerate(header):
            texts = [cells[place] for _, cells in rows]
            longest = max(map(len, texts), default=0)
            columns.append(
                Column(
                    said=name,
                    name=name,
                    kind=types.get(name) or kind_of(texts),
                    max_length=MAX_LENGTH if longest <= MAX_LENGTH else MAX_CELL_LENGTH,
                )
            )
        return make_record(self.path.stem, columns, self.key)

    def _load(self, stamp: Stamp, header: Sequence[str], rows: Sequence[Row]) -> _Table:
        specs = describe(self.record).fields
        missing = [spec.name for spec in specs if spec.name not in header]
        if missing:
            raise SourceError(f"{self.path}: there is no column for {missing[0]}; there are {', '.join(header)}")
        places = [(spec, header.index(spec.name)) for spec in specs]
        keys: dict[Any, int] = {}
        records = []
        for line, cells in rows:
            values = {spec.name: self._value(spec, cells[place], line) for spec, place in places}
            key = values[self.key]
            if key is None:
                raise SourceError(f"{self.path}, line {line}: the key {self.key} is empty")
            if keys.setdefault(key, line) != line:
                raise SourceError(f"{self.path}, line {line}: {self.key} {key} stands in line {keys[key]} already")
            records.append(self.record(**values))
        return _Table(stamp, tuple(records))

    def _value(self, spec: FieldSpec, text: str, line: int) -> Any:
        if not text:
            if spec.required:
                raise SourceError(f"{self.path}, line {line}: {spec.name} is empty")
            return None if spec.default is dataclasses.MISSING else spec.default
        try:
            if spec.type is str or spec.choices:
                return read_present(spec, text, spec.name)
            return read_cell(text, spec.type)
        except (ValueError, RequestError) as cause:
            expected = expected_form(spec) if len(text) <= spec.declaration.max_length else "a shorter text"
            raise SourceError(f"{self.path}, line {line}: {spec.name} is no {expected}: {text[:40]!r}") from cause

"""`surma registry new`: a folder with a registry that runs, from a file, a table, or a sample of three rows.

The fields and their types are those of the source as it is now, written down as a dataclass, so that
the service's description does not change when the data do. No value of a record is written anywhere.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

import typer
from jinja2 import Environment, StrictUndefined
from sqlalchemy.engine import make_url

from registry_adapters.sdk.fields import FieldSpec, describe
from registry_adapters.sdk.sources.base import SourceError, name_columns
from registry_adapters.sdk.sources.files import TableFile
from registry_adapters.sdk.sources.naming import type_name
from registry_adapters.sdk.sources.reading import Form, read_rows
from registry_adapters.sdk.sources.sql import SqlTable

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SAMPLE: Final = "number,name,city\n0001,First,Kyiv\n0002,Second,Lviv\n0003,Third,Kyiv\n"
ENCODINGS: Final = ("utf-8-sig", "cp1251")
MAX_SEARCHED: Final = 2  # fields a search is scaffolded with
FILES: Final = {
    "registry.py": "{}.py",
    "test.py": "test_{}.py",
    "pytest.ini": "pytest.ini",
    "README.md": "README.md",
    "README.uk.md": "README.uk.md",
}
_IMPORTS: Final[Mapping[type, str]] = {
    date: "from datetime import date",
    datetime: "from datetime import datetime",
    Decimal: "from decimal import Decimal",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """A source as it was found: its fields, and how a registry file opens it."""

    kind: str
    place: str
    key: str
    fields: tuple[FieldSpec, ...]
    file: str = ""
    variable: str = ""  # of the environment, that has the database's URL


def new(
    name: str,
    folder: Path,
    *,
    file: Path | None = None,
    url: str | None = None,
    table: str | None = None,
    key: str | None = None,
) -> list[str]:
    """Make the folder with all that a registry needs; return what to tell. Raises typer.BadParameter."""
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module) or module in sys.stdlib_module_names:
        raise typer.BadParameter(f"{name} is no name for a registry: lower case Latin letters, such as dog-kennels")
    if (url is None) != (table is None) or (file is not None and url is not None):
        raise typer.BadParameter("give --csv, or --sql with --table, or neither for a sample")
    if folder.exists():
        raise typer.BadParameter(f"{folder} is there already")
    try:
        if url is not None and table is not None:
            found = _of_table(url, table, key)
        elif file is not None:
            found = _of_file(file, key)
        else:
            found = None
    except SourceError as cause:
        raise typer.BadParameter(str(cause)) from cause
    folder.mkdir(parents=True)
    if found is None:
        (folder / f"{name}.csv").write_text(SAMPLE, encoding="utf-8")
        found = _of_file(folder / f"{name}.csv", key)
    elif file is not None:
        shutil.copyfile(file, folder / found.file)
    _write(folder, name, found)
    return [
        f"made {folder}: {module}.py declares the registry, README.md says what comes next",
        f"surma registry check {folder / module}.py",
        f"surma registry serve {folder / module}.py",
        *([f"set {found.variable} to the URL of the database first"] if found.variable else []),
    ]


def _of_file(file: Path, key: str | None) -> _Found:
    encoding = _encoding_of(file)
    source = TableFile(file, key=key or _key_of(file, encoding), encoding=encoding)
    place = f'HERE / "{file.name}"' + ("" if encoding == ENCODINGS[0] else f', encoding="{encoding}"')
    return _Found("TableFile", place, source.key, _specs(source), file.name)


def _encoding_of(file: Path) -> str:
    """Return the encoding of a CSV file: UTF-8, or what it is when it is not."""
    for encoding in ENCODINGS:
        try:
            for _ in read_rows(file, Form(encoding=encoding)):
                pass
        except SourceError as cause:
            if isinstance(cause.__cause__, UnicodeError):
                continue
            raise
        return encoding
    return ENCODINGS[0]


def _key_of(file: Path, encoding: str) -> str:
    """Return the first column that has another value in every row."""
    (_, header), *rows = list(read_rows(file, Form(encoding=encoding))) or [(1, [])]
    for place, name in enumerate(name_columns(header, {}, str(file))):
        values = [cells[place] for _, cells in rows if len(cells) > place and cells[place]]
        if values and len(values) == len(rows) == len(set(values)):
            return name
    raise SourceError(f"{file}: no column has another value in every row; say with --key which one names a record")


def _of_table(url: str, table: str, key: str | None) -> _Found:
    source = SqlTable(url, table, key=key or "")
    source.close()
    parsed = make_url(url)
    if parsed.password:  # does not go into a file that will be shared
        variable = f"{type_name(table).upper()}_URL"
        return _Found("SqlTable", f'os.environ["{variable}"], "{table}"', source.key, _specs(source), variable=variable)
    if parsed.get_backend_name() == "sqlite":
        parsed = parsed.set(database=str(Path(parsed.database or "").absolute()))
    return _Found("SqlTable", f'"{parsed}", "{table}"', source.key, _specs(source))


def _specs(source: TableFile | SqlTable) -> tuple[FieldSpec, ...]:
    return describe(source.record).fields


def _write(folder: Path, name: str, found: _Found) -> None:
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)  # noqa: S701  no HTML
    facts = _facts(name, found)
    for template, target in FILES.items():
        source = resources.files("registry_adapters.cli") / "templates" / f"{template}.jinja"
        text = environment.from_string(source.read_text(encoding="utf-8")).render(facts)
        (folder / target.format(facts["module"])).write_text(text, encoding="utf-8")


def _facts(name: str, found: _Found) -> dict[str, Any]:
    person = next((spec.name for spec in found.fields if "rnokpp" in spec.name), None)
    used = {spec.type for spec in found.fields}
    return {
        "registry": name,
        "module": name.replace("-", "_"),
        "title": f"Register of {name}",
        "record": _singular(type_name(name)),
        "records": type_name(name),
        "source": found.kind,
        "place": found.place,
        "file": found.file,
        "key": found.key,
        "fields": [(spec.name, spec.type.__name__) for spec in found.fields],
        "environment": found.variable,
        "imports": [line for kind, line in _IMPORTS.items() if kind in used],
        "person": f', person="{person}"' if person else "",
        "by": _searched(found, person),
    }


def _searched(found: _Found, person: str | None) -> Sequence[str]:
    texts = [spec.name for spec in found.fields if spec.type is str and spec.name not in (found.key, person)]
    return (*((person,) if person else ()), *texts)[:MAX_SEARCHED]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else f"{word}Record"

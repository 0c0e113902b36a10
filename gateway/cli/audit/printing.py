"""Answers as people read them in a terminal: tables, sentences, and bars where somebody is looking."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import typer

from gateway.runtime.texts import render

Text = Callable[..., str]
_LONGEST: Final = 60  # characters of a cell; what is longer is in --json
Advance = Callable[[int, int | None], None]  # done, and the total once it is known


def texts_of(words: str) -> Text:
    """Return the function that gives a sentence of a language."""

    def text(text_id: str, /, **facts: object) -> str:
        return render(text_id, facts, words)

    return text


def say(line: str) -> None:
    """Print a line; what was recorded can neither write lines nor colours of its own."""
    typer.echo(printable(line))


def say_json(facts: Any) -> None:
    """Print a JSON document."""
    typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def printable(line: str) -> str:
    """Return a line in which everything can be printed."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in line)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table; the last column is as wide as it likes."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False))
        yield "  ".join((*padded, row[-1])).rstrip()


def pairs(facts: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield names with their values; those without one are left out."""
    shown = [(name, str(value)) for name, value in facts if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        yield f"  {name.ljust(width)}  {value}"


def day_and_time(text: str | None) -> str:
    """Return a time of the API without its letters."""
    return "" if text is None else text.replace("T", " ").removesuffix("Z")


@contextmanager
def progress(description: str, *, in_bytes: bool = False) -> Iterator[Advance]:
    """Show a bar on standard error while somebody is looking."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _cell(value: object) -> str:
    text = "" if value is None else printable(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

"""Is the trail unbroken? Every number follows the one before, and every line names the hash of the last.

A half line is bearable only where the event behind it says so. What was cut off at the end, nothing in
the trail can tell: that needs a number and hash which somebody noted outside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.runtime.audit.files import every_file, join_torn
from gateway.runtime.audit.model import Head, hash_of, parse_line
from gateway.runtime.audit.trail import TORN_EVENT


@dataclass(frozen=True, slots=True)
class TrailVerdict:
    """How far the trail holds; `broken` says what is wrong with the line `line` of `file`."""

    events: int
    head: Head
    first: int
    torn_lines: int
    unfinished_bytes: int
    file: str | None = None
    line: int | None = None
    broken: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None


@dataclass(frozen=True, slots=True)
class _Line:
    file: str
    number: int
    content: bytes
    is_whole: bool


class _Broken(Exception):  # noqa: N818
    def __init__(self, line: _Line | None, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def verify_trail(directory: Path, *, begins_at: int = 1, noted: Head | None = None) -> TrailVerdict:
    """Walk the whole trail.

    `begins_at` is the first event that must be there, for trails whose oldest files were moved away;
    `noted` is a head that somebody kept outside.
    """
    walk = _Walk(begins_at, noted)
    try:
        walk.run(_lines(directory))
    except _Broken as broken:
        return walk.verdict(broken)
    return walk.verdict()


class _Walk:
    def __init__(self, begins_at: int, noted: Head | None) -> None:
        self._begins_at = begins_at
        self._noted = noted
        self._head: Head | None = None
        self._torn: list[_Line] = []
        self._first = self._events = self._torn_lines = 0
        self._found_noted = noted is None or noted.number == 0

    def verdict(self, broken: _Broken | None = None) -> TrailVerdict:
        unfinished = sum(len(line.content) for line in self._torn)
        facts = (self._events, self._head or Head(), self._first, self._torn_lines, unfinished)
        if broken is None:
            return TrailVerdict(*facts)
        line = broken.line
        return TrailVerdict(*facts, line.file if line else None, line.number if line else None, broken.reason)

    def run(self, lines: Iterator[_Line]) -> None:
        for line in lines:
            fields = parse_line(line.content)
            if fields is None:
                self._torn.append(line)
                continue
            if self._torn:
                self._explain(fields)
            else:
                self._follow(line, fields)
            self._first = self._first or fields["n"]
            self._events += 1
            self._head = Head(fields["n"], hash_of(line.content))
            self._compare(line)
        if any(line.is_whole for line in self._torn):
            raise _Broken(self._torn[0], "this line is no event, and no event behind it explains that")
        if not self._found_noted:
            assert self._noted is not None
            reason = f"event {self._noted.number}, which was noted outside, is not here: the end was cut off"
            raise _Broken(None, reason)

    def _follow(self, line: _Line, fields: dict[str, Any]) -> None:
        head, number = self._head, fields["n"]
        if head is None:
            if number != self._begins_at:
                raise _Broken(line, f"the trail begins with event {number}, not with {self._begins_at}")
            if number == 1 and fields["previous"] != Head().line_sha256:
                raise _Broken(line, "the first event does not begin a trail")
        elif number != head.number + 1:
            raise _Broken(line, f"event {number} stands where event {head.number + 1} belongs")
        elif fields["previous"] != head.line_sha256:
            raise _Broken(line, f"event {number} does not follow the line before it: one of the two was changed")

    def _explain(self, fields: dict[str, Any]) -> None:
        head = self._head or Head(self._begins_at - 1)
        explained = (
            fields.get("event") == TORN_EVENT
            and fields["n"] == head.number + 1
            and fields["previous"] == hash_of(join_torn([line.content for line in self._torn]))
            and fields.get("after_sha256") == (head.line_sha256 if self._head else fields.get("after_sha256"))
        )
        if not explained:
            raise _Broken(self._torn[0], "this line is no event, and the event behind it does not explain that")
        self._torn_lines += len(self._torn)
        self._torn = []

    def _compare(self, line: _Line) -> None:
        noted = self._noted
        if noted is not None and self._head is not None and self._head.number == noted.number:
            if self._head.line_sha256 != noted.line_sha256:
                raise _Broken(line, f"event {noted.number} is not the one that was noted outside")
            self._found_noted = True


def _lines(directory: Path) -> Iterator[_Line]:
    for path in every_file(directory):
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _Line(path.name, number, line.removesuffix(b"\n"), line.endswith(b"\n"))

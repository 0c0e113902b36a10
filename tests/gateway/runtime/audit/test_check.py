from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.runtime.audit.check import verify_trail
from gateway.runtime.audit.files import CURRENT, closed_files
from gateway.runtime.audit.model import Deed, Head, hash_of, link
from gateway.runtime.audit.trail import Trail
from gateway.runtime.clock import FixedClock

CLOCK = FixedClock(datetime(2026, 3, 1, 9, tzinfo=UTC))
Lines = list[bytes]


@pytest.fixture
def head(tmp_path: Path) -> Head:
    """The end of a trail of five events in `tmp_path`."""
    trail = Trail(tmp_path, CLOCK)
    return [trail.write(Deed("Add client", "olena", data={"number": number})) for number in range(5)][-1]


def tamper(folder: Path, change: Callable[[Lines], Lines]) -> None:
    path = folder / CURRENT
    path.write_bytes(b"".join(line + b"\n" for line in change(path.read_bytes().splitlines())))


def relinked(lines: Lines) -> Lines:
    """What somebody who knows the format makes of it: every number and hash is right again."""
    head, made = Head(), []
    for line in lines:
        fields = {k: v for k, v in json.loads(line).items() if k not in ("time", "n", "previous")}
        made.append(link(fields, head, CLOCK.now()))
        head = Head(head.number + 1, hash_of(made[-1]))
    return made


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"olena", b"taras"), *lines[3:]], 4),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], b"", *lines[2:]], 3),
        (lambda lines: [*lines[:2], b"{}", *lines[2:]], 3),
        (lambda lines: [*lines[:2], lines[2][:40], *lines[3:]], 3),
        (lambda lines: [*lines, b"half"], 6),
    ],
    ids=["edited", "deleted", "swapped", "doubled", "beheaded", "blank", "foreign", "halved", "garbage behind"],
)
def test_damage_is_found_and_named(tmp_path: Path, head: Head, change: Callable[[Lines], Lines], line: int) -> None:
    tamper(tmp_path, change)
    verdict = verify_trail(tmp_path)
    assert (verdict.holds, verdict.file, verdict.line) == (False, CURRENT, line)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines[:-1], lines[-1].replace(b"olena", b"taras")],
        lambda lines: relinked(lines[:1] + lines[2:]),
        lambda lines: relinked([line.replace(b"olena", b"taras") for line in lines]),
        lambda lines: [],
    ],
    ids=["cut", "last edited", "deleted and linked anew", "edited and linked anew", "emptied"],
)
def test_what_the_trail_itself_cannot_tell_is_found_by_an_end_noted_outside(
    tmp_path: Path, head: Head, change: Callable[[Lines], Lines]
) -> None:
    assert verify_trail(tmp_path, noted=head).holds
    tamper(tmp_path, change)
    assert verify_trail(tmp_path).holds
    assert not verify_trail(tmp_path, noted=head).holds


def test_noted_end_need_not_be_the_last_event(tmp_path: Path, head: Head) -> None:
    Trail(tmp_path, CLOCK).write(Deed("Delete client", "olena"))
    assert verify_trail(tmp_path, noted=head).holds


def test_older_files_may_be_moved_away_when_that_is_said(tmp_path: Path) -> None:
    trail = Trail(tmp_path, CLOCK, max_file_bytes=600)
    for number in range(12):
        trail.write(Deed("Add client", "olena", data={"number": number}))
    closed_files(tmp_path)[0].unlink()
    left = verify_trail(tmp_path)
    assert not left.holds
    first = int(closed_files(tmp_path)[0].name[6:18])
    verdict = verify_trail(tmp_path, begins_at=first)
    assert (verdict.holds, verdict.first, verdict.events) == (True, first, 12 - first + 1)


def test_file_missing_in_the_middle_is_found(tmp_path: Path) -> None:
    trail = Trail(tmp_path, CLOCK, max_file_bytes=600)
    for number in range(12):
        trail.write(Deed("Add client", "olena", data={"number": number}))
    closed_files(tmp_path)[1].unlink()
    verdict = verify_trail(tmp_path)
    assert (verdict.holds, verdict.line) == (False, 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / CURRENT).write_bytes(content)
    verdict = verify_trail(folder)
    assert verdict.events == 0
    assert verdict.holds == (b"\n" not in content)

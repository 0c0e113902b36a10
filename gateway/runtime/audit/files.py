"""The files of the trail: `audit.log` grows, and is renamed by its first event once it is large enough."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.runtime.audit.model import Head, hash_of, parse_line

CURRENT: Final = "audit.log"
LOCK: Final = "audit.lock"
PENDING: Final = "audit.pending"
_CLOSED: Final = re.compile(r"audit-(\d{12})\.log")
BLOCK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tail:
    """How a file ends: its last event, and what stands behind that and is none, such as half a line."""

    head: Head | None
    torn: bytes


def closed_name(first: int) -> str:
    """Return the name of a file that is full, by the number of its first event."""
    return f"audit-{first:012d}.log"


def closed_files(directory: Path) -> list[Path]:
    """Return the files that are full, oldest first."""
    found = [path for path in directory.glob("audit-*.log") if _CLOSED.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name)


def every_file(directory: Path) -> list[Path]:
    """Return all files of the trail, oldest first."""
    current = directory / CURRENT
    return [*closed_files(directory), *([current] if current.exists() else [])]


def lines_backwards(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the lines of a file, last first, without their ends; what has no end is a line too."""
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        rest, is_first = b"", True
        while at > 0:
            size = min(block_bytes, at)
            at -= size
            file.seek(at)
            rest, *whole = (file.read(size) + rest).split(b"\n")
            for line in reversed(whole):
                if line or not is_first:
                    yield line
                is_first = False
        if rest or not is_first:
            yield rest


def read_tail(path: Path) -> Tail:
    """Return how a file ends."""
    torn: list[bytes] = []
    for line in lines_backwards(path):
        fields = parse_line(line)
        if fields is not None:
            return Tail(Head(fields["n"], hash_of(line)), join_torn(torn))
        torn.insert(0, line)
    return Tail(None, join_torn(torn))


def join_torn(lines: list[bytes]) -> bytes:
    """Return lines that are no events as the one piece that an event behind them explains."""
    return b"\n".join(lines)


def first_number(path: Path) -> int:
    """Return the number of the first event in a file; 0 when it has none."""
    with path.open("rb") as file:
        for line in file:
            fields = parse_line(line.rstrip(b"\n"))
            if fields is not None:
                return int(fields["n"])
    return 0

"""Recorded HTTP messages (`*.http`): the bytes as they were on the connection, chunk framing included."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Recording:
    """One HTTP message: iterates as `(start_line, headers, body)`; the body is without framing."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __iter__(self) -> Any:
        return iter((self.start_line, self.headers, self.body))

    def header(self, name: str) -> str | None:
        """Return the first header of this name, without regard to case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def vectors() -> Path:
    """Return the folder of recorded vectors, or skip the test that asks for it."""
    folder = find_vectors()
    if folder is None:
        pytest.skip("no recorded vectors: set SURMA_VECTORS to their folder")
    return folder


def find_vectors() -> Path | None:
    """Return the folder of recorded vectors if this machine has them."""
    folder = Path(os.environ.get("SURMA_VECTORS") or _ROOT.parent / "shared" / "vectors")
    return folder if (folder / "cases.json").is_file() else None


def transport_cases() -> list[str]:
    """Return the names of the recorded exchanges between servers; none when there are no vectors."""
    folder = find_vectors()
    return [] if folder is None else sorted(path.parent.name for path in folder.glob("transport/*/case.json"))


def read_case(path: Path) -> dict[str, Any]:
    """Return the facts of a recorded exchange."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def read_recording(path: Path) -> Recording:
    """Read a recorded HTTP/1.1 message."""
    return parse_recording(path.read_bytes())


def parse_recording(raw: bytes) -> Recording:
    """Take an HTTP/1.1 message apart: start line, headers in their order and case, body without framing."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    start_line, *lines = head.decode("latin-1").split("\r\n")
    headers = tuple((name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines))
    chunked = any(name.lower() == "transfer-encoding" and "chunked" in value for name, value in headers)
    return Recording(start_line, headers, _unchunk(rest) if chunked else rest)


def _unchunk(data: bytes) -> bytes:
    pieces = []
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            break
        pieces.append(data[:size])
        data = data[size + 2 :]
    return b"".join(pieces)

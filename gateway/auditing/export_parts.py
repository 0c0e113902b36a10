"""A file that grows beside an export and is continued at a known length."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1024 * 1024


class Part:
    """One such file, cut to the length it is continued at: what came after it never counted."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._file = path.open("r+b" if path.exists() else "w+b")
        if os.fstat(self._file.fileno()).st_size < size:
            self._file.close()
            raise ValueError(f"{path.name} is shorter than {size} bytes")
        self._file.truncate(size)
        self._file.seek(size)

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self.size += len(data)

    def sync(self) -> int:
        """Put everything on the disk; return the length."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.size

    def chunks(self) -> Iterator[bytes]:
        """Yield what was synced, from the beginning."""
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        """Close; what was not synced may be lost, also because the disk is full."""
        try:
            self._file.close()
        except OSError:
            return

"""A zip of any size, written to disk in bounded memory and continued after a break (PKWARE APPNOTE 4.3).

The central directory grows in a file of its own beside the zip and is put behind it at the end. What
`position` says after `sync` is on the disk, and writing continues from there, whatever came after it.
Fields of Zip64 appear only where a number needs them: strict readers, ours among them, refuse them.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedRandom
from pathlib import Path
from typing import Final

from gateway.xroad.asic.archive import dos_time

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_SIZES: Final = struct.Struct("<2H2Q")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_END: Final = struct.Struct("<4s4H2LH")
_VERSION: Final = 20
_ZIP64_VERSION: Final = 45
_FLAGS: Final = 1 << 11  # UTF-8 names
_ZIP64: Final = 0x0001
_HERE: Final = 0xFFFFFFFF  # from here on a number stands in a field of Zip64
_MANY: Final = 0xFFFF  # and so does a number of entries
_FILE_MODE: Final = 0o100600 << 16
_UNIX: Final = 3 << 8
_COPY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Position:
    """How far a zip is written: bytes of entries, bytes of the directory, number of entries."""

    size: int = 0
    directory: int = 0
    entries: int = 0


class ZipStream:
    """A zip being written; entries are stored as they are, since containers are packed already."""

    def __init__(self, path: Path, directory_path: Path, position: Position | None = None) -> None:
        self.position = position or Position()
        self._file = _open_at(path, self.position.size)
        try:
            self._directory = _open_at(directory_path, self.position.directory)
        except BaseException:
            self._file.close()
            raise

    def add(self, name: str, chunks: Iterable[bytes], size: int, at: datetime) -> None:
        """Write an entry of `size` bytes. Raises ValueError for another number of them, OSError when the disk does."""
        encoded, start = name.encode(), self.position.size
        times = dos_time(at.astimezone(UTC))
        extra = _SIZES.pack(_ZIP64, _SIZES.size - 4, size, size) if size >= _HERE else b""
        header_size = _LOCAL.size + len(encoded) + len(extra)
        self._file.seek(start + header_size)
        crc = self._copy(name, chunks, size)
        shown, needed = min(size, _HERE), _ZIP64_VERSION if extra else _VERSION
        sizes = (crc, shown, shown, len(encoded))
        self._file.seek(start)
        self._file.write(_LOCAL.pack(b"PK\x03\x04", needed, _FLAGS, 0, *times, *sizes, len(extra)) + encoded + extra)
        record = _directory_record(encoded, sizes, (size, start), times)
        self._directory.write(record)
        self.position = Position(
            start + header_size + size, self.position.directory + len(record), self.position.entries + 1
        )

    def _copy(self, name: str, chunks: Iterable[bytes], size: int) -> int:
        crc = written = 0
        for chunk in chunks:
            self._file.write(chunk)
            crc, written = zlib.crc32(chunk, crc), written + len(chunk)
        if written != size:
            raise ValueError(f"{name} has {written} bytes, not {size}")
        return crc

    def sync(self) -> Position:
        """Put everything on the disk and return how far that is."""
        for file in (self._file, self._directory):
            file.flush()
            os.fsync(file.fileno())
        return self.position

    def finish(self) -> int:
        """Put the directory behind the entries; return the size of the zip, which is on the disk then."""
        place = self.position
        self._directory.flush()
        self._directory.seek(0)
        self._file.seek(place.size)
        shutil.copyfileobj(self._directory, self._file, _COPY_BYTES)
        end = place.size + place.directory
        tail = b""
        if place.entries >= _MANY or end >= _HERE:
            tail = _END_64.pack(
                b"PK\x06\x06", _END_64.size - 12, _UNIX | _ZIP64_VERSION, _ZIP64_VERSION, 0, 0,
                place.entries, place.entries, place.directory, place.size,
            ) + _LOCATOR_64.pack(b"PK\x06\x07", 0, end, 1)  # fmt: skip
        count = min(place.entries, _MANY)
        tail += _END.pack(b"PK\x05\x06", 0, 0, count, count, min(place.directory, _HERE), min(place.size, _HERE), 0)
        self._file.write(tail)
        self._file.flush()
        os.fsync(self._file.fileno())
        return end + len(tail)

    def close(self) -> None:
        """Close the files; what was not synced may be lost. Nothing is raised for a full disk."""
        for file in (self._file, self._directory):
            try:
                file.close()
            except OSError:
                continue


def _open_at(path: Path, size: int) -> BufferedRandom:
    file = path.open("r+b" if path.exists() else "w+b")
    if os.fstat(file.fileno()).st_size < size:
        file.close()
        raise ValueError(f"{path.name} is shorter than {size} bytes")
    file.truncate(size)
    file.seek(size)
    return file


def _directory_record(
    name: bytes, sizes: tuple[int, int, int, int], place: tuple[int, int], times: tuple[int, int]
) -> bytes:
    size, start = place
    large = [number for number in (size, size, start) if number >= _HERE]
    extra = struct.pack(f"<2H{len(large)}Q", _ZIP64, 8 * len(large), *large) if large else b""
    needed = _ZIP64_VERSION if large else _VERSION
    return (
        _CENTRAL.pack(
            b"PK\x01\x02", _UNIX | needed, needed, _FLAGS, 0, *times, *sizes,
            len(extra), 0, 0, 0, _FILE_MODE, min(start, _HERE),
        )
        + name
        + extra
    )  # fmt: skip

"""The zip of an archive, as the reference writes it at level 0 (PKWARE APPNOTE 4.3, RFC 1951 3.2.4).

Every entry is deflated without being compressed: containers are packed already. Sizes follow the data,
names are UTF-8, times stand in a field of their own to the second. The target is only written forward,
so it may be a pipe.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

from gateway.xroad.asic.archive import dos_time

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_DESCRIPTOR: Final = struct.Struct("<4s3L")
_BLOCK: Final = struct.Struct("<B2H")
_VERSION: Final = 20
_FLAGS: Final = 0x0808  # sizes behind the data, UTF-8 names
_DEFLATED: Final = 8
_MAX_BLOCK: Final = 0xFFFF
_MAX_BYTES: Final = 0xFFFFFFFF


class Target(Protocol):
    """Something that takes bytes one after the other."""

    def write(self, data: bytes, /) -> object:
        """Take some bytes, all of them."""
        ...


class ZipWriter:
    """A zip that grows at the end; `size` is how long it is."""

    def __init__(self, target: Target) -> None:
        self.size = 0
        self._target = target
        self._directory: list[bytes] = []

    def add(self, name: str, chunks: Iterable[bytes], at: datetime) -> None:
        """Append an entry of this name and time. Raises ValueError beyond what a zip of this kind can hold."""
        raw = name.encode("utf-8")
        extra = b"UT" + struct.pack("<HBL", 5, 1, int(at.timestamp()) & 0xFFFFFFFF)
        time, date = dos_time(at.astimezone(UTC))
        offset = self.size
        head = _LOCAL.pack(
            b"PK\x03\x04", _VERSION, _FLAGS, _DEFLATED, time, date, 0, 0, 0, len(raw), len(extra)
        )  # fmt: skip
        self._write(head + raw + extra)
        crc, size, packed = self._store(chunks)
        if self.size > _MAX_BYTES or len(self._directory) == _MAX_BLOCK:
            raise ValueError("the archive is too large for one file")
        self._write(_DESCRIPTOR.pack(b"PK\x07\x08", crc, packed, size))
        self._directory.append(
            _CENTRAL.pack(
                b"PK\x01\x02", _VERSION, _VERSION, _FLAGS, _DEFLATED, time, date, crc, packed, size,
                len(raw), len(extra), 0, 0, 0, 0, offset,
            ) + raw + extra
        )  # fmt: skip

    def finish(self) -> None:
        """Write the directory; nothing may follow."""
        start = self.size
        listing = b"".join(self._directory)
        count = len(self._directory)
        self._write(listing + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listing), start, 0))

    def _store(self, chunks: Iterable[bytes]) -> tuple[int, int, int]:
        """Write the data as stored blocks, each but the last full; return check sum, size and packed size."""
        crc, size, packed, pending = 0, 0, 0, b""
        for chunk in chunks:
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            pending = pending + chunk if pending else chunk
            while len(pending) > _MAX_BLOCK:
                packed += self._block(pending[:_MAX_BLOCK], is_last=False)
                pending = pending[_MAX_BLOCK:]
        packed += self._block(pending, is_last=True)
        return crc, size, packed

    def _block(self, data: bytes, *, is_last: bool) -> int:
        self._write(_BLOCK.pack(is_last, len(data), len(data) ^ 0xFFFF) + data)
        return _BLOCK.size + len(data)

    def _write(self, data: bytes) -> None:
        self._target.write(data)
        self.size += len(data)

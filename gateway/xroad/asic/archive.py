"""Zip archives, read so that no two readers see different entries (PKWARE APPNOTE 4.3).

A zip says everything twice, in local headers and in the central directory, and readers believe one or
the other (X-Road's verifier the first, most tools the second). Here both must say the same, entries
must lie end to end from the first byte to the directory, and nothing may stand behind it. Sizes are
bounded before anything is inflated, and inflating stops at the size that was announced.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, digest_of_chunks
from gateway.xroad.faults import MalformedMessage

CODE: Final = "asic_invalid_container"

MAX_ENTRIES: Final = 1024
MAX_COMMENT_BYTES: Final = 0xFFFF

_CHUNK_BYTES: Final = 64 * 1024
_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTOR: Final = struct.Struct("<3L")
_END_MAGIC: Final = b"PK\x05\x06"
_CENTRAL_MAGIC: Final = b"PK\x01\x02"
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"

_STORED: Final = 0
_DEFLATED: Final = 8
_HAS_DESCRIPTOR: Final = 1 << 3
_KNOWN_FLAGS: Final = _HAS_DESCRIPTOR | 1 << 11 | 0b110  # descriptor, UTF-8 names, how hard it was compressed
# Zip64 and Unicode-path extras give a second size or name to readers that know them.
_REFUSED_EXTRAS: Final = frozenset({0x0001, 0x7075})
_UNIX: Final = 3
_FILE_TYPES: Final = frozenset({0, 0o100000})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name and its bytes, still packed."""

    name: str
    size: int
    _method: int
    _crc: int
    _packed: memoryview

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; raises MalformedMessage as soon as they are not what the directory says."""
        count, crc = 0, 0
        for chunk in self._inflate() if self._method == _DEFLATED else self._slices():
            count += len(chunk)
            if count > self.size:
                raise _refused("asic.zip_size", entry=self.name)
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if count != self.size or crc != self._crc:
            raise _refused("asic.zip_size", entry=self.name)

    def read(self) -> bytes:
        """Return the bytes."""
        if self.size > _CHUNK_BYTES or self._method != _DEFLATED:
            return b"".join(self.chunks())
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(self._packed, self.size + 1)
        except zlib.error as cause:
            raise _refused("asic.zip_data", entry=self.name) from cause
        if len(data) == self.size and not inflater.eof:
            data += inflater.decompress(inflater.unconsumed_tail, 1)  # the end may follow the last byte
        if len(data) != self.size or zlib.crc32(data) != self._crc:
            raise _refused("asic.zip_size", entry=self.name)
        if not inflater.eof or inflater.unused_data:
            raise _refused("asic.zip_data", entry=self.name)
        return data

    def body(self) -> Body:
        """Return the bytes as a body, hashed now and inflated anew whenever they are asked for."""
        return EntryBody(self, digest_of_chunks(self.chunks()))

    def _slices(self) -> Iterator[bytes]:
        for start in range(0, len(self._packed), _CHUNK_BYTES):
            yield bytes(self._packed[start : start + _CHUNK_BYTES])

    def _inflate(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in self._slices():
                pending = piece
                while pending and not inflater.eof:
                    yield inflater.decompress(pending, _CHUNK_BYTES)
                    pending = inflater.unconsumed_tail
                if inflater.eof and (pending or inflater.unused_data):
                    break
            yield inflater.flush()
        except zlib.error as cause:
            raise _refused("asic.zip_data", entry=self.name) from cause
        if not inflater.eof or inflater.unused_data:
            raise _refused("asic.zip_data", entry=self.name)


@dataclass(frozen=True, slots=True)
class EntryBody:
    """An entry as a Body."""

    entry: Entry
    digest: Digest

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.entry.size

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning."""
        return self.entry.chunks()


# Returns how large the entry called so may be, or None when it has no place in the archive.
LimitOf = Callable[[str], int | None]
# Returns the bytes of an archive from a position to another one.
ReadAt = Callable[[int, int], bytes | memoryview]


def read_archive(data: bytes | memoryview, limit_of: LimitOf, *, max_entries: int = MAX_ENTRIES) -> dict[str, Entry]:
    """Return the entries of an archive by name, in the order in which they lie there.

    Raises MalformedMessage (asic_invalid_container) for anything that two readers could understand
    differently, for names without a limit, and for entries above theirs.
    """
    view = memoryview(data).cast("B")
    listing = read_listing(lambda start, stop: view[start:stop], len(view), limit_of, max_entries=max_entries)
    return {name: _entry(view[placed.start : placed.stop], placed.header, name) for name, placed in listing.items()}


def read_listing(read: ReadAt, size: int, limit_of: LimitOf, *, max_entries: int = MAX_ENTRIES) -> dict[str, Placed]:
    """Return where the entries of an archive lie, without reading them; as `read_archive` otherwise."""
    base = max(0, size - _END.size - MAX_COMMENT_BYTES)
    tail = memoryview(read(base, size))
    end = _find_end(tail)
    _, disk, first_disk, here, count, length, start, _ = _END.unpack_from(tail, end)
    if disk or first_disk or here != count or count > max_entries or start + length != base + end:
        raise _refused("asic.zip_directory")
    directory = tail[start - base : end] if start >= base else memoryview(read(start, base + end))
    headers = _read_directory(directory, count)
    headers.sort(key=lambda header: header.offset)
    stops = [*(header.offset for header in headers[1:]), start]
    entries: dict[str, Placed] = {}
    position = 0
    for header, stop in zip(headers, stops, strict=False):
        name = _name(header.name)
        limit = limit_of(name)
        if limit is None:
            raise _refused("asic.zip_entry_unknown", entry=name)
        if name in entries:
            raise _refused("asic.zip_entry_repeated", entry=name)
        if header.size > limit:
            raise _refused("asic.zip_too_large", entry=name, size_bytes=header.size, limit_bytes=limit)
        if header.offset != position:
            raise _refused("asic.zip_gap", entry=name)
        entries[name] = Placed(header, position, stop)
        position = stop
    if position != start:
        raise _refused("asic.zip_directory")
    return entries


class Placed(NamedTuple):
    """An entry that was not read yet: what the directory says of it, and from where to where it lies."""

    header: Header
    start: int
    stop: int

    def open(self, read: ReadAt) -> Entry:
        """Return the entry. Raises MalformedMessage when something else lies there."""
        return _entry(memoryview(read(self.start, self.stop)), self.header, _name(self.header.name))


class Header(NamedTuple):
    """What the central directory says of an entry."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int


def _find_end(view: memoryview) -> int:
    end = bytes(view).rfind(_END_MAGIC)
    if end < 0 or end + _END.size > len(view):
        raise _refused("asic.not_a_zip")
    comment = _END.unpack_from(view, end)[-1]
    if end + _END.size + comment != len(view):
        raise _refused("asic.zip_trailing_bytes")
    return end


def _read_directory(view: memoryview, count: int) -> list[Header]:
    headers = []
    position = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(view):
            raise _refused("asic.zip_directory")
        (
            magic,
            made_by,
            _,
            flags,
            method,
            _,
            _,
            crc,
            packed,
            size,
            name,
            extra,
            comment,
            disk,
            _,
            attributes,
            offset,
        ) = _CENTRAL.unpack_from(view, position)
        stop = position + _CENTRAL.size + name + extra + comment
        if magic != _CENTRAL_MAGIC or disk or stop > len(view) or flags & ~_KNOWN_FLAGS:
            raise _refused("asic.zip_directory")
        if method not in (_STORED, _DEFLATED) or (method == _STORED and packed != size):
            raise _refused("asic.zip_method")
        if made_by >> 8 == _UNIX and attributes >> 16 & 0o170000 not in _FILE_TYPES:
            raise _refused("asic.zip_directory")  # a link, which unpacking would follow
        name_start = position + _CENTRAL.size
        _check_extras(bytes(view[name_start + name : name_start + name + extra]))
        headers.append(Header(bytes(view[name_start : name_start + name]), flags, method, crc, packed, size, offset))
        position = stop
    if position != len(view):
        raise _refused("asic.zip_directory")
    return headers


def _entry(view: memoryview, header: Header, name: str) -> Entry:
    """Return the entry that `view` holds: local header, data, descriptor, and nothing else."""
    if len(view) < _LOCAL.size:
        raise _refused("asic.zip_local_header", entry=name)
    magic, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(view)
    start = _LOCAL.size + name_size + extra_size
    stop = start + header.packed_size
    if (magic, flags, method) != (_LOCAL_MAGIC, header.flags, header.method) or stop > len(view):
        raise _refused("asic.zip_local_header", entry=name)
    if bytes(view[_LOCAL.size : _LOCAL.size + name_size]) != header.name:
        raise _refused("asic.zip_local_header", entry=name)
    _check_extras(bytes(view[_LOCAL.size + name_size : start]))
    expected = (header.crc, header.packed_size, header.size)
    if (crc, packed, size) != expected and not (flags & _HAS_DESCRIPTOR and (crc, packed, size) == (0, 0, 0)):
        raise _refused("asic.zip_local_header", entry=name)
    descriptor = _DESCRIPTOR.pack(*expected) if flags & _HAS_DESCRIPTOR else b""
    if bytes(view[stop:]) not in ((descriptor, _DESCRIPTOR_MAGIC + descriptor) if descriptor else (b"",)):
        raise _refused("asic.zip_gap", entry=name)
    return Entry(name, header.size, header.method, header.crc, view[start:stop])


@lru_cache(maxsize=256)
def _check_extras(extras: bytes) -> None:
    position = 0
    while position < len(extras):
        if position + 4 > len(extras):
            raise _refused("asic.zip_extra")
        kind, size = struct.unpack_from("<2H", extras, position)
        position += 4 + size
        if kind in _REFUSED_EXTRAS or position > len(extras):
            raise _refused("asic.zip_extra")


def _name(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as cause:
        raise _refused("asic.zip_entry_unknown", entry=ascii(raw[:100])) from cause


def _refused(text_id: str, **facts: object) -> MalformedMessage:
    return MalformedMessage(CODE, text_id, **facts)


# Writing


def write_archive(
    entries: Iterable[tuple[str, Iterable[bytes]]],
    modified_at: datetime,
    comment: bytes,
    *,
    repeated: Collection[str] = (),
) -> Iterator[bytes]:
    """Yield an archive as the reference's library writes it: deflated, sizes behind the data, UTF-8 flag.

    `modified_at` is the time of every entry; the same input gives the same bytes. What `repeated` names is
    small and the same in many archives: it is deflated once.
    """
    position = 0
    directory = []
    extra = b"UT" + struct.pack("<HBL", 5, 1, int(modified_at.timestamp()) & 0xFFFFFFFF)
    time, date = dos_time(modified_at.astimezone(UTC))
    for name, chunks in entries:
        raw = name.encode("ascii")
        offset = position
        head = _LOCAL.pack(_LOCAL_MAGIC, 20, 0x0808, _DEFLATED, time, date, 0, 0, 0, len(raw), len(extra)) + raw + extra
        if name in repeated:
            out, crc, size = _deflate(b"".join(chunks))
            packed = len(out)
            yield head
        else:
            yield head
            deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
            crc, size, packed = 0, 0, 0
            for chunk in chunks:
                crc, size = zlib.crc32(chunk, crc), size + len(chunk)
                out = deflater.compress(chunk)
                packed += len(out)
                if out:
                    yield out
            out = deflater.flush()
            packed += len(out)
        yield out + _DESCRIPTOR_MAGIC + _DESCRIPTOR.pack(crc, packed, size)
        position += len(head) + packed + len(_DESCRIPTOR_MAGIC) + _DESCRIPTOR.size
        directory.append(
            _CENTRAL.pack(
                _CENTRAL_MAGIC, 20, 20, 0x0808, _DEFLATED, time, date, crc, packed, size,
                len(raw), len(extra), 0, 0, 0, 0, offset,
            ) + raw + extra
        )  # fmt: skip
    listing = b"".join(directory)
    count = len(directory)
    yield listing + _END.pack(_END_MAGIC, 0, 0, count, count, len(listing), position, len(comment)) + comment


@lru_cache(maxsize=64)
def _deflate(content: bytes) -> tuple[bytes, int, int]:
    """Return deflated bytes, check sum and size."""
    deflater = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush(), zlib.crc32(content), len(content)


def dos_time(at: datetime) -> tuple[int, int]:
    """Return time and date as two words, in steps of two seconds and not before 1980."""
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    return time, max(at.year - 1980, 0) << 9 | at.month << 5 | at.day

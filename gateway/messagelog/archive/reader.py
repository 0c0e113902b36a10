"""Read archives: which files there are, in which order they are linked, and what lies in each.

Nothing is read that was not asked for: a container is one range of its file, whether that lies in a
folder or in a bucket. An encrypted file is decrypted once into a private folder, and the last few are
kept there while the reader is open.
"""

from __future__ import annotations

import io
import mmap
import tempfile
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from gateway.messagelog.archive.leaves import Leaves, parse_leaves
from gateway.messagelog.archive.linking import MAX_LINKING_BYTES, LinkingInfo, parse_linking
from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord
from gateway.messagelog.archive.names import (
    CONTAINER_SUFFIX,
    LINKING_ENTRY,
    ArchiveName,
    parse_archive_name,
    parse_leaves_name,
)
from gateway.messagelog.archive.places import Place
from gateway.messagelog.archive.records import MAX_LINE_BYTES, parse_line
from gateway.xroad.asic.archive import Entry, Placed, ReadAt, read_listing
from gateway.xroad.faults import LoggingUnavailable, MalformedMessage

MAX_CONTAINERS: Final = 65_535
MAX_CONTAINER_BYTES: Final = 2 * 1024 * 1024 * 1024
_OPEN_FILES: Final = 4
_CHUNK_BYTES: Final = 1024 * 1024


class Decryptor(Protocol):
    """Makes a readable file of an encrypted one."""

    def decrypt(self, source: Path, target: Path) -> None:
        """Write the content of `source` to `target`. Raises XRoadFault when no key opens it, or its signature fails."""
        ...


@dataclass(frozen=True, slots=True)
class Ends:
    """Between which digests a file stands in its chain, and which file is before it."""

    previous_digest: str
    previous_file: str
    last_digest: str


@dataclass(slots=True)
class Opened:
    """A file that is open; what was read of it is forgotten with it."""

    read: ReadAt
    size: int
    close: Callable[[], None]
    listing: Mapping[str, Placed] | None = None
    linking: LinkingInfo | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """Where an entry lies: its file of facts, and what stands there."""

    file: ArchiveFile
    fact: ArchivedFact


class ArchiveFile:
    """One archive: a file of containers with the facts beside it, or the facts of refusals alone."""

    def __init__(self, reader: ArchiveReader, name: ArchiveName, *, has_containers: bool, has_facts: bool) -> None:
        self.name = name
        self.has_containers = has_containers
        self.has_facts = has_facts
        self._reader = reader

    @property
    def containers_name(self) -> str:
        """The name of the file of containers."""
        return self.name.containers

    @property
    def facts_name(self) -> str:
        """The name of the file of facts."""
        return self.name.records

    @property
    def linking(self) -> LinkingInfo:
        """The chain of the containers. Raises XRoadFault when it cannot be read."""
        opened = self._reader.open(self.containers_name)
        if opened.linking is None:
            opened.linking = parse_linking(self.entry(LINKING_ENTRY).read())
        return opened.linking

    @cached_property
    def ends(self) -> Ends:
        """Where the chain of this file begins and ends. Raises XRoadFault when it cannot be read."""
        linking = self.linking
        return Ends(linking.previous_digest, linking.previous_file, linking.last_digest)

    def entry_names(self) -> list[str]:
        """Return the names of all entries, in the order of the zip."""
        return list(self._listing())

    def entry(self, name: str) -> Entry:
        """Return an entry. Raises XRoadFault when there is none of this name, or the file is damaged."""
        placed = self._listing().get(name)
        if placed is None:
            raise MalformedMessage("asic_invalid_container", "archive.entry_missing", entry=name)
        return placed.open(self._reader.open(self.containers_name).read)

    def container(self, name: str) -> bytes:
        """Return a container by its entry name."""
        return self.entry(name).read()

    def containers(self) -> Iterator[tuple[str, bytes]]:
        """Yield every container with its entry name, in the order of the zip."""
        for name in self._listing():
            if name != LINKING_ENTRY:
                yield name, self.container(name)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line of the facts with its position, unread. Raises MalformedMessage for one without end."""
        opened = self._reader.open(self.facts_name)
        read, size = opened.read, opened.size
        start, position, pending = 0, 0, b""
        while position < size and len(pending) <= MAX_LINE_BYTES:
            stop = min(position + _CHUNK_BYTES, size)
            *whole, pending = (pending + bytes(read(position, stop))).split(b"\n")
            position = stop
            for line in whole:
                yield start, line
                start += len(line) + 1
        if pending:
            raise MalformedMessage("invalid_message", "archive.record_line", field="line")

    def facts(self) -> Iterator[ArchivedFact]:
        """Yield the facts of every entry, in order of the sequence. Raises XRoadFault."""
        for _, line in self.lines():
            yield parse_line(line)

    def fact_at(self, position: int) -> ArchivedFact:
        """Return the facts in the line that begins at a position."""
        opened = self._reader.open(self.facts_name)
        read, size = opened.read, opened.size
        line = b""
        while position < size and len(line) <= MAX_LINE_BYTES:
            stop = min(position + 4096, size)
            piece = bytes(read(position, stop))
            end = piece.find(b"\n")
            if end >= 0:
                return parse_line(line + piece[:end])
            line += piece
            position = stop
        raise MalformedMessage("invalid_message", "archive.record_line", field="line")

    def _listing(self) -> Mapping[str, Placed]:
        opened = self._reader.open(self.containers_name)
        if opened.listing is None:
            opened.listing = read_listing(opened.read, opened.size, _limit_of, max_entries=MAX_CONTAINERS)
        return opened.listing


@dataclass(frozen=True, slots=True)
class Chain:
    """Files that are linked one to the next; `is_complete` when the first says that nothing is before it."""

    files: tuple[ArchiveFile, ...]
    is_complete: bool


class ArchiveReader:
    """All archives of one place; used by one thread at a time, closed when done."""

    def __init__(self, place: Place, *, decryptor: Decryptor | None = None) -> None:
        self.place = place
        self._decryptor = decryptor
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._index: _Index | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of files, and remove what was decrypted."""
        while self._opened:
            self._forget()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    @cached_property
    def files(self) -> tuple[ArchiveFile, ...]:
        """Every archive, sorted by name."""
        found: dict[tuple[str, bool], set[bool]] = {}
        for text in self._names:
            name = parse_archive_name(text)
            if name is not None:
                found.setdefault((name.stem, name.is_encrypted), set()).add(name.is_containers)
        files = []
        for (stem, is_encrypted), kinds in sorted(found.items()):
            suffix = f"{'.zip' if True in kinds else '.records.jsonl'}{'.gpg' if is_encrypted else ''}"
            name = parse_archive_name(f"{stem}{suffix}")
            if name is not None:
                files.append(ArchiveFile(self, name, has_containers=True in kinds, has_facts=False in kinds))
        return tuple(files)

    @cached_property
    def chains(self) -> tuple[Chain, ...]:
        """The files of containers, each chain in the order in which its files are linked.

        A file that cannot be read stands alone in a chain that is not complete. Two files that name the
        same file before them cannot both follow it: the second begins a chain of its own.
        """
        following: dict[tuple[str, str], list[ArchiveFile]] = {}
        alone: list[ArchiveFile] = []
        for file in self.files:
            if not file.has_containers:
                continue
            try:
                previous = file.ends.previous_digest, _plain(file.ends.previous_file)
            except (MalformedMessage, LoggingUnavailable):
                alone.append(file)
                continue
            following.setdefault(previous, []).append(file)
        known = {
            (file.ends.last_digest, _plain(file.containers_name)) for files in following.values() for file in files
        }
        chains = [Chain((file,), is_complete=False) for file in alone]
        for previous, files in list(following.items()):
            for number, file in enumerate(files):
                if previous not in known or number > 0:
                    chains.append(Chain(_follow(file, following), is_complete=previous == ("", "")))
        return tuple(sorted(chains, key=lambda chain: chain.files[0].name.text))

    @cached_property
    def leaves_names(self) -> tuple[tuple[int, int, str], ...]:
        """The files of ledger hashes: first and last sequence number and name, in order."""
        found = ((parse_leaves_name(name), name) for name in self._names)
        return tuple(sorted((*ends, name) for ends, name in found if ends is not None))

    def read_leaves(self, name: str) -> Leaves:
        """Return a file of ledger hashes. Raises XRoadFault when it cannot be read."""
        opened = self.open(name)
        return parse_leaves(name, bytes(opened.read(0, opened.size)))

    def find(self, sequence: int) -> Located | None:
        """Return the entry with this number, None when no archive holds it. The first question reads all facts once."""
        if self._index is None:
            self._index = _Index(self.files)
        found = self._index.find(sequence)
        if found is None:
            return None
        file, position = found
        return Located(file, file.fact_at(position))

    def container(self, sequence: int) -> tuple[str, bytes] | None:
        """Return name and bytes of the container of an entry; None when there is none."""
        located = self.find(sequence)
        if located is None or not isinstance(located.fact, ArchivedRecord) or not located.file.has_containers:
            return None
        return located.fact.container, located.file.container(located.fact.container)

    def open(self, name: str) -> Opened:
        """Return a file, decrypted if need be. Raises LoggingUnavailable, or what its decryption raises."""
        opened = self._opened.get(name)
        if opened is None:
            while len(self._opened) >= _OPEN_FILES:
                self._forget()
            opened = self._opened[name] = self._open(name)
        self._opened.move_to_end(name)
        return opened

    @cached_property
    def _names(self) -> list[str]:
        return self.place.names()

    def _open(self, name: str) -> Opened:
        size = self.place.size(name)
        if size is None:
            raise LoggingUnavailable("internal_error", "archive.file_missing", name=name, place=self.place.url)
        parsed = parse_archive_name(name)
        path = self.place.path(name)
        if parsed is not None and parsed.is_encrypted:
            decrypted = self._decrypt(name, path, size)
            opened = _map(decrypted)
            decrypted.unlink()  # it stays readable for as long as it is open
            return opened
        if path is not None:
            return _map(path)
        return Opened(lambda start, stop: self.place.read(name, start, stop), size, lambda: None)

    def _decrypt(self, name: str, path: Path | None, size: int) -> Path:
        if self._decryptor is None:
            raise LoggingUnavailable("internal_error", "archive.key_missing", name=name)
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="surma-archive-")
        folder = Path(self._scratch.name)
        source = path
        if source is None:
            source = folder / name
            with source.open("wb") as file:
                for start in range(0, size, _CHUNK_BYTES):
                    file.write(self.place.read(name, start, min(start + _CHUNK_BYTES, size)))
        target = folder / name.removesuffix(".gpg")
        try:
            self._decryptor.decrypt(source, target)
        finally:
            if path is None:
                source.unlink(missing_ok=True)
        return target

    def _forget(self) -> None:
        _, opened = self._opened.popitem(last=False)
        opened.close()


class _Index:
    """Which line tells which entry: 24 bytes for each."""

    def __init__(self, files: tuple[ArchiveFile, ...]) -> None:
        self._files = files
        rows = array("Q"), array("Q"), array("Q")
        for number, file in enumerate(files):
            if not file.has_facts:
                continue
            for position, line in file.lines():
                rows[0].append(parse_line(line).sequence)
                rows[1].append(number)
                rows[2].append(position)
        order = sorted(range(len(rows[0])), key=rows[0].__getitem__)
        self._sequences, self._numbers, self._positions = (array("Q", (row[i] for i in order)) for row in rows)

    def find(self, sequence: int) -> tuple[ArchiveFile, int] | None:
        place = bisect_left(self._sequences, sequence)
        if place == len(self._sequences) or self._sequences[place] != sequence:
            return None
        return self._files[self._numbers[place]], self._positions[place]


def _follow(first: ArchiveFile, following: Mapping[tuple[str, str], list[ArchiveFile]]) -> tuple[ArchiveFile, ...]:
    chain = [first]
    seen = {first.name.text}
    while True:
        last = chain[-1]
        found = following.get((last.ends.last_digest, _plain(last.containers_name)), [])
        if not found or found[0].name.text in seen:
            return tuple(chain)
        chain.append(found[0])
        seen.add(found[0].name.text)


def _plain(name: str) -> str:
    return name.removesuffix(".gpg")


def _limit_of(name: str) -> int | None:
    if name == LINKING_ENTRY:
        return MAX_LINKING_BYTES
    return MAX_CONTAINER_BYTES if name.endswith(CONTAINER_SUFFIX) else None


def _map(path: Path) -> Opened:
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size == 0:
                return Opened(lambda start, stop: b"", 0, lambda: None)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise LoggingUnavailable("internal_error", "archive.place", place=str(path), reason=reason) from cause
    return Opened(lambda start, stop: mapped[start:stop], size, mapped.close)

"""One archive file while it grows: containers in their zip, facts beside it, both in the staging folder.

Neither has its name before it is finished: that holds the times of its records and the last digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from gateway.messagelog.archive.entries import ReadyEntry
from gateway.messagelog.archive.journal import NewEntry
from gateway.messagelog.archive.linking import LinkingBuilder
from gateway.messagelog.archive.model import ArchivedRecord, ArchiveSettings
from gateway.messagelog.archive.names import CONTAINERS, ENCRYPTED, LINKING_ENTRY, RECORDS, archive_stem
from gateway.messagelog.archive.openpgp import EncryptedFile
from gateway.messagelog.archive.plan import Group
from gateway.messagelog.archive.zip_writer import ZipWriter
from gateway.runtime.durable_files import sync_directory
from gateway.xroad.faults import LoggingUnavailable

BUILDING: Final = ".building"
_CHUNK_BYTES: Final = 1024 * 1024
_BUFFER_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """What lies in the staging folder, durable, under its own name; no `containers` where there were only refusals."""

    name: str
    containers: str | None
    records: str
    entries: tuple[NewEntry, ...]
    size: int
    last_digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The files in the order in which they are delivered: whoever sees containers sees their facts."""
        return (self.records,) if self.containers is None else (self.records, self.containers)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...

    def close(self) -> None: ...

    def abandon(self) -> None: ...


class ArchiveFileWriter:
    """Takes entries of one group until it is full. Raises LoggingUnavailable when the disk or a key fails."""

    def __init__(
        self,
        staging: Path,
        group: Group,
        link: tuple[str, str],
        settings: ArchiveSettings,
        recipients: tuple[Path, ...],
    ) -> None:
        self._staging = staging
        self._group = group
        self._settings = settings
        self._recipients = recipients
        self._linking = LinkingBuilder(settings.digest_algorithm, *link)
        self._entries: list[NewEntry] = []
        self._records: _Sink | None = None
        self._containers: _Sink | None = None
        self._zip: ZipWriter | None = None
        self._container_bytes = 0
        self._facts = hashlib.sha512()  # names a file that has no chain
        self._first: datetime | None = None  # of containers; of refusals as long as there are none
        self._last: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not self._entries

    @property
    def is_full(self) -> bool:
        """Whether the next entry belongs into another file: asked after adding, as the reference does."""
        return self._container_bytes > self._settings.max_file_bytes

    def add(self, entry: ReadyEntry) -> None:
        """Append an entry."""
        with _told():
            self._records = self._records or self._open(RECORDS)
            self._records.write(entry.line)
            self._facts.update(entry.line)
            if entry.container is None or not isinstance(entry.fact, ArchivedRecord):
                if self._zip is None:
                    self._extend(entry.time)
                self._entries.append(NewEntry(entry.fact.sequence, None, entry.content_hash))
            else:
                self._add_container(entry.fact, entry.container, entry)

    def finish(self) -> FinishedFile:
        """Write linking information and directory, make both files durable, and give them their names."""
        assert self._first is not None and self._last is not None  # noqa: PT018
        with _told():
            digest = self._facts.hexdigest()
            if self._zip is not None:
                digest = self._linking.last_digest
                self._zip.add(LINKING_ENTRY, [self._linking.build()], self._last)
                self._zip.finish()
            for sink in (self._records, self._containers):
                if sink is not None:
                    sink.close()
            stem = archive_stem(self._group.name, self._first, self._last, digest)
            records = self._named(stem, RECORDS)
            containers = None if self._zip is None else self._named(stem, CONTAINERS)
            sync_directory(self._staging)
            name = containers or records
            size = (self._staging / name).stat().st_size
        return FinishedFile(name, containers, records, tuple(self._entries), size, self._linking.last_digest)

    def abandon(self) -> None:
        """Forget what was written."""
        for sink in (self._records, self._containers):
            if sink is not None:
                with contextlib.suppress(OSError, LoggingUnavailable):
                    sink.abandon()
        for path in self._staging.glob(f"{BUILDING}*"):
            path.unlink(missing_ok=True)

    def _add_container(self, fact: ArchivedRecord, container: bytes | mmap.mmap, entry: ReadyEntry) -> None:
        if self._zip is None:
            self._containers = self._open(CONTAINERS)
            self._zip = ZipWriter(self._containers)
            self._first = self._last = None
        self._extend(entry.time)
        self._zip.add(fact.container, _chunks_of(container), entry.time)
        self._linking.add(fact.container, entry.linking_digest)
        self._container_bytes += fact.container_size
        digest = None if fact.unverified is None else fact.container_digest
        self._entries.append(NewEntry(fact.sequence, fact.container, entry.content_hash, fact.unverified, digest))

    def _extend(self, time: datetime) -> None:
        self._first = time if self._first is None else min(self._first, time)
        self._last = time if self._last is None else max(self._last, time)

    def _open(self, suffix: str) -> _Sink:
        path = self._staging / self._building(suffix)
        if self._recipients:
            return EncryptedFile(path, self._recipients, self._settings.encryption)
        return _PlainFile(path)

    def _building(self, suffix: str) -> str:
        # An encrypting process may outlive the one that was killed.
        return f"{BUILDING}-{os.getpid()}{suffix}{ENCRYPTED if self._recipients else ''}"

    def _named(self, stem: str, suffix: str) -> str:
        name = f"{stem}{suffix}{ENCRYPTED if self._recipients else ''}"
        (self._staging / self._building(suffix)).replace(self._staging / name)
        return name


class _PlainFile:
    """A file that is on the disk when it is closed."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES)

    def write(self, data: bytes, /) -> None:
        self._file.write(data)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        self._file.close()


def _chunks_of(container: bytes | mmap.mmap) -> Iterator[bytes]:
    if isinstance(container, bytes):
        yield container
        return
    for start in range(0, len(container), _CHUNK_BYTES):
        yield container[start : start + _CHUNK_BYTES]


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise LoggingUnavailable("internal_error", "archive.cannot_write", reason=reason) from cause

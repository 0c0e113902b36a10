"""Bodies on their way through: hashed while they are written, in memory first, then on disk.

A sink keeps the first bytes in memory; past the threshold they go to a file in a directory that
belongs to this process alone. The directory is locked as long as the process lives, and whoever
opens the spool next sweeps the directories whose lock is free: after kill -9 and a restart nothing
is left. The runtime knows no digest type, so the caller says what a SHA-512 value becomes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Generic, TypeVar

MEMORY_THRESHOLD_BYTES: Final = 64 * 1024
# Small enough that the C library takes it from its heap: larger pieces are mapped and unmapped one by one.
CHUNK_BYTES: Final = 64 * 1024
_LOCK_SUFFIX: Final = ".lock"

D = TypeVar("D")


class MemoryBody(Generic[D]):
    """A small body: its bytes and their digest."""

    __slots__ = ("data", "digest")

    def __init__(self, data: bytes, digest: D) -> None:
        self.data = data
        self.digest = digest

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    @property
    def path(self) -> None:
        """None: it lies in no file."""
        return None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes; nothing when there are none."""
        if self.data:
            yield self.data

    def release(self) -> None:
        """Do nothing: memory needs no sweeping."""


class FileBody(Generic[D]):
    """A body in a spool file; the file goes when it is released, or with the last reference."""

    __slots__ = ("__weakref__", "_finalizer", "digest", "path", "size")

    def __init__(self, path: Path, size: int, digest: D) -> None:
        self.path = path
        self.size = size
        self.digest = digest
        self._finalizer = weakref.finalize(self, _remove, path)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning, in pieces of bounded size."""
        with self.path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def release(self) -> None:
        """Remove the file; a hard link made of it before stays."""
        self._finalizer()


class SpoolSink(Generic[D]):
    """Takes the pieces of one body."""

    __slots__ = ("_directory", "_file", "_hash", "_make_digest", "_path", "_pieces", "_size", "_threshold")

    def __init__(self, directory: Path, make_digest: Callable[[bytes], D], threshold_bytes: int) -> None:
        self._directory = directory
        self._make_digest = make_digest
        self._threshold = threshold_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._hash = hashlib.sha512()
        self._file: int | None = None
        self._path: Path | None = None

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises OSError when the disk does."""
        self._size += len(chunk)
        self._hash.update(chunk)
        if self._file is None and self._size > self._threshold:
            self._spill()
        if self._file is None:
            self._pieces.append(bytes(chunk))
        else:
            _write_all(self._file, chunk)

    def finish(self) -> MemoryBody[D] | FileBody[D]:
        """Return what was written; nothing may be written afterwards."""
        digest = self._make_digest(self._hash.digest())
        if self._file is None or self._path is None:
            data = b"".join(self._pieces)
            self._pieces.clear()
            return MemoryBody(data, digest)
        os.close(self._file)
        self._file = None
        return FileBody(self._path, self._size, digest)

    def discard(self) -> None:
        """Forget what was written; for a body that never became whole."""
        self._pieces.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None
            if self._path is not None:
                _remove(self._path)

    def __del__(self) -> None:
        self.discard()

    def _spill(self) -> None:
        self._path = self._directory / secrets.token_hex(12)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        for piece in self._pieces:
            _write_all(self._file, piece)
        self._pieces.clear()


class SpoolDirectory(Generic[D]):
    """The spool of this process below `path`, shared with the other workers of the program.

    `make_digest` turns a raw SHA-512 value into the digest type of the caller, for X-Road messages
    `partial(Digest, DigestAlgorithm.SHA512)`.
    """

    def __init__(
        self, path: Path, make_digest: Callable[[bytes], D], *, memory_threshold_bytes: int = MEMORY_THRESHOLD_BYTES
    ) -> None:
        self._threshold = memory_threshold_bytes
        self._make_digest = make_digest
        path.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        self._lock, self.directory = _claim(path)

    def open_sink(self) -> SpoolSink[D]:
        """Return a sink for one body."""
        return SpoolSink(self.directory, self._make_digest, self._threshold)

    def close(self) -> None:
        """Remove the directory of this process and everything in it."""
        if self._lock is None:
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        _remove(self.directory.with_name(self.directory.name + _LOCK_SUFFIX))
        os.close(self._lock)
        self._lock = None


def _claim(path: Path) -> tuple[int | None, Path]:
    """Return a held lock and the directory it protects."""
    while True:
        directory = path / f"{os.getpid()}-{secrets.token_hex(6)}"
        lock_path = path / f"{directory.name}{_LOCK_SUFFIX}"
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_same_file(lock, lock_path):  # else a sweeper took it between open and flock
            directory.mkdir(mode=0o700)
            return lock, directory
        os.close(lock)


def _sweep(path: Path) -> None:
    """Remove the directories whose process is gone."""
    for lock_path in path.glob(f"*{_LOCK_SUFFIX}"):
        try:
            lock = os.open(lock_path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass  # its owner lives
        else:
            shutil.rmtree(path / lock_path.name.removesuffix(_LOCK_SUFFIX), ignore_errors=True)
            _remove(lock_path)
        finally:
            os.close(lock)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()

"""Bodies beside the records: one file each below `bodies/`, on disk before its record commits.

A spooled body of the same file system is linked, not copied; with a key it is written anew, encrypted.
Files lie in a folder per day, so that sweeping after a crash looks at the last days only: a file
without a record belongs to a call that was never acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from gateway.messagelog.encryption import EncryptedBody, LogKey
from gateway.xroad.bodies import Body
from gateway.xroad.digests import Digest, DigestAlgorithm

CHUNK_BYTES: Final = 256 * 1024
_SWEEP_STEP: Final = 500


class StoredBody:
    """A body in its file, with the digest its record says."""

    __slots__ = ("digest", "path", "size")

    def __init__(self, path: Path, size: int, digest: bytes) -> None:
        self.path = path
        self.size = size
        self.digest = Digest(DigestAlgorithm.SHA512, digest)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning, in pieces of bounded size."""
        with self.path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


class BodyStore:
    """The folder `bodies/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, body: Body, day: date, key: LogKey | None = None) -> str:
        """Put a body on disk, encrypted if there is a key, and return its location below the root.

        Raises OSError when the disk does.
        """
        folder = self.root / day.isoformat()
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _sync(self.root)
            _sync(self.root.parent)
        path = folder / secrets.token_hex(16)
        try:
            if key is not None:
                _write(key.encrypt_body(body), path)
            elif not _link(body, path):
                _write(body.chunks(), path)
            _sync(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        return f"{folder.name}/{path.name}"

    def open(self, location: str, size: int, digest: bytes, key: LogKey | None = None) -> Body:
        """Return the body at a location, `key` being what it was kept with. Raises FileNotFoundError."""
        path = self.root / location
        path.stat()
        return StoredBody(path, size, digest) if key is None else EncryptedBody(path, size, digest, key)

    def remove(self, location: str) -> None:
        """Remove a body whose record was not written."""
        with contextlib.suppress(OSError):
            (self.root / location).unlink()

    def sweep(self, known: Callable[[Sequence[str]], set[str]], since: date | None) -> int:
        """Remove the files of `since` less a day, and after, that `known` does not confirm; return how many."""
        removed = 0
        oldest = "" if since is None else (since - timedelta(days=1)).isoformat()
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else []:
            if folder.name < oldest:
                continue
            locations = sorted(f"{folder.name}/{file.name}" for file in folder.iterdir())
            for start in range(0, len(locations), _SWEEP_STEP):
                step = locations[start : start + _SWEEP_STEP]
                for location in set(step) - known(step):
                    self.remove(location)
                    removed += 1
        return removed


def _link(body: Body, path: Path) -> bool:
    source: Path | None = getattr(body, "path", None)
    if source is None:
        return False
    try:
        os.link(source, path)
    except OSError:  # another file system, or one without hard links
        return False
    _sync(path)
    return True


def _write(chunks: Iterable[bytes], path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

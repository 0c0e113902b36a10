"""Files that only the server changes: looked at every minute, and what somebody else changed is on record.

The hashes of the last look lie in the state directory, so an edit while the server was down is found
at its start. Changes of our own are taken as they are: they are on record as requests. The last event
of the trail is kept beside the hashes, so a trail that was cut while nobody wrote is found too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.runtime.audit.model import SYSTEM, Deed, Head, TrailUnavailable
from gateway.runtime.audit.trail import Trail
from gateway.runtime.durable_files import write_durably

log = logging.getLogger(__name__)

EDITED: Final = "Edit file outside of the server"
ADDED: Final = "Add file outside of the server"
REMOVED: Final = "Remove file outside of the server"
BEGUN: Final = "Watch files"
_CHUNK_BYTES: Final = 64 * 1024


class FileWatch:
    """Watches `files`, which is asked anew at every look: folders may gain and lose some."""

    def __init__(self, trail: Trail, memory: Path, files: Callable[[], Iterable[Path]]) -> None:
        self._trail = trail
        self._memory = memory
        self._files = files
        self._mutex = threading.Lock()
        self._hashes: dict[str, str] | None = None  # None before the first look
        self._saved: bytes | None = None
        self._changing = 0

    def look(self) -> None:
        """Put every change of others on record, at first those since the server last ran. Raises TrailUnavailable."""
        with self._mutex, _as_unavailable():
            if self._hashes is None:
                self._begin()
            elif not self._changing:
                self._trail.look()
                self._compare()

    def begin_change(self) -> None:
        """Say that a request is about to change files, after a look at what others did. Raises TrailUnavailable."""
        with self._mutex, _as_unavailable():
            if self._hashes is None:
                self._begin()
            elif not self._changing:
                self._compare()
            self._changing += 1

    def end_change(self) -> None:
        """Take the files as they are, once no request is changing them."""
        with self._mutex:
            self._changing -= 1
            if self._changing:
                return
            self._hashes = self._hash_all()
            try:
                self._remember()
            except (OSError, TrailUnavailable) as cause:
                log.error("the hashes of watched files are not kept: %s", cause)

    def _begin(self) -> None:
        hashes, head = self._recall()
        self._trail.recover()
        self._trail.look(head)
        if hashes is not None:
            self._hashes = hashes
            self._compare()
            return
        first = self._hash_all()
        self._trail.write(Deed(BEGUN, SYSTEM, data={"files": sorted(first)}))
        self._hashes = first
        self._remember()

    def _compare(self) -> None:
        before, now = self._hashes or {}, self._hash_all()
        for path in sorted(before.keys() | now.keys()):
            old, new = before.get(path), now.get(path)
            if old != new:
                event = ADDED if old is None else REMOVED if new is None else EDITED
                self._trail.write(Deed(event, SYSTEM, data={"file": path, "old_sha256": old, "new_sha256": new}))
        self._hashes = now
        self._remember()

    def _hash_all(self) -> dict[str, str]:
        return {str(path): hashed for path in self._files() if (hashed := _hash_of(path)) is not None}

    def _recall(self) -> tuple[dict[str, str] | None, Head]:
        try:
            kept = json.loads(self._memory.read_bytes())
            head = Head(int(kept["last_event"]["n"]), str(kept["last_event"]["sha256"]))
            return {str(path): str(hashed) for path, hashed in kept["files"].items()}, head
        except FileNotFoundError:
            return None, Head()
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}, Head()

    def _remember(self) -> None:
        head = self._trail.look()
        kept = {"files": self._hashes or {}, "last_event": {"n": head.number, "sha256": head.line_sha256}}
        content = json.dumps(kept, indent=1, sort_keys=True).encode()
        if content != self._saved:
            write_durably(self._memory, content, mode=0o600)
            self._saved = content


def files_below(*places: Path | None) -> Iterable[Path]:
    """Yield files and, of folders, all files below them."""
    for place in places:
        if place is None:
            continue
        if place.is_dir():
            yield from sorted(path for path in place.rglob("*") if path.is_file())
        else:
            yield place


@contextlib.contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise TrailUnavailable(str(cause)) from cause


def _hash_of(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError:
        return None
    except OSError as cause:
        return f"unreadable: {cause.strerror}"
    return digest.hexdigest()

"""Writing the trail: each deed is on the disk, linked to the one before, when `write` returns.

Several processes write: the server, and commands beside it. Each write takes a file lock, looks where
the trail ends, appends one line and syncs it. A change that takes a while is begun first: what is known
of it lies in a file of its own until its outcome is on record, so a process that is killed in between
leaves a trace, and a disk that is full refuses the change before it is made.

A kill or a full disk can leave half a line at the end. The next writer ends that line and says in the
event after it how much was lost; the half line stays, for nothing is ever taken back. A writer that
remembers an event which is no longer there says that too.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway.runtime import logs
from gateway.runtime.audit.files import (
    CURRENT,
    LOCK,
    PENDING,
    closed_files,
    closed_name,
    every_file,
    first_number,
    lines_backwards,
    read_tail,
)
from gateway.runtime.audit.model import (
    SYSTEM,
    Deed,
    Head,
    TrailUnavailable,
    caller_address,
    hash_of,
    link,
    parse_line,
)
from gateway.runtime.clock import Clock
from gateway.runtime.durable_files import sync_directory, write_new

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
TORN_EVENT: Final = "Complete torn audit log"
CHANGED_EVENT: Final = "Audit log changed outside of the server"
INTERRUPTED: Final = "the program ended before the outcome was recorded; it may have been carried out"


class Trail:
    """The trail in one state directory."""

    def __init__(self, directory: Path, clock: Clock, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self._directory = directory
        self._path = directory / CURRENT
        self._pending = directory / PENDING
        self._clock = clock
        self._max_file_bytes = max_file_bytes
        self._mutex = threading.Lock()
        self._seen: tuple[int, int] | None = None  # inode and size of the file after our last look
        self._known: Head | None = None  # an event that must still be there
        self._owed: dict[Path, Deed] = {}  # done, and not on record yet

    # writing

    def write(self, deed: Deed) -> Head:
        """Put a deed on record; it is on the disk when this returns. Raises TrailUnavailable."""
        complete = _completed(deed)
        try:
            with self._exclusive():
                head = self._append(complete.fields())
                with contextlib.suppress(OSError):  # the deed is on record; the file is closed by another one
                    self._close_if_full()
                return head
        except OSError as cause:
            self._seen = None
            raise TrailUnavailable(f"{self._path}: {cause.strerror or cause}") from cause

    async def record(
        self,
        event: str,
        *,
        user: str | None,
        auth: str | None = None,
        url: str | None = None,
        data: Mapping[str, object] | None = None,
        reason: str | None = None,
        warning: bool = False,
    ) -> None:
        """Put a deed on record without blocking the loop. Raises TrailUnavailable."""
        deed = Deed(event, user, None, auth, url, reason, warning, data or {})
        await asyncio.to_thread(self.write, deed)

    def begin(self, deed: Deed) -> Path:
        """Note that a change is about to be made; hand what is returned to `finish`. Raises TrailUnavailable."""
        self._pay()
        note = self._pending / f"{os.getpid()}-{uuid.uuid4().hex}.json"
        try:
            self._pending.mkdir(mode=0o700, exist_ok=True)
            write_new(note, _note_of(deed), mode=0o600)
            sync_directory(self._pending)
        except OSError as cause:
            raise TrailUnavailable(f"{note.parent}: {cause.strerror or cause}") from cause
        return note

    def finish(self, note: Path, deed: Deed) -> None:
        """Put a begun change on record with its outcome.

        Raises TrailUnavailable when that cannot be done now; it is then done before the next change.
        """
        try:
            self.write(deed)
        except TrailUnavailable:
            self._owed[note] = _completed(deed)
            raise
        _remove(note)

    def recover(self) -> None:
        """Put changes on record whose process ended before it could: to be called at start."""
        for note in sorted(self._pending.glob("*.json")) if self._pending.is_dir() else ():
            if _is_alive(note):
                continue
            try:
                deed = _deed_of(note)
            except (OSError, ValueError, TypeError, KeyError):
                deed = Deed("Unknown change", SYSTEM)  # killed while it wrote the note: nothing was done yet
            self.write(replace(deed, reason=INTERRUPTED))
            _remove(note)

    def _pay(self) -> None:
        for note, deed in list(self._owed.items()):
            self.write(deed)
            del self._owed[note]
            _remove(note)

    def look(self, known: Head | None = None) -> Head:
        """Say on record when an event is gone that we, or whoever kept `known`, remember; return the end.

        Raises TrailUnavailable.
        """
        self._pay()
        try:
            with self._exclusive():
                if known is not None and known.number:
                    self._known, self._seen = known, None
                head, _, problem = self._where()
                if problem:
                    head = self._append(None)
                return head
        except OSError as cause:
            raise TrailUnavailable(f"{self._path}: {cause.strerror or cause}") from cause

    # reading

    def read(self, *, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Return events, newest first, those with a number below `before`."""
        found: list[dict[str, Any]] = []
        for path in reversed(every_file(self._directory)):
            if before is not None and first_number(path) >= before:
                continue
            for line in lines_backwards(path):
                fields = parse_line(line)
                if fields is None or (before is not None and fields["n"] >= before):
                    continue
                if len(found) >= limit:
                    return found
                found.append(fields)
        return found

    # how

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._mutex:
            lock = self._open(self._directory / LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _open(self, path: Path, flags: int) -> int:
        """Open a file of the trail, made if need be; what root makes here belongs to whom the directory belongs."""
        file = os.open(path, flags | os.O_CREAT, 0o600)
        owner = self._directory.stat()
        if os.geteuid() == 0 and os.fstat(file).st_uid != owner.st_uid:
            os.fchown(file, owner.st_uid, owner.st_gid)
        return file

    def _append(self, fields: Mapping[str, Any] | None) -> Head:
        """Append an event, after those that have to be told before it; with None only those."""
        head, torn, problem = self._where()
        file = self._open(self._path, os.O_RDWR | os.O_APPEND)
        try:
            is_new = os.fstat(file).st_size == 0
            content = b"" if _ends_line(file) else b"\n"
            unlinked = torn
            for one in (_torn_fields(torn, head), problem, fields):
                if one is None:
                    continue
                previous = Head(head.number, hash_of(unlinked)) if unlinked else head
                line, unlinked = link(one, previous, self._clock.now()), b""
                head = Head(head.number + 1, hash_of(line))
                content += line + b"\n"
            _write_whole(file, content)
            os.fsync(file)
            state = os.fstat(file)
        finally:
            os.close(file)
        if is_new:
            sync_directory(self._directory)
        self._seen, self._known = (state.st_ino, state.st_size), head
        return head

    def _where(self) -> tuple[Head, bytes, dict[str, Any] | None]:
        """Return where the trail ends, what is torn behind that, and the event that says what is missing."""
        known = self._known
        try:
            state = self._path.stat()
        except FileNotFoundError:
            head, torn = self._last_closed(), b""
        else:
            if known is not None and self._seen == (state.st_ino, state.st_size):
                return known, b"", None
            tail = read_tail(self._path)
            head, torn = tail.head or self._last_closed(), tail.torn
        if known is None or known == head or self._has(known):
            return head, torn, None
        data = {"missing_event": known.number, "missing_sha256": known.line_sha256, "found_event": head.number}
        return head, torn, {"event": CHANGED_EVENT, "user": SYSTEM, "data": data}

    def _has(self, known: Head) -> bool:
        for path in reversed(every_file(self._directory)):
            for line in lines_backwards(path):
                fields = parse_line(line)
                if fields is not None and fields["n"] <= known.number:
                    return fields["n"] == known.number and hash_of(line) == known.line_sha256
        return False

    def _last_closed(self) -> Head:
        closed = closed_files(self._directory)
        return (read_tail(closed[-1]).head if closed else None) or Head()

    def _close_if_full(self) -> None:
        if self._path.stat().st_size < self._max_file_bytes:
            return
        closed = self._directory / closed_name(first_number(self._path))
        if not closed.exists():
            self._path.rename(closed)
            sync_directory(self._directory)


def _completed(deed: Deed) -> Deed:
    """Return a deed with what the request at hand says of its caller."""
    return replace(
        deed,
        ipaddress=deed.ipaddress or caller_address.get(),
        correlation=deed.correlation or logs.request_id.get(),
    )


def _torn_fields(torn: bytes, head: Head) -> dict[str, Any] | None:
    if not torn:
        return None
    data = {"torn_bytes": len(torn), "after": head.number}
    return {"event": TORN_EVENT, "user": SYSTEM, "data": data, "after_sha256": head.line_sha256}


def _ends_line(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"


def _write_whole(file: int, content: bytes) -> None:
    """Write all of it; what a full disk took only a part of is cut off again, where that is possible."""
    size, written = os.fstat(file).st_size, 0
    try:
        while written < len(content):
            written += os.write(file, content[written:])
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file, size)
        raise


def _note_of(deed: Deed) -> bytes:
    names = ("event", "user", "ipaddress", "auth", "url", "data", "correlation")
    return json.dumps({name: getattr(deed, name) for name in names}, default=str).encode()


def _deed_of(note: Path) -> Deed:
    return Deed(**json.loads(note.read_bytes()))


def _remove(note: Path) -> None:
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)


def _is_alive(note: Path) -> bool:
    """Tell whether the process that wrote a note may still finish it."""
    number = note.name.partition("-")[0]
    if not number.isdecimal() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

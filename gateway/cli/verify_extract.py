"""Write what containers hold into a folder, whatever it proves: the message and each attachment, under fixed names.

    FOLDER/<name of the container>/message.xml, attachment1, …

A container that the strict reader refuses is read again without asking whether it is one: whoever
investigates damage wants to see what is there. Nothing that is there already is overwritten.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.xroad.asic.container import MAX_ATTACHMENT_BYTES, MESSAGE_ENTRY, attachment_entry, read_container
from gateway.xroad.faults import XRoadFault

_WANTED: Final = re.compile(r"message\.xml|attachment[1-9][0-9]{0,3}")
_UNSUITABLE: Final = re.compile(r"[^\w.%+*-]")
_MAX_NAME_BYTES: Final = 240
_CHUNK_BYTES: Final = 256 * 1024


class Extraction:
    """A folder into which messages are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = 0

    def write(self, source: str, data: bytes | memoryview) -> None:
        """Write what one container holds. Raises OSError when the disk does."""
        target: Path | None = None
        for name, chunks in _parts_of(data):
            target = target or self._new_folder(source)
            with (target / name).open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
            self.files += 1

    def _new_folder(self, source: str) -> Path:
        plain = Path(source.rpartition("!")[2]).name.removesuffix(".asice")
        name = (
            _UNSUITABLE.sub("_", plain).encode()[:_MAX_NAME_BYTES].decode("utf-8", "ignore").lstrip(".") or "container"
        )
        for number in range(1, 1_000_000):
            target = self.folder / (name if number == 1 else f"{name}-{number}")
            try:
                target.mkdir(parents=True)
            except FileExistsError:
                continue
            return target
        raise FileExistsError(str(self.folder / name))


def _parts_of(data: bytes | memoryview) -> Iterator[tuple[str, Iterable[bytes]]]:
    try:
        container = read_container(data)
    except XRoadFault:
        yield from _whatever_is_there(data)
        return
    yield MESSAGE_ENTRY, (container.message,)
    for number, body in container.attachments.items():
        yield attachment_entry(number), body.chunks()


def _whatever_is_there(data: bytes | memoryview) -> Iterator[tuple[str, Iterable[bytes]]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return
    seen: set[str] = set()
    for entry in archive.infolist():
        if _WANTED.fullmatch(entry.filename) and entry.filename not in seen:
            seen.add(entry.filename)
            yield entry.filename, _chunks(archive, entry)


def _chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield as much of an entry as can be read."""
    size = 0
    try:
        with archive.open(entry) as file:
            while (chunk := file.read(_CHUNK_BYTES)) and (size := size + len(chunk)) <= MAX_ATTACHMENT_BYTES:
                yield chunk
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        return

"""Archived entries of a server by their numbers, read where its database says that they went."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from sqlalchemy import select

from gateway.auditing.entries import message_in
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.names import parse_archive_name
from gateway.messagelog.archive.places import Place
from gateway.messagelog.archive.reader import ArchiveFile, ArchiveReader, Located
from gateway.messagelog.archive.records import parse_line
from gateway.messagelog.index_log import ArchivedMessage
from gateway.messagelog.model import RefusalContent
from gateway.messagelog.tables import archive_files, archived_entries
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable, XRoadFault

_KNOWN_FILES: Final = 8
_PREFIX: Final = b'{"sequence":'


class ServerArchives:
    """The archives of a server, asked by number: its database says in which file of which place an entry went."""

    def __init__(self, database: Database, open_place: Callable[[str], Place]) -> None:
        self._database = database
        self._open_place = open_place
        self._readers: dict[str, ArchiveReader] = {}
        self._lines: OrderedDict[str, dict[int, int]] = OrderedDict()
        self._lock = threading.RLock()

    def find(self, sequence: int) -> Located | None:
        """Return an archived entry; None when it was never archived.

        Raises LoggingUnavailable or MalformedMessage when its file is not here or cannot be read.
        """
        question = (
            select(archive_files.c.name, archive_files.c.location)
            .join_from(archived_entries, archive_files)
            .where(archived_entries.c.sequence == sequence)
        )
        with self._database.reading() as connection:
            stored = connection.execute(question).one_or_none()
        if stored is None:
            return None
        with self._lock:
            file = self._file(stored.name, stored.location)
            position = self._lines_of(file).get(sequence)
            if position is None:
                raise _absent(stored.name, stored.location)
            return Located(file, file.fact_at(position))

    def container(self, located: Located) -> bytes:
        """Return the container of a record."""
        assert isinstance(located.fact, ArchivedRecord)
        with self._lock:
            return located.file.container(located.fact.container)

    def find_for_index(self, sequence: int) -> ArchivedMessage | RefusalContent | None:
        """Return an archived entry for the indexer, which passes over what cannot be read."""
        try:
            located = self.find(sequence)
            if located is None:
                return None
            if isinstance(located.fact, ArchivedRefusal):
                return located.fact.content
            return ArchivedMessage(located.fact.content, message_in(self.container(located)))
        except XRoadFault:
            return None

    def close(self) -> None:
        """Let go of files."""
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()

    def _file(self, name: str, location: str) -> ArchiveFile:
        wanted = parse_archive_name(name)
        for _ in range(2):
            reader = self._readers.get(location)
            if reader is None:
                reader = self._readers[location] = ArchiveReader(self._open_place(location))
            for file in reader.files:
                if wanted is not None and file.name.stem == wanted.stem and file.has_facts:
                    return file
            self._readers.pop(location).close()  # it may have come since the names were read
        raise _absent(name, location)

    def _lines_of(self, file: ArchiveFile) -> dict[int, int]:
        """Return where the line of each entry begins; remembered for the last few files."""
        known = self._lines.get(file.facts_name)
        if known is None:
            known = self._lines[file.facts_name] = {sequence_in(line): start for start, line in file.lines()}
        self._lines.move_to_end(file.facts_name)
        while len(self._lines) > _KNOWN_FILES:
            self._lines.popitem(last=False)
        return known


def sequence_in(line: bytes) -> int:
    """Return the number that a line is about; it stands first, so the rest is seldom read. Raises MalformedMessage."""
    number, _, _ = line[len(_PREFIX) : len(_PREFIX) + 20].partition(b",")
    return int(number) if line.startswith(_PREFIX) and number.isdigit() else parse_line(line).sequence


def _absent(name: str, location: str) -> LoggingUnavailable:
    return LoggingUnavailable("internal_error", "archive.file_missing", name=name, place=location)

"""The index of a place that holds archives alone: a cache file, made from what lies there, and anew when that changes.

Two passes, each of which goes on where it was stopped. File by file, every entry's facts and place are
noted, with what the headers of its message say; then the entries are indexed in the order of their
numbers, which grouping has scattered over files. A file that is new continues both, and one that could
not be read is tried again; one that is changed or gone, or that tells of numbers below those indexed,
begins all anew.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from gateway.auditing.entries import message_in
from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord
from gateway.messagelog.archive.places import Place
from gateway.messagelog.archive.reader import ArchiveFile, ArchiveReader, Decryptor, Located
from gateway.messagelog.archive.records import parse_line
from gateway.messagelog.index import Indexer, indexed_through
from gateway.messagelog.index_database import is_damaged, open_index, run, run_many
from gateway.messagelog.index_facts import EntryFacts, HeaderFacts, facts_of_refusal, is_sound, read_headers
from gateway.messagelog.index_log import request_hash_in, request_hashes
from gateway.messagelog.model import Side
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable, MalformedMessage, XRoadFault

VERSION: Final = 1  # of the tables below; a cache of another one is thrown away
BATCH: Final = 1000
_STEP: Final = 500
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS cache_of (version INTEGER NOT NULL, url TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS archive_files (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " stamp TEXT NOT NULL, is_noted INTEGER NOT NULL, trouble TEXT)",
    "CREATE TABLE IF NOT EXISTS places (sequence INTEGER PRIMARY KEY, file INTEGER NOT NULL,"
    " position INTEGER NOT NULL, digest BLOB)",
    "CREATE TABLE IF NOT EXISTS waiting (sequence INTEGER PRIMARY KEY, facts TEXT NOT NULL)",
)
_NOTE_PLACE: Final = "INSERT INTO places (sequence, file, position, digest) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_NOTE_FACTS: Final = "INSERT INTO waiting (sequence, facts) VALUES (?, ?) ON CONFLICT DO NOTHING"

# Told how much of the work is done, and of how much: bytes of facts that were read, then entries.
Progress = Callable[[int, int], None]


class ArchiveIndex:
    """What is known of the archives of one place, in a cache file."""

    def __init__(self, place: Place, cache: Path, *, decryptor: Decryptor | None = None) -> None:
        """Open the cache. Raises LoggingUnavailable when that cannot be done."""
        self.place = place
        self._decryptor = decryptor
        self._cache = cache
        self._reader: ArchiveReader | None = None
        self._files: dict[str, ArchiveFile] = {}
        self._lock = threading.RLock()
        with self._writing():
            self.database = self._open()

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            self._forget_reader()
        self.database.close()

    def build(self, noted: Progress | None = None, indexed: Progress | None = None) -> None:
        """Bring the cache up to what lies in the place now.

        Raises LoggingUnavailable when the place cannot be reached, or the cache cannot be written.
        """
        with self._lock, self._writing():
            self._forget_reader()
            try:
                self._follow_files()
            except DatabaseError as cause:
                if not is_damaged(cause):
                    raise
                self._begin_anew()
                self._follow_files()
            self._note_entries(noted)
            Indexer(self.database, self, batch=BATCH).catch_up(progress=indexed)
            with self.database.transaction() as connection:
                run(connection, "DELETE FROM waiting")

    def troubles(self) -> dict[str, str]:
        """Return the files whose entries cannot be searched, and the text ids of why."""
        with self.database.reading() as connection:
            return dict(run(connection, "SELECT name, trouble FROM archive_files WHERE trouble IS NOT NULL").all())

    def ends(self) -> tuple[int, int]:
        """Return the first and the last number that any archive tells of; 0 when there is none."""
        with self.database.reading() as connection:
            first, last = run(connection, "SELECT min(sequence), max(sequence) FROM places").one()
        return int(first or 0), int(last or 0)

    def find(self, sequence: int) -> Located | None:
        """Return an entry, None when no archive here tells of it. Raises XRoadFault when it cannot be read any more."""
        with self.database.reading() as connection:
            row = run(
                connection,
                "SELECT f.name, p.position FROM places AS p JOIN archive_files AS f ON f.number = p.file"
                " WHERE p.sequence = ?",
                (sequence,),
            ).one_or_none()
        if row is None:
            return None
        with self._lock:
            file = self._file(row[0])
            fact = file.fact_at(row[1])
            if fact.sequence != sequence:
                raise MalformedMessage("invalid_message", "archive.record_line", field="sequence")
            return Located(file, fact)

    def container(self, located: Located) -> bytes:
        """Return the container of a record."""
        assert isinstance(located.fact, ArchivedRecord)
        with self._lock:
            return located.file.container(located.fact.container)

    # what the indexer asks

    def last_sequence(self) -> int:
        """Return the highest number."""
        return self.ends()[1]

    def hash_of(self, sequence: int) -> bytes | None:
        """Return what changes when the place of an entry does."""
        with self.database.reading() as connection:
            row = run(connection, "SELECT file, position FROM places WHERE sequence = ?", (sequence,)).one_or_none()
        return None if row is None else f"{row[0]} {row[1]}".encode()

    def read(self, after: int, limit: int) -> Sequence[EntryFacts]:
        """Return the next entries that wait for being indexed."""
        with self.database.reading() as connection:
            statement = "SELECT facts FROM waiting WHERE sequence > ? ORDER BY sequence LIMIT ?"
            return [_parse(text) for (text,) in run(connection, statement, (after, limit))]

    def headers_of(self, sequence: int) -> HeaderFacts:
        """Return what the headers of a record say; nothing where it cannot be read."""
        message = self._message_of(sequence)
        return HeaderFacts() if message is None else read_headers(message)

    def digest_of(self, sequence: int) -> bytes | None:
        """Return the SHA-512 of a message."""
        with self.database.reading() as connection:
            found = run(connection, "SELECT digest FROM places WHERE sequence = ?", (sequence,)).scalar()
        return None if found is None else bytes(found)

    def answers(self, response: int, request: int) -> bool:
        """Tell whether a response carries the hash of a request."""
        with suppress(XRoadFault):
            answer, asked = self._message_of(response), self.find(request)
            if answer is not None and asked is not None and isinstance(asked.fact, ArchivedRecord):
                said = asked.fact.content
                return request_hash_in(answer) in request_hashes(said.message_digest, [b.digest for b in said.bodies])
        return False

    def _message_of(self, sequence: int) -> bytes | None:
        try:
            located = self.find(sequence)
            if located is None or not isinstance(located.fact, ArchivedRecord):
                return None
            return message_in(self.container(located))
        except XRoadFault:
            return None

    # the cache

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as cause:
            reason = getattr(cause, "strerror", None) or str(getattr(cause, "orig", None) or cause)
            raise LoggingUnavailable(
                "internal_error", "index.cache_unusable", path=self._cache, reason=reason.partition("\n")[0][:200]
            ) from cause

    def _open(self) -> Database:
        self._cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(self._cache, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds facts of people
        return open_index(f"sqlite:///{self._cache}")

    def _begin_anew(self) -> None:
        self.database.close()
        for suffix in ("", "-wal", "-shm"):
            self._cache.with_name(self._cache.name + suffix).unlink(missing_ok=True)
        self.database = self._open()

    def _follow_files(self) -> None:
        stamps = {file.facts_name: self._stamp_of(file) for file in self._all_files() if file.has_facts}
        if not self._is_ours() or not self._continues(stamps):
            self._begin_anew()
            with self.database.transaction() as connection:
                for table in _TABLES:
                    run(connection, table)
                run(connection, "INSERT INTO cache_of (version, url) VALUES (?, ?)", (VERSION, self.place.url))
        with self.database.transaction() as connection:
            known = {name for (name,) in run(connection, "SELECT name FROM archive_files")}
            run(connection, "UPDATE archive_files SET is_noted = 0 WHERE trouble IS NOT NULL")
            rows = [(name, stamp) for name, stamp in stamps.items() if name not in known]
            run_many(connection, "INSERT INTO archive_files (name, stamp, is_noted) VALUES (?, ?, 0)", rows)

    def _is_ours(self) -> bool:
        with self.database.reading() as connection:
            tables = run(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'cache_of'").scalar()
            if not tables:
                return False
            found = [tuple(row) for row in run(connection, "SELECT version, url FROM cache_of")]
        return found == [(VERSION, self.place.url)]

    def _continues(self, stamps: dict[str, str]) -> bool:
        """Tell whether everything that was noted still lies there as it did."""
        with self.database.reading() as connection:
            known = dict(run(connection, "SELECT name, stamp FROM archive_files").all())
        return all(stamps.get(name) == stamp for name, stamp in known.items())

    def _stamp_of(self, file: ArchiveFile) -> str:
        names = [file.facts_name, *([file.containers_name] if file.has_containers else [])]
        stamps = []
        for name in names:
            path = self.place.path(name)
            changed_at = path.stat().st_mtime_ns if path is not None and path.exists() else 0
            stamps.append(f"{self.place.size(name)} {changed_at}")
        return " ".join(stamps)

    # the first pass

    def _note_entries(self, progress: Progress | None) -> None:
        with self.database.reading() as connection:
            statement = "SELECT number, name FROM archive_files WHERE is_noted = 0 ORDER BY number"
            waiting = run(connection, statement).all()
        total = sum(self.place.size(name) or 0 for _, name in waiting)
        done = 0
        through = self._through()
        for number, name in waiting:
            least = self._note_file(number, name)
            if least is not None and least <= through:
                with self.database.transaction() as connection:
                    run(connection, "DELETE FROM cache_of")
                self._follow_files()  # it belongs before what is indexed
                self._note_entries(progress)
                return
            done += self.place.size(name) or 0
            if progress is not None:
                progress(done, total)

    def _through(self) -> int:
        with self.database.reading() as connection:
            if not run(connection, "SELECT count(*) FROM sqlite_master WHERE name = 'index_state'").scalar():
                return 0
        return indexed_through(self.database)

    def _note_file(self, number: int, name: str) -> int | None:
        """Note a file in one transaction; return the lowest number that is new."""
        file, trouble = self._file(name), None
        least = None
        with self.database.transaction() as connection:
            known = {row[0] for row in run(connection, "SELECT sequence FROM places WHERE file = ?", (number,))}
            places: list[tuple[Any, ...]] = []
            facts: list[tuple[Any, ...]] = []
            try:
                for position, line in file.lines():
                    fact = parse_line(line)
                    if fact.sequence in known:
                        continue
                    said = _facts_of(file, fact)
                    if not is_sound(said):
                        continue
                    least = fact.sequence if least is None else min(least, fact.sequence)
                    digest = fact.content.message_digest if isinstance(fact, ArchivedRecord) else None
                    places.append((fact.sequence, number, position, digest))
                    facts.append((fact.sequence, json.dumps(said, ensure_ascii=False, default=_plain)))
                    if len(places) >= _STEP:
                        _write(connection, places, facts)
            except XRoadFault as fault:
                trouble = fault.text_id
            _write(connection, places, facts)
            run(connection, "UPDATE archive_files SET is_noted = 1, trouble = ? WHERE number = ?", (trouble, number))
        return least

    # files

    def _all_files(self) -> tuple[ArchiveFile, ...]:
        if self._reader is None:
            self._reader = ArchiveReader(self.place, decryptor=self._decryptor)
            self._files = {file.facts_name: file for file in self._reader.files}
        return tuple(self._files.values())

    def _file(self, facts_name: str) -> ArchiveFile:
        self._all_files()
        found = self._files.get(facts_name)
        if found is None:
            raise MalformedMessage("invalid_message", "archive.file_missing", name=facts_name, place=self.place.url)
        return found

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._files = None, {}


def _facts_of(file: ArchiveFile, fact: ArchivedFact) -> EntryFacts:
    if not isinstance(fact, ArchivedRecord):
        return facts_of_refusal(fact.sequence, fact.content)
    said, headers = fact.content, None
    if not said.is_response:
        headers = HeaderFacts()
        if file.has_containers:
            with suppress(MalformedMessage):  # a damaged container is still found by its facts
                headers = read_headers(message_in(file.container(fact.container)))
    return EntryFacts(
        fact.sequence, said.time_ms, said.side, said.is_response, said.query_id, said.x_request_id, said.client,
        said.provider, said.service_code, said.service_version, headers,
    )  # fmt: skip


def _write(connection: Connection, places: list[tuple[Any, ...]], facts: list[tuple[Any, ...]]) -> None:
    run_many(connection, _NOTE_PLACE, places)
    run_many(connection, _NOTE_FACTS, facts)
    places.clear()
    facts.clear()


def _plain(value: object) -> str:
    assert isinstance(value, bytes)
    return value.hex()


def _parse(text: str) -> EntryFacts:
    values = json.loads(text)
    facts = EntryFacts(*values)
    headers = None
    if facts.headers is not None:
        user_id, issue, party, purposes = facts.headers
        headers = HeaderFacts(user_id, issue, party, tuple(purposes))
    digest = None if facts.digest is None else bytes.fromhex(str(facts.digest))
    return facts._replace(side=Side(facts.side), headers=headers, digest=digest)

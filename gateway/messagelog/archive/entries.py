"""Entries ready for the archive: container built and verified, facts put together.

Every container is read back and verified as anybody would, with the configuration in force at its
time-stamp, before a row may be counted as archived. One that does not hold is archived all the same
and says why; its row then stays in the log.
"""

from __future__ import annotations

import dataclasses
import hashlib
import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from gateway.messagelog import store
from gateway.messagelog.archive.model import ArchivedFact, ArchivedRecord, ArchivedRefusal
from gateway.messagelog.archive.plan import CHAIN_BROKEN, Plan
from gateway.messagelog.archive.records import build_line
from gateway.messagelog.body_logging import known_digests
from gateway.messagelog.chain import sha512
from gateway.messagelog.documents import document_name, write_document
from gateway.messagelog.model import MessageRecord, RecordContent, RecordTimestamp, Refusal
from gateway.messagelog.reader import MessageReader
from gateway.runtime.clock import epoch_ms, from_epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.asic.container import MAX_ATTACHMENT_BYTES, read_container
from gateway.xroad.asic.verify import claimed_time, verify_container
from gateway.xroad.digests import DigestAlgorithm
from gateway.xroad.faults import XRoadFault
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import encode_path

READ_AT_ONCE: Final = 200
# Larger ones are built in a file: memory stays flat whatever was logged.
MAX_IN_MEMORY_BYTES: Final = 8 * 1024 * 1024
MAX_BODIES_BYTES: Final = 1536 * 1024 * 1024
CHANGED: Final = "the contents of the record were changed"
LARGE_BODIES: Final = "its bodies are too large for a container; they stay in the log"

GONE: Final = "its row is gone"
# What a row that somebody edited can lead to; the driver itself takes anything.
_BROKEN_ROW: Final = (XRoadFault, ValueError, TypeError, AttributeError, ArithmeticError, LookupError)

_url_form: Final = lru_cache(maxsize=4096)(encode_path)

# Returns the configuration in force at a time. Raises ConfigurationUnusable.
ConfigurationAt = Callable[[datetime], GlobalConf]


@dataclass(frozen=True, slots=True)
class ReadyEntry:
    """An entry ready to be written; a refusal has no container.

    `line` tells the facts, `content_hash` is what the row says, `linking_digest` that of the container by the
    algorithm of linking information.
    """

    fact: ArchivedFact
    line: bytes
    content_hash: bytes
    time: datetime
    container: bytes | mmap.mmap | None = None
    linking_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that no container can be made of, and why."""

    sequence: int
    reason: str


Row = tuple[MessageRecord | Refusal, RecordTimestamp | None]


class EntrySource:
    """Makes entries of one message log ready, in the order asked for."""

    def __init__(
        self,
        database: Database,
        messages: MessageReader,
        configuration_at: ConfigurationAt,
        digest: DigestAlgorithm,
        scratch: Path,
    ) -> None:
        self._database = database
        self._messages = messages
        self._configuration_at = configuration_at
        self._digest = digest
        self._scratch = scratch

    def walk(self, plan: Plan, sequences: Sequence[int]) -> Iterator[ReadyEntry | Unreadable]:
        """Yield entries in order."""
        for start in range(0, len(sequences), READ_AT_ONCE):
            some = sequences[start : start + READ_AT_ONCE]
            rows = self._read(some)
            for sequence in some:
                row = rows[sequence]
                if isinstance(row, Unreadable):
                    yield row
                    continue
                content_hash = plan.content_hashes[sequence]
                yield self._ready(*row, content_hash, CHAIN_BROKEN if sequence in plan.broken else None)

    def holds(self, sequence: int, container_digest: bytes) -> bool:
        """Tell whether the container of a record is the one of this SHA-512, and holds by now."""
        row = self._read([sequence])[sequence]
        if isinstance(row, Unreadable):
            return False
        entry = self._ready(*row, row[0].content_hash, None)
        if not isinstance(entry, ReadyEntry) or not isinstance(entry.fact, ArchivedRecord):
            return False
        return entry.fact.unverified is None and entry.fact.container_digest == container_digest

    def _read(self, some: Sequence[int]) -> dict[int, Row | Unreadable]:
        """Return the rows of some entries; where one cannot be understood, the others still are."""
        try:
            with self._database.reading() as connection:
                stamps = store.read_timestamps(connection, some)
                entries: list[MessageRecord | Refusal] = [
                    *store.read_records(connection, some),
                    *store.read_refusals(connection, some),
                ]
        except _BROKEN_ROW as cause:
            if len(some) == 1:
                return {some[0]: Unreadable(some[0], _reason(cause))}
            middle = len(some) // 2
            return {**self._read(some[:middle]), **self._read(some[middle:])}
        found: dict[int, Row | Unreadable] = {e.sequence: (e, stamps.get(e.sequence)) for e in entries}
        return {sequence: found.get(sequence) or Unreadable(sequence, GONE) for sequence in some}

    def _ready(
        self, row: MessageRecord | Refusal, stamp: RecordTimestamp | None, content_hash: bytes, trouble: str | None
    ) -> ReadyEntry | Unreadable:
        try:
            if isinstance(row, Refusal):
                fact = ArchivedRefusal(row.sequence, row.content, row.previous_hash)
                return ReadyEntry(fact, build_line(fact), content_hash, from_epoch_ms(row.content.time_ms))
            return self._examine(row, stamp, self._build(row, stamp), content_hash, trouble)
        except _BROKEN_ROW as cause:
            return Unreadable(row.sequence, _reason(cause))

    def _build(self, record: MessageRecord, stamp: RecordTimestamp | None) -> bytes | mmap.mmap:
        """Return the container; a large one lies in a file without a name, and goes with the last who looks at it."""
        kept = _without_large_bodies(record)
        chunks = write_document(kept, stamp, self._messages)
        if len(record.message) + sum(body.size for body in kept.bodies if body.location) <= MAX_IN_MEMORY_BYTES:
            return b"".join(chunks)
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _examine(
        self,
        record: MessageRecord,
        stamp: RecordTimestamp | None,
        data: bytes | mmap.mmap,
        content_hash: bytes,
        trouble: str | None,
    ) -> ReadyEntry:
        digest = hashlib.sha512(data).digest()
        own = (
            digest if self._digest is DigestAlgorithm.SHA512 else hashlib.new(self._digest.hashlib_name, data).digest()
        )
        fact = ArchivedRecord(
            sequence=record.sequence,
            content=_content_of(record),
            hash_chain_result_digest=None if record.hash_chain_result is None else sha512(record.hash_chain_result),
            hash_chain_digest=None if record.hash_chain is None else sha512(record.hash_chain),
            previous_hash=record.previous_hash,
            container=document_name(record),
            container_digest=digest,
            container_size=len(data),
            stamped_ms=None if stamp is None else epoch_ms(stamp.time),
            authority=None if stamp is None else stamp.authority,
        )
        trouble = trouble or self._find_trouble(record, fact, data)
        if trouble is not None:
            fact = dataclasses.replace(fact, unverified=trouble)
        return ReadyEntry(fact, build_line(fact), content_hash, record.time, data, own)

    def _find_trouble(self, record: MessageRecord, fact: ArchivedRecord, data: bytes | mmap.mmap) -> str | None:
        """Return what does not hold: the record against its own hash, or the container."""
        if fact.content_hash != record.content_hash or sha512(record.signature) != record.signature_digest:
            return CHANGED
        if _without_large_bodies(record) is not record:
            return LARGE_BODIES
        try:
            container = read_container(memoryview(data))
            if sha512(container.message) != (record.message_digest if record.is_whole else record.kept_digest):
                return CHANGED
            known = known_digests(record.message_digest, record.bodies, is_whole=record.is_whole)
            verify_container(container, self._configuration_at(claimed_time(container)), known)
        except XRoadFault as fault:
            return str(fault)
        return None


def _content_of(record: MessageRecord) -> RecordContent:
    """Return what the record says, without the hash chain: its SHA-512 stands beside."""
    return RecordContent(
        time_ms=epoch_ms(record.time),
        side=record.side,
        is_response=record.is_response,
        query_id=record.query_id,
        x_request_id=record.x_request_id,
        client=_url_form(record.client),
        provider=_url_form(record.service.provider),
        service_code=record.service.service_code,
        service_version=record.service.service_version,
        message_digest=record.message_digest,
        signature_digest=record.signature_digest,
        hash_chain_result=None,
        hash_chain=None,
        bodies=record.bodies,
        is_whole=record.is_whole,
        kept_digest=record.kept_digest,
    )


def _without_large_bodies(record: MessageRecord) -> MessageRecord:
    """Return the record as far as a container can hold it."""
    sizes = [body.size for body in record.bodies if body.location is not None]
    if max(sizes, default=0) <= MAX_ATTACHMENT_BYTES and sum(sizes) <= MAX_BODIES_BYTES:
        return record
    bodies = tuple(
        dataclasses.replace(body, location=None)
        if body.size > MAX_ATTACHMENT_BYTES or sum(sizes) > MAX_BODIES_BYTES
        else body
        for body in record.bodies
    )
    return dataclasses.replace(record, bodies=bodies)


def _reason(cause: Exception) -> str:
    return str(cause) if isinstance(cause, XRoadFault) else f"{type(cause).__name__}: {cause}"[:300]

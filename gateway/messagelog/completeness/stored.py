"""What is really stored: rows read as they stand, and their hashes worked out again from all that they cover.

Nothing that a row says of itself is believed. Messages are hashed, signatures put together and hashed,
bodies read from their files; what the row states is only compared, to say which part does not fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection

from gateway.messagelog.chain import content_hash, record_hash, refusal_hash, sha512
from gateway.messagelog.completeness.model import Part
from gateway.messagelog.model import RecordContent, RecordedBody, RefusalContent, Side
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.skeletons import join
from gateway.messagelog.store import StoredEntry, walk_stored
from gateway.messagelog.tables import archived_entries, message_records
from gateway.xroad.faults import LoggingUnavailable, XRoadFault
from gateway.xroad.ledger import entry_leaf
from gateway.xroad.signature.signed_message import MESSAGE_PART
from gateway.xroad.signature.xades_reader import parse_signature

RECORDS: Final = message_records.name
ARCHIVED: Final = archived_entries.name
# What values of other types than a column should have lead to.
_UNSUITABLE: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An entry in its table: the content hash it states, the one worked out, and the part that does not fit.

    `is_closed`: the message is encrypted and was not opened, so its digest had to be believed.
    """

    sequence: int
    table: str
    stated: bytes | None = None
    worked: bytes | None = None
    part: Part | None = None
    previous_hash: bytes | None = None
    record_hash: bytes | None = None
    time_ms: int | None = None
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """All that is stored under one number: a row, and what is remembered of it since it was archived."""

    sequence: int
    row: Sighting | None
    remembered: bytes | None
    is_doubled: bool

    @property
    def stated(self) -> bytes | None:
        """The content hash that is stated here."""
        return self.remembered if self.row is None else self.row.stated

    @property
    def worked(self) -> bytes | None:
        """The content hash as far as it can be worked out here; what is only remembered has to be believed."""
        return self.remembered if self.row is None else self.row.worked


def leaf_of(sequence: int, content: bytes | None) -> bytes | None:
    """Return the leaf of an entry, None where its content hash is not known."""
    return None if content is None else entry_leaf(sequence, content)


class StoredEntries:
    """The entries of one log as they are stored; without `opens`, what is encrypted stays closed and is counted.

    `is_named` tells whether a record names a body by now: what retention removed meanwhile is not missing.
    """

    def __init__(
        self,
        connection: Connection,
        reader: MessageReader,
        *,
        opens: bool,
        is_named: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._opens = opens
        self._is_named = is_named

    def walk(self, first: int, last: int) -> Iterator[Place]:
        """Yield what is stored under each number of a range, in order; numbers without anything are left out."""
        entries = walk_stored(self._connection, after=first - 1, through=last)
        for sequence, some in groupby(entries, attrgetter("sequence")):
            row: Sighting | None = None
            remembered: bytes | None = None
            rows = 0
            for entry in some:
                if entry.table == ARCHIVED:
                    remembered = _bytes_of(getattr(entry.row, "content_hash", None)) or b""
                else:
                    row = row or self._look_at(entry)
                    rows += 1
            yield Place(sequence, row, remembered, rows > 1)

    def _look_at(self, entry: StoredEntry) -> Sighting:
        if entry.row is not None:
            try:
                if entry.table == RECORDS:
                    return self._look_at_record(entry.row, entry.bodies)
                return _look_at_refusal(entry.row)
            except _UNSUITABLE:
                pass
        return Sighting(entry.sequence, entry.table, part=Part.UNREADABLE)

    def _look_at_record(self, row: Any, bodies: tuple[RecordedBody, ...]) -> Sighting:
        message = self._digest_of_message(row)
        is_closed = message is None and row.key_id is not None and not self._opens
        expected = row.message_digest if row.is_whole else row.kept_digest
        signature = sha512(join(row.skeleton or b"", row.signature_values))
        actual = tuple(self._measure(row, body) for body in bodies)
        said = RecordContent(
            time_ms=row.time_ms,
            side=row.side,
            is_response=row.is_response,
            query_id=row.query_id,
            x_request_id=row.x_request_id,
            client=row.client,
            provider=row.provider,
            service_code=row.service_code,
            service_version=row.service_version,
            message_digest=(message or expected) if row.is_whole else row.message_digest,
            signature_digest=signature,
            hash_chain_result=row.hash_chain_result,
            hash_chain=row.hash_chain,
            bodies=actual,
            is_whole=row.is_whole,
            kept_digest=None if row.is_whole else message or expected,
        )
        seen = replace(_common(row, RECORDS), worked=content_hash(said), is_closed=is_closed)
        if not is_closed and (message is None or message != (expected or message)):
            return replace(seen, part=Part.MESSAGE)
        if signature != row.signature_digest:
            return replace(seen, part=Part.SIGNATURE)
        if actual != bodies:
            return replace(seen, part=Part.BODY)
        if row.body_count != len(bodies) or (row.is_whole and row.kept_digest is not None):
            return replace(seen, part=Part.FACTS)
        compared = _compare(seen)
        if compared.part is Part.FACTS and row.is_whole and _signs_another(said, seen, row):
            return replace(seen, part=Part.MESSAGE)
        return compared

    def _digest_of_message(self, row: Any) -> bytes | None:
        """Return the SHA-512 of what is kept of the message, in plain; None when it cannot be opened."""
        if row.key_id is not None and not self._opens:
            return None
        try:
            return sha512(self._reader.read_message(row))
        except LoggingUnavailable:
            return None

    def _measure(self, row: Any, body: RecordedBody) -> RecordedBody:
        """Return the body as its file has it."""
        if body.location is None or (row.key_id is not None and not self._opens):
            return body
        size, digest = 0, hashlib.sha512()
        try:
            found = self._reader.find_body(row, body)
            for chunk in () if found is None else found.chunks():
                digest.update(chunk)
                size += len(chunk)
        except (LoggingUnavailable, OSError, ValueError):
            return replace(body, size=-1) if self._is_named(body.location) else body
        return replace(body, size=size, digest=digest.digest())


def _signs_another(said: RecordContent, seen: Sighting, row: Any) -> bool:
    """Tell whether all would fit if the message were the one that its signature names."""
    try:
        references = parse_signature(join(row.skeleton or b"", row.signature_values)).references
    except XRoadFault:
        return False
    signed = [one.digest.value for one in references if one.uri == MESSAGE_PART]
    return any(content_hash(said._replace(message_digest=digest)) == seen.stated for digest in signed)


def _look_at_refusal(row: Any) -> Sighting:
    said = {name: getattr(row, name) for name in RefusalContent._fields}
    worked = refusal_hash(RefusalContent(**{**said, "side": Side(row.side)}))
    return _compare(replace(_common(row, "refusals"), worked=worked))


def _common(row: Any, table: str) -> Sighting:
    return Sighting(
        row.sequence,
        table,
        stated=_bytes_of(row.content_hash),
        previous_hash=_bytes_of(row.previous_hash),
        record_hash=_bytes_of(row.record_hash),
        time_ms=int(row.time_ms),
    )


def _compare(seen: Sighting) -> Sighting:
    """Say what does not fit where every part by itself does: the facts, or the hash that is stated of them."""
    if seen.worked == seen.stated:
        return seen
    bound = record_hash(seen.previous_hash or b"", seen.sequence, seen.worked or b"")
    return replace(seen, part=Part.HASH if bound == seen.record_hash else Part.FACTS)


def _bytes_of(value: object) -> bytes | None:
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None

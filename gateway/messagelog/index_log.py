"""The log as the indexer reads it: rows while they are there, archives where they are gone.

Numbers have no gaps, so a stretch of numbers is asked for in each table and, for what is missing, in
the archives; what is nowhere is passed over here, for saying so is the business of the ledger. Of an
answer the row alone is read: what its headers say stands in the request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Connection, case, null, select

from gateway.messagelog import store
from gateway.messagelog.chain import sha512
from gateway.messagelog.index_facts import EntryFacts, HeaderFacts, facts_of_refusal, is_sound, read_headers
from gateway.messagelog.model import RecordContent, RefusalContent, Side
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.tables import archived_entries, message_bodies, message_records, refusals
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable, XRoadFault
from gateway.xroad.rest.message import RestResponse, parse_rest_message
from gateway.xroad.soap.message import XOP_XML, read_envelope

_MAX_STRETCH: Final = 50_000
_r: Final = message_records.c


class ArchivedMessage(NamedTuple):
    """A record out of an archive: what its row said, and its message as the container holds it."""

    content: RecordContent
    message: bytes


class Archives(Protocol):
    """Archives as the indexer asks them."""

    def find_for_index(self, sequence: int) -> ArchivedMessage | RefusalContent | None:
        """Return an archived entry, None when it is in no archive that is here."""
        ...


class LogEntries:
    """A message log and its archives."""

    def __init__(self, database: Database, reader: MessageReader, archives: Archives | None = None) -> None:
        self._database = database
        self._reader = reader
        self._archives = archives

    def last_sequence(self) -> int:
        """Return the number of the newest entry."""
        with self._database.reading() as connection:
            return store.read_last_sequence(connection)

    def hash_of(self, sequence: int) -> bytes | None:
        """Return the content hash of an entry, None when it is nowhere."""
        with self._database.reading() as connection:
            for table in (message_records, refusals, archived_entries):
                question = select(table.c.content_hash).where(table.c.sequence == sequence)
                found = connection.execute(question).scalar()
                if found is not None:
                    return bytes(found)
        return None

    def read(self, after: int, limit: int) -> Sequence[EntryFacts]:
        """Return the next entries in order, at most `limit`; none at the end."""
        with self._database.reading() as connection:
            last = store.read_last_sequence(connection)
            while after < last:
                through = min(after + limit, last)
                found = self._read(connection, after, through)
                if found:
                    return found
                after, limit = through, min(limit * 2, _MAX_STRETCH)
        return ()

    def headers_of(self, sequence: int) -> HeaderFacts:
        """Return what the headers of a record say; nothing where it cannot be opened."""
        message = self._message_of(sequence)
        return HeaderFacts() if message is None else read_headers(message)

    def digest_of(self, sequence: int) -> bytes | None:
        """Return the SHA-512 of a message as it was signed."""
        with self._database.reading() as connection:
            question = select(_r.message_digest, _r.message).where(_r.sequence == sequence)
            row = connection.execute(question).one_or_none()
        if row is not None:
            return bytes(row.message_digest or sha512(row.message))
        archived = self._find_archived(sequence)
        return archived.content.message_digest if isinstance(archived, ArchivedMessage) else None

    def answers(self, response: int, request: int) -> bool:
        """Tell whether a response carries the hash of a request."""
        answer, asked = self._message_of(response), self.digest_of(request)
        if answer is None or asked is None:
            return False
        with self._database.reading() as connection:
            c = message_bodies.c
            bodies = (
                connection.execute(select(c.digest).where(c.sequence == request).order_by(c.number)).scalars().all()
            )
        return request_hash_in(answer) in request_hashes(asked, [bytes(digest) for digest in bodies])

    def _read(self, connection: Connection, after: int, through: int) -> list[EntryFacts]:
        found = {facts.sequence: facts for facts in self._records(connection, after, through)}
        question = select(refusals).where(refusals.c.sequence > after, refusals.c.sequence <= through)
        for row in connection.execute(question):
            with suppress(ValueError):  # a side that is none: somebody edited the row
                said = {name: getattr(row, name) for name in RefusalContent._fields}
                facts = facts_of_refusal(row.sequence, RefusalContent(**{**said, "side": Side(row.side)}))
                found[facts.sequence] = facts
        if self._archives is not None and len(found) < through - after:
            for sequence in range(after + 1, through + 1):
                if sequence not in found and (archived := self._find_archived(sequence)) is not None:
                    found[sequence] = facts_of_archived(sequence, archived)
        return [found[sequence] for sequence in sorted(found) if is_sound(found[sequence])]

    def _records(self, connection: Connection, after: int, through: int) -> list[EntryFacts]:
        question = select(
            _r.sequence, _r.time_ms, _r.side, _r.is_response, _r.query_id, _r.x_request_id, _r.client, _r.provider,
            _r.service_code, _r.service_version, _r.key_id, _r.content_hash,
            case((_r.is_response, null()), else_=_r.message).label("message"),
        ).where(_r.sequence > after, _r.sequence <= through)  # fmt: skip
        found = []
        for row in connection.execute(question):
            with suppress(ValueError):
                found.append(self._facts_of(row))
        return found

    def _facts_of(self, row: Any) -> EntryFacts:
        headers = None if row.is_response else self._headers_in(row)
        return EntryFacts(
            row.sequence, row.time_ms, Side(row.side), row.is_response, row.query_id, row.x_request_id, row.client,
            row.provider, row.service_code, row.service_version, headers,
        )  # fmt: skip

    def _headers_in(self, row: Any) -> HeaderFacts:
        try:
            return read_headers(self._reader.read_message(row))
        except (LoggingUnavailable, TypeError, AttributeError):
            return HeaderFacts()  # without its key, or without bytes in it, the row alone is found

    def _message_of(self, sequence: int) -> bytes | None:
        with self._database.reading() as connection:
            question = select(_r.sequence, _r.message, _r.key_id, _r.content_hash).where(_r.sequence == sequence)
            row = connection.execute(question).one_or_none()
        try:
            if row is not None:
                return self._reader.read_message(row)
        except (LoggingUnavailable, TypeError, AttributeError):
            return None
        archived = self._find_archived(sequence)
        return archived.message if isinstance(archived, ArchivedMessage) else None

    def _find_archived(self, sequence: int) -> ArchivedMessage | RefusalContent | None:
        return None if self._archives is None else self._archives.find_for_index(sequence)


def facts_of_archived(sequence: int, archived: ArchivedMessage | RefusalContent) -> EntryFacts:
    """Return the facts of an entry out of an archive."""
    if isinstance(archived, RefusalContent):
        return facts_of_refusal(sequence, archived)
    said = archived.content
    return EntryFacts(
        sequence, said.time_ms, said.side, said.is_response, said.query_id, said.x_request_id, said.client,
        said.provider, said.service_code, said.service_version,
        None if said.is_response else read_headers(archived.message),
    )  # fmt: skip


def request_hashes(message_digest: bytes, bodies: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return what an answer to a request may carry: its digest, or with a body that of both (PR-REST 4.3)."""
    return (message_digest, *(hashlib.sha512(message_digest + body).digest() for body in bodies[:1]))


def request_hash_in(answer: bytes) -> bytes | None:
    """Return the hash of the request that an answer carries, None when it cannot be read."""
    try:
        if answer.lstrip()[:1] == b"<":
            stated = read_envelope(answer, XOP_XML).values.get("request_hash")
        else:
            message = parse_rest_message(answer)
            stated = message.request_hash if isinstance(message, RestResponse) else None
        return base64.b64decode("".join(str(stated or "").split()), validate=True) or None
    except (XRoadFault, binascii.Error, ValueError):
        return None

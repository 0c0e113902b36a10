"""Signed documents: find records of a client and hand each out as one container (X-Road AsicContainer.java).

A party is given the records that this server wrote on its behalf: as the client where it asked, as the
provider where it answered; nobody else's. A record without a time-stamp can be stamped on the spot.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from gateway.messagelog import store
from gateway.messagelog.body_logging import known_digests
from gateway.messagelog.chain import sha512
from gateway.messagelog.model import DocumentFacts, MessageRecord, RecordTimestamp
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.recorder import MessageLog
from gateway.messagelog.timestamper import Timestamper
from gateway.xroad.asic.container import BatchTimestamp, read_container, write_container
from gateway.xroad.asic.verdict import Verdict
from gateway.xroad.asic.verify import verify_container
from gateway.xroad.faults import LoggingUnavailable
from gateway.xroad.globalconf.lookup import GlobalConf
from gateway.xroad.identifiers import ClientId
from gateway.xroad.signature.signed_message import Signature

MAX_QUERY_ID_CHARACTERS: Final = 226  # X-Road AsicContainerNameGenerator.java
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"


@dataclass(frozen=True, slots=True)
class Document:
    """A container with its file name."""

    name: str
    container: bytes


class Documents:
    """Documents of one message log; the questions that information systems may ask of it."""

    def __init__(self, message_log: MessageLog, timestamper: Timestamper) -> None:
        self._log = message_log
        self._timestamper = timestamper

    async def find_documents(
        self, client: ClientId, query_id: str, *, response: bool | None = None
    ) -> list[DocumentFacts]:
        """Return what is known of this party's records of one query, oldest first."""
        return await asyncio.to_thread(self._find, client, query_id, response)

    async def find(self, client: ClientId, query_id: str, *, response: bool | None) -> list[int]:
        """Return the sequence numbers of this party's records of one query, oldest first."""
        return [facts.sequence for facts in await self.find_documents(client, query_id, response=response)]

    async def has_unstamped(self, records: Sequence[int]) -> bool:
        """Tell whether one of the records has no time-stamp."""
        return await asyncio.to_thread(self._has_unstamped, records)

    async def stamp(self, records: Sequence[int]) -> None:
        """Time-stamp on the spot what has no time-stamp. Raises LoggingUnavailable (timestamping_failed …)."""
        for sequence in records:
            await self._timestamper.stamp_now(sequence)

    async def build(self, records: Sequence[int]) -> list[Document]:
        """Return one document per record, stamped or not.

        Raises LoggingUnavailable when a record or the file of its body is gone.
        """
        return [await asyncio.to_thread(self._build, sequence) for sequence in records]

    def zip(self, documents: Sequence[Document]) -> bytes:
        """Return all documents in one zip file, stored: containers are packed already."""
        return zip_documents(documents)

    def _find(self, client: ClientId, query_id: str, response: bool | None) -> list[DocumentFacts]:
        with self._log.database.reading() as connection:
            return store.find_records(connection, client, query_id, is_response=response)

    def _has_unstamped(self, records: Sequence[int]) -> bool:
        with self._log.database.reading() as connection:
            return any(store.read_timestamp(connection, sequence) is None for sequence in records)

    def _build(self, sequence: int) -> Document:
        with self._log.database.reading() as connection:
            record = store.read_record(connection, sequence)
            timestamp = store.read_timestamp(connection, sequence)
        if record is None:
            raise LoggingUnavailable(
                "mlog.message_log_record_not_found", "messagelog.record_not_found", sequence=sequence
            )
        return build_document(record, timestamp, self._log.reader)


def build_document(record: MessageRecord, timestamp: RecordTimestamp | None, reader: MessageReader) -> Document:
    """Return the container of a record; without `timestamp` it proves everything but the time.

    Raises LoggingUnavailable when the file of a body or the key of an encrypted record is gone.
    """
    return Document(document_name(record), b"".join(write_document(record, timestamp, reader)))


def write_document(record: MessageRecord, timestamp: RecordTimestamp | None, reader: MessageReader) -> Iterator[bytes]:
    """Yield the bytes of the container of a record; see `build_document`."""
    kept = {body.number: kept for body in record.bodies if (kept := reader.find_body(record, body)) is not None}
    return write_container(
        reader.read_message(record),
        _signature_of(record, timestamp),
        at=record.time,
        attachments=kept,
        timestamp=_batch_timestamp_of(timestamp),
        omitted=[body.number for body in record.bodies if body.number not in kept],
        is_whole=record.is_whole,
    )


def verify_document(container: bytes | memoryview, record: MessageRecord, globalconf: GlobalConf) -> Verdict:
    """Return what the container of a record proves, parts that were not kept by the digests in the record.

    The message in it is the one that was recorded: its digest is in the record, and so in the chain of
    records. Raises XRoadFault with the first check that fails: of the container, or LoggingUnavailable
    (messagelog.other_message).
    """
    read = read_container(container)
    recorded = record.message_digest if record.is_whole else record.kept_digest
    if sha512(read.message) != recorded:
        raise LoggingUnavailable("internal_error", "messagelog.other_message", sequence=record.sequence)
    return verify_container(
        read, globalconf, known_digests(record.message_digest, record.bodies, is_whole=record.is_whole)
    )


def document_name(record: MessageRecord | DocumentFacts) -> str:
    """Return `<query id>-request-<number>.asice`, the number in base 32 (X-Road AsicContainerNameGenerator.java)."""
    query_id = quote_plus(record.query_id, safe="*").replace("~", "%7E")[:MAX_QUERY_ID_CHARACTERS]
    kind = "response" if record.is_response else "request"
    return f"{query_id}-{kind}-{_base32(record.sequence)}.asice"


def zip_documents(documents: Sequence[Document]) -> bytes:
    """Return a zip of documents; the same documents give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for document in documents:
            archive.writestr(zipfile.ZipInfo(document.name), document.container)
    return target.getvalue()


def _signature_of(record: MessageRecord, timestamp: RecordTimestamp | None) -> Signature:
    stamped = None if timestamp is None else timestamp.signature
    return Signature(stamped or record.signature, record.hash_chain_result, record.hash_chain)


def _batch_timestamp_of(timestamp: RecordTimestamp | None) -> BatchTimestamp | None:
    if timestamp is None or timestamp.hash_chain_result is None or timestamp.hash_chain is None:
        return None  # a single one stands inside of the signature
    return BatchTimestamp(timestamp.token, timestamp.hash_chain_result, timestamp.hash_chain)


def _base32(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits = _DIGITS[digit] + digits
    return digits or "0"

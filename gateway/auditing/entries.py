"""Entries as auditors see them: the same facts, whether their rows are still there or only their archive is."""

from __future__ import annotations

from typing import Final

from gateway.auditing.model import Document, Entry, RefusalEntry
from gateway.messagelog.archive.model import ArchivedRecord, ArchivedRefusal
from gateway.messagelog.body_logging import known_digests
from gateway.messagelog.chain import sha512
from gateway.messagelog.model import MessageRecord, RecordContent, RecordedBody, RecordTimestamp, Refusal, Side
from gateway.runtime.clock import epoch_ms, from_epoch_ms
from gateway.xroad.asic.archive import read_listing
from gateway.xroad.asic.container import MAX_ATTACHMENT_BYTES, MAX_MESSAGE_BYTES, MESSAGE_ENTRY
from gateway.xroad.faults import LoggingUnavailable, MalformedMessage, XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path, encode_path

# What a row or a line that somebody edited can lead to.
BROKEN: Final = (XRoadFault, ValueError, TypeError, AttributeError, ArithmeticError, LookupError)


def entry_of_record(record: MessageRecord, message: bytes, stamp: RecordTimestamp | None) -> Entry:
    """Return a record whose message was opened; `stamp` is its time-stamp, if it has one."""
    return Entry(
        sequence=record.sequence,
        time=record.time,
        side=record.side,
        is_response=record.is_response,
        query_id=record.query_id,
        x_request_id=record.x_request_id,
        client=record.client,
        service=record.service,
        message=message,
        is_whole=record.is_whole,
        attachments={body.number: body.size for body in record.bodies if _is_kept(body)},
        omitted={body.number: body.size for body in record.bodies if not _is_kept(body)},
        stamped_at=None if stamp is None else stamp.time,
        authority=None if stamp is None else stamp.authority,
        archive_file=None,
    )


def entry_of_archived(fact: ArchivedRecord, message: bytes, file: str) -> Entry:
    """Return a record out of the archive `file`."""
    said = fact.content
    return Entry(
        sequence=fact.sequence,
        time=from_epoch_ms(said.time_ms),
        side=said.side,
        is_response=said.is_response,
        query_id=said.query_id,
        x_request_id=said.x_request_id,
        client=_client_of(said.client),
        service=ServiceId(_client_of(said.provider), said.service_code, said.service_version),
        message=message,
        is_whole=said.is_whole,
        attachments={body.number: body.size for body in said.bodies if _is_kept(body)},
        omitted={body.number: body.size for body in said.bodies if not _is_kept(body)},
        stamped_at=None if fact.stamped_ms is None else from_epoch_ms(fact.stamped_ms),
        authority=fact.authority,
        archive_file=file,
    )


def document_of_record(record: MessageRecord, stamp: RecordTimestamp | None, name: str, container: bytes) -> Document:
    """Return the container of a record that is in its row."""
    known = known_digests(record.message_digest, record.bodies, is_whole=record.is_whole)
    return Document(name, container, known, fact_of_record(record, stamp, name, container))


def fact_of_record(record: MessageRecord, stamp: RecordTimestamp | None, name: str, container: bytes) -> ArchivedRecord:
    """Return what an archive would tell of a record, by which anybody works its leaf out again."""
    return ArchivedRecord(
        sequence=record.sequence,
        content=RecordContent(
            time_ms=epoch_ms(record.time),
            side=record.side,
            is_response=record.is_response,
            query_id=record.query_id,
            x_request_id=record.x_request_id,
            client=encode_path(record.client),
            provider=encode_path(record.service.provider),
            service_code=record.service.service_code,
            service_version=record.service.service_version,
            message_digest=record.message_digest,
            signature_digest=record.signature_digest,
            hash_chain_result=None,
            hash_chain=None,
            bodies=record.bodies,
            is_whole=record.is_whole,
            kept_digest=record.kept_digest,
        ),
        hash_chain_result_digest=_digest_of(record.hash_chain_result),
        hash_chain_digest=_digest_of(record.hash_chain),
        previous_hash=record.previous_hash,
        container=name,
        container_digest=sha512(container),
        container_size=len(container),
        stamped_ms=None if stamp is None else epoch_ms(stamp.time),
        authority=None if stamp is None else stamp.authority,
    )


def document_of_archived(fact: ArchivedRecord, container: bytes) -> Document:
    """Return the container of an archived record."""
    said = fact.content
    known = known_digests(said.message_digest, said.bodies, is_whole=said.is_whole)
    return Document(fact.container, container, known, fact)


def refusal_of_archived(fact: ArchivedRefusal, file: str) -> RefusalEntry:
    """Return a refusal out of the archive `file`."""
    return RefusalEntry(
        Refusal(fact.sequence, fact.content, fact.content_hash, fact.previous_hash, fact.record_hash), file
    )


def message_in(container: bytes) -> bytes:
    """Return the message alone, without reading what is beside it. Raises MalformedMessage."""
    view = memoryview(container)

    def read(start: int, stop: int) -> memoryview:
        return view[start:stop]

    placed = read_listing(read, len(view), _limit_of).get(MESSAGE_ENTRY)
    if placed is None:
        raise MalformedMessage("asic_message_not_found", "asic.entry_missing", entry=MESSAGE_ENTRY)
    return placed.open(read).read()


def fact_of_refusal(found: RefusalEntry) -> ArchivedRefusal:
    """Return what an archive tells of a refusal, by which anybody works its leaf out again."""
    refusal = found.refusal
    return ArchivedRefusal(refusal.sequence, refusal.content, refusal.previous_hash)


def party_of_refusal(refusal: Refusal) -> str:
    """Return whom the server stood for, as far as the caller's claims tell; empty when they do not."""
    said = refusal.content
    return (said.client if said.side is Side.CONSUMER else said.provider) or ""


def unreadable(sequence: int, cause: Exception) -> LoggingUnavailable:
    """Return the fault of an entry that is there and cannot be read."""
    if isinstance(cause, LoggingUnavailable):
        return cause
    reason = cause.text_id if isinstance(cause, XRoadFault) else type(cause).__name__
    return LoggingUnavailable("internal_error", "index.entry_damaged", sequence=sequence, reason=reason)


def _limit_of(name: str) -> int:
    return MAX_MESSAGE_BYTES if name == MESSAGE_ENTRY else MAX_ATTACHMENT_BYTES


def _digest_of(document: bytes | None) -> bytes | None:
    return None if document is None else sha512(document)


def _is_kept(body: RecordedBody) -> bool:
    return body.location is not None


def _client_of(path: str) -> ClientId:
    return client_of(decode_path(path))

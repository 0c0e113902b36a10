"""Walk the log and say where its chain breaks first: sequence, predecessor, contents."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.messagelog.chain import GENESIS, content_hash, record_hash, sha512
from gateway.messagelog.model import MessageRecord, RecordContent
from gateway.messagelog.store import walk_records
from gateway.runtime.clock import epoch_ms
from gateway.runtime.database import Database
from gateway.xroad.identifiers import encode_path


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """How far the chain holds: `records` of them, the last with `record_hash`; `broken` says what failed after it."""

    records: int
    record_hash: bytes
    broken_at: int | None = None
    broken: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the chain is unbroken."""
        return self.broken is None


def verify_log(database: Database, *, first_sequence: int = 1, first_hash: bytes = GENESIS) -> LogVerdict:
    """Return how far the chain holds; `first_*` say where it begins once older records were archived.

    For each record, in order: (1) its number follows the one before, (2) it names the hash of its
    predecessor, (3) its contents hash to what it says, (4) its own hash binds all of that.
    """
    expected, previous, count = first_sequence, first_hash, 0
    with database.reading() as connection:
        for record in walk_records(connection, after=first_sequence - 1):
            broken = _find_break(record, expected, previous)
            if broken is not None:
                return LogVerdict(count, previous, expected, broken)
            expected, previous, count = expected + 1, record.record_hash, count + 1
    return LogVerdict(count, previous)


def _find_break(record: MessageRecord, expected: int, previous: bytes) -> str | None:
    if record.sequence != expected:  # (1)
        return f"record {expected} is missing; {record.sequence} comes next"
    if record.previous_hash != previous:  # (2)
        return f"record {record.sequence} does not name the hash of the record before it"
    if record.is_whole and record.key_id is None and sha512(record.message) != record.message_digest:
        return f"the contents of record {record.sequence} were changed"
    if sha512(record.signature) != record.signature_digest or _content_hash_of(record) != record.content_hash:  # (3)
        return f"the contents of record {record.sequence} were changed"
    if record_hash(previous, record.sequence, record.content_hash) != record.record_hash:  # (4)
        return f"the hash of record {record.sequence} is not that of its contents and place"
    return None


def _content_hash_of(record: MessageRecord) -> bytes:
    said = RecordContent(
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
        hash_chain_result=record.hash_chain_result,
        hash_chain=record.hash_chain,
        bodies=record.bodies,
        is_whole=record.is_whole,
    )
    return content_hash(said)

"""Facts of the message log: records, their bodies, time-stamps.

A record never changes once it is written. What is learnt about it later, its time-stamp, stands in
rows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.xroad.identifiers import ClientId, ServiceId

DEFAULT_MAX_BODY_BYTES: Final = 10 * 1024 * 1024  # X-Road max-loggable-message-body-size


class Side(StrEnum):
    """On which side of an exchange this server stood."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class MessageLogSettings:
    """The slice of the gateway's settings that the message log needs."""

    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES  # of larger bodies only the digest is kept; 0 keeps none
    commit_timeout_s: float = 10.0
    acceptable_timestamp_failure_period_s: float = 14_400  # 0: never refuse
    timestamp_interval_s: float | None = None  # None: as the global configuration says; never above 60
    timestamp_records_limit: int = 10_000
    timestamp_retry_delay_s: float = 5.0
    timestamp_timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if self.timestamp_records_limit < 1:
            raise ValueError("timestamp_records_limit must be at least 1")
        if self.commit_timeout_s <= 0:
            raise ValueError("commit_timeout_s must be more than 0")


@dataclass(frozen=True, slots=True)
class RecordedBody:
    """A body beside a record: attachment number from 1; `location` below bodies/, None if only the digest was kept."""

    number: int
    size: int
    digest: bytes
    location: str | None


class RecordContent(NamedTuple):
    """What a record says, as far as its hash covers it; identifiers in their URL form.

    A tuple: the message path makes one per record, and a frozen dataclass is several times as slow.
    """

    time_ms: int
    side: Side
    is_response: bool
    query_id: str
    x_request_id: str
    client: str
    provider: str
    service_code: str
    service_version: str | None
    message_digest: bytes
    signature_digest: bytes
    hash_chain_result: bytes | None
    hash_chain: bytes | None
    bodies: tuple[RecordedBody, ...]
    is_whole: bool = True


class NewRecord(NamedTuple):
    """A record before it has its place: everything the caller's loop can work out alone.

    `message` is what is kept: as it was signed, without its body, or encrypted under the key `key_id`.
    """

    content: RecordContent
    content_hash: bytes
    message: bytes
    skeleton_key: bytes
    skeleton: bytes
    signature_values: bytes | None
    key_id: str | None = None


class RefusalContent(NamedTuple):
    """What is kept of exchanges that were refused or failed; everything the caller claimed is unproven.

    `times` of them between `time_ms` and `until_ms` ended alike; identifiers in their URL form. `text_id`
    and `facts` (a JSON object) say which check failed and what it measured, in any language later.
    """

    time_ms: int
    until_ms: int
    times: int
    side: Side
    is_failure: bool
    fault_code: str
    text_id: str
    facts: str
    address: str | None
    x_request_id: str | None
    query_id: str | None
    client: str | None
    provider: str | None
    service_code: str | None
    service_version: str | None
    message_digest: bytes | None


class NewRefusal(NamedTuple):
    """A refusal before it has its place among the records."""

    content: RefusalContent
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal as it was written; it shares the numbers and the chain of the records."""

    sequence: int
    content: RefusalContent
    content_hash: bytes
    previous_hash: bytes
    record_hash: bytes


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A record as it was written; `sequence` has no gaps, `record_hash` covers all before it.

    `message` is what is kept, so with `key_id` it is encrypted, and without `is_whole` its body is left out;
    `message_digest` is that of the message as it was signed.
    """

    sequence: int
    time: datetime
    side: Side
    is_response: bool
    query_id: str
    x_request_id: str
    client: ClientId
    service: ServiceId
    message: bytes
    signature: bytes
    hash_chain_result: bytes | None
    hash_chain: bytes | None
    bodies: tuple[RecordedBody, ...]
    message_digest: bytes
    is_whole: bool
    key_id: str | None
    signature_digest: bytes
    content_hash: bytes
    previous_hash: bytes
    record_hash: bytes

    @property
    def local_party(self) -> ClientId:
        """The party this server stood for: the client on the consumer's side, the provider on the other."""
        return self.client if self.side is Side.CONSUMER else self.service.provider


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What is said about a record without opening it."""

    sequence: int
    time: datetime
    side: Side
    is_response: bool
    query_id: str
    client: ClientId
    service: ServiceId
    is_stamped: bool


@dataclass(frozen=True, slots=True)
class NewTimestamp:
    """A time-stamp token; `hash_chain_result` is None when it stamps one signature alone."""

    time_ms: int
    authority: str
    token: bytes
    hash_chain_result: bytes | None


@dataclass(frozen=True, slots=True)
class StampedRecord:
    """What a time-stamp means for one record: its hash chain, or the signature with the stamp inside."""

    sequence: int
    hash_chain: bytes | None = None
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class RecordTimestamp:
    """The time-stamp of one record."""

    time: datetime
    authority: str
    token: bytes
    hash_chain_result: bytes | None
    hash_chain: bytes | None
    signature: bytes | None


@dataclass(frozen=True, slots=True)
class Unstamped:
    """A record that waits for a time-stamp."""

    sequence: int
    signature_digest: bytes

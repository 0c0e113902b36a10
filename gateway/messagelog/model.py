"""Facts of the message log: records, their bodies, time-stamps.

A record never changes once it is written. What is learnt about it later, its time-stamp, stands in
rows of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from gateway.xroad.faults import MalformedMessage
from gateway.xroad.identifiers import ClientId, ServiceId, SubsystemId, client_of, decode_path

DEFAULT_MAX_BODY_BYTES: Final = 10 * 1024 * 1024  # X-Road max-loggable-message-body-size
# Clocks that are synchronised differ by far less.
DEFAULT_MAX_TIMESTAMP_DIFFERENCE_S: Final = 300.0
_OBJECT_IDENTIFIER: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


class Side(StrEnum):
    """On which side of an exchange this server stood."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class RefusalSettings:
    """How many refusals get an entry each; above that they are counted, and the count is one entry.

    Within `interval_s`: `of_a_kind` by one caller for one reason, `of_all_kinds` together. `kinds` are told
    apart in memory. What the log itself was the reason of is written at the latest after `outage_interval_s`.
    """

    interval_s: float = 60.0
    of_a_kind: int = 10
    of_all_kinds: int = 1000
    kinds: int = 1000
    outage_interval_s: float = 3600.0

    def __post_init__(self) -> None:
        if self.interval_s <= 0 or self.outage_interval_s < self.interval_s:
            raise ValueError("refusals: interval_s must be more than 0, and outage_interval_s not less than that")
        if min(self.of_a_kind, self.of_all_kinds, self.kinds) < 0:
            raise ValueError("refusals: of_a_kind, of_all_kinds and kinds must not be negative")


@dataclass(frozen=True, slots=True)
class MessageLogSettings:
    """The slice of the gateway's settings that the message log needs.

    Bodies of messages are kept by `message_body_logging`; the lists of provider subsystems in URL form are
    the exceptions to it, `local` ones on the provider's own server, `remote` ones on the consumer's.
    """

    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES  # of larger bodies only the digest is kept; 0 keeps none
    message_body_logging: bool = True
    enabled_body_logging_local_producer_subsystems: tuple[str, ...] = ()
    enabled_body_logging_remote_producer_subsystems: tuple[str, ...] = ()
    disabled_body_logging_local_producer_subsystems: tuple[str, ...] = ()
    disabled_body_logging_remote_producer_subsystems: tuple[str, ...] = ()
    keep_chain_signed_attachments: bool = True  # False: only their digests, as the reference
    encryption_key_file: Path | None = None  # mode 0600, made by `surma gateway log rotate-key`
    commit_timeout_s: float = 10.0
    acceptable_timestamp_failure_period_s: float = 14_400  # 0: never refuse
    timestamp_interval_s: float | None = None  # None: as the global configuration says; never above 60
    timestamp_records_limit: int = 10_000
    timestamp_retry_delay_s: float = 5.0
    timestamp_timeout_s: float = 20.0
    timestamp_policies: tuple[str, ...] = ()  # OIDs; none: any policy is accepted
    max_timestamp_difference_s: float = DEFAULT_MAX_TIMESTAMP_DIFFERENCE_S  # between a token and our clock
    refusals: RefusalSettings = field(default_factory=RefusalSettings)

    def __post_init__(self) -> None:
        if self.timestamp_records_limit < 1:
            raise ValueError("timestamp_records_limit must be at least 1")
        if self.commit_timeout_s <= 0:
            raise ValueError("commit_timeout_s must be more than 0")
        if self.max_timestamp_difference_s <= 0:
            raise ValueError("max_timestamp_difference_s must be more than 0")
        for policy in self.timestamp_policies:
            if not _OBJECT_IDENTIFIER.fullmatch(policy):
                raise ValueError(f"timestamp_policies must be object identifiers such as 1.2.3, not {policy!r}")
        self._check_body_logging()

    def _check_body_logging(self) -> None:
        useless = "enabled" if self.message_body_logging else "disabled"
        for kind, side in product(("enabled", "disabled"), ("local", "remote")):
            name = f"{kind}_body_logging_{side}_producer_subsystems"
            if parse_subsystems(getattr(self, name)) and kind == useless:
                logging = str(self.message_body_logging).lower()
                raise ValueError(f"{name} should not be used when message_body_logging is {logging}")


def parse_subsystems(names: Iterable[str]) -> frozenset[ClientId]:
    """Return subsystems from their URL form. Raises ValueError for anything else."""
    found: set[ClientId] = set()
    for name in names:
        try:
            client = client_of(decode_path(name.strip()))
        except MalformedMessage as cause:
            raise ValueError(f"a subsystem looks like INSTANCE/CLASS/MEMBER/SUBSYSTEM, not {name!r}") from cause
        if not isinstance(client, SubsystemId):
            raise ValueError(f"a subsystem looks like INSTANCE/CLASS/MEMBER/SUBSYSTEM, not {name!r}")
        found.add(client)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """How often a checkpoint of the ledger is made, and who gets it.

    `folder` should be another disk or a mount of somebody else's, `urls` take a POST, `command` gets the
    checkpoint on its standard input and is run as it stands, through no shell. 0 makes them on demand only.
    """

    interval_s: float = 600
    folder: Path | None = None
    urls: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    delivery_timeout_s: float = 30

    def __post_init__(self) -> None:
        if self.interval_s < 0 or self.delivery_timeout_s <= 0:
            raise ValueError("interval_s must not be negative, delivery_timeout_s must be more than 0")


@dataclass(frozen=True, slots=True)
class RecordedBody:
    """A body beside a record: attachment number from 1; `location` below bodies/, None if only the digest was kept."""

    number: int
    size: int
    digest: bytes
    location: str | None


class RecordContent(NamedTuple):
    """What a record says, as far as its hash covers it; identifiers in their URL form.

    Where the body of the message is left out, `kept_digest` is that of what was kept in its place. A tuple:
    the message path makes one per record, and a frozen dataclass is several times as slow.
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
    kept_digest: bytes | None = None


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
    `message_digest` is that of the message as it was signed, `kept_digest` that of what was kept without body.
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
    kept_digest: bytes | None = None

    @property
    def local_party(self) -> ClientId:
        """The party this server stood for: the client on the consumer's side, the provider on the other."""
        return self.client if self.side is Side.CONSUMER else self.service.provider


@dataclass(frozen=True, slots=True)
class ArchivedEntry:
    """What stays of an entry once it was archived; `name` is that of its container, which a refusal has not."""

    sequence: int
    file_id: int
    name: str | None
    content_hash: bytes


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


@dataclass(frozen=True, slots=True)
class StampingStatus:
    """How time-stamping does: `refuses_at` is when exchanges stop unless it recovers."""

    unstamped: int
    oldest_unstamped_at: datetime | None
    failing_since: datetime | None
    refuses_at: datetime | None


@dataclass(frozen=True, slots=True)
class GrowthStatus:
    """How the log grows: bytes on disk, of a day on average, days until the disk is full; None: nobody can tell."""

    log_bytes: int
    free_bytes: int
    bytes_per_day: float | None
    entries_per_day: float | None
    days_left: float | None


@dataclass(frozen=True, slots=True)
class LogStatus:
    """What operators should know; `refusals_held_back` have no entry for want of a log that works.

    While the database cannot even be read, the figures are those that were measured before.
    """

    at: datetime
    last_sequence: int
    is_readable: bool
    is_writable: bool
    refusals_held_back: int
    stamping: StampingStatus
    growth: GrowthStatus

"""Facts that auditors see: exchanges as they are found, entries as they were recorded, and what may be seen by whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.messagelog.archive.model import ArchivedRecord
from gateway.messagelog.model import Refusal, Side
from gateway.xroad.digests import Digest
from gateway.xroad.faults import XRoadFault
from gateway.xroad.identifiers import ClientId, ServiceId

AUDITOR: Final = "AUDITOR"  # the role that opens these pages, and no other does
EVERYTHING: Final = "*"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose records may be seen: everybody's, or those of the members and subsystems named in URL form.

    A member's name covers its subsystems. What belongs to nobody known is seen with `*` only.
    """

    names: frozenset[str]

    @property
    def is_everything(self) -> bool:
        """Whether nothing is kept back."""
        return EVERYTHING in self.names

    def covers(self, party: str) -> bool:
        """Tell whether records of `party` (a client in URL form, empty when unknown) may be seen."""
        return self.is_everything or any(
            bool(party) and (party == name or party.startswith(f"{name}/")) for name in self.names
        )


class Outcome(StrEnum):
    """How an exchange ended, as far as this server's log says."""

    ANSWERED = "answered"
    REFUSED = "refused"  # a rule of ours or a peer's fault said no
    FAILED = "failed"  # something was broken
    OPEN = "open"  # a request without an answer or a refusal


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange as one server saw it, found by its searchable facts; identifiers in URL form.

    `id` is the number of its first entry. `party` is whom this server stood for, empty when nobody knows.
    `count` is more than one for refusals that were counted together.
    """

    id: int
    time: datetime
    side: Side
    party: str
    client: str | None
    provider: str | None
    service: str | None  # provider/code[/version]
    query_id: str | None
    x_request_id: str | None
    issue: str | None
    purpose: str | None
    user_id: str | None
    outcome: Outcome
    fault_code: str | None
    count: int
    request: int | None
    response: int | None
    refusal: int | None
    represented_party: str | None = None  # class/code, or the code alone


@dataclass(frozen=True, slots=True)
class Query:
    """A free combination of conditions; None asks for nothing. Texts are equal, or begin so when they end in `*`.

    `client` and `service` in URL form; a member stands for its subsystems, a provider for its services.
    """

    since: datetime | None = None
    until: datetime | None = None
    client: str | None = None
    service: str | None = None
    query_id: str | None = None
    x_request_id: str | None = None
    issue: str | None = None
    purpose: str | None = None
    user_id: str | None = None
    outcome: Outcome | None = None
    fault_code: str | None = None
    side: Side | None = None
    represented_party: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for but everything."""
        return all(getattr(self, field.name) is None for field in fields(self))


@dataclass(frozen=True, slots=True)
class Page:
    """Some exchanges, newest first; `next_before` continues after the last, None at the end."""

    exchanges: tuple[Exchange, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; not exact beyond the bound up to which it was counted."""

    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A signed message as it was recorded, readable: decrypted, and from the archive where the row is gone.

    `message` is as it was signed unless `is_whole` is False; then its body was left out, and only the digest
    proves it. `attachments` maps the numbers of those that were kept to their sizes; `omitted` of the others.
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
    is_whole: bool
    attachments: Mapping[int, int]
    omitted: Mapping[int, int]
    stamped_at: datetime | None
    authority: str | None
    archive_file: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """A container with its file name.

    `known` are the digests of signed parts that were not kept, as the record says them; `fact` is all that
    the record's leaf of the ledger covers.
    """

    name: str
    container: bytes
    known: Mapping[str, Digest] = field(default_factory=dict)
    fact: ArchivedRecord | None = None


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """A refusal with where it is kept."""

    refusal: Refusal
    archive_file: str | None


@dataclass(frozen=True, slots=True)
class Stamping:
    """How time-stamping does: `refuses_at` is when exchanges stop unless it recovers."""

    unstamped: int
    oldest_unstamped_at: datetime | None
    failing_since: datetime | None
    refuses_at: datetime | None


@dataclass(frozen=True, slots=True)
class Growth:
    """How the log grows: bytes on disk, bytes and entries of a day on average, days until the disk is full."""

    log_bytes: int
    free_bytes: int
    bytes_per_day: float | None
    entries_per_day: float | None
    days_left: float | None


@dataclass(frozen=True, slots=True)
class Archiving:
    """What keeps entries out of archives: why the last run failed, how many containers did not hold."""

    failure: XRoadFault | None
    unverified: int


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """What an auditor should know of a source before believing that a search found everything.

    `indexed_through` and `last_sequence` differ while the index is catching up. Over archives alone
    there is no stamping and no growth.
    """

    name: str
    first_sequence: int
    last_sequence: int
    indexed_through: int
    checkpoint_size: int | None
    checkpoint_at: datetime | None
    stamping: Stamping | None
    growth: Growth | None
    uncounted_refusals: int = 0
    archiving: Archiving | None = None


@dataclass(frozen=True, slots=True)
class MaskingSettings:
    """What is masked in messages, beside what is personal by its name or its look wherever people write.

    `names` and `values` are regular expressions: of field names without case and separators, and of values.
    `shown_names` are fields that are not personal here; `every_value` masks them all, whatever they are called.
    """

    names: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    shown_names: tuple[str, ...] = ()
    every_value: bool = False

    def __post_init__(self) -> None:
        for pattern in (*self.names, *self.values):
            try:
                re.compile(pattern)
            except re.error as cause:
                raise ValueError(f"{pattern!r} is no regular expression: {cause}") from cause


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """The slice of the gateway's settings that exports need."""

    keep_s: float = 7 * 86_400  # of a finished export; it holds personal data, so not for ever
    reserve_bytes: int = 1024 * 1024 * 1024  # room on the disk that exports leave to the message log
    per_user: int = 20

    def __post_init__(self) -> None:
        if self.keep_s <= 0 or self.reserve_bytes < 0 or self.per_user < 1:
            raise ValueError("keep_s and per_user must be more than 0, reserve_bytes not negative")

"""Walk the log and say where its chain breaks first: sequence, predecessor, contents.

Records and refusals make one chain. Of entries whose rows were deleted once they were archived, the content
hash is remembered: it carries the chain over the gap, and a checkpoint and the archive prove the rest.
Whoever could change a row could write anything into it, so rows are read as they stand.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from gateway.messagelog.chain import GENESIS, content_hash, record_hash, refusal_hash, sha512
from gateway.messagelog.encryption import LogKeys
from gateway.messagelog.model import RecordContent, RecordedBody, RefusalContent, Side
from gateway.messagelog.skeletons import join
from gateway.messagelog.store import StoredEntry, read_last_sequence, walk_stored
from gateway.messagelog.tables import archived_entries, message_records, refusals
from gateway.runtime.database import Database
from gateway.xroad.faults import LoggingUnavailable

RECORDS: Final = message_records.name
REFUSALS: Final = refusals.name
ARCHIVED: Final = archived_entries.name
_NOUNS: Final = {RECORDS: "record", REFUSALS: "refusal", ARCHIVED: "record"}


@dataclass(frozen=True, slots=True)
class LogVerdict:
    """How far the chain holds, the last entry with `record_hash`; `broken` says what failed after it.

    `records` and `refusals` still stand in their tables; of `archived` entries only the hashes do. The messages of
    `closed` records are encrypted under keys that were not at hand, so only their digests were seen.
    """

    records: int
    record_hash: bytes
    broken_at: int | None = None
    broken: str | None = None
    refusals: int = 0
    archived: int = 0
    closed: int = 0

    @property
    def holds(self) -> bool:
        """Whether the chain is unbroken."""
        return self.broken is None

    @property
    def entries(self) -> int:
        """How many entries hold."""
        return self.records + self.refusals + self.archived


def verify_log(
    database: Database, *, first_sequence: int = 1, first_hash: bytes = GENESIS, keys: LogKeys | None = None
) -> LogVerdict:
    """Return how far the chain holds; `first_*` say where it begins when nothing is known of what was before.

    Encrypted messages are opened with `keys`.

    For each entry, in order: (1) its number follows the one before, (2) it names the hash of its
    predecessor, (3) its contents hash to what it says, (4) its own hash binds all of that; (5) what is
    remembered of an archived entry agrees with its row; (6) the newest entry is here, archived or not.
    """
    walk = _Walk(first_sequence, first_hash, keys or LogKeys(None))
    with database.reading() as connection:
        through = read_last_sequence(connection, archived=True)
        for entry in walk_stored(connection, after=first_sequence - 1, through=through):
            broken = walk.find_break(entry)
            if broken is not None:
                return walk.verdict(broken)
    if walk.table == ARCHIVED:  # (6)
        return walk.verdict(f"record {walk.expected - 1} and whatever came after it are gone", walk.expected - 1)
    return walk.verdict()


class _Walk:
    """How far a walk has come; `table`, `content` and `previous` are of the last entry that held."""

    def __init__(self, first_sequence: int, first_hash: bytes, keys: LogKeys) -> None:
        self._keys = keys
        self._closed = 0
        self.expected = first_sequence
        self.previous = first_hash
        self.content = b""
        self.table = ""
        self._counts: Counter[str] = Counter()

    def verdict(self, broken: str | None = None, at: int | None = None) -> LogVerdict:
        counts = self._counts
        broken_at = None if broken is None else at or self.expected
        return LogVerdict(
            counts[RECORDS],
            self.previous,
            broken_at,
            broken,
            refusals=counts[REFUSALS],
            archived=counts[ARCHIVED],
            closed=self._closed,
        )

    def find_break(self, entry: StoredEntry) -> str | None:
        """Return what is wrong with the next entry, or go beyond it."""
        row, name = entry.row, f"{_NOUNS[entry.table]} {entry.sequence}"
        if entry.sequence != self.expected:  # (1)
            return self._find_contradiction(entry, name)
        if row is None or not isinstance(row.content_hash, bytes):
            return f"the contents of {name} were changed"
        if entry.table != ARCHIVED:
            if row.previous_hash != self.previous:  # (2)
                since = ", or what is remembered of those archived before it was changed"
                gap = since if self.table == ARCHIVED else ""
                return f"{name} does not name the hash of the record before it{gap}"
            if not self._says_what_it_hashes_to(entry.table, row, entry.bodies):  # (3)
                return f"the contents of {name} were changed"
        bound = record_hash(self.previous, entry.sequence, row.content_hash)
        if entry.table != ARCHIVED and bound != row.record_hash:  # (4)
            return f"the hash of {name} is not that of its contents and place"
        self.previous, self.content, self.table = bound, row.content_hash, entry.table
        self.expected += 1
        self._counts[entry.table] += 1
        return None

    def _find_contradiction(self, entry: StoredEntry, name: str) -> str | None:
        if entry.sequence > self.expected:
            return f"record {self.expected} is missing; {entry.sequence} comes next"
        self.expected = entry.sequence
        if entry.table != ARCHIVED:
            return f"{name} stands beside another entry with its number"
        if entry.row is None or entry.row.content_hash != self.content:  # (5)
            return f"{name} was archived with other contents than it has here"
        self.expected += 1
        return None

    def _says_what_it_hashes_to(self, table: str, row: Any, bodies: tuple[RecordedBody, ...]) -> bool:
        try:
            said = self._hash_of_record(row, bodies) if table == RECORDS else _hash_of_refusal(row)
        except (TypeError, ValueError, KeyError, AttributeError):  # values of other types than its columns have
            return False
        return bool(said == row.content_hash)

    def _hash_of_record(self, row: Any, bodies: tuple[RecordedBody, ...]) -> bytes | None:
        """Return the hash of what the row says; None when it does not agree with itself."""
        message_digest = row.message_digest or sha512(row.message)
        try:
            kept = self._open(row)
        except InvalidTag:
            return None
        if kept is not None and sha512(kept) != (message_digest if row.is_whole else row.kept_digest):
            return None
        if row.body_count != len(bodies) or (row.is_whole and row.kept_digest is not None):
            return None
        return _hash_of(row, bodies, message_digest)

    def _open(self, row: Any) -> bytes | None:
        """Return the message as it was kept, None when there is no key for it."""
        if row.key_id is None:
            return bytes(row.message)
        try:
            key = self._keys.key_of(row.key_id)
        except LoggingUnavailable:
            self._closed += 1
            return None
        return key.decrypt_message(row.message, row.content_hash)


def _hash_of(row: Any, bodies: tuple[RecordedBody, ...], message_digest: bytes) -> bytes | None:
    if sha512(join(row.skeleton or b"", row.signature_values)) != row.signature_digest:
        return None
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
        message_digest=message_digest,
        signature_digest=row.signature_digest,
        hash_chain_result=row.hash_chain_result,
        hash_chain=row.hash_chain,
        bodies=bodies,
        is_whole=row.is_whole,
        kept_digest=row.kept_digest,
    )
    return content_hash(said)


def _hash_of_refusal(row: Any) -> bytes:
    said = {name: getattr(row, name) for name in RefusalContent._fields}
    return refusal_hash(RefusalContent(**{**said, "side": Side(row.side)}))

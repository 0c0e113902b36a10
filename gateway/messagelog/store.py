"""Questions to the message log; nothing here writes.

Every function takes a connection of the caller's transaction and returns model types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from heapq import merge
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, Table, and_, exists, func, or_, select
from sqlalchemy.exc import DBAPIError

from gateway.messagelog.chain import sha512
from gateway.messagelog.model import (
    ArchivedEntry,
    DocumentFacts,
    MessageRecord,
    RecordedBody,
    RecordTimestamp,
    Refusal,
    RefusalContent,
    Side,
    Unstamped,
)
from gateway.messagelog.skeletons import join
from gateway.messagelog.tables import (
    archived_entries,
    log_state,
    message_bodies,
    message_records,
    record_timestamps,
    refusals,
    signature_skeletons,
    timestamps,
)
from gateway.runtime.clock import from_epoch_ms
from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path, encode_path

STATE_STAMPED_THROUGH: Final = "stamped_through"
STATE_FAILING_SINCE_MS: Final = "stamping_failing_since_ms"

_WALK_STEP: Final = 200
_HASH_STEP: Final = 5000
# What reading a row raises that holds values of other types than its columns have.
_UNREADABLE: Final = (DBAPIError, TypeError, ValueError)
_is_stamped = exists().where(record_timestamps.c.sequence == message_records.c.sequence)


class StoredEntry(NamedTuple):
    """A row as it stands, for who doubts what it says; `row` is None where it cannot even be read."""

    sequence: int
    table: str
    row: Row[Any] | None
    bodies: tuple[RecordedBody, ...] = ()


def find_records(
    connection: Connection, party: ClientId, query_id: str, *, is_response: bool | None = None
) -> list[DocumentFacts]:
    """Return the records of one query that this server keeps for `party`, and for nobody else, oldest first."""
    name = encode_path(party)
    c = message_records.c
    own = or_(
        and_(c.side == Side.CONSUMER.value, c.client == name),
        and_(c.side == Side.PROVIDER.value, c.provider == name),
    )
    question = select(
        c.sequence, c.time_ms, c.side, c.is_response, c.query_id, c.client, c.provider, c.service_code,
        c.service_version, _is_stamped.label("is_stamped"),
    ).where(c.query_id == query_id, own).order_by(c.sequence)  # fmt: skip
    if is_response is not None:
        question = question.where(c.is_response == is_response)
    return [_facts_of(row) for row in connection.execute(question)]


def read_record(connection: Connection, sequence: int) -> MessageRecord | None:
    """Return one record whole, None when there is no such record."""
    row = connection.execute(_whole().where(message_records.c.sequence == sequence)).one_or_none()
    if row is None:
        return None
    return _record_of(row, _bodies_of(connection, [sequence] if row.body_count else []).get(sequence, ()))


def read_records(connection: Connection, sequences: Sequence[int]) -> list[MessageRecord]:
    """Return those records of some numbers that are there, in order."""
    column = message_records.c.sequence
    rows = connection.execute(_whole().where(column.in_(sequences)).order_by(column)).all()
    bodies = _bodies_of(connection, [row.sequence for row in rows if row.body_count])
    return [_record_of(row, bodies.get(row.sequence, ())) for row in rows]


def read_refusals(connection: Connection, sequences: Sequence[int]) -> list[Refusal]:
    """Return those refusals of some numbers that are there, in order."""
    column = refusals.c.sequence
    return [
        _refusal_of(row) for row in connection.execute(select(refusals).where(column.in_(sequences)).order_by(column))
    ]


def read_refusal(connection: Connection, sequence: int) -> Refusal | None:
    """Return one refusal, None when there is no such refusal."""
    row = connection.execute(select(refusals).where(refusals.c.sequence == sequence)).one_or_none()
    return None if row is None else _refusal_of(row)


def read_last_sequence(connection: Connection, *, archived: bool = False) -> int:
    """Return the number of the newest entry, 0 while there is none; all entries up to it can be read from now on.

    The newest entry keeps its row; only who doubts that counts the archived ones too.
    """
    tables = (archived_entries, refusals, message_records) if archived else (refusals, message_records)
    newest = [connection.execute(select(func.max(table.c.sequence))).scalar() for table in tables]
    return max(number or 0 for number in newest)


def walk_records(connection: Connection, *, after: int = 0, through: int | None = None) -> Iterator[MessageRecord]:
    """Yield every record in order of its sequence number, in bounded memory."""
    for rows in _walk(connection, _whole(), message_records, after, through):
        bodies = _bodies_of(connection, [row.sequence for row in rows if row.body_count])
        for row in rows:
            yield _record_of(row, bodies.get(row.sequence, ()))


def walk_refusals(connection: Connection, *, after: int = 0, through: int | None = None) -> Iterator[Refusal]:
    """Yield every refusal in order of its sequence number, in bounded memory."""
    for rows in _walk(connection, select(refusals), refusals, after, through):
        yield from map(_refusal_of, rows)


def walk_archived(connection: Connection, *, after: int = 0, through: int | None = None) -> Iterator[ArchivedEntry]:
    """Yield what is remembered of every archived entry, in order of its number and in bounded memory."""
    for rows in _walk(connection, select(archived_entries), archived_entries, after, through, _HASH_STEP):
        for row in rows:
            yield ArchivedEntry(row.sequence, row.file_id, row.name, row.content_hash)


def walk_entries(
    connection: Connection, *, after: int = 0, through: int | None = None
) -> Iterator[MessageRecord | Refusal]:
    """Yield records and refusals in the order in which they were written, in bounded memory.

    The end is `through`, or where the log ends now: of what is written meanwhile, one table might show
    more than the other.
    """
    last = read_last_sequence(connection) if through is None else through
    entries: tuple[Iterator[MessageRecord | Refusal], ...] = (
        walk_records(connection, after=after, through=last),
        walk_refusals(connection, after=after, through=last),
    )
    return merge(*entries, key=attrgetter("sequence"))


def walk_hashes(connection: Connection, *, after: int = 0, through: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield number and content hash of every entry, archived ones too, in order and in bounded memory.

    An entry that stands in its table and among the archived ones comes once, as its table says.
    """
    last = read_last_sequence(connection) if through is None else through
    previous = after
    sources = [
        _walk_hashes_of(connection, table, place, after, last)
        for place, table in enumerate((message_records, refusals, archived_entries))
    ]
    for sequence, _, content_hash in merge(*sources):
        if sequence > previous:
            yield sequence, content_hash
            previous = sequence


def walk_stored(connection: Connection, *, after: int, through: int) -> Iterator[StoredEntry]:
    """Yield the rows of every entry in order, those of a table before what is remembered of archived ones."""
    sources = [
        _walk_stored(connection, question, table, after, through)
        for question, table in (
            (_whole(), message_records),
            (select(refusals), refusals),
            (select(archived_entries), archived_entries),
        )
    ]
    return merge(*sources, key=attrgetter("sequence"))


def _walk_stored(
    connection: Connection, question: Select[Any], table: Table, after: int, through: int
) -> Iterator[StoredEntry]:
    column = table.c.sequence
    step = select(column).where(column <= through).order_by(column).limit(_WALK_STEP)
    while numbers := connection.execute(step.where(column > after)).scalars().all():
        some = question.where(column.between(numbers[0], numbers[-1])).order_by(column)
        try:
            yield from _read_stored(connection, some, table, numbers)
        except _UNREADABLE:
            for number in numbers:
                yield _read_doubtful(connection, question.where(column == number), table, number)
        after = numbers[-1]


def _read_stored(
    connection: Connection, question: Select[Any], table: Table, numbers: Sequence[int]
) -> list[StoredEntry]:
    rows = connection.execute(question).all()
    bodies = _bodies_of(connection, numbers if table is message_records else ())
    return [StoredEntry(row.sequence, table.name, row, bodies.get(row.sequence, ())) for row in rows]


def _read_doubtful(connection: Connection, question: Select[Any], table: Table, number: int) -> StoredEntry:
    try:
        return _read_stored(connection, question, table, (number,))[0]
    except _UNREADABLE:
        return StoredEntry(number, table.name, None)


def read_timestamp(connection: Connection, sequence: int) -> RecordTimestamp | None:
    """Return the time-stamp of a record, None while it has none."""
    return read_timestamps(connection, [sequence]).get(sequence)


def read_timestamps(connection: Connection, sequences: Sequence[int]) -> dict[int, RecordTimestamp]:
    """Return the time-stamps of those of some records that have one."""
    link, stamp = record_timestamps.c, timestamps.c
    rows = connection.execute(
        select(
            link.sequence, stamp.time_ms, stamp.authority, stamp.token, stamp.hash_chain_result, link.hash_chain,
            link.signature,
        )
        .join_from(record_timestamps, timestamps)
        .where(link.sequence.in_(sequences))
    )  # fmt: skip
    return {
        row.sequence: RecordTimestamp(
            from_epoch_ms(row.time_ms), row.authority, row.token, row.hash_chain_result, row.hash_chain, row.signature
        )
        for row in rows
    }


def find_unstamped(connection: Connection, limit: int) -> list[Unstamped]:
    """Return the oldest records without a time-stamp."""
    c = message_records.c
    through = read_state(connection, STATE_STAMPED_THROUGH) or 0
    question = select(c.sequence, c.signature_digest).where(c.sequence > through, ~_is_stamped)
    rows = connection.execute(question.order_by(c.sequence).limit(limit))
    return [Unstamped(row.sequence, row.signature_digest) for row in rows]


def read_oldest_unstamped(connection: Connection) -> datetime | None:
    """Return when the oldest record without a time-stamp was written."""
    c = message_records.c
    through = read_state(connection, STATE_STAMPED_THROUGH) or 0
    question = select(c.time_ms).where(c.sequence > through, ~_is_stamped).order_by(c.sequence).limit(1)
    time_ms = connection.execute(question).scalar()
    return None if time_ms is None else from_epoch_ms(time_ms)


def read_first_sequence(connection: Connection) -> int:
    """Return the number of the oldest entry that has its row, 0 while there is none."""
    oldest = [connection.execute(select(func.min(t.c.sequence))).scalar() for t in (refusals, message_records)]
    return min((number for number in oldest if number is not None), default=0)


def read_time_at(connection: Connection, sequence: int) -> int | None:
    """Return when the first entry from a number on was written, in epoch milliseconds."""
    found: list[tuple[int, int]] = []
    for table, column in ((message_records, message_records.c.time_ms), (refusals, refusals.c.until_ms)):
        question = select(table.c.sequence, column).where(table.c.sequence >= sequence)
        row = connection.execute(question.order_by(table.c.sequence).limit(1)).one_or_none()
        if row is not None:
            found.append((row[0], row[1]))
    return min(found)[1] if found else None


def count_unstamped(connection: Connection) -> int:
    """Return how many records have no time-stamp."""
    c = message_records.c
    through = read_state(connection, STATE_STAMPED_THROUGH) or 0
    question = select(func.count()).select_from(message_records).where(c.sequence > through, ~_is_stamped)
    return connection.execute(question).scalar_one()


def read_last_day(connection: Connection) -> date | None:
    """Return the day (UTC) of the newest record."""
    c = message_records.c
    time_ms = connection.execute(select(c.time_ms).order_by(c.sequence.desc()).limit(1)).scalar()
    return None if time_ms is None else from_epoch_ms(time_ms).date()


def read_state(connection: Connection, name: str) -> int | None:
    """Return a remembered number."""
    return connection.execute(select(log_state.c.value).where(log_state.c.name == name)).scalar()


def find_refusal_hashes(connection: Connection, after: int) -> list[bytes]:
    """Return the content hashes of the refusals after a number."""
    c = refusals.c
    return list(connection.execute(select(c.content_hash).where(c.sequence > after)).scalars())


def find_locations(connection: Connection, locations: Sequence[str]) -> set[str]:
    """Return those of `locations` that a record names."""
    column = message_bodies.c.location
    return {row.location for row in connection.execute(select(column).where(column.in_(locations)))}


def _whole() -> Select[Any]:
    return select(message_records, signature_skeletons.c.skeleton).outerjoin(
        signature_skeletons, signature_skeletons.c.key == message_records.c.skeleton_key
    )


def _walk(
    connection: Connection, question: Select[Any], table: Table, after: int, through: int | None, step: int = _WALK_STEP
) -> Iterator[Sequence[Row[Any]]]:
    """Yield the rows of a table with a sequence, some at a time."""
    column = table.c.sequence
    ordered = (question if through is None else question.where(column <= through)).order_by(column).limit(step)
    while rows := connection.execute(ordered.where(column > after)).all():
        yield rows
        after = rows[-1].sequence


def _walk_hashes_of(
    connection: Connection, table: Table, place: int, after: int, through: int
) -> Iterator[tuple[int, int, bytes]]:
    question = select(table.c.sequence, table.c.content_hash)
    for rows in _walk(connection, question, table, after, through, _HASH_STEP):
        for row in rows:
            yield row.sequence, place, row.content_hash


def _bodies_of(connection: Connection, sequences: Sequence[int]) -> dict[int, tuple[RecordedBody, ...]]:
    found: dict[int, tuple[RecordedBody, ...]] = {}
    if sequences:
        c = message_bodies.c
        rows = connection.execute(
            select(message_bodies).where(c.sequence.in_(sequences)).order_by(c.sequence, c.number)
        )
        for row in rows:
            body = RecordedBody(row.number, row.size, row.digest, row.location)
            found[row.sequence] = (*found.get(row.sequence, ()), body)
    return found


def _record_of(row: Row[Any], bodies: tuple[RecordedBody, ...]) -> MessageRecord:
    return MessageRecord(
        sequence=row.sequence,
        time=from_epoch_ms(row.time_ms),
        side=Side(row.side),
        is_response=row.is_response,
        query_id=row.query_id,
        x_request_id=row.x_request_id,
        client=_client_of(row.client),
        service=_service_of(row),
        message=row.message,
        signature=join(row.skeleton or b"", row.signature_values),
        hash_chain_result=row.hash_chain_result,
        hash_chain=row.hash_chain,
        bodies=bodies,
        message_digest=row.message_digest or sha512(row.message),
        is_whole=row.is_whole,
        key_id=row.key_id,
        signature_digest=row.signature_digest,
        content_hash=row.content_hash,
        previous_hash=row.previous_hash,
        record_hash=row.record_hash,
        kept_digest=row.kept_digest,
    )


def _refusal_of(row: Row[Any]) -> Refusal:
    said = {name: getattr(row, name) for name in RefusalContent._fields}
    said["side"] = Side(row.side)
    return Refusal(row.sequence, RefusalContent(**said), row.content_hash, row.previous_hash, row.record_hash)


def _facts_of(row: Row[Any]) -> DocumentFacts:
    return DocumentFacts(
        sequence=row.sequence,
        time=from_epoch_ms(row.time_ms),
        side=Side(row.side),
        is_response=row.is_response,
        query_id=row.query_id,
        client=_client_of(row.client),
        service=_service_of(row),
        is_stamped=row.is_stamped,
    )


@lru_cache(maxsize=4096)  # who asks whom: there are only so many
def _client_of(path: str) -> ClientId:
    return client_of(decode_path(path))


def _service_of(row: Row[Any]) -> ServiceId:
    return ServiceId(_client_of(row.provider), row.service_code, row.service_version)

"""Questions to the message log; nothing here writes.

Every function takes a connection of the caller's transaction and returns model types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, exists, func, or_, select

from gateway.messagelog.chain import sha512
from gateway.messagelog.model import (
    DocumentFacts,
    MessageRecord,
    RecordedBody,
    RecordTimestamp,
    Side,
    Unstamped,
)
from gateway.messagelog.skeletons import join
from gateway.messagelog.tables import (
    log_state,
    message_bodies,
    message_records,
    record_timestamps,
    signature_skeletons,
    timestamps,
)
from gateway.runtime.clock import from_epoch_ms
from gateway.xroad.identifiers import ClientId, ServiceId, client_of, decode_path, encode_path

STATE_STAMPED_THROUGH: Final = "stamped_through"
STATE_FAILING_SINCE_MS: Final = "stamping_failing_since_ms"

_WALK_STEP: Final = 200
_is_stamped = exists().where(record_timestamps.c.sequence == message_records.c.sequence)


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


def walk_records(connection: Connection, *, after: int = 0) -> Iterator[MessageRecord]:
    """Yield every record in order of its sequence number, in bounded memory."""
    while True:
        question = _whole().where(message_records.c.sequence > after)
        rows = connection.execute(question.order_by(message_records.c.sequence).limit(_WALK_STEP)).all()
        if not rows:
            return
        bodies = _bodies_of(connection, [row.sequence for row in rows if row.body_count])
        for row in rows:
            yield _record_of(row, bodies.get(row.sequence, ()))
        after = rows[-1].sequence


def read_timestamp(connection: Connection, sequence: int) -> RecordTimestamp | None:
    """Return the time-stamp of a record, None while it has none."""
    link, stamp = record_timestamps.c, timestamps.c
    row = connection.execute(
        select(stamp.time_ms, stamp.authority, stamp.token, stamp.hash_chain_result, link.hash_chain, link.signature)
        .join_from(record_timestamps, timestamps)
        .where(link.sequence == sequence)
    ).one_or_none()
    if row is None:
        return None
    return RecordTimestamp(
        from_epoch_ms(row.time_ms), row.authority, row.token, row.hash_chain_result, row.hash_chain, row.signature
    )


def find_unstamped(connection: Connection, limit: int) -> list[Unstamped]:
    """Return the oldest records without a time-stamp."""
    c = message_records.c
    through = read_state(connection, STATE_STAMPED_THROUGH) or 0
    question = select(c.sequence, c.signature_digest).where(c.sequence > through, ~_is_stamped)
    rows = connection.execute(question.order_by(c.sequence).limit(limit))
    return [Unstamped(row.sequence, row.signature_digest) for row in rows]


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


def find_locations(connection: Connection, locations: Sequence[str]) -> set[str]:
    """Return those of `locations` that a record names."""
    column = message_bodies.c.location
    return {row.location for row in connection.execute(select(column).where(column.in_(locations)))}


def _whole() -> Select[Any]:
    return select(message_records, signature_skeletons.c.skeleton).outerjoin(
        signature_skeletons, signature_skeletons.c.key == message_records.c.skeleton_key
    )


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
    )


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


def _client_of(path: str) -> ClientId:
    return client_of(decode_path(path))


def _service_of(row: Row[Any]) -> ServiceId:
    return ServiceId(_client_of(row.provider), row.service_code, row.service_version)

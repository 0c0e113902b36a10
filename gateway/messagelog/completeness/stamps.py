"""Time-stamps of records that still stand in their tables, and, when asked, the whole proof of each.

A stamp comes after its record, so no hash of the ledger covers it. It proves itself: its token is over
the hash chain of a batch, or over one signature, by an authority. What a row says beside must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Row, and_, cast, func, select
from sqlalchemy.exc import DBAPIError

from gateway.messagelog import store
from gateway.messagelog.completeness.archives import known_of
from gateway.messagelog.completeness.model import Findings, Kind
from gateway.messagelog.documents import build_document
from gateway.messagelog.model import MessageRecord
from gateway.messagelog.reader import MessageReader
from gateway.messagelog.tables import message_records, record_timestamps, timestamps
from gateway.runtime.clock import epoch_ms
from gateway.xroad.asic.verdict import CheckName, Outcome
from gateway.xroad.asic.verify import Choose, examine_container
from gateway.xroad.digests import digest_of
from gateway.xroad.faults import ConfigurationUnusable, LoggingUnavailable, XRoadFault
from gateway.xroad.pki.tsp import parse_token, verify_token

# By how much clocks may differ: a record is written before it is stamped, and after a checkpoint without it.
TOLERANCE: Final = timedelta(minutes=5)
_STEP: Final = 500
_READ_AT_ONCE: Final = 100
# What was found before explains why a proof does not hold.
_EXPLAINED: Final = frozenset((Kind.ALTERED, Kind.TIMESTAMP))
_OF_THE_STAMP: Final = (CheckName.TIMESTAMP, CheckName.TIMESTAMP_CHAIN, CheckName.MANIFEST)


def check_tokens(connection: Connection, trust: Choose | None, findings: Findings) -> None:
    """Check every token by itself: what it is over, its time, and, with `trust`, who issued it."""
    c, link = timestamps.c, record_timestamps.c
    question = select(c.id, c.time_ms, cast(c.token, LargeBinary), cast(c.hash_chain_result, LargeBinary))
    for row in _walk(connection, question, c.id):
        trouble = _trouble_of_token(row, trust)
        if trouble is not None:
            ends = select(func.min(link.sequence), func.max(link.sequence)).where(link.timestamp_id == row.id)
            first, last = connection.execute(ends).one()
            findings.add(Kind.TIMESTAMP, first, "ledger.timestamp", last=last, reason=trouble)


def _trouble_of_token(row: Any, trust: Choose | None) -> str | None:
    _, time_ms, der, result = row
    try:
        token = parse_token(bytes(der))
        imprint = token.imprint if result is None else digest_of(bytes(result), token.imprint.algorithm)
        if imprint != token.imprint:
            return "imprint"
        if time_ms != epoch_ms(token.gen_time):
            return "time"
        if trust is not None:
            verify_token(token, imprint, trust(token.gen_time).tsa_certificates())
    except ConfigurationUnusable:
        return None
    except XRoadFault as fault:
        return fault.code
    except (TypeError, ValueError):
        return "token"
    return None


def check_links(connection: Connection, findings: Findings, is_proven: Callable[[int], bool]) -> int:
    """Check that every record that was stamped still is, after it was written; return how many never were.

    The time of a proven record is what was written, so it is not doubted.
    """
    record, link, stamp = message_records.c, record_timestamps.c, timestamps.c
    through = store.read_state(connection, store.STATE_STAMPED_THROUGH) or 0
    question = (
        select(record.sequence, record.time_ms, link.timestamp_id, stamp.id, stamp.time_ms.label("stamped_ms"))
        .join_from(message_records, record_timestamps, link.sequence == record.sequence, isouter=True)
        .join(timestamps, and_(stamp.id == link.timestamp_id), isouter=True)
    )
    unstamped = 0
    for row in _walk(connection, question, record.sequence):
        if row.timestamp_id is not None and row.id is None:
            findings.add(Kind.TIMESTAMP, row.sequence, "ledger.timestamp_gone")
        elif row.timestamp_id is None:
            unstamped += 1
            if row.sequence <= through:
                findings.add(Kind.TIMESTAMP, row.sequence, "ledger.timestamp_gone")
        elif _is_later(row.time_ms, row.stamped_ms) and not is_proven(row.sequence):
            findings.add(Kind.REDATED, row.sequence, "ledger.redated")
    return unstamped


def _is_later(time_ms: object, stamped_ms: object) -> bool:
    tolerance_ms = TOLERANCE // timedelta(milliseconds=1)
    return isinstance(time_ms, int) and isinstance(stamped_ms, int) and time_ms > stamped_ms + tolerance_ms


def check_proofs(
    connection: Connection,
    reader: MessageReader,
    trust: Choose,
    findings: Findings,
    progress: Callable[[int], None],
) -> int:
    """Verify the container of every stamped record as anybody would; return how many nothing could be told of."""
    untold = 0
    broken = Findings()
    for record in _records(connection):
        progress(record.sequence)
        stamp = store.read_timestamp(connection, record.sequence)
        if stamp is None:
            continue
        known = known_of(record.bodies, record.message_digest, is_whole=record.is_whole)
        try:
            container = build_document(record, stamp, reader).container
            examination = examine_container(container, trust, known)
        except (LoggingUnavailable, ConfigurationUnusable, OSError):
            untold += 1
            continue
        if examination.fault is not None and not findings.within(record.sequence, record.sequence, _EXPLAINED):
            failed = next((check.name for check in examination.checks if check.outcome is Outcome.FAILED), None)
            kind = Kind.TIMESTAMP if failed in _OF_THE_STAMP else Kind.SIGNATURE
            text_id = "ledger.timestamp" if kind is Kind.TIMESTAMP else "ledger.proof"
            broken.add(kind, record.sequence, text_id, reason=examination.fault.code)
    findings.take(broken)  # only now: one must not explain another
    return untold


def _records(connection: Connection) -> Iterator[MessageRecord]:
    """Yield the records that can be read at all; of the others the walk over the rows has told."""
    column = message_records.c.sequence
    question = select(column).order_by(column).limit(_READ_AT_ONCE)
    after = 0
    while numbers := connection.execute(question.where(column > after)).scalars().all():
        try:
            yield from store.read_records(connection, numbers)
        except _UNREADABLE:
            for number in numbers:
                try:
                    yield from store.read_records(connection, [number])
                except _UNREADABLE:
                    continue
        after = numbers[-1]


_UNREADABLE: Final = (DBAPIError, XRoadFault, TypeError, ValueError, KeyError)


def _walk(connection: Connection, question: Any, column: Any) -> Iterator[Row[Any]]:
    after = 0
    ordered = question.order_by(column).limit(_STEP)
    while rows := connection.execute(ordered.where(column > after)).all():
        yield from rows
        after = rows[-1][0]

"""What one run archives: every entry of a range, by group and in order, and what is wrong with the range.

Numbers have no gaps and each entry names the hash of the one before it. Where that does not hold
somebody took rows out or changed them: what is there is archived all the same, what is not is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, literal, select

from gateway.messagelog.archive.journal import read_archived_between
from gateway.messagelog.archive.model import Grouping
from gateway.messagelog.archive.names import group_of
from gateway.messagelog.chain import GENESIS
from gateway.messagelog.model import Side
from gateway.messagelog.tables import message_records, refusals

CHAIN_BROKEN: Final = "the entry does not name the hash of the entry before it"


@dataclass(frozen=True, slots=True)
class Group:
    """Whose entries share files: short id of the group, and that of its member for the choice of keys."""

    name: str
    member: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The entries of a run: their numbers by group, in order.

    `refusals` are those that are refusals, `content_hashes` what the rows of the whole range say, `missing`
    numbers that no row has, `broken` those whose predecessor is not the one that they name.
    """

    groups: Mapping[Group, list[int]]
    refusals: frozenset[int]
    content_hashes: Mapping[int, bytes]
    missing: tuple[int, ...]
    broken: frozenset[int]


def make_plan(connection: Connection, first: int, last: int, grouping: Grouping) -> Plan:
    """Return what there is to archive between two numbers, leaving out what is archived already."""
    rows = _read(connection, lambda c: c.sequence.between(first, last))
    archived = read_archived_between(connection, first, last)
    hashes = {**archived, **_hashes_of(rows)}
    missing = tuple(sequence for sequence in range(first, last + 1) if sequence not in hashes)
    before = GENESIS if first == 1 else _find_hash(connection, first - 1)
    return _plan(rows, rows.keys() - archived.keys(), grouping, hashes, missing, _find_breaks(rows, before))


def make_late_plan(connection: Connection, sequences: Sequence[int], grouping: Grouping) -> Plan:
    """Return how to archive some entries that earlier runs left out."""
    rows = _read(connection, lambda c: c.sequence.in_(sequences))
    return _plan(rows, rows.keys(), grouping, _hashes_of(rows), (), [])


def _plan(
    rows: Mapping[int, Row[Any]],
    wanted: Set[int],
    grouping: Grouping,
    hashes: Mapping[int, bytes],
    missing: tuple[int, ...],
    broken: Iterable[int],
) -> Plan:
    groups: dict[Group, list[int]] = {}
    known: dict[str, Group] = {}
    for sequence in sorted(wanted):
        row = rows[sequence]
        party = str((row.client if row.side == Side.CONSUMER.value else row.provider) or "")
        if party not in known:
            known[party] = Group(group_of(party, grouping), _member_of(party, grouping))
        groups.setdefault(known[party], []).append(sequence)
    return Plan(
        groups=dict(sorted(groups.items(), key=lambda item: item[0].name)),
        refusals=frozenset(sequence for sequence in wanted if rows[sequence].is_refusal),
        content_hashes=hashes,
        missing=missing,
        broken=frozenset(broken),
    )


def _read(connection: Connection, which: Callable[[Any], ColumnElement[bool]]) -> dict[int, Row[Any]]:
    found: dict[int, Row[Any]] = {}
    for table in (message_records, refusals):
        c = table.c
        columns = (c.sequence, c.side, c.client, c.provider, c.content_hash, c.previous_hash, c.record_hash)
        question = select(*columns, literal(table is refusals).label("is_refusal"))
        for row in connection.execute(question.where(which(c))):
            found[row.sequence] = row
    return found


def _hashes_of(rows: Mapping[int, Row[Any]]) -> dict[int, bytes]:
    # SQLite lets a text stand in the place of bytes.
    return {n: h if isinstance(h := row.content_hash, bytes) else str(h).encode() for n, row in rows.items()}


def _find_breaks(rows: Mapping[int, Row[Any]], before: bytes | None) -> Iterator[int]:
    """Yield the entries whose predecessor's hash is not the one they name; a missing one says nothing."""
    first = min(rows, default=0)
    for sequence, row in rows.items():
        previous = rows[sequence - 1].record_hash if sequence - 1 in rows else before if sequence == first else None
        if previous is not None and row.previous_hash != previous:
            yield sequence


def _find_hash(connection: Connection, sequence: int) -> bytes | None:
    for table in (message_records, refusals):
        found = connection.execute(select(table.c.record_hash).where(table.c.sequence == sequence)).scalar()
        if found is not None:
            return bytes(found)
    return None


def _member_of(party: str, grouping: Grouping) -> str:
    return "" if grouping is Grouping.NONE else group_of(party, Grouping.MEMBER)

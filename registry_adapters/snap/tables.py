"""Tables of the counter: cases, their legs, every exchange, what happened."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKey, Index, Integer, MetaData, String, Table

metadata = MetaData()

_ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# One row: what makes message identifiers of this installation differ from any other's.
installation = Table(
    "snap_installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("namespace", String(36), nullable=False),
)

numbering = Table(
    "snap_numbering",
    metadata,
    Column("centre", String(32), primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

cases = Table(
    "snap_case",
    metadata,
    Column("number", String(64), primary_key=True),
    Column("recipe", String(64), nullable=False),
    Column("centre", String(32), nullable=False),
    Column("clerk", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("person", String(300), nullable=False),
    Column("fields", JSON, nullable=False),
    Column("edits", JSON, nullable=False),
    Column("settled", JSON, nullable=False),
    Column("decision", JSON),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("revision", Integer, nullable=False),
    Index("snap_case_queue", "centre", "status", "changed_at"),
)

legs = Table(
    "snap_leg",
    metadata,
    Column("number", ForeignKey("snap_case.number"), primary_key=True),
    Column("leg", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("asked_at", DateTime(timezone=True)),
    Column("took_ms", Integer),
    Column("message_id", String(64)),
    Column("answers", JSON, nullable=False),
    Column("fault", JSON),
    Column("next_at", DateTime(timezone=True)),
    Index("snap_leg_unfinished", "state", "next_at"),
)

exchanges = Table(
    "snap_exchange",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True),
    Column("number", ForeignKey("snap_case.number"), nullable=False),
    Column("leg", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("service", String(255), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("message_id", String(64), nullable=False, unique=True),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("answered_at", DateTime(timezone=True)),
    Column("outcome", String(32), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("ground", String(255), nullable=False),
    Column("clerk", String(64), nullable=False),
    Index("snap_exchange_case", "number", "id"),
)

events = Table(
    "snap_event",
    metadata,
    Column("id", _ROW_NUMBER, primary_key=True),
    Column("number", ForeignKey("snap_case.number"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
    Index("snap_event_case", "number", "id"),
)

# By what a person may be looked for: identifiers and names in the form in which names are compared.
subjects = Table(
    "snap_subject",
    metadata,
    Column("number", ForeignKey("snap_case.number"), primary_key=True),
    Column("key", String(300), primary_key=True),
    Index("snap_subject_key", "key"),
)

"""Tables of the cross-check service: attempts, and incomes that are awaited. No registered value is ever kept."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, Index, MetaData, String, Table

from registry_adapters.sdk.access_log import NAMES_LENGTH

metadata = MetaData()

# What is open or differs, so that nobody can try values until one matches.
attempt = Table(
    "attempt",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("client", String(NAMES_LENGTH), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("day", Date, nullable=False),
    Index("attempt_of_day", "subject", "day"),
    Index("attempt_day", "day"),
)

# A declared income waits here for the tax service's answer; once compared, only the flag stays.
awaited = Table(
    "awaited",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("client", String(NAMES_LENGTH), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("matched_by", String(32), nullable=False),
    Column("attempt", String(36), nullable=False),
    Column("ticket", String(36), nullable=False),
    Column("declared", String(40)),
    Column("submitted_at", DateTime(timezone=True), nullable=False),
    Column("ready_at", DateTime(timezone=True), nullable=False),
    Column("outcome", String(16)),
    Column("reason", String(16)),
    Column("exchanges", String(255), nullable=False),
    Index("awaited_submitted_at", "submitted_at"),
)

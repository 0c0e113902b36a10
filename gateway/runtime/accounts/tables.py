"""Tables of accounts."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key_sha256", String(64), nullable=False, unique=True),
    Column("scope", String(255), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

api_key_roles = Table(
    "api_key_roles",
    metadata,
    Column("api_key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(255), primary_key=True),
)

"""Tables of accounts."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, MetaData, String, Table

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", String(255)),
    Column("locked", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

user_grants = Table(
    "user_grants",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role", String(255), primary_key=True),
    Column("scope", String(255), primary_key=True),
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
)

# Of names and addresses alike, and of names that nobody has: the hash tells none of them.
failed_attempts = Table(
    "failed_attempts",
    metadata,
    Column("subject_sha256", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False, index=True),
    Column("paused_until", DateTime(timezone=True)),
)

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

# A key of a user; the grants of the user are its grants.
user_api_keys = Table(
    "user_api_keys",
    metadata,
    Column("api_key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
)

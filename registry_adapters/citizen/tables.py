"""Tables of the citizen's pages; nothing else."""

from __future__ import annotations

from sqlalchemy import Column, Date, DateTime, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

# Begun at our side, not yet come back from the provider.
sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state_sha256", String(64), primary_key=True),
    Column("browser_sha256", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("code_verifier", String(128), nullable=False),
    Column("target", String(2048), nullable=False),
    Column("begun_at", DateTime(timezone=True), nullable=False),
)

citizen_sessions = Table(
    "citizen_sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
)

# Whom a session speaks for; number 0 is the signed-in person.
subjects = Table(
    "subjects",
    metadata,
    Column("session", ForeignKey("citizen_sessions.token_sha256", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("code", String(14), nullable=False),
    Column("name", String(255), nullable=False),
    Column("source", String(16), nullable=False),
)

corrections = Table(
    "corrections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("asker_code", String(14), nullable=False),
    Column("asker_name", String(255), nullable=False),
    Column("subject_code", String(14), nullable=False),
    Column("subject_name", String(255), nullable=False),
    Column("registry", String(64), nullable=False),
    Column("holder", String(1024), nullable=False),
    Column("field", String(200), nullable=False),
    Column("wrong", Text, nullable=False),
    Column("right", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("due_on", Date, nullable=False),
    Index("corrections_asker", "asker_code"),
    Index("corrections_holder", "holder", "state", "due_on"),
)

correction_steps = Table(
    "correction_steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("correction", ForeignKey("corrections.id"), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("state", String(16), nullable=False),
    Column("by", String(255), nullable=False),
    Column("text", Text, nullable=False),
)

"""Tables of the configuration source. Private keys are not here: they lie in encrypted files."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, MetaData, String, Table

metadata = MetaData()

configuration_signing_keys = Table(
    "configuration_signing_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("source_type", String(16), nullable=False),
    Column("label", String(255), nullable=False),
    Column("algorithm", String(16), nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

configuration_anchors = Table(
    "configuration_anchors",
    metadata,
    Column("source_type", String(16), primary_key=True),
    Column("file", LargeBinary, nullable=False),
    Column("hash", String(128), nullable=False),
    Column("generated_at", DateTime(timezone=True), nullable=False),
)

configuration_parts = Table(
    "configuration_parts",
    metadata,
    Column("content_id", String(64), primary_key=True),
    Column("file_name", String(255), nullable=False, unique=True),
    Column("data", LargeBinary, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

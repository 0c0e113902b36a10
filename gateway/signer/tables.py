"""Tables of keys, requests and certificates (X-Road keyconf.xsd); private keys are files, never rows."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

state = Table(
    "signer_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
)

token = Table(
    "signer_token",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("label", String(255), nullable=False),
)

key = Table(
    "signer_key",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("token_id", String(64), ForeignKey("signer_token.id", ondelete="CASCADE"), nullable=False),
    Column("label", String(255), nullable=False),
    Column("usage", String(16)),
    Column("algorithm", String(8), nullable=False),
    Column("public_key", LargeBinary, nullable=False),
)

request = Table(
    "signer_request",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_id", String(64), ForeignKey("signer_key.id", ondelete="CASCADE"), nullable=False),
    Column("member_instance", String(255)),
    Column("member_class", String(255)),
    Column("member_code", String(255)),
    Column("subject", Text, nullable=False),
    Column("profile", String(255), nullable=False),
    Column("der", LargeBinary, nullable=False),
)

certificate = Table(
    "signer_certificate",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("key_id", String(64), ForeignKey("signer_key.id", ondelete="CASCADE"), nullable=False),
    Column("member_instance", String(255)),
    Column("member_class", String(255)),
    Column("member_code", String(255)),
    Column("der", LargeBinary, nullable=False),
    Column("status", String(32), nullable=False),
    Column("active", Boolean, nullable=False),
)

Index("ix_signer_request_key", request.c.key_id)
Index("ix_signer_certificate_key", certificate.c.key_id)

"""Tables of the message log.

Rows of `message_records` and `message_bodies` are written once and never changed; whatever comes
later stands in tables of its own.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

metadata: Final = MetaData()

# SQLite makes only INTEGER PRIMARY KEY the row id itself.
_Key = BigInteger().with_variant(Integer, "sqlite")

signature_skeletons: Final = Table(
    "signature_skeletons",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("skeleton", LargeBinary, nullable=False),
)

message_records: Final = Table(
    "message_records",
    metadata,
    Column("sequence", _Key, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("side", Text, nullable=False),
    Column("is_response", Boolean, nullable=False),
    Column("query_id", Text, nullable=False),
    Column("x_request_id", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("service_code", Text, nullable=False),
    Column("service_version", Text),
    Column("body_count", SmallInteger, nullable=False),
    Column("skeleton_key", LargeBinary, nullable=False),
    Column("signature_digest", LargeBinary, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("record_hash", LargeBinary, nullable=False),
    Column("hash_chain_result", LargeBinary),
    Column("hash_chain", LargeBinary),
    Column("signature_values", LargeBinary),
    Column("message", LargeBinary, nullable=False),
    Index("message_records_by_query_id", "query_id"),
)

message_bodies: Final = Table(
    "message_bodies",
    metadata,
    Column("sequence", _Key, ForeignKey("message_records.sequence"), primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("location", Text),
    Index("message_bodies_by_location", "location"),
)

timestamps: Final = Table(
    "timestamps",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("authority", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("hash_chain_result", LargeBinary),
)

record_timestamps: Final = Table(
    "record_timestamps",
    metadata,
    Column("sequence", _Key, ForeignKey("message_records.sequence"), primary_key=True, autoincrement=False),
    Column("timestamp_id", _Key, ForeignKey("timestamps.id"), nullable=False),
    Column("hash_chain", LargeBinary),
    Column("signature", LargeBinary),
)

log_state: Final = Table(
    "log_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger),
)

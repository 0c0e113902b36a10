"""Tables of the message log.

Rows of `message_records`, `message_bodies` and `refusals` are written once and never changed; whatever
comes later stands in tables of its own. Records and refusals share one sequence of numbers: each
stands in one of the two tables, and when it was archived long enough, in `archived_entries` alone.
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
    true,
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
    Column("message_digest", LargeBinary),  # where it is not that of `message`
    Column("is_whole", Boolean, nullable=False, server_default=true()),
    Column("key_id", Text),
    Column("kept_digest", LargeBinary),  # of `message` in plain, where the body was left out
    Index("message_records_by_query_id", "query_id"),
)

refusals: Final = Table(
    "refusals",
    metadata,
    Column("sequence", _Key, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("side", Text, nullable=False),
    Column("is_failure", Boolean, nullable=False),
    Column("fault_code", Text, nullable=False),
    Column("text_id", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("address", Text),
    Column("x_request_id", Text),
    Column("query_id", Text),
    Column("client", Text),
    Column("provider", Text),
    Column("service_code", Text),
    Column("service_version", Text),
    Column("message_digest", LargeBinary),
    Column("content_hash", LargeBinary, nullable=False),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("record_hash", LargeBinary, nullable=False),
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
    Index("record_timestamps_by_timestamp", "timestamp_id"),
)

log_state: Final = Table(
    "log_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger),
)

# What the ledger is made of, kept so that nobody has to hash everything again: tiles of 256 hashes,
# level 0 those of the entries, each higher level the roots of full tiles below it.
ledger_tiles: Final = Table(
    "ledger_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", _Key, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("size", _Key, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
)

archive_files: Final = Table(
    "archive_files",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("group_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("first_sequence", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("last_digest", Text, nullable=False),
    Column("digest_algorithm", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

archived_entries: Final = Table(
    "archived_entries",
    metadata,
    Column("sequence", _Key, primary_key=True, autoincrement=False),
    Column("file_id", _Key, ForeignKey("archive_files.id"), nullable=False),
    Column("name", Text),  # of the container; a refusal has none
    Column("content_hash", LargeBinary, nullable=False),
    Index("archived_entries_by_file", "file_id"),
)

# Entries that are not safe in an archive: without digest no container could be built, and they wait for a
# later run; with it the container of that SHA-512 was archived but did not hold. Their rows stay.
unverified_entries: Final = Table(
    "unverified_entries",
    metadata,
    Column("sequence", _Key, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("container_digest", LargeBinary),
)

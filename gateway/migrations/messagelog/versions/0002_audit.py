"""Refusals, messages without body or encrypted, ledger, checkpoints, archive."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns and tables."""
    op.add_column("message_records", sa.Column("message_digest", sa.LargeBinary))
    op.add_column("message_records", sa.Column("is_whole", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("message_records", sa.Column("key_id", sa.Text))
    op.create_table(
        "refusals",
        sa.Column("sequence", KEY, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("is_failure", sa.Boolean, nullable=False),
        sa.Column("fault_code", sa.Text, nullable=False),
        sa.Column("text_id", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("x_request_id", sa.Text),
        sa.Column("query_id", sa.Text),
        sa.Column("client", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("service_code", sa.Text),
        sa.Column("service_version", sa.Text),
        sa.Column("message_digest", sa.LargeBinary),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("record_hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "ledger_tiles",
        sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", KEY, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", KEY, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "archive_files",
        sa.Column("id", KEY, primary_key=True, autoincrement=False),
        sa.Column("group_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("first_sequence", sa.BigInteger, nullable=False),
        sa.Column("last_sequence", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("last_digest", sa.Text, nullable=False),
        sa.Column("digest_algorithm", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "archived_entries",
        sa.Column("sequence", KEY, primary_key=True, autoincrement=False),
        sa.Column("file_id", KEY, sa.ForeignKey("archive_files.id"), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("archived_entries_by_file", "archived_entries", ["file_id"])
    op.create_table(
        "unverified_entries",
        sa.Column("sequence", KEY, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("container_digest", sa.LargeBinary),
    )
    op.create_index("record_timestamps_by_timestamp", "record_timestamps", ["timestamp_id"])

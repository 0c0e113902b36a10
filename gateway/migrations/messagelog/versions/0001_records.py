"""Records, bodies and time-stamps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table of the first release."""
    op.create_table(
        "signature_skeletons",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("skeleton", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "message_records",
        sa.Column("sequence", KEY, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("side", sa.Text, nullable=False),
        sa.Column("is_response", sa.Boolean, nullable=False),
        sa.Column("query_id", sa.Text, nullable=False),
        sa.Column("x_request_id", sa.Text, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("service_code", sa.Text, nullable=False),
        sa.Column("service_version", sa.Text),
        sa.Column("body_count", sa.SmallInteger, nullable=False),
        sa.Column("skeleton_key", sa.LargeBinary, nullable=False),
        sa.Column("signature_digest", sa.LargeBinary, nullable=False),
        sa.Column("content_hash", sa.LargeBinary, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary, nullable=False),
        sa.Column("record_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash_chain_result", sa.LargeBinary),
        sa.Column("hash_chain", sa.LargeBinary),
        sa.Column("signature_values", sa.LargeBinary),
        sa.Column("message", sa.LargeBinary, nullable=False),
    )
    op.create_index("message_records_by_query_id", "message_records", ["query_id"])
    op.create_table(
        "message_bodies",
        sa.Column("sequence", KEY, sa.ForeignKey("message_records.sequence"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("location", sa.Text),
    )
    op.create_index("message_bodies_by_location", "message_bodies", ["location"])
    op.create_table(
        "timestamps",
        sa.Column("id", KEY, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("authority", sa.Text, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("hash_chain_result", sa.LargeBinary),
    )
    op.create_table(
        "record_timestamps",
        sa.Column("sequence", KEY, sa.ForeignKey("message_records.sequence"), primary_key=True, autoincrement=False),
        sa.Column("timestamp_id", KEY, sa.ForeignKey("timestamps.id"), nullable=False),
        sa.Column("hash_chain", sa.LargeBinary),
        sa.Column("signature", sa.LargeBinary),
    )
    op.create_table(
        "log_state",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger),
    )

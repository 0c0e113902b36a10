"""First tables of the counter."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "snap_installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("namespace", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "snap_numbering",
        sa.Column("centre", sa.String(length=32), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("centre", "year"),
    )
    op.create_table(
        "snap_case",
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("recipe", sa.String(length=64), nullable=False),
        sa.Column("centre", sa.String(length=32), nullable=False),
        sa.Column("clerk", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=300), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("edits", sa.JSON(), nullable=False),
        sa.Column("settled", sa.JSON(), nullable=False),
        sa.Column("decision", sa.JSON(), nullable=True),
        sa.Column("opened_at", _MOMENT, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("snap_case_queue", "snap_case", ["centre", "status", "changed_at"], unique=False)
    op.create_table(
        "snap_leg",
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("leg", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(length=64), nullable=True),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("fault", sa.JSON(), nullable=True),
        sa.Column("next_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["number"], ["snap_case.number"]),
        sa.PrimaryKeyConstraint("number", "leg"),
    )
    op.create_index("snap_leg_unfinished", "snap_leg", ["state", "next_at"], unique=False)
    op.create_table(
        "snap_exchange",
        sa.Column("id", _ROW_NUMBER, nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("leg", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("ground", sa.String(length=255), nullable=False),
        sa.Column("clerk", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["snap_case.number"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index("snap_exchange_case", "snap_exchange", ["number", "id"], unique=False)
    op.create_table(
        "snap_event",
        sa.Column("id", _ROW_NUMBER, nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["snap_case.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("snap_event_case", "snap_event", ["number", "id"], unique=False)
    op.create_table(
        "snap_subject",
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["snap_case.number"]),
        sa.PrimaryKeyConstraint("number", "key"),
    )
    op.create_index("snap_subject_key", "snap_subject", ["key"], unique=False)

"""First tables of the cross-check service."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=1024), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("attempt_of_day", "attempt", ["subject", "day"], unique=False)
    op.create_index("attempt_day", "attempt", ["day"], unique=False)
    op.create_table(
        "awaited",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=1024), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("matched_by", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.String(length=36), nullable=False),
        sa.Column("ticket", sa.String(length=36), nullable=False),
        sa.Column("declared", sa.String(length=40), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("exchanges", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("awaited_submitted_at", "awaited", ["submitted_at"], unique=False)

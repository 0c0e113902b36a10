"""Tables of management requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "request_processings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "management_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("processing_id", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("server_instance", sa.String(length=255), nullable=False),
        sa.Column("server_class", sa.String(length=255), nullable=False),
        sa.Column("server_member", sa.String(length=255), nullable=False),
        sa.Column("server_code", sa.String(length=255), nullable=False),
        sa.Column("client_instance", sa.String(length=255), nullable=True),
        sa.Column("client_class", sa.String(length=255), nullable=True),
        sa.Column("client_member", sa.String(length=255), nullable=True),
        sa.Column("client_subsystem", sa.String(length=255), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=True),
        sa.Column("subsystem_name", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["processing_id"],
            ["request_processings.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_management_requests_processing_id"), "management_requests", ["processing_id"], unique=False
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("management_requests")
    op.drop_table("request_processings")

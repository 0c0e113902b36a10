"""First tables of the citizen's pages."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sign_ins",
        sa.Column("state_sha256", sa.String(length=64), nullable=False),
        sa.Column("browser_sha256", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("code_verifier", sa.String(length=128), nullable=False),
        sa.Column("target", sa.String(length=2048), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_sha256"),
    )
    op.create_table(
        "citizen_sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_table(
        "subjects",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["citizen_sessions.token_sha256"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session", "number"),
    )
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("asker_code", sa.String(length=14), nullable=False),
        sa.Column("asker_name", sa.String(length=255), nullable=False),
        sa.Column("subject_code", sa.String(length=14), nullable=False),
        sa.Column("subject_name", sa.String(length=255), nullable=False),
        sa.Column("registry", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=1024), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("wrong", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("corrections_asker", "corrections", ["asker_code"], unique=False)
    op.create_index("corrections_holder", "corrections", ["holder", "state", "due_on"], unique=False)
    op.create_table(
        "correction_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("correction", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["correction"], ["corrections.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_correction_steps_correction", "correction_steps", ["correction"], unique=False)

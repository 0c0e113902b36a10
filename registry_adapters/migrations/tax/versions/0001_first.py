"""First tables of the tax registry."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "taxpayer",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rnokpp", sa.String(length=10), nullable=True),
        sa.Column("unzr", sa.String(length=14), nullable=True),
        sa.Column("document", sa.String(length=9), nullable=True),
        sa.Column("surname", sa.String(length=100), nullable=False),
        sa.Column("given_name", sa.String(length=100), nullable=False),
        sa.Column("patronymic", sa.String(length=100), nullable=True),
        sa.Column("name_key", sa.String(length=210), nullable=False),
        sa.Column("patronymic_key", sa.String(length=100), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("has_arrears", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_taxpayer_rnokpp", "taxpayer", ["rnokpp"], unique=False)
    op.create_index("ix_taxpayer_unzr", "taxpayer", ["unzr"], unique=False)
    op.create_index("ix_taxpayer_document", "taxpayer", ["document"], unique=False)
    op.create_index("taxpayer_name", "taxpayer", ["birth_date", "name_key"], unique=False)
    op.create_table(
        "agent",
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "sole_trader",
        sa.Column("taxpayer", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("tax_group", sa.Integer(), nullable=False),
        sa.Column("activity_codes", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["taxpayer"], ["taxpayer.number"]),
        sa.PrimaryKeyConstraint("taxpayer"),
    )
    op.create_table(
        "income_source",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("taxpayer", sa.Integer(), nullable=False),
        sa.Column("agent", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=3), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("wage", sa.Integer(), nullable=False),
        sa.Column("pays_late", sa.Boolean(), nullable=False),
        sa.Column("variation", sa.Integer(), nullable=False),
        sa.Column("quarters_off", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agent.code"]),
        sa.ForeignKeyConstraint(["taxpayer"], ["taxpayer.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_income_source_taxpayer", "income_source", ["taxpayer"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("client", sa.String(length=1024), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("purposes", sa.String(length=255), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_to", sa.String(length=255), nullable=True),
        sa.Column("failure", sa.String(length=255), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answer_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ticket_open", "ticket", ["client", "closed_at", "expires_at"], unique=False)
    op.create_index("ticket_expires_at", "ticket", ["expires_at"], unique=False)
    op.create_index("ticket_answer_until", "ticket", ["answer_until"], unique=False)
    op.create_table(
        "seeding",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("generator", sa.String(length=32), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

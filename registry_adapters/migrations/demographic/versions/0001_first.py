"""First tables of the demographic registry."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "access_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operation", sa.String(length=255), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("matched_by", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("dialect", sa.String(length=8), nullable=False),
        sa.Column("client", sa.String(length=1024), nullable=False),
        sa.Column("service", sa.String(length=1024), nullable=True),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("issue", sa.String(length=255), nullable=True),
        sa.Column("represented_party", sa.String(length=255), nullable=True),
        sa.Column("purposes", sa.String(length=255), nullable=False),
        sa.Column("legal_ground", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("access_log_noted_at", "access_log", ["noted_at"], unique=False)
    op.create_index("access_log_subject", "access_log", ["subject", "noted_at"], unique=False)
    op.create_table(
        "person",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("unzr", sa.String(length=14), nullable=True),
        sa.Column("rnokpp", sa.String(length=10), nullable=True),
        sa.Column("surname", sa.String(length=100), nullable=False),
        sa.Column("given_name", sa.String(length=100), nullable=False),
        sa.Column("patronymic", sa.String(length=100), nullable=True),
        sa.Column("name_key", sa.String(length=210), nullable=False),
        sa.Column("patronymic_key", sa.String(length=100), nullable=True),
        sa.Column("sex", sa.String(length=6), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("birth_place", sa.String(length=128), nullable=False),
        sa.Column("citizenship", sa.String(length=3), nullable=False),
        sa.Column("rnokpp_refused", sa.Boolean(), nullable=False),
        sa.Column("died_on", sa.Date(), nullable=True),
        sa.Column("katottg", sa.String(length=19), nullable=True),
        sa.Column("region", sa.String(length=64), nullable=True),
        sa.Column("settlement", sa.String(length=64), nullable=True),
        sa.Column("street", sa.String(length=128), nullable=True),
        sa.Column("building", sa.String(length=16), nullable=True),
        sa.Column("apartment", sa.String(length=16), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("rnokpp"),
        sa.UniqueConstraint("unzr"),
    )
    op.create_index("person_name", "person", ["birth_date", "name_key"], unique=False)
    op.create_table(
        "seeding",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("generator", sa.String(length=32), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "document",
        sa.Column("number", sa.String(length=9), nullable=False),
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("issuer", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["person"],
            ["person.number"],
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("document_person", "document", ["person"], unique=False)

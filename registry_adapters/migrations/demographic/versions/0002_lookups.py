"""Buildings, temporary numbers, and persons who may be recorded twice.

The persons of before go: they were synthetic and of another generator. Their mark in `seeding` stays,
so that a registry whose access log speaks of them is not filled with others under the same numbers.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables anew."""
    op.drop_table("document")
    op.drop_table("person")
    op.create_table(
        "building",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("katottg", sa.String(length=19), nullable=False),
        sa.Column("region", sa.String(length=64), nullable=False),
        sa.Column("settlement", sa.String(length=64), nullable=False),
        sa.Column("street", sa.String(length=128), nullable=False),
        sa.Column("number", sa.String(length=16), nullable=False),
        sa.Column("street_key", sa.String(length=128), nullable=False),
        sa.Column("number_key", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("katottg", "street_key", "number_key"),
    )
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
        sa.Column("building", sa.Integer(), nullable=True),
        sa.Column("apartment", sa.String(length=16), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["building"], ["building.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "document",
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=9), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("issuer", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.number"]),
        sa.PrimaryKeyConstraint("person", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "temporary_number",
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=12), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.number"]),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_index("person_unzr", "person", ["unzr"], unique=True)
    op.create_index("person_rnokpp", "person", ["rnokpp"], unique=False)
    op.create_index("person_name", "person", ["birth_date", "name_key"], unique=False)
    op.create_index("person_residence", "person", ["building", "apartment"], unique=False)
    op.create_index("document_number", "document", ["number"], unique=True)
    op.create_index("temporary_number_number", "temporary_number", ["number"], unique=True)

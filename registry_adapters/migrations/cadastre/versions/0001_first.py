"""First tables of the land cadastre."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "parcel",
        sa.Column("cadastral_number", sa.String(length=22), nullable=False),
        sa.Column("quarter", sa.String(length=17), nullable=False),
        sa.Column("area_m2", sa.Integer(), nullable=False),
        sa.Column("purpose_code", sa.String(length=5), nullable=False),
        sa.Column("ownership", sa.String(length=8), nullable=False),
        sa.Column("katottg", sa.String(length=19), nullable=False),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("valuation_kopiyky", sa.BigInteger(), nullable=False),
        sa.Column("valued_on", sa.Date(), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ring", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cadastral_number"),
    )
    op.create_index("parcel_quarter", "parcel", ["quarter"], unique=False)
    op.create_table(
        "succession",
        sa.Column("former", sa.String(length=22), nullable=False),
        sa.Column("successor", sa.String(length=22), nullable=False),
        sa.ForeignKeyConstraint(["former"], ["parcel.cadastral_number"]),
        sa.ForeignKeyConstraint(["successor"], ["parcel.cadastral_number"]),
        sa.PrimaryKeyConstraint("former", "successor"),
    )
    op.create_table(
        "land_right",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parcel", sa.String(length=22), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("holder_kind", sa.String(length=12), nullable=False),
        sa.Column("holder_code", sa.String(length=14), nullable=True),
        sa.Column("holder_name", sa.String(length=302), nullable=False),
        sa.Column("holder_unzr", sa.String(length=14), nullable=True),
        sa.Column("holder_document", sa.String(length=9), nullable=True),
        sa.Column("share", sa.String(length=9), nullable=True),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["parcel"], ["parcel.cadastral_number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, columns in (
        ("land_right_parcel", ["parcel"]),
        ("land_right_holder", ["holder_code", "parcel"]),
        ("land_right_document", ["holder_document", "parcel"]),
        ("land_right_unzr", ["holder_unzr"]),
    ):
        op.create_index(name, "land_right", columns, unique=False)
    op.create_table(
        "restriction",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("parcel", sa.String(length=22), nullable=False),
        sa.Column("code", sa.String(length=5), nullable=False),
        sa.Column("registered_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["parcel"], ["parcel.cadastral_number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("restriction_parcel", "restriction", ["parcel"], unique=False)
    op.create_table(
        "seeding",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("generator", sa.String(length=32), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )

"""The access log; a registry that made its own before is given the column it lacks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, or complete it."""
    sealed: sa.Column[bool] = sa.Column("sealed", sa.Boolean(), server_default=sa.false(), nullable=False)
    if sa.inspect(op.get_bind()).has_table("access_log"):
        op.add_column("access_log", sealed)
        return
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
        sealed,
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("access_log_noted_at", "access_log", ["noted_at"], unique=False)
    op.create_index("access_log_subject", "access_log", ["subject", "noted_at"], unique=False)

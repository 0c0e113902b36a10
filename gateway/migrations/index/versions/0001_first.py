"""Exchanges with what they are found by."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
FULL = ("side", "outcome", "party", "client", "service", "query_id", "x_request_id", "user_id")
SPARSE = ("purpose", "fault_code", "represented_party", "issue")


def upgrade() -> None:
    """Make every table of the first release."""
    op.create_table(
        "exchanges",
        sa.Column("id", KEY, primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("side", sa.SmallInteger, nullable=False),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        sa.Column("party", sa.Integer, nullable=False),
        sa.Column("client", sa.Integer),
        sa.Column("provider", sa.Integer),
        sa.Column("service", sa.Integer),
        sa.Column("purpose", sa.Integer),
        sa.Column("fault_code", sa.Integer),
        sa.Column("represented_party", sa.Integer),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("request", sa.BigInteger),
        sa.Column("response", sa.BigInteger),
        sa.Column("refusal", sa.BigInteger),
        sa.Column("query_id", TEXT),
        sa.Column("x_request_id", TEXT),
        sa.Column("issue", TEXT),
        sa.Column("user_id", TEXT),
        sa.Column("open_key", sa.LargeBinary),
    )
    for column in FULL:
        op.create_index(f"exchanges_by_{column}", "exchanges", [column, "id"])
    for column in SPARSE:
        _create_sparse_index(f"exchanges_by_{column}", column, "id")
    for column in ("response", "refusal"):
        _create_sparse_index(f"exchanges_by_{column}", column)
    _create_sparse_index("exchanges_open", "open_key", "id")
    op.create_table(
        "terms",
        sa.Column("id", KEY, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("text", TEXT, nullable=False),
    )
    op.create_index("terms_by_text", "terms", ["kind", "text"], unique=True)
    op.create_table(
        "term_names",
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("term", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "zones",
        sa.Column("zone", KEY, primary_key=True, autoincrement=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "index_state",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger),
        sa.Column("hash", sa.LargeBinary),
    )


def _create_sparse_index(name: str, *columns: str) -> None:
    given = sa.text(f"{columns[0]} IS NOT NULL")
    op.create_index(name, "exchanges", columns, sqlite_where=given, postgresql_where=given)

"""Tables of the search index: derived facts in a database of their own, so that it never stands in the writer's way.

Whatever many exchanges share is a number in `exchanges` and a text in `terms`: rows stay so narrow that
reading all of a million takes a moment. A term has `term_names`, by each of which it is found: a
subsystem by its own and its member's, a service by those of its provider too.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, Table, Text

from gateway.auditing.model import Outcome
from gateway.messagelog.model import Side

metadata: Final = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")
# Ranges of texts are ranges of their bytes, in both databases.
_Text = Text().with_variant(Text(collation="C"), "postgresql")


class Kind(IntEnum):
    """What a term is."""

    PARTY = 1
    SERVICE = 2
    PURPOSES = 3
    FAULT = 4
    REPRESENTED = 5


# What stands for them in a row is their place here.
SIDES: Final = (Side.CONSUMER, Side.PROVIDER)
OUTCOMES: Final = (Outcome.ANSWERED, Outcome.REFUSED, Outcome.FAILED, Outcome.OPEN)
ZONE_IDS: Final = 4096
NOBODY: Final = 0  # the party of an exchange of which nobody knows whose it is

# `service` is set wherever a provider is known; it is the provider's own name when nothing more was said.
exchanges: Final = Table(
    "exchanges",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("party", Integer, nullable=False),
    Column("client", Integer),
    Column("provider", Integer),
    Column("service", Integer),
    Column("purpose", Integer),
    Column("fault_code", Integer),
    Column("represented_party", Integer),
    Column("times", BigInteger, nullable=False),
    Column("request", BigInteger),
    Column("response", BigInteger),
    Column("refusal", BigInteger),
    Column("query_id", _Text),
    Column("x_request_id", _Text),
    Column("issue", _Text),
    Column("user_id", _Text),
    Column("open_key", LargeBinary),  # what an answer is recognised by; none once there is one
)

INDEXED: Final = (
    "side", "outcome", "party", "client", "service", "purpose", "fault_code", "represented_party", "query_id",
    "x_request_id", "issue", "user_id",
)  # fmt: skip
_SPARSE: Final = ("purpose", "fault_code", "represented_party", "issue")


def index_name(column: str) -> str:
    """Return the name of the index over a column and the id."""
    return f"exchanges_by_{column}"


for _column in INDEXED:
    _given = exchanges.c[_column].is_not(None) if _column in _SPARSE else None
    Index(index_name(_column), exchanges.c[_column], exchanges.c.id, sqlite_where=_given, postgresql_where=_given)
for _column in ("response", "refusal"):
    _given = exchanges.c[_column].is_not(None)
    Index(index_name(_column), exchanges.c[_column], sqlite_where=_given, postgresql_where=_given)
Index(
    "exchanges_open",
    exchanges.c.open_key,
    exchanges.c.id,
    sqlite_where=exchanges.c.open_key.is_not(None),
    postgresql_where=exchanges.c.open_key.is_not(None),
)

terms: Final = Table(
    "terms",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("text", _Text, nullable=False),
    Index("terms_by_text", "kind", "text", unique=True),
)

term_names: Final = Table(
    "term_names",
    metadata,
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("name", _Text, primary_key=True),
    Column("term", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Between which times the exchanges of a stretch of ids lie: a period becomes a range of ids by it.
zones: Final = Table(
    "zones",
    metadata,
    Column("zone", _Key, primary_key=True, autoincrement=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

index_state: Final = Table(
    "index_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger),
    Column("hash", LargeBinary),
)

"""Tables of a simulator, the same for each: records as they are told, and the keys they are found by.

What a record holds is said by its declaration alone, so a simulator that learns a field needs no migration.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

from registry_adapters.population.seeding import seed_table

metadata = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite's own row number

record = Table(
    "record",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),  # JSON, as REST tells it
    Column("subjects", Text, nullable=False),  # codes of the natural persons it tells of, one a line
)

record_key = Table(
    "record_key",
    metadata,
    Column("key", String(400), primary_key=True),
    Column("record", ForeignKey("record.id"), primary_key=True),
    Column("subject", String(64), primary_key=True),  # the person this key leads to; empty where it leads to none
    sqlite_with_rowid=False,
)

seeding = seed_table(metadata)

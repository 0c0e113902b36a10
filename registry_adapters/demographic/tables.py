"""Tables of the demographic registry; nothing else."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, MetaData, String, Table

from registry_adapters.sdk.access_log import access_log_table

metadata = MetaData()

person = Table(
    "person",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unzr", String(14), unique=True),
    Column("rnokpp", String(10), unique=True),
    Column("surname", String(100), nullable=False),
    Column("given_name", String(100), nullable=False),
    Column("patronymic", String(100)),
    Column("name_key", String(210), nullable=False),
    Column("patronymic_key", String(100)),
    Column("sex", String(6), nullable=False),
    Column("birth_date", Date, nullable=False),
    Column("birth_place", String(128), nullable=False),
    Column("citizenship", String(3), nullable=False),
    Column("rnokpp_refused", Boolean, nullable=False),
    Column("died_on", Date),
    Column("katottg", String(19)),
    Column("region", String(64)),
    Column("settlement", String(64)),
    Column("street", String(128)),
    Column("building", String(16)),
    Column("apartment", String(16)),
    Column("registered_on", Date),
    Index("person_name", "birth_date", "name_key"),
)

document = Table(
    "document",
    metadata,
    Column("number", String(9), primary_key=True),
    Column("person", ForeignKey("person.number"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("expires_on", Date),
    Column("issuer", String(8), nullable=False),
    Column("status", String(8), nullable=False),
    Index("document_person", "person"),
)

# One row: which synthetic population is being made, and how far it has come.
seeding = Table(
    "seeding",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seed", Integer, nullable=False),
    Column("generator", String(32), nullable=False),
    Column("persons", Integer, nullable=False),
)

access_log = access_log_table(metadata)

"""Tables of the demographic registry; nothing else.

A building stands once, however many live there. The indexes that are not part of a table's order are
in `LOOKUPS`: a first load of millions goes without them and makes them when it is done.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, MetaData, String, Table, UniqueConstraint

from registry_adapters.population.seeding import seed_table

metadata = MetaData()

building = Table(
    "building",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("katottg", String(19), nullable=False),
    Column("region", String(64), nullable=False),
    Column("settlement", String(64), nullable=False),
    Column("street", String(128), nullable=False),
    Column("number", String(16), nullable=False),
    Column("street_key", String(128), nullable=False),
    Column("number_key", String(16), nullable=False),
    UniqueConstraint("katottg", "street_key", "number_key"),
)

person = Table(
    "person",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unzr", String(14)),
    Column("rnokpp", String(10)),
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
    Column("building", ForeignKey("building.id")),
    Column("apartment", String(16)),
    Column("registered_on", Date),
)

document = Table(
    "document",
    metadata,
    Column("person", ForeignKey("person.number"), primary_key=True),
    Column("number", String(9), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("expires_on", Date),
    Column("issuer", String(8), nullable=False),
    Column("status", String(8), nullable=False),
    sqlite_with_rowid=False,  # kept in the order of persons, so their documents lie together
)

temporary_number = Table(
    "temporary_number",
    metadata,
    Column("person", ForeignKey("person.number"), primary_key=True),
    Column("number", String(12), nullable=False),
    Column("issued_on", Date, nullable=False),
)

LOOKUPS: Final = (
    Index("person_unzr", person.c.unzr, unique=True),
    Index("person_rnokpp", person.c.rnokpp),  # not unique: some persons are recorded twice
    Index("person_name", person.c.birth_date, person.c.name_key),
    Index("person_residence", person.c.building, person.c.apartment),
    Index("document_number", document.c.number, unique=True),
    Index("temporary_number_number", temporary_number.c.number, unique=True),
)

seeding = seed_table(metadata)

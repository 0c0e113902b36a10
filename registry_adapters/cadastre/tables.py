"""Tables of the land cadastre; nothing else. Areas are whole square metres, values kopiyky: exact in any database.

A first load of millions goes without the `LOOKUPS` and makes them when it is done.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Index, Integer, MetaData, String, Table, Text

from registry_adapters.population.seeding import seed_table

metadata = MetaData()

parcel = Table(
    "parcel",
    metadata,
    Column("cadastral_number", String(22), primary_key=True),
    Column("quarter", String(17), nullable=False),  # the number's first three parts
    Column("area_m2", Integer, nullable=False),
    Column("purpose_code", String(5), nullable=False),
    Column("ownership", String(8), nullable=False),
    Column("katottg", String(19), nullable=False),
    Column("address", String(300), nullable=False),
    Column("valuation_kopiyky", BigInteger, nullable=False),
    Column("valued_on", Date, nullable=False),
    Column("registered_on", Date, nullable=False),
    Column("status", String(10), nullable=False),
    Column("ended_on", Date),
    Column("ring", Text, nullable=False),
)

succession = Table(
    "succession",
    metadata,
    Column("former", ForeignKey("parcel.cadastral_number"), primary_key=True),
    Column("successor", ForeignKey("parcel.cadastral_number"), primary_key=True),
)

right = Table(
    "land_right",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("parcel", ForeignKey("parcel.cadastral_number"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("holder_kind", String(12), nullable=False),  # person or organisation
    Column("holder_code", String(14)),  # RNOKPP, else document, else UNZR; EDRPOU; newborns have none
    Column("holder_name", String(302), nullable=False),
    Column("holder_unzr", String(14)),
    Column("holder_document", String(9)),
    Column("share", String(9)),
    Column("registered_on", Date, nullable=False),
)

restriction = Table(
    "restriction",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("parcel", ForeignKey("parcel.cadastral_number"), nullable=False),
    Column("code", String(5), nullable=False),
    Column("registered_on", Date, nullable=False),
)

LOOKUPS: Final = (
    Index("parcel_quarter", parcel.c.quarter),
    Index("land_right_parcel", right.c.parcel),
    Index("land_right_holder", right.c.holder_code, right.c.parcel),
    Index("land_right_document", right.c.holder_document, right.c.parcel),
    Index("land_right_unzr", right.c.holder_unzr),
    Index("restriction_parcel", restriction.c.parcel),
)

seeding = seed_table(metadata)

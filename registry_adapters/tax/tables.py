"""Tables of the tax registry; nothing else.

Incomes stand as their sources, one row for who pays whom since when: what was paid in a quarter follows
from it. `agent` lists the tax agents. A taxpayer's `number` never leaves the registry. A first load of
millions goes without the `LOOKUPS` and makes them when it is done.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Date, ForeignKey, Index, Integer, MetaData, String, Table

from registry_adapters.population.seeding import seed_table
from registry_adapters.sdk.tickets import ticket_table

metadata = MetaData()

taxpayer = Table(
    "taxpayer",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("rnokpp", String(10)),
    Column("unzr", String(14)),
    Column("document", String(9)),
    Column("surname", String(100), nullable=False),
    Column("given_name", String(100), nullable=False),
    Column("patronymic", String(100)),
    Column("name_key", String(210), nullable=False),
    Column("patronymic_key", String(100)),
    Column("birth_date", Date, nullable=False),
    Column("registered_on", Date, nullable=False),
    Column("status", String(16), nullable=False),
    Column("has_arrears", Boolean, nullable=False),
)

sole_trader = Table(
    "sole_trader",
    metadata,
    Column("taxpayer", ForeignKey("taxpayer.number"), primary_key=True, autoincrement=False),
    Column("registered_on", Date, nullable=False),
    Column("ended_on", Date),
    Column("tax_group", Integer, nullable=False),
    Column("activity_codes", String(64), nullable=False),  # separated by commas, the main one first
)

agent = Table(
    "agent",
    metadata,
    Column("code", String(8), primary_key=True),
    Column("name", String(255), nullable=False),
)

income_source = Table(
    "income_source",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("taxpayer", ForeignKey("taxpayer.number"), nullable=False),
    Column("agent", ForeignKey("agent.code"), nullable=False),
    Column("kind", String(3), nullable=False),
    Column("since", Date, nullable=False),
    Column("until", Date),
    Column("wage", Integer, nullable=False),
    Column("pays_late", Boolean, nullable=False),
    Column("variation", Integer, nullable=False),
    Column("quarters_off", Integer, nullable=False),  # how many quarters too late the agent's reports are booked
)

LOOKUPS: Final = (
    Index("ix_taxpayer_rnokpp", taxpayer.c.rnokpp),  # not unique: registries hold people twice
    Index("ix_taxpayer_unzr", taxpayer.c.unzr),
    Index("ix_taxpayer_document", taxpayer.c.document),
    Index("taxpayer_name", taxpayer.c.birth_date, taxpayer.c.name_key),
    Index("ix_income_source_taxpayer", income_source.c.taxpayer),
)

ticket = ticket_table(metadata)
seeding = seed_table(metadata)

"""Tables of the test trust services: what was issued, and where the serial numbers stand."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

# Serial numbers have up to 20 octets, more than an integer column: kept as upper-case hex.
issued_certificates = Table(
    "issued_certificates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("serial", String(40), nullable=False, unique=True),
    Column("usage", String(16), nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Integer, nullable=False),
)

"""Tables of management requests.

The status belongs to a processing, which the two complementary halves of a registration share: the
one a security server sent and the one an operator entered.
"""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

request_processings = Table(
    "request_processings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("status", String(32), nullable=False),
)

management_requests = Table(
    "management_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("processing_id", ForeignKey("request_processings.id"), index=True),
    Column("type", String(64), nullable=False),
    Column("origin", String(32), nullable=False),
    Column("server_instance", String(255), nullable=False),
    Column("server_class", String(255), nullable=False),
    Column("server_member", String(255), nullable=False),
    Column("server_code", String(255), nullable=False),
    Column("client_instance", String(255)),
    Column("client_class", String(255)),
    Column("client_member", String(255)),
    Column("client_subsystem", String(255)),
    Column("address", Text),
    Column("certificate_der", LargeBinary),
    Column("subsystem_name", Text),
    Column("message", Text),
    Column("comments", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

"""Tables of this server's configuration (X-Road DM-SS); nothing else."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

server = Table(
    "serverconf",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("owner_instance", String(255)),
    Column("owner_class", String(255)),
    Column("owner_code", String(255)),
    Column("server_code", String(255)),
    Column("version", BigInteger, nullable=False, default=0),
)

client = Table(
    "client",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("xroad_instance", String(255), nullable=False),
    Column("member_class", String(255), nullable=False),
    Column("member_code", String(255), nullable=False),
    Column("subsystem_code", String(255), nullable=False, default=""),
    Column("status", String(64), nullable=False),
    Column("connection_type", String(16), nullable=False),
    UniqueConstraint("xroad_instance", "member_class", "member_code", "subsystem_code", name="uq_client"),
)

client_certificate = Table(
    "client_certificate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("client_id", "hash", name="uq_client_certificate"),
)

service_description = Table(
    "service_description",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("disabled_notice", Text),
    Column("refreshed_at_ms", BigInteger, nullable=False),
)

service = Table(
    "service",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("description_id", Integer, ForeignKey("service_description.id", ondelete="CASCADE"), nullable=False),
    Column("code", String(255), nullable=False),
    Column("version", String(255), nullable=False, default=""),
    Column("title", Text),
    Column("url", Text, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("verify_tls", Boolean, nullable=False),
    UniqueConstraint("description_id", "code", "version", name="uq_service"),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    Column("service_code", String(255), nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("generated", Boolean, nullable=False),
    UniqueConstraint("client_id", "service_code", "method", "path", name="uq_endpoint"),
)

access_right = Table(
    "access_right",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("endpoint_id", Integer, ForeignKey("endpoint.id", ondelete="CASCADE"), nullable=False),
    Column("subject_type", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("given_at_ms", BigInteger, nullable=False),
    UniqueConstraint("endpoint_id", "subject_type", "subject", name="uq_access_right"),
)

local_group = Table(
    "local_group",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_id", Integer, ForeignKey("client.id", ondelete="CASCADE"), nullable=False),
    Column("code", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    UniqueConstraint("client_id", "code", name="uq_local_group"),
)

local_group_member = Table(
    "local_group_member",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_id", Integer, ForeignKey("local_group.id", ondelete="CASCADE"), nullable=False),
    Column("member", Text, nullable=False),
    Column("added_at_ms", BigInteger, nullable=False),
    UniqueConstraint("group_id", "member", name="uq_local_group_member"),
)

timestamping_service = Table(
    "timestamping_service",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("url", Text, nullable=False),
    UniqueConstraint("name", "url", name="uq_timestamping_service"),
)
